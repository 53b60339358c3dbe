/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The pure core: records in, spans out. It makes no system call and reads no clock; the same
 * records give the same spans. One thread.
 */
#ifndef ST_CORE_CORE_H
#define ST_CORE_CORE_H

#include "spantap/propagators.h"
#include "spantap/protocol.h"

struct st_core;

/* What the core asks of the outside. Any may be NULL but span and resource. */
struct st_core_ops {
	/* A span has ended; valid during the call. */
	void (*span)(void *ctx, const struct st_span *s);
	/* How many spans st_core__settle may hand over; NULL: any number. */
	uint32_t (*room)(void *ctx);
	/* The resource of a process, valid until the next call. */
	const struct st_resource *(*resource)(void *ctx, uint32_t tgid, uint64_t now_ns);
	/*
	 * Tell the kernel where a body ends; when it has passed already, feed an ST_REC_END later
	 * (not from within the call). turn: the one it belongs to.
	 */
	void (*expect)(void *ctx, uint32_t slot, uint64_t conn_id, enum st_dir dir, uint64_t end,
		       uint32_t turn);
	void (*mode)(void *ctx, uint32_t slot, uint64_t conn_id, enum st_mode mode, uint8_t proto);
	/* The connection is gone and its slot may be used again. */
	void (*gone)(void *ctx, uint32_t slot, uint64_t conn_id);
	/* The process made a call and nothing tells for which of its requests; seldom. */
	void (*calls)(void *ctx, uint32_t tgid);
	/*
	 * A request that was read without blocking made a call: whether its thread waits for
	 * several things at once is worth seeing (ST_F_WAITED, ST_F_WATCHED). Comes often.
	 */
	void (*watch_waits)(void *ctx);
	/*
	 * A thread that read no request made a call: who wakes whom in this process is worth telling
	 * (ST_REC_WAIT). Once a process.
	 */
	void (*watch_pool)(void *ctx, uint32_t tgid);
	/* EXEC and EXIT records. */
	void (*process)(void *ctx, const struct st_rec *rec);
};

struct st_core_config {
	struct st_core_ops ops;
	void *ctx;
	uint32_t max_conns;   /* slots */
	uint32_t max_xchgs;   /* open exchanges in all; 0: 65,536 */
	uint32_t max_names;   /* span names a service; 0: 1,000 */
	uint64_t id_key[2];   /* random, fixed for a recording: span and trace ids derive from it */
	int64_t epoch_off_ns; /* CLOCK_MONOTONIC + this = Unix epoch */
	struct st_propagators propagators; /* whose headers are read; none: no header is */
	uint32_t protocols;		   /* looked for: 1 << st_proto_ops.id each; 0: all */
	bool link_candidates; /* calls without a parent link to requests that were in hand */
	bool no_quick;	      /* st_proto_ops.quick is left out: what tests compare it with */
};

/* Counts since the start. requests = spans + lost_requests + open. */
struct st_core_stats {
	uint64_t records;
	uint64_t requests;	  /* exchanges opened, and requests known to be lost */
	uint64_t spans;		  /* made, before sampling */
	uint64_t lost_requests;	  /* whose records were lost */
	uint64_t unread_requests; /* at most, on connections of which nothing could be read */
	uint64_t forced;	  /* spans that became roots because too many waited */
	uint64_t incomplete;	  /* spans of which bytes were not seen */
	uint64_t open;		  /* exchanges open now, or waiting for their place in a trace */
	uint64_t stray;		  /* messages that fit no exchange (joined in the middle) */
	uint64_t gaps;		  /* holes in streams where a message was expected */
	uint64_t conns;		  /* connections open now */
	uint64_t unknown_conns;	  /* connections whose protocol nobody understood */
	uint64_t overflow;	  /* exchanges refused because too many were open */
	uint64_t name_overflow;	  /* spans renamed because a service had too many names */
	uint64_t connect_failures;
	uint64_t accept_overflows;
	uint64_t bad_contexts; /* requests with malformed headers of propagation */
};

/* NULL when memory runs out. cfg is copied. */
struct st_core *st_core__new(const struct st_core_config *cfg);
void st_core__free(struct st_core *c);

/* One record, in the order of time. Malformed ones (a broken recording) are refused: -EINVAL. */
int st_core__feed(struct st_core *c, const struct st_rec *rec);

/*
 * The records at hand have been fed: asks the kernel about bodies still on their way, and makes the
 * spans whose place in a trace became known.
 */
void st_core__settle(struct st_core *c);

/*
 * Time has come to now_ns: spans that waited for evidence long enough are made. Returns whether any
 * was due; a replay has to come by with the same now_ns between the same records.
 */
bool st_core__tick(struct st_core *c, uint64_t now_ns);
/* Spans that wait for st_core__settle. */
uint32_t st_core__ready(const struct st_core *c);
/* When st_core__tick has something to do, as things stand; UINT64_MAX: never. */
uint64_t st_core__due(const struct st_core *c);

/* No more records: what is open becomes a span marked spantap.incomplete. */
void st_core__end(struct st_core *c, uint64_t now_ns);

/* The offset of the clocks changed (a step of the real-time clock). */
void st_core__set_epoch_off(struct st_core *c, int64_t off_ns);

/* Is this connection known? For the sweep over slots after losses. */
bool st_core__knows(const struct st_core *c, uint32_t slot, uint64_t conn_id);

/* A request that is open now. */
struct st_open_request {
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	uint32_t tgid;
	uint8_t role;
	struct st_str name; /* span name as far as it is known */
	struct st_str path; /* or the whole URL, as the span has it */
	const struct st_conn_info *conn;
};

/*
 * Calls fn for each open exchange that began before before_ns; once: only for those not yet
 * shown, and marks them. Returns how many.
 */
typedef void (*st_open_fn)(void *ctx, const struct st_open_request *r);
uint32_t st_core__each_open(struct st_core *c, uint64_t before_ns, bool once, st_open_fn fn,
			    void *ctx);

void st_core__stats(const struct st_core *c, struct st_core_stats *out);

#endif
