/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Names compared without regard to case (RFC 9110 5.1), eight bytes at a time. */
#ifndef ST_LIB_FOLD_H
#define ST_LIB_FOLD_H

#include "spantap/bytes.h"

static inline __attribute__((always_inline)) uint64_t st_load8(const void *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static inline __attribute__((always_inline)) uint32_t st_load4(const void *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/*
 * Eight, or four, bytes equal without regard to case, where want is in lower case. The bit 0x20 is
 * ignored where want has 0x40, which are the letters and ^_`|~: that those equal five other bytes
 * harms no name in use.
 */
static inline __attribute__((always_inline)) bool st_fold8(const void *p, const void *want)
{
	uint64_t w = st_load8(want), fold = (w & 0x4040404040404040ull) >> 1;

	return (st_load8(p) | fold) == (w | fold);
}

static inline __attribute__((always_inline)) bool st_fold4(const void *p, const void *want)
{
	uint32_t w = st_load4(want), fold = (w & 0x40404040u) >> 1;

	return (st_load4(p) | fold) == (w | fold);
}

/* The same of n bytes. */
static inline __attribute__((always_inline)) bool st_fold_eq(const void *p, const char *want,
							     size_t n)
{
	const uint8_t *q = p;
	size_t i;

	if (n >= 8) {
		if (n > 8 && !st_fold8(q, want))
			return false;
		for (i = 8; i + 8 < n; i += 8)
			if (!st_fold8(q + i, want + i))
				return false;
		return st_fold8(q + n - 8, want + n - 8);
	}
	if (n >= 4)
		return st_fold4(q, want) && st_fold4(q + n - 4, want + n - 4);
	for (i = 0; i < n; i++)
		if ((q[i] | (want[i] & 0x40) >> 1) != (want[i] | (want[i] & 0x40) >> 1))
			return false;
	return true;
}

#endif
