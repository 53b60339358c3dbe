/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where an exchange stands in a trace. It is placed once, by the first evidence that is sure: below
 * another exchange, below a span that others make, or as a root. It is settled when all above it
 * are placed, too; only then its trace id is known and its span may go.
 */
#ifndef SPANTAP_LINEAGE_H
#define SPANTAP_LINEAGE_H

#include "spantap/bytes.h"

struct st_candidates;
struct st_proc;
struct st_thread;
struct st_waiting;
struct st_xchg;

/* Why a span has the parent it has; the ladder's order. Values are kept in no file. */
enum st_evidence {
	ST_EV_NONE = 0,
	ST_EV_HEADER,
	ST_EV_SEQ,
	ST_EV_OPTION,
	ST_EV_REQUEST_ID,
	ST_EV_GOROUTINE,
	ST_EV_TASK,
	ST_EV_THREAD,
	ST_EV_GROUP,
	ST_EV_POOL,
	ST_EV_CNT
};

/* Its word in spantap.parent.evidence; empty for ST_EV_NONE. */
struct st_str st_evidence__name(uint8_t evidence);

/* Ids and state that all spans of a trace share. Made and counted by user/core/trace.c. */
struct st_trace {
	uint32_t refs;
	uint32_t flags;	      /* W3C trace-flags */
	bool fixed;	      /* the id is known outside: on the wire, or by a span that went */
	int64_t epoch_off_ns; /* CLOCK_MONOTONIC + this = Unix epoch: one clock for all of its spans */
	uint8_t id[16];
	struct st_str state;   /* W3C tracestate; owned */
	struct st_trace *next; /* of the free ones */
};

/* Lists through the exchanges themselves. */
enum st_xlist_kind {
	ST_LIST_PROC,	 /* its process's */
	ST_LIST_WAITING, /* of those that have ended */
	ST_LIST_CNT
};

struct st_links {
	struct st_xchg *prev, *next;
};

/* Who keeps calls below the request that they seem to be made for. */
enum st_kin_of { ST_KIN_TASK, ST_KIN_SCOPE, ST_KIN_THREAD, ST_KIN_POOL, ST_KIN_CNT };

struct st_kin {
	struct st_xchg *up;    /* of a call: that request, while it lives and is not decided */
	struct st_xchg *first; /* of a request: its calls, the newest first */
	struct st_xchg *next;  /* of a call: the one behind it there */
};

struct st_lineage {
	uint64_t no;	  /* exchanges are numbered as they open, from 1 */
	uint8_t evidence; /* enum st_evidence */
	bool placed;
	bool settled;
	bool has_parent;
	bool remote; /* the parent is a span of somebody else's */
	bool in_proc;
	uint16_t known_by; /* rungs that keep something of it: a bit a row of the table */
	uint8_t span_id[8];
	uint8_t parent_id[8];
	struct st_trace *trace;	 /* settled: a reference */
	struct st_trace *adopts; /* whose id its trace takes when it has one: a reference */
	struct st_trace *sent;	 /* of a call: the trace that it told the other end: a reference */
	struct st_xchg *parent;	 /* placed, not settled: whom it waits for */
	struct st_xchg *kids;	 /* those that wait for it */
	struct st_xchg *kid_next;
	struct st_proc *proc;
	struct st_links at[ST_LIST_CNT];
	struct st_waiting *in;		  /* ended, and waits there */
	uint64_t held_ns;		  /* since when it has to wait for evidence */
	uint64_t read_ns;		  /* when its head was whole */
	struct st_candidates *candidates; /* owned; NULL: none, or nobody asked */
	struct st_kin kin[ST_KIN_CNT];	  /* core/kin.h */
	/* each rung's own */
	uint8_t context[24]; /* header: trace and span id that its head has */
	bool has_context;
	bool repeated;	    /* header: another request came with the same */
	bool denied;	    /* header: it says that its trace is not to be kept, and no ids */
	uint64_t task;	    /* task: which read it, or makes it */
	uint8_t task_kind;  /* enum st_task_kind */
	bool in_task;	    /* task: it is in its reader's hands */
	bool scope_agreed;  /* scope: its response set off its request's answer */
	bool scope_direct;  /* scope: ... with no other response in between */
	bool scope_with;    /* scope: ... that of a call beside it did */
	bool scope_against; /* scope: ... another's, or its request did not wait for it */
	struct st_xchg *group_next; /* group: in its bucket */
	uint64_t group_pos;	    /* group: where its response begins */
	bool in_group;
	uint16_t echo_at;	      /* echo: 1 + where its answer is kept; 0: nowhere */
	uint64_t scope_no;	      /* scope: lin.no of the request in whose scope it was made */
	uint64_t scope_done;	      /* scope: the task that its response is */
	struct st_trace *scope_trace; /* scope: what is left of it: a reference, */
	uint8_t scope_span[8];	      /* and its span */
	uint64_t pool_run;	      /* pool: its thread's, when it was made (st_mate.run) */
	/* pool: when the queue was seen empty, as it was made and as its response came; 0: it was not */
	uint64_t pool_ns[2];
	uint64_t pool_puts[2];	  /* pool: st_pool.puts then */
	bool pool_back;		  /* pool: its thread woke the one that waited for it */
	struct st_xchg *seq_next; /* seq: in its bucket */
	uint64_t seq_shift;	  /* seq: st_conn_info.shift when it began */
	bool in_seq;
	bool expects;		  /* seq: the caller's record may still come */
	bool alone;		  /* thread: its reader is known to do one thing at a time */
	bool missed;		  /* thread: it may have another one in hand that nobody saw */
	bool left;		  /* thread: its reader has read another one since */
	bool behind;		  /* read while one before it on its connection was in hand */
	uint16_t refused;	  /* thread: st_core.refused when it was read */
	uint32_t waits;		  /* thread: st_thread.waits when it was read */
	struct st_thread *thread; /* thread: which read it and has not answered it */
	struct st_trace *offered; /* thread: of a call whose own header placed it: a reference */
};

#endif
