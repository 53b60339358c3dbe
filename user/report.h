/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What spantap says of itself: the closing line, SIGUSR1's page, latency quantiles. */
#ifndef ST_REPORT_H
#define ST_REPORT_H

#include "core/core.h"
#include "kern/tracer.h"
#include "outputs.h"
#include "timing.h"
#include "who.h"

/* The tracer's own use of the machine since the start. */
struct st_own {
	struct st_tracer *tracer;
	struct st_propagation *wire; /* NULL: without --propagate */
	const struct st_who *who;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint64_t cpu_at_start_ns;
	struct st_timing
		*timing; /* the kernel alone times the requests: no span is made; else NULL */
};

/*
 * "1,204 requests, 1,204 spans, 0 lost; tracer 0.4 % of a core, 9 MiB". own: NULL in a replay.
 * Losses are listed by cause behind it.
 */
void st_report__closing(struct st_core *core, struct st_outputs *outputs, const struct st_own *own);

/* SIGUSR1: counters, sizes and the requests that are open now. */
void st_report__full(struct st_core *core, struct st_outputs *outputs, const struct st_own *own);

/* The requests open for longer than min_age_ns that were not yet shown. */
void st_report__open(struct st_core *core, uint64_t now_ns, uint64_t min_age_ns, bool once);

bool st_report__has_open(struct st_core *core);

/* The table of latencies by service, as st_own.timing has them. */
void st_report__latency(const struct st_own *own);

/* Requests that are lost for the kernel's own reasons: an upper bound, since no record says more. */
uint64_t st_report__kernel_lost(const struct st_tracer *t);

#endif
