/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * After records were refused, the slots tell what they said: a connection that closed without its
 * CLOSED record is closed here, with the number of turns that it had, and its slot is given back.
 */
#ifndef ST_SWEEP_H
#define ST_SWEEP_H

#include "pipeline.h"
#include "timing.h"

/* Looks only when records were lost since the last time. now_ns 0: look in any case. */
void st_sweep__run(struct st_pipeline *p, struct st_tracer *t, uint64_t now_ns);

/*
 * Closes the Unix connections whose sockets are gone, which no event tells: every ten seconds when
 * there are some, and whenever many were made since. m: counts their last exchanges, or NULL.
 * Returns when to call again at the latest (CLOCK_MONOTONIC), UINT64_MAX: with the next records.
 */
uint64_t st_sweep__unix(struct st_pipeline *p, struct st_tracer *t, struct st_timing *m,
			uint64_t now_ns);

/*
 * Is it a Unix connection whose socket is gone? round: of a walk over those that live (0: none can
 * be made) that began at now_ns or later.
 */
bool st_sweep__unix_is_gone(const struct st_slot *s, uint32_t round, uint64_t now_ns);

#endif
