/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Inside the HTTP/1.x parser: what it knows of a connection. */
#ifndef ST_PROTOCOLS_HTTP1_STATE_H
#define ST_PROTOCOLS_HTTP1_STATE_H

#include "protocols/http1.h"

enum part {
	HEAD = 0, /* at the start of a message, or within its head */
	AWAIT,	  /* in a body whose end is known */
	CHUNKED,  /* in a chunked body, every byte seen so far */
	BLIND,	  /* behind bytes that were not seen: until the other side speaks */
	UNTIL_EOF,
	OPAQUE, /* upgraded: not HTTP any more */
	LOST,	/* requests, behind a chunked body whose end nobody saw: for good */
};

/* What a stretch of bytes that were not seen may hold besides the body under way. */
enum hole {
	NO_HOLE = 0,
	SHORT_HOLE, /* too little for a message, as long as nothing follows */
	HOLE,	    /* messages */
};

struct half {
	uint8_t part; /* enum part */
	uint8_t hole; /* enum hole; AWAIT: behind the body */
	bool partial; /* HEAD: a head has begun */
	bool endless; /* BLIND: in a request's chunked body, whose end has to be seen */
	bool ended;   /* and was, if these were its last bytes */
	uint64_t body_start;
	uint64_t body_end; /* AWAIT; UNTIL_EOF: as far as it is known to have come */
	uint64_t end_ns;   /* UNTIL_EOF, BLIND: when the last byte known moved */
	uint64_t body_len; /* AWAIT: without a chunked coding's framing; NOT_KNOWN */
	struct st_xchg *x;
	struct st_http1_chunks chunks;
	struct st_http1_kept *last; /* head of its last message */
};

struct http1 {
	struct half half[2];  /* by enum st_dir */
	uint32_t last_turn;   /* numbers the requests of a turn */
	uint32_t answer_turn; /* of the last final answer */
	bool known;	      /* request direction */
	bool absorb;	      /* the next response's request was counted as lost */
	bool begun;	      /* a request was seen */
	bool paired;   /* a response was seen to answer a request: the directions are right */
	bool piped;    /* several were open at once */
	bool overlaps; /* a request turn began before all requests of earlier ones were answered */
	bool unsure;   /* bytes of such a connection were lost: nothing tells what answers what */
	uint8_t even;  /* unsure: turns in a row with as many answers as requests */
	uint32_t probe_turn; /* the last of them */
	uint32_t probe_asked, probe_answered;
	uint32_t owed; /* answers still to come to requests that were seen and counted as lost */
};

/* Of a body whose framing was not seen. */
#define NOT_KNOWN UINT64_MAX

static inline bool is_req(const struct st_flow *f, enum st_dir dir)
{
	return (uint8_t)dir == f->dir_req;
}

static inline struct half *half_of(struct st_flow *f, enum st_dir dir)
{
	return &((struct http1 *)f->state)->half[dir];
}

/* The message under way in this direction has ended; body_len: NOT_KNOWN, else of its body. http1.c. */
void st_http1__done(struct st_flow *f, enum st_dir dir, uint64_t body_len, uint64_t time_ns);

/* The exchange has ended; no direction carries it on. http1.c. */
void st_http1__finish(struct st_flow *f, struct st_xchg *x, uint64_t end_ns);

/* All open exchanges end, with that error or as incomplete ones. http1.c. */
void st_http1__close_all(struct st_flow *f, uint64_t time_ns, struct st_str error_type,
			 bool incomplete);

/* A hole; piped: from here on nothing tells what answers what. The rest: http1_unseen.c. */
void st_http1__lose_order(struct st_flow *f, bool piped);

/*
 * Bytes of this direction were not seen where a message could begin: no message is looked for
 * until the other side speaks.
 */
void st_http1__go_blind(struct st_flow *f, enum st_dir dir, enum hole hole);

/* The end of a chunked body will not be seen, nor what stands behind it. */
void st_http1__lose_chunks(struct st_flow *f, enum st_dir dir);

/* A request begins in this turn: is it still unknown what answers what? */
bool st_http1__stays_unsure(struct http1 *st, uint32_t turn);

/* Bytes behind a hole, in the same turn. */
void st_http1__on_hole(struct st_flow *f, enum st_dir dir, const struct st_chunk *c);

/* What was not seen is over; ended: with the last bytes of a body. */
void st_http1__blind_over(struct st_flow *f, enum st_dir dir, uint64_t time_ns, bool ended);

/* A final answer comes and no request waits for one: the exchange that it is the end of, or NULL. */
struct st_xchg *st_http1__stray_response(struct st_flow *f, const struct st_chunk *c);

/* st_proto_ops.gap and .lost. */
void st_http1__on_gap(struct st_flow *f, enum st_dir dir, uint64_t from, uint64_t to);
uint32_t st_http1__on_lost(struct st_flow *f, uint32_t turns, enum st_dir first_dir,
			   uint64_t time_ns);

/* The steady case at once, see st_proto_ops.quick; http1_quick.c. */
uint64_t st_http1__quick(struct st_flow *f, const struct st_rec *rec);

#endif
