/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * `-o none`: the kernel alone times the requests, in histograms by process. Processes come and go
 * while histograms are few: those of processes that ended are taken from the kernel and added up
 * here by service.
 */
#ifndef ST_TIMING_H
#define ST_TIMING_H

#include "kern/tracer.h"
#include "latency.h"
#include "meta/registry.h"
#include "who.h"

struct st_timing;

/* All but *out must outlive it. NULL when memory runs out. free(NULL) is safe. */
struct st_timing *st_timing__new(struct st_tracer *t, struct st_registry *registry,
				 const struct st_who *who);
void st_timing__free(struct st_timing *m);

/* A process ended (its EXIT record was read). */
void st_timing__ended(struct st_timing *m);

/* The exchange of a slot whose connection ended without the kernel's notice; m may be NULL. */
void st_timing__over(struct st_timing *m, const struct st_slot *slot);

/* Takes what ended processes left, when it is time. Returns when to call again (CLOCK_MONOTONIC). */
uint64_t st_timing__run(struct st_timing *m, uint64_t now_ns);

/*
 * All that was timed until now: ended processes, living ones, and exchanges that are over but stand
 * in their slots until the next begins or the connection closes. NULL when memory runs out; the
 * caller frees it.
 */
struct st_latency *st_timing__sum(struct st_timing *m);

#endif
