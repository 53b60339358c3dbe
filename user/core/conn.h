/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Inside the core: a connection, its two streams, and the tables that hold them. */
#ifndef ST_CORE_CONN_H
#define ST_CORE_CONN_H

#include "core/core.h"
#include "core/lineage.h"
#include "core/proc.h"
#include "core/task.h"
#include "lib/route.h"
#include "lib/buf.h"

#define ST_KEEP_MAX	 (ST_HEAD_MAX + 4096u)
#define ST_PIPELINE_MAX	 256u
#define ST_UNKNOWN_TURNS 6u

struct st_stream {
	uint64_t next;	   /* position that the parser wants next */
	uint64_t first_ns; /* of the first byte kept */
	uint32_t first_tgid, first_tid, first_turn;
	bool synced;
	struct st_buf kept; /* bytes from next on that were not enough yet */
};

struct st_conn {
	struct st_flow flow; /* first: st_flow__* find the connection by it */
	struct st_core *core;
	uint64_t id;
	uint32_t slot;
	uint32_t turn; /* last one seen */
	uint8_t last_dir;
	uint8_t lost_first;  /* enum st_dir of the first of: */
	uint32_t lost_turns; /* lost while the protocol was not known */
	bool blind;	     /* some of them came, but could not be read */
	uint8_t unknown_turns;
	bool off;
	bool headless; /* the beginning of this turn was lost: no protocol is looked for in it */
	bool whole;    /* seen from its first byte on: it was made while we watched */
	bool fresh;    /* and nothing was missed before its first record */
	bool exiting;  /* its process closed it by ending */
	bool own_fin;  /* nothing is sent any more; the FIN counts in the sequence */
	uint64_t peer_fin_ns; /* 0: none yet */
	struct st_stream stream[2];
	/* a body whose end is awaited */
	bool queued; /* on the core's list */
	uint8_t await_dir;
	uint32_t await_turn;
	uint64_t await_end;
	struct st_conn *await_next;
	struct st_conn *free_next;
	struct st_conn_info *info;	 /* a reference */
	_Alignas(16) uint8_t state[256]; /* the parser's */
};

/* Buckets of calls that wait for their other end, as a power of two. */
#define ST_SEQ_BITS	   12
/* The same of proxies' calls that are answered and have no place yet. */
#define ST_PASSING_BITS	   10
/* Headers of requests that are remembered to notice one that comes again. */
#define ST_CONTEXTS_BITS   12

#define ST_NAMES_RESOURCES 8192u
#define ST_ADMITTED	   256u

struct st_core {
	struct st_core_config cfg;
	struct st_core_stats stats;
	uint64_t now_ns;  /* of the newest record, or of the last tick */
	uint16_t refused; /* of the newest record: what rings had refused by then, low bits */
	struct st_lineages lineages;
	struct st_procs procs;
	struct st_tasks tasks;
	struct st_xchg *seq[1u << ST_SEQ_BITS];		/* ev_seq.c */
	struct st_xchg *passing[1u << ST_PASSING_BITS]; /* ev_group.c */
	uint64_t contexts_seen[1u << ST_CONTEXTS_BITS]; /* ev_header.c: hashes */
	struct st_conn_info *free_infos;
	struct st_conn **conns; /* by slot */
	struct st_conn *free_conns;
	struct st_conn *awaiting;
	struct st_xchg *free_xchgs;
	uint32_t free_xchg_cnt;
	struct {
		struct st_names *names;
		uint32_t generation;
	} names[ST_NAMES_RESOURCES];	/* by resource index */
	uint64_t admitted[ST_ADMITTED]; /* templates whose name was admitted, by number */
	struct st_span span;		/* the one being made */
	char name[ST_ROUTE_MAX + 64];
};

/* conn.c */
struct st_conn *st_conn__get(struct st_core *c, const struct st_rec *rec);
void st_conn__drop(struct st_conn *n);
/* Turns of a connection of which nothing else was seen: half of them were requests, at most. */
void st_conn__count_lost(struct st_conn *n);

/* stream.c: one record's bytes, and positions that are known. */
void st_stream__data(struct st_conn *n, enum st_dir dir, const struct st_rec *rec);
/* Bytes from the record's position on moved that no hook could read. */
void st_stream__unseen(struct st_conn *n, enum st_dir dir, const struct st_rec *rec);
void st_stream__moved(struct st_conn *n, enum st_dir dir, uint64_t pos, uint64_t time_ns,
		      enum st_over over);
void st_stream__reset(struct st_stream *s);
/* What comes next in this direction does not follow on what is kept. */
void st_stream__forget(struct st_conn *n, enum st_dir dir);

/* References; both are safe with NULL. */
struct st_conn_info *st_conn_info__ref(struct st_conn_info *i);
void st_conn_info__unref(struct st_core *c, struct st_conn_info *i);

/* xchg.c */
void st_xchg__free(struct st_core *c, struct st_xchg *x);
void st_xchg__free_all(struct st_core *c);

/* finish.c: the span of a closed exchange, and of a connect that failed. */
void st_core__finish(struct st_core *c, struct st_xchg *x);
void st_core__failed_connect(struct st_core *c, const struct st_rec *rec,
			     const struct st_conn_info *info);
void st_core__accept_overflow(struct st_core *c, const struct st_rec *rec,
			      const struct st_conn_info *info);

/* addr.c: fills family, ports and texts. */
void st_conn_info__set(struct st_conn_info *i, const struct st_open *o);

#endif
