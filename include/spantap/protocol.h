/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a protocol parser is. One protocol is one file in user/protocols/ and one row in its table.
 * A parser sees the bytes of both directions of a connection, in order, with holes said aloud; it
 * opens an exchange for each request and closes it when the response has ended. It never blocks,
 * reads no clock and owns nothing but its state, which is zeroed memory of the size it asks for.
 */
#ifndef SPANTAP_PROTOCOL_H
#define SPANTAP_PROTOCOL_H

#include "spantap/abi.h"
#include "spantap/carrier.h"
#include "spantap/lineage.h"
#include "spantap/span.h"

/* Ids that are outside, of the request that begins there. */
struct st_wired {
	uint64_t pos;
	uint64_t shift; /* the other end sees it begin that much farther in the stream */
	struct st_ids ids;
	uint8_t what; /* enum st_wire_what; 0: nothing */
};

/* Who talks to whom. Texts are NUL-terminated as well. It outlives its connection (conn.c). */
struct st_conn_info {
	struct st_conn_info *next; /* of the free ones */
	uint32_t refs;
	bool fresh; /* nothing was moved before its first record */
	bool has_join;
	uint64_t join[2];      /* seq: what both ends know of it; as a server, as a client */
	uint64_t caller;       /* of the task rung: who makes the next request; 0: not told */
	struct st_wired wired; /* of the option rung */
	uint64_t shift;	       /* the same of requests behind that one */
	uint64_t id;
	uint16_t family; /* AF_INET, AF_INET6, AF_UNIX; 0 when it is not known */
	uint16_t local_port;
	uint16_t peer_port;
	uint8_t role; /* enum st_role, by who connected; UNKNOWN for old connections */
	uint8_t local_len;
	uint8_t peer_len;
	char local[110]; /* address without port, or path */
	char peer[110];
};

#define ST_XCHG_PRIV 64

/* A request and its response. Made by st_flow__open, gone when its span has been made. */
struct st_xchg {
	struct st_xchg *next; /* opened later on the same connection */
	uint64_t start_ns;    /* CLOCK_MONOTONIC: first byte of the request */
	uint64_t conn_id;
	uint64_t pos;	 /* stream position of the request's first byte */
	uint64_t end_ns; /* last byte of the response */
	uint32_t turn;	 /* in which the request began */
	uint32_t nth;	 /* request of that turn, from 0 */
	uint32_t tgid;
	uint32_t tid;
	uint8_t role;		  /* enum st_role */
	bool answered;		  /* a final response has begun */
	bool ended;		  /* it waits for its place in a trace, on no connection any more */
	bool incomplete;	  /* bytes of it were not seen */
	bool unsure;		  /* another one's answer may be taken for its own: no evidence */
	bool shown;		  /* as open, to the user */
	struct st_str error_type; /* static text; empty: no error */
	const struct st_proto_ops *ops;
	struct st_conn_info *conn; /* a reference */
	struct st_lineage lin;
	_Alignas(8) uint8_t priv[ST_XCHG_PRIV]; /* the protocol's, zeroed */
};

/* Bytes of one direction, contiguous, and when they moved. */
struct st_chunk {
	const uint8_t *p;
	uint32_t len;
	uint64_t pos;	   /* stream position of p[0] */
	uint64_t read_end; /* received: up to here the call took them; 0: not known */
	uint64_t call_end; /* the same; of what is being sent, up to where it was announced */
	uint64_t first_ns; /* when p[0] moved */
	uint64_t time_ns;  /* when the last byte moved */
	uint32_t tgid;	   /* who moved p[0] */
	uint32_t tid;
	uint32_t last_tid; /* who moved the last byte */
	uint32_t turn;	   /* in which p[0] moved */
	uint16_t flags;	   /* ST_F_* of the record that brought the last byte */
};

/* How a response begins, as far as it is there. */
struct st_response {
	struct st_str body; /* its first bytes */
	uint64_t length;    /* of the whole body; UINT64_MAX: not told */
	uint16_t status;
};

struct st_flow;

/* Is what this side had to say over? */
enum st_over {
	ST_OVER_NOT = 0,
	ST_OVER_SPOKE, /* the other side has begun to speak, which it may do early */
	ST_OVER_LAST,  /* what was moved last ends a chunked body */
};

struct st_proto_ops {
	const char *name; /* the word of -e */
	uint8_t id;	  /* goes into st_slot.proto; not 0, below 32 */
	uint32_t state_sz;
	/* First bytes of a turn: 1 a request, 2 a response, 0 too few, -EPROTO not mine. */
	int (*detect)(struct st_bytes first);
	/*
	 * May be NULL. A turn begins where this direction stood, nothing is missing in either, and
	 * the other one has come to rec->opp_pos: does all that moved() and data() would do, with
	 * the same result, and returns the position wanted next; or 0 when it is not the simple
	 * case: then nothing has changed.
	 */
	uint64_t (*quick)(struct st_flow *f, const struct st_rec *rec);
	/*
	 * Bytes at the position that was wanted. Returns the position wanted next: chunk's own
	 * when more bytes are needed to go on (they are kept and come again with more behind
	 * them), beyond its end to skip what is not needed. *chunk is const; at most 64 KiB are
	 * kept.
	 */
	uint64_t (*data)(struct st_flow *f, enum st_dir dir, const struct st_chunk *c);
	/* Bytes from..to of a direction will never come. */
	void (*gap)(struct st_flow *f, enum st_dir dir, uint64_t from, uint64_t to);
	/* It is known that bytes up to pos have moved, the last ones at time_ns. */
	void (*moved)(struct st_flow *f, enum st_dir dir, uint64_t pos, uint64_t time_ns,
		      enum st_over over);
	/* No byte will come in this direction from pos on; those before it may still be on their way. */
	void (*fin)(struct st_flow *f, enum st_dir dir, uint64_t pos);
	/* No more bytes in this direction. */
	void (*eof)(struct st_flow *f, enum st_dir dir, uint64_t time_ns);
	/* Turns were lost; first_dir is the direction of the first one. Returns how many requests. */
	uint32_t (*lost)(struct st_flow *f, uint32_t turns, enum st_dir first_dir,
			 uint64_t time_ns);
	/* The connection is gone: closes every open exchange with that error. */
	void (*closed)(struct st_flow *f, uint64_t time_ns, struct st_str error_type);
	/*
	 * Name and attributes of a closed exchange; *fallback gets the name to use when the service
	 * has too many. Slices may point into x and into static memory.
	 */
	void (*span)(struct st_xchg *x, struct st_span *s, struct st_str *fallback);
	/*
	 * May be NULL, both. learn: the span that was made of a closed exchange, as it is now, may
	 * be kept; recall: fills all of a span but ids and times from a kept one, sets its tmpl and
	 * returns true when one fits.
	 */
	bool (*recall)(struct st_xchg *x, struct st_span *s, struct st_str *fallback);
	void (*learn)(struct st_xchg *x, const struct st_span *s, struct st_str fallback);
	/* What is asked for (a target, a statement), to compare requests by. May be NULL. */
	struct st_str (*subject)(const struct st_xchg *x);
	/* The header fields that tell of its trace, as long as the exchange lives. May be NULL. */
	const struct st_carrier *(*carrier)(const struct st_xchg *x);
	/* An exchange is about to be freed: gives back what priv holds. May be NULL. */
	void (*release)(struct st_xchg *x);
	/* The connection is about to be freed: gives back what state holds. May be NULL. */
	void (*drop)(struct st_flow *f);
};

/* A connection as its parser sees it. */
struct st_flow {
	const struct st_proto_ops *ops;
	void *state;
	struct st_conn_info *info;
	struct st_xchg *first; /* open exchanges, oldest first */
	struct st_xchg *last;
	uint32_t open_cnt;
	/* The connection's first turn if it is no message, without its bytes; turn 0: it is one. */
	struct st_chunk garbled;
	uint8_t role;	 /* enum st_role by protocol; set by the parser */
	uint8_t dir_req; /* enum st_dir of requests */
};

/*
 * Opens an exchange whose request begins with this chunk. NULL when too many are open on the
 * connection or in all (counted as a lost request).
 */
struct st_xchg *st_flow__open(struct st_flow *f, const struct st_chunk *c);
/* All that a request says of itself stands in x by now: its place is looked for. */
void st_flow__begin(struct st_flow *f, struct st_xchg *x, const struct st_chunk *c);
/* A final response begins with this chunk. r: valid during the call; NULL: nothing is told of it. */
void st_flow__answer(struct st_flow *f, struct st_xchg *x, const struct st_chunk *c,
		     const struct st_response *r);
/* The exchange has ended: the connection has it no more, its span is made when its place is known. */
void st_flow__close(struct st_flow *f, struct st_xchg *x, uint64_t end_ns);
/* The oldest open exchange without a final response, or NULL. */
struct st_xchg *st_flow__unanswered(const struct st_flow *f);
/*
 * A message's body goes on until `end` (or ST_EXPECT_CHUNKED): moved() is called when it has
 * passed, without a record for each call. Valid for the turn under way; 0 takes it back.
 */
void st_flow__expect(struct st_flow *f, enum st_dir dir, uint64_t end);
/* What is captured of this connection from now on. */
void st_flow__mode(struct st_flow *f, enum st_mode mode);
/* A response came whose request was never seen, or bytes that are no message: counted. */
void st_flow__stray(struct st_flow *f);

/* Requests that are known to have been made but were not seen: counted as lost. */
void st_flow__lost(struct st_flow *f, uint32_t cnt);
/* Has the connection been seen from its first byte on? */
bool st_flow__is_whole(const struct st_flow *f);

/* All protocols, ended by NULL; user/protocols/table.c. */
extern const struct st_proto_ops *const st_protocols[];

#endif
