/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which reasons were said lately, so that one is not said with every request that fails. */
#ifndef ST_EXPORT_SAID_H
#define ST_EXPORT_SAID_H

#include <stdbool.h>
#include <stdint.h>

#define ST_SAID_CNT 8

struct st_said {
	struct {
		uint32_t hash;
		uint32_t unsaid; /* times since */
		uint64_t at_ns;	 /* 0: empty */
	} v[ST_SAID_CNT];
};

/*
 * Whether to say a reason now: it is new, or a minute old. *unsaid is how often it was kept back
 * since it was said. Digits in it do not count: times and ports make it no other reason.
 */
bool st_said__may(struct st_said *s, const char *reason, uint64_t now_ns, uint32_t *unsaid);

#endif
