/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Inside the FastCGI parser: what it knows of a connection. */
#ifndef ST_PROTOCOLS_FASTCGI_STATE_H
#define ST_PROTOCOLS_FASTCGI_STATE_H

#include "protocols/fastcgi.h"

struct half {
	bool blind;	/* where the next record begins is not known */
	bool turn_over; /* blind: and the turn in which that came is over */
	bool small;	/* blind: too little is missing for a request, as long as nothing follows */
	uint8_t type;	/* enum st_fcgi_type of the record under way */
	uint16_t id;
	uint64_t content_end;
	uint64_t rec_end;
	uint64_t turn_end; /* turn_over: of that turn */
	uint64_t end_ns;   /* when the last byte known moved */
};

struct fastcgi {
	struct half half[2];	   /* by enum st_dir */
	struct st_fcgi_req *begun; /* their PARAMS are under way; oldest first */
	struct st_xchg *ending;	   /* its END_REQUEST was announced, but has not moved */
	uint64_t ending_at;
	uint64_t presumed; /* where a call ends with what can only be an END_REQUEST; 0: nowhere */
	uint16_t presumed_id; /* of that */
	uint16_t foreign;     /* id whose records of an answer belong to no exchange; 0: none */
	uint32_t begun_cnt;
	uint32_t owed;	    /* answers to come to requests that were counted as lost */
	uint32_t last_turn; /* numbers the requests of a turn */
	uint32_t nth;
	bool known;   /* directions, role */
	bool asked;   /* a request was seen */
	bool last;    /* and it said that it is the last one of the connection */
	bool mixed;   /* several were open at once */
	bool counted; /* this turn's request was counted as lost */
};

static inline bool is_req(const struct st_flow *f, enum st_dir dir)
{
	return (uint8_t)dir == f->dir_req;
}

static inline struct fastcgi *state_of(struct st_flow *f)
{
	return f->state;
}

static inline struct half *asked_half(struct st_flow *f)
{
	return &state_of(f)->half[f->dir_req];
}

static inline struct half *answered_half(struct st_flow *f)
{
	return &state_of(f)->half[!f->dir_req];
}

/* The open exchange with that id, or NULL. */
static inline struct st_xchg *st_fcgi__find(const struct st_flow *f, uint16_t id)
{
	struct st_xchg *x = f->first;

	while (x && st_fcgi_of(x)->id != id)
		x = x->next;
	return x;
}

/* fastcgi.c: records from the chunk's first byte on. */
uint64_t st_fcgi__on_header(struct st_flow *f, enum st_dir dir, const struct st_chunk *c);
void st_fcgi__finish(struct st_flow *f, struct st_xchg *x, uint64_t end_ns);

/* fastcgi_unseen.c; a request that is begun, or known to have been made, is lost. */
void st_fcgi__lose(struct st_flow *f, uint32_t cnt);
void st_fcgi__lose_begun(struct st_flow *f, uint16_t id);
void st_fcgi__lose_all_begun(struct st_flow *f);

void st_fcgi__go_blind(struct st_flow *f, enum st_dir dir);
/* A chunk in a direction that is blind: the position wanted next. */
uint64_t st_fcgi__on_blind(struct st_flow *f, enum st_dir dir, const struct st_chunk *c);

/* What was asked before this has been answered by now, seen or not. */
void st_fcgi__answers_over(struct st_flow *f);

/* Nothing more comes of an exchange whose END_REQUEST was not seen. */
void st_fcgi__finish_unseen(struct st_flow *f, struct st_xchg *x);

/* Records of an answer whose exchange is not known. */
void st_fcgi__foreign(struct st_flow *f, uint16_t id);

/* st_proto_ops.gap and .lost. */
void st_fcgi__on_gap(struct st_flow *f, enum st_dir dir, uint64_t from, uint64_t to);
uint32_t st_fcgi__on_lost(struct st_flow *f, uint32_t turns, enum st_dir first_dir,
			  uint64_t time_ns);

#endif
