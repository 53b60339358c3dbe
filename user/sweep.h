/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * After records were refused, the slots tell what they said: a connection that closed without its
 * CLOSED record is closed here, with the number of turns that it had, and its slot is given back.
 */
#ifndef ST_SWEEP_H
#define ST_SWEEP_H

#include "pipeline.h"
#include "timing.h"

/* Looks only when records were lost since the last time. last: the rings are read, once and for all. */
void st_sweep__run(struct st_pipeline *p, struct st_tracer *t, bool last);

/* Slots found closed at a time, by the ids of their connections; 0: not closed. */
struct st_sweep_marks {
	uint64_t *id; /* one a slot */
	uint32_t cnt; /* not 0 */
	uint64_t at_ns;
};

/*
 * Calls fn for each slot that was closed the last time already, if all records of before that time
 * were read (read_until_ns): its CLOSED record did not come. Marks the others that are closed now.
 */
typedef void (*st_sweep_fn)(void *ctx, uint32_t slot);
void st_sweep__closed(const struct st_slot *slots, uint32_t cnt, struct st_sweep_marks *m,
		      uint64_t read_until_ns, uint64_t now_ns, st_sweep_fn fn, void *ctx);

/*
 * Closes the Unix connections whose sockets are gone, which no event tells: every ten seconds when
 * there are some, and whenever many were made since. m: counts their last exchanges, or NULL.
 * Returns when to call again at the latest (CLOCK_MONOTONIC), UINT64_MAX: with the next records.
 */
uint64_t st_sweep__unix(struct st_pipeline *p, struct st_tracer *t, struct st_timing *m,
			uint64_t now_ns);

/*
 * Is it a Unix connection whose socket is gone? round: of a walk over those that live (0: none can
 * be made) that began at read_until_ns or later; all records of before were read.
 */
bool st_sweep__unix_is_gone(const struct st_slot *s, uint32_t round, uint64_t read_until_ns);

#endif
