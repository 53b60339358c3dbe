/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/utf8.h"

/* What may follow a lead byte (Unicode 15, table 3-7). */
struct lead {
	uint8_t more;	/* continuation bytes */
	uint8_t lo, hi; /* bounds of the first of them */
};

static bool lead_of(uint8_t c, struct lead *l)
{
	*l = (struct lead){.more = 1, .lo = 0x80, .hi = 0xbf};
	if (c < 0xc2 || c > 0xf4)
		return false;
	if (c < 0xe0)
		return true;
	l->more = c < 0xf0 ? 2 : 3;
	if (c == 0xe0)
		l->lo = 0xa0;
	else if (c == 0xed)
		l->hi = 0x9f; /* no surrogates */
	else if (c == 0xf0)
		l->lo = 0x90;
	else if (c == 0xf4)
		l->hi = 0x8f;
	return true;
}

uint32_t st_utf8__step(const uint8_t *p, const uint8_t *end, bool *valid)
{
	uint32_t n = 1;
	struct lead l;

	*valid = true;
	if (*p < 0x80)
		return 1;
	*valid = false;
	if (!lead_of(*p, &l))
		return 1;
	while (n <= l.more) {
		if (p + n >= end || p[n] < l.lo || p[n] > l.hi)
			return n;
		l.lo = 0x80;
		l.hi = 0xbf;
		n++;
	}
	*valid = true;
	return n;
}

size_t st_utf8__size(const char *s, uint32_t len, uint32_t max_chars)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + len;
	size_t size = 0;

	while (p < end && max_chars--) {
		bool valid;
		uint32_t n = st_utf8__step(p, end, &valid);

		size += valid ? n : 3;
		p += n;
	}
	return size;
}

uint8_t *st_utf8__write(uint8_t *to, const char *s, uint32_t len, uint32_t max_chars)
{
	const uint8_t *p = (const uint8_t *)s, *end = p + len;

	while (p < end && max_chars--) {
		bool valid;
		uint32_t n = st_utf8__step(p, end, &valid);

		if (valid) {
			memcpy(to, p, n);
			to += n;
		} else {
			memcpy(to, ST_UTF8_REPLACEMENT, 3);
			to += 3;
		}
		p += n;
	}
	return to;
}
