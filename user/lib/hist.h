/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Log-linear latency buckets, as bpf/hist.h fills them. */
#ifndef ST_LIB_HIST_H
#define ST_LIB_HIST_H

#include <stdint.h>

#include "spantap/abi.h"

/* Lower bound of a bucket, nanoseconds. */
static inline uint64_t st_hist__low_ns(uint32_t bucket)
{
	uint32_t octave, quarter;

	if (!bucket)
		return 0;
	octave = (bucket - 1) / 4 + ST_HIST_SHIFT;
	quarter = (bucket - 1) % 4;
	return (1ULL << octave) + ((uint64_t)quarter << (octave - 2));
}

static inline uint32_t st_hist__bucket(uint64_t ns)
{
	uint32_t octave, bucket;

	if (ns < 1ULL << ST_HIST_SHIFT)
		return 0;
	octave = 63 - (uint32_t)__builtin_clzll(ns);
	bucket = (octave - ST_HIST_SHIFT) * 4 + (uint32_t)(ns >> (octave - 2) & 3) + 1;
	return bucket < ST_HIST_BUCKETS ? bucket : ST_HIST_BUCKETS - 1;
}

/* The q-quantile (0..1), interpolated within its bucket; 0 when there is nothing. */
static inline uint64_t st_hist__quantile_ns(const struct st_hist *h, double q)
{
	uint64_t want = (uint64_t)(q * (double)h->cnt), seen = 0;

	if (!h->cnt)
		return 0;
	if (want >= h->cnt)
		want = h->cnt - 1;
	for (uint32_t b = 0; b < ST_HIST_BUCKETS; b++) {
		uint64_t low = st_hist__low_ns(b), high = st_hist__low_ns(b + 1);

		if (seen + h->bucket[b] > want)
			return low + (high - low) * (want - seen) / h->bucket[b];
		seen += h->bucket[b];
	}
	return st_hist__low_ns(ST_HIST_BUCKETS);
}

#endif
