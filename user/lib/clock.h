/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Clocks, for the edges: the pure core is given the time. */
#ifndef ST_LIB_CLOCK_H
#define ST_LIB_CLOCK_H

#include <stdint.h>
#include <time.h>

#define ST_NSEC_PER_SEC	 1000000000ULL
#define ST_NSEC_PER_MSEC 1000000ULL

static inline uint64_t st_clock__ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * ST_NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* The clock of bpf_ktime_get_ns(). */
static inline uint64_t st_clock__mono_ns(void)
{
	return st_clock__ns(CLOCK_MONOTONIC);
}

/*
 * What to add to CLOCK_MONOTONIC to get nanoseconds since the Unix epoch: the middle one of a few
 * tries whose two monotonic readings lie closest together.
 */
static inline int64_t st_clock__epoch_offset_ns(void)
{
	uint64_t best_width = UINT64_MAX;
	int64_t best = 0;

	for (int i = 0; i < 5; i++) {
		uint64_t a = st_clock__mono_ns(), real = st_clock__ns(CLOCK_REALTIME);
		uint64_t b = st_clock__mono_ns();

		if (b - a < best_width) {
			best_width = b - a;
			best = (int64_t)(real - (a + (b - a) / 2));
		}
	}
	return best;
}

#endif
