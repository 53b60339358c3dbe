/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Spans that wait for the rest of their trace. All memory is taken at the start; a trace is handed
 * out when it is complete, when its time is over, or when its place is needed.
 *
 * Spans arrive in the order of their ends. A trace is complete when each of its spans has its
 * parent here, or has none, or has one that may belong to a process that is not traced; then a
 * short settle time passes, for what ends at nearly the same moment in another process. A trace
 * whose spans wait for a parent of their own process is kept for ST_TRACES_WAIT_NS; one with more
 * than ST_WATERFALL_MAX spans is handed out in parts.
 */
#ifndef ST_UI_TRACES_H
#define ST_UI_TRACES_H

#include "ui/waterfall.h"

#define ST_TRACES_MAX	    1024
#define ST_TRACES_ROWS	    4096
#define ST_TRACES_RECENT    4096

/* After the last span of a complete trace. */
#define ST_TRACES_SETTLE_NS 20000000ull
/* After a call without anything else: the server's span ends within a hop of it. */
#define ST_TRACES_CALL_NS   5000000ull
#define ST_TRACES_WAIT_NS   10000000000ull

enum st_trace_why {
	ST_TRACE_COMPLETE,
	ST_TRACE_PART, /* a parent has not ended: time over, place needed, or the program ends */
	ST_TRACE_LATE, /* its parent was handed out before */
};

struct st_traces;

/* Shows a trace's rows (ST_WATERFALL_MAX at most); they are free again afterwards. */
typedef void (*st_traces_show)(void *arg, const struct st_row **rows, uint32_t cnt,
			       const uint8_t *trace_id, enum st_trace_why why);

/* NULL when memory is short. */
struct st_traces *st_traces__new(st_traces_show show, void *arg, bool utf8);
void st_traces__free(struct st_traces *t);

/* Keeps or shows the span. */
void st_traces__add(struct st_traces *t, const struct st_span *s);

/* Shows what is due. Returns when something is due next, UINT64_MAX for never. */
uint64_t st_traces__tick(struct st_traces *t, uint64_t now_ns);

/* Shows all that wait. */
void st_traces__flush(struct st_traces *t);

/* Spans that wait now. */
uint32_t st_traces__waiting(const struct st_traces *t);

#endif
