/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The stages in the order of the data's way: records -> core -> outputs. */
#ifndef ST_PIPELINE_H
#define ST_PIPELINE_H

#include "core/core.h"
#include "meta/registry.h"
#include "outputs.h"
#include "record.h"
#include "spantap/config.h"

struct st_tracer;
struct st_pipeline;

/*
 * start: ids and clock, from the tracer or from a recording. t: NULL in a replay. Returns 0 or
 * -errno after having said why.
 */
int st_pipeline__new(const struct st_config *cfg, const struct st_item_start *start,
		     struct st_tracer *t, struct st_pipeline **out);
/* Flushes outputs until the deadline and frees all. */
void st_pipeline__free(struct st_pipeline *p, uint64_t now_ns, uint64_t deadline_ns);

/* A record of the kernel or of a recording. */
void st_pipeline__record(struct st_pipeline *p, const struct st_rec *rec);
/* The records at hand are through. */
void st_pipeline__settle(struct st_pipeline *p);
/* Time passes; returns when it wants to be called again (CLOCK_MONOTONIC). */
uint64_t st_pipeline__tick(struct st_pipeline *p, uint64_t now_ns);
/* The part of it that a replay repeats: spans that waited long enough for evidence are made. */
void st_pipeline__pass_time(struct st_pipeline *p, uint64_t now_ns);
/*
 * Called from time to time for a process that makes calls while it has requests in hand, when nothing
 * tells whose they are: its tasks may be worth following.
 */
typedef void (*st_calls_fn)(void *ctx, uint32_t tgid);
void st_pipeline__on_calls(struct st_pipeline *p, st_calls_fn fn, void *ctx);
/* Threads that wait for several things at once are noted from here on (st_tracer__watch_waits). */
void st_pipeline__watch_waits(struct st_pipeline *p);
/* No more records: open exchanges become incomplete spans. */
void st_pipeline__end(struct st_pipeline *p, uint64_t now_ns);
void st_pipeline__set_clock(struct st_pipeline *p, int64_t epoch_off_ns);

/* Called for each EXEC and EXIT record, and for the first record of a process: who decides. */
typedef void (*st_process_fn)(void *ctx, const struct st_rec *rec);
void st_pipeline__on_process(struct st_pipeline *p, st_process_fn fn, void *ctx);

struct st_core *st_pipeline__core(struct st_pipeline *p);
struct st_outputs *st_pipeline__outputs(struct st_pipeline *p);
struct st_registry *st_pipeline__registry(struct st_pipeline *p);

#endif
