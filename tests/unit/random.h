/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Random worlds of the core's tests: numbers, seeds, and what every span of them must be. */
#ifndef ST_TEST_RANDOM_H
#define ST_TEST_RANDOM_H

#include <stdlib.h>

#include "core_bed.h"

/* xorshift64*: the same numbers everywhere. */
static uint64_t rnd_state;

static inline uint32_t rnd(uint32_t n)
{
	rnd_state ^= rnd_state >> 12;
	rnd_state ^= rnd_state << 25;
	rnd_state ^= rnd_state >> 27;
	return (uint32_t)((rnd_state * 0x2545f4914f6cdd1dULL) >> 33) % n;
}

/* SPANTAP_SEED=N: another stretch of seeds, for long runs. */
static inline uint64_t first_seed(uint64_t otherwise)
{
	const char *env = getenv("SPANTAP_SEED");

	return env ? strtoull(env, NULL, 10) : otherwise;
}

/* Paths are /cCONN/rN/sCODE: each was asked for once and got what it asked for, or was lost. */
static inline void check_spans(const struct bed *b, uint64_t seed)
{
	for (uint32_t i = 0; i < b->cnt; i++) {
		const struct bed_span *s = &b->spans[i];
		unsigned conn, n;
		int code;

		if (sscanf(s->path, "/c%u/r%u/s%d", &conn, &n, &code) != 3)
			fail_msg("seed %llu: %s was never asked for", (unsigned long long)seed,
				 s->path);
		if (s->code && s->code != code)
			fail_msg("seed %llu: kind %d %s got %d", (unsigned long long)seed, s->kind,
				 s->path, s->code);
		if (!s->code && !s->incomplete && !*s->error)
			fail_msg("seed %llu: %s has neither status nor error",
				 (unsigned long long)seed, s->path);
		for (uint32_t k = 0; k < i; k++)
			if (b->spans[k].kind == s->kind && !strcmp(b->spans[k].path, s->path))
				fail_msg("seed %llu: %s twice", (unsigned long long)seed, s->path);
	}
}

#endif
