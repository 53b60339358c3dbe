/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The ladder of evidence. A rung is one file, ev_NAME.c, and one row of the table in evidence.c; it
 * says at its top why it cannot be wrong. A rung that knows an exchange's parent places it
 * (lineage.h); what another one has placed it leaves alone. Two candidates are none.
 */
#ifndef ST_CORE_EVIDENCE_H
#define ST_CORE_EVIDENCE_H

#include "core/lineage.h"
#include "core/proc.h"

/* The rows of the table, best first. */
enum st_rung_row {
	ST_ROW_SEQ = 0,
	ST_ROW_OPTION,
	ST_ROW_HEADER,
	ST_ROW_REQUEST_ID,
	ST_ROW_TASK,
	ST_ROW_SCOPE,
	ST_ROW_POOL, /* asks what the next one has in hand */
	ST_ROW_THREAD,
	ST_ROW_GROUP,
	ST_ROW_ECHO,
	ST_ROW_CNT
};

_Static_assert(ST_ROW_CNT <= 16, "sets of rungs are bits of 16");

/* When a rung is asked: all of the bits have to be there, of the first two one. */
#define ST_IF_SERVER  0x01u
#define ST_IF_CLIENT  0x02u
#define ST_IF_CARRIER 0x04u /* its head has fields that tell of a trace */
#define ST_IF_TASK    0x08u /* its thread works for a task */
#define ST_IF_OPEN    0x10u /* it has no place yet */
#define ST_IF_BOTH    (ST_IF_SERVER | ST_IF_CLIENT)

/* An event of an exchange. */
struct st_event_of {
	const struct st_chunk *ch;	    /* the bytes that it comes with */
	const struct st_response *response; /* answered: how it begins; NULL: not told */
	struct st_thread *thread; /* that moved the last of them; NULL: nothing is known of it */
};

/* A function may be NULL. */
struct st_evidence_ops {
	uint8_t opened_if, answered_if; /* ST_IF_* */
	/* A request has begun; its lin.no and lin.proc are set, nothing else knows it yet. */
	void (*opened)(struct st_core *c, struct st_xchg *x, const struct st_event_of *e);
	/* Its final response has begun. */
	void (*answered)(struct st_core *c, struct st_xchg *x, const struct st_event_of *e);
	/* A record that is a rung's own (ST_REC_PASSED, ST_REC_TASK, ST_REC_WAIT,
	 * ST_REC_WIRE). */
	void (*told)(struct st_core *c, const struct st_rec *rec);
	/* All requests that were in hand when this call was made are answered: the last chance. */
	void (*settled)(struct st_core *c, struct st_xchg *x);
	/* For those that this rung knows (st_rung__knows): it has ended, answered or not. */
	void (*closed)(struct st_core *c, struct st_xchg *x);
	/* ... it is about to be freed: no pointer to it may stay. */
	void (*forget)(struct st_core *c, struct st_xchg *x);
};

/* The rung keeps something of this exchange: it wants to be told of its end. */
static inline void st_rung__knows(struct st_xchg *x, enum st_rung_row row)
{
	x->lin.known_by |= (uint16_t)(1u << row);
}

extern const struct st_evidence_ops *const st_evidence_rungs[ST_ROW_CNT];

extern const struct st_evidence_ops st_ev_seq, st_ev_option, st_ev_header, st_ev_request_id,
	st_ev_task, st_ev_scope, st_ev_pool, st_ev_thread, st_ev_group, st_ev_echo;

/* What a proxy's responses and answers began with; ev_echo.c. NULL is safe. */
struct st_echoes;
void st_echoes__free(struct st_core *c, struct st_echoes *all);

/* The call seems to be made for that request; the thread that read it tells when it answers. */
void st_ev_thread__guess(struct st_xchg *call, struct st_xchg *up);
/* The request that the thread has alone in hand, doing nothing else; NULL: none, or not sure. */
struct st_xchg *st_ev_thread__only(struct st_core *c, const struct st_thread *t);

#endif
