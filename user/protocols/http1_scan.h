/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The inner loops of http1_head.c and http1_field.h: where lines end, whether control characters are
 * among bytes. Nothing here reads outside [lo, end).
 */
#ifndef ST_PROTOCOLS_HTTP1_SCAN_H
#define ST_PROTOCOLS_HTTP1_SCAN_H

#include "spantap/bytes.h"
#include "lib/fold.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define likely(x)     __builtin_expect(!!(x), 1)
#define unlikely(x)   __builtin_expect(!!(x), 0)
#define always_inline inline __attribute__((always_inline))

/* The line ends from p on, 64 bytes at a time: bit i of `found` is an LF at base + i. */
struct scan {
	const uint8_t *lo, *p, *end;  /* first byte that may be read, current, end */
	const uint8_t *base, *beyond; /* `beyond` is the first byte not yet looked at */
	uint64_t found;
};

static always_inline bool is_ws(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* Within a field's value CR and LF are those of obsolete folding (RFC 9112 5.2). */
static always_inline bool is_lws(uint8_t c)
{
	return c <= ' ' && (0x100002600ull >> c & 1);
}

static always_inline bool is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}

/* A bit for each LF, or each control character, of 16 bytes. */
#ifdef __SSE2__
static always_inline unsigned lf_mask(const uint8_t *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)p);

	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('\n')));
}

static always_inline unsigned ctl_mask(const uint8_t *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)p);
	__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);

	return (unsigned)_mm_movemask_epi8(
		_mm_or_si128(low, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f))));
}
#else
static always_inline unsigned lf_mask(const uint8_t *p)
{
	unsigned i, m = 0;

	for (i = 0; i < 16; i++)
		m |= (unsigned)(p[i] == '\n') << i;
	return m;
}

static always_inline unsigned ctl_mask(const uint8_t *p)
{
	unsigned i, m = 0;

	for (i = 0; i < 16; i++)
		m |= (unsigned)(p[i] < 0x20 || p[i] == 0x7f) << i;
	return m;
}
#endif

static always_inline uint64_t lf_mask64(const uint8_t *p)
{
	return lf_mask(p) | (uint64_t)lf_mask(p + 16) << 16 | (uint64_t)lf_mask(p + 32) << 32 |
	       (uint64_t)lf_mask(p + 48) << 48;
}

/* The mask of [p, end), fewer than 64 bytes, for buffers that are as short. */
static __attribute__((noinline)) uint64_t lf_mask_short(const uint8_t *lo, const uint8_t *p,
							const uint8_t *end)
{
	unsigned shift = 0;
	uint64_t m = 0;

	for (; end - p >= 16; p += 16, shift += 16)
		m |= (uint64_t)lf_mask(p) << shift;
	if (p < end && end - lo >= 16)
		return m | (uint64_t)(lf_mask(end - 16) >> (16 - (end - p))) << shift;
	for (; p < end; p++, shift++)
		m |= (uint64_t)(*p == '\n') << shift;
	return m;
}

/* Looks at up to 64 bytes more. What does not fill them is read from the end backwards. */
static always_inline bool look_on(struct scan *s)
{
	size_t left = (size_t)(s->end - s->beyond);

	s->base = s->beyond;
	if (left >= 64) {
		s->found = lf_mask64(s->base);
		s->beyond += 64;
		return true;
	}
	if (!left)
		return false;
	s->beyond = s->end;
	if (likely(s->end - s->lo >= 64))
		s->found = lf_mask64(s->end - 64) >> (64 - left);
	else
		s->found = lf_mask_short(s->lo, s->base, s->end);
	return true;
}

/* *lf becomes the next line end; false when there is none. */
static always_inline bool next_lf(struct scan *s, const uint8_t **lf)
{
	while (unlikely(!s->found))
		if (!look_on(s))
			return false;
	*lf = s->base + __builtin_ctzll(s->found);
	s->found &= s->found - 1;
	return true;
}

static __attribute__((noinline)) bool has_ctl_slow(const uint8_t *p, const uint8_t *e)
{
	for (; p < e; p++)
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f)
			return true;
	return false;
}

/* Is there a control character but HTAB in [p, e)? The last 16 bytes may begin before p. */
static always_inline bool has_ctl(const struct scan *s, const uint8_t *p, const uint8_t *e)
{
	const uint8_t *q;
	unsigned m = 1;

	if (likely(e - s->lo >= 16)) {
		m = ctl_mask(e - 16);
		for (q = p; e - q > 16; q += 16)
			m |= ctl_mask(q);
	}
	return unlikely(m) && has_ctl_slow(p, e);
}

#endif
