/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections that nobody accepted become spans with an error, though no hook sees them. */
#ifndef ST_OVERFLOW_H
#define ST_OVERFLOW_H

#include "pipeline.h"
#include "who.h"

#define ST_OVERFLOW_EVERY_NS  1000000000ull  /* looks while there is traffic */
#define ST_OVERFLOW_ASLEEP_NS 10000000000ull /* and while there is none */

struct st_overflow;

/* NULL when memory runs out. cfg: --port limits what is told. */
struct st_overflow *st_overflow__new(const struct st_config *cfg);
void st_overflow__free(struct st_overflow *o);

/*
 * Looks when the last look is so long ago: one span for each traced listener whose queue is full,
 * if connections were dropped since. Returns when it wants to look again (CLOCK_MONOTONIC).
 */
uint64_t st_overflow__run(struct st_overflow *o, struct st_pipeline *p, struct st_who *w,
			  struct st_tracer *t, uint64_t now_ns, uint64_t every_ns);

#endif
