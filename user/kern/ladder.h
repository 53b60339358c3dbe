/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The ladder: for each need the hooks that can serve it, best first. Which one is used is found by
 * trying: a hook that does not load or attach makes room for the next one.
 */
#ifndef ST_KERN_LADDER_H
#define ST_KERN_LADDER_H

#include <stdbool.h>
#include <stdint.h>

enum st_rung {
	ST_RUNG_TRACEPOINTS = 0,
	ST_RUNG_FENTRY = 1,
	ST_RUNG_KPROBE = 2,
	ST_RUNG_SYSCALLS = 3,
	ST_RUNG_CNT
};

enum st_need {
	ST_NEED_SEND = 0,     /* a TCP send begins: payload */
	ST_NEED_SEND_END = 1, /* a TCP send ended: accepted bytes */
	ST_NEED_RECV = 2,     /* a TCP receive returned */
	ST_NEED_STATE = 3,    /* TCP states */
	ST_NEED_UNIX = 4,     /* Unix stream sockets, both directions */
	ST_NEED_PROC = 5,     /* fork, exec, exit */
	ST_NEED_UNIX_END = 6, /* which Unix sockets are gone */
	ST_NEED_URING = 7,    /* io_uring's receives: which request it is */
	ST_NEED_WAITS = 8,    /* which threads wait for several things; attached on demand */
	ST_NEED_UNIX_OLD = 9, /* which Unix sockets are older than the tracer */
	ST_NEED_POOLS = 10,   /* which thread wakes which; attached on demand */
	ST_NEED_CNT
};

/* One way to serve a need: programs that stand or fall together. */
struct st_hook {
	enum st_need need;
	enum st_rung rung;
	const char *progs[4]; /* NULL-terminated; all must attach, unless `any` */
	bool any; /* it is enough that one of them attaches (others do not exist here) */
};

extern const struct st_hook st_hooks[];
extern const uint32_t st_hook_cnt;

const char *st_rung__name(enum st_rung rung);
/* -1 when there is no such rung. */
int st_rung__by_name(const char *name);
const char *st_need__name(enum st_need need);
/* Does tracing make sense without it? */
bool st_need__optional(enum st_need need);
/* Is it attached by st_plan__attach alone? */
bool st_need__on_demand(enum st_need need);

#endif
