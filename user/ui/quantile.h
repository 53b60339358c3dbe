/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Durations counted in classes of at most 1/16 width, for quantiles that are shown rounded. */
#ifndef ST_UI_QUANTILE_H
#define ST_UI_QUANTILE_H

#include <stdint.h>
#include <string.h>

#define ST_QUANTILE_CLASSES (61 * 16)

struct st_quantile {
	uint64_t cnt;
	uint32_t class[ST_QUANTILE_CLASSES];
};

/* The class of a value: its 4 bits behind the highest one, and where that one stands. */
static inline uint32_t st_quantile__class(uint64_t v)
{
	uint32_t shift;

	if (v < 16)
		return (uint32_t)v;
	shift = 59 - (uint32_t)__builtin_clzll(v);
	return (shift + 1) * 16 + (uint32_t)(v >> shift & 15);
}

static inline void st_quantile__add(struct st_quantile *q, uint64_t v)
{
	q->cnt++;
	q->class[st_quantile__class(v)]++;
}

/* The middle of the class that holds the quantile `part` (0 to 1); 0 when empty. */
static inline uint64_t st_quantile__get(const struct st_quantile *q, double part)
{
	uint64_t want = (uint64_t)(part * (double)q->cnt), seen = 0;

	for (uint32_t i = 0; i < ST_QUANTILE_CLASSES; i++) {
		seen += q->class[i];
		if (seen <= want && seen < q->cnt)
			continue;
		if (i < 16)
			return q->cnt ? i : 0;
		return ((16ull + i % 16) << (i / 16 - 1)) + ((1ull << (i / 16 - 1)) >> 1);
	}
	return 0;
}

static inline void st_quantile__reset(struct st_quantile *q)
{
	memset(q, 0, sizeof(*q));
}

#endif
