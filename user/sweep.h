/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * After records were refused, the slots tell what they said: a connection that closed without its
 * CLOSED record is closed here, with the number of turns that it had, and its slot is given back.
 */
#ifndef ST_SWEEP_H
#define ST_SWEEP_H

#include "pipeline.h"

/* Looks only when records were lost since the last time. now_ns 0: look in any case. */
void st_sweep__run(struct st_pipeline *p, struct st_tracer *t, uint64_t now_ns);

/*
 * Closes the Unix connections whose sockets are gone, which no event tells; at most once in ten
 * seconds, and only when there are some.
 */
void st_sweep__unix(struct st_pipeline *p, struct st_tracer *t, uint64_t now_ns);

#endif
