/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/sample.h"

#define RANDOM_BITS  56 /* W3C Trace Context level 2: the right-most seven bytes are random */
#define FLAG_SAMPLED 1u

static uint64_t threshold_of(double ratio)
{
	if (!(ratio > 0))
		return 1ULL << RANDOM_BITS;
	if (ratio >= 1)
		return 0;
	return (uint64_t)((1.0 - ratio) * (double)(1ULL << RANDOM_BITS));
}

struct st_sampler st_sampler__of(enum st_sampler_kind kind, double ratio)
{
	switch (kind) {
	case ST_SAMPLER_ALWAYS_OFF:
		return (struct st_sampler){.threshold = 1ULL << RANDOM_BITS};
	case ST_SAMPLER_RATIO:
		return (struct st_sampler){.threshold = threshold_of(ratio)};
	case ST_SAMPLER_PARENT_ON:
		return (struct st_sampler){.by_parent = true};
	case ST_SAMPLER_PARENT_OFF:
		return (struct st_sampler){.threshold = 1ULL << RANDOM_BITS, .by_parent = true};
	case ST_SAMPLER_PARENT_RATIO:
		return (struct st_sampler){.threshold = threshold_of(ratio), .by_parent = true};
	default:
		return (struct st_sampler){0};
	}
}

bool st_sampler__keeps(const struct st_sampler *s, const struct st_span *span)
{
	uint64_t random = 0;

	if (!s->threshold && !s->by_parent)
		return true;
	/* A root of ours is sampled, unless its request said that it must not be. */
	if (s->by_parent && (span->has_parent || !(span->flags & FLAG_SAMPLED)))
		return span->flags & FLAG_SAMPLED;
	if (!s->threshold)
		return true;
	for (int i = 9; i < 16; i++)
		random = random << 8 | span->trace_id[i];
	return random >= s->threshold;
}
