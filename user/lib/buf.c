/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "lib/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void st_buf__free(struct st_buf *b)
{
	free(b->p);
	b->p = NULL;
	b->len = b->cap = 0;
}

bool st_buf__grow(struct st_buf *b, size_t more)
{
	size_t want = b->cap ? b->cap : 256;
	uint8_t *p;

	if (more > b->max || b->len > b->max - more)
		goto fail;
	while (want < b->len + more)
		want *= 2;
	if (want > b->max)
		want = b->max;
	p = realloc(b->p, want);
	if (!p)
		goto fail;
	b->p = p;
	b->cap = want;
	return true;
fail:
	b->failed = true;
	return false;
}

bool st_buf__printf(struct st_buf *b, const char *fmt, ...)
{
	char small[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return false;
	if ((size_t)n < sizeof(small))
		return st_buf__put(b, small, (size_t)n);
	if (!st_buf__room(b, (size_t)n + 1))
		return false;
	va_start(ap, fmt);
	vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return true;
}
