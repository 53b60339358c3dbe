/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A growing byte buffer with a cap. A write that does not fit sets `failed` and changes nothing
 * else; callers check once at the end. st_buf__reset keeps the memory, so that a steady state
 * allocates nothing.
 */
#ifndef ST_LIB_BUF_H
#define ST_LIB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct st_buf {
	uint8_t *p;
	size_t len;
	size_t cap;
	size_t max;  /* bytes at most */
	bool failed; /* a write did not fit, or memory ran out */
};

/* An empty buffer that never grows above max bytes. Owns its memory: end with st_buf__free. */
static inline struct st_buf st_buf__init(size_t max)
{
	return (struct st_buf){.max = max};
}

void st_buf__free(struct st_buf *b);

/* Grows so that `more` bytes fit; false (and failed) when they cannot. */
bool st_buf__grow(struct st_buf *b, size_t more);

static inline void st_buf__reset(struct st_buf *b)
{
	b->len = 0;
	b->failed = false;
}

/* Room for n bytes at the end, or NULL; the caller adds to len what it used. */
static inline uint8_t *st_buf__room(struct st_buf *b, size_t n)
{
	if (b->cap - b->len < n && !st_buf__grow(b, n))
		return NULL;
	return b->p + b->len;
}

static inline bool st_buf__put(struct st_buf *b, const void *p, size_t n)
{
	uint8_t *to = st_buf__room(b, n);

	if (!to)
		return false;
	if (n)
		memcpy(to, p, n);
	b->len += n;
	return true;
}

static inline bool st_buf__puts(struct st_buf *b, const char *z)
{
	return st_buf__put(b, z, strlen(z));
}

static inline bool st_buf__putc(struct st_buf *b, char c)
{
	return st_buf__put(b, &c, 1);
}

/* printf to the end; false when it did not fit. */
bool st_buf__printf(struct st_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
