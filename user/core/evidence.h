/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The ladder of evidence. A rung is one file, ev_NAME.c, and one row of the table in evidence.c; it
 * says at its top why it cannot be wrong. A rung that knows an exchange's parent places it
 * (lineage.h); what another one has placed it leaves alone. Two candidates are none.
 */
#ifndef ST_CORE_EVIDENCE_H
#define ST_CORE_EVIDENCE_H

#include "core/lineage.h"

/* Any may be NULL. ch: the bytes that the event comes with. */
struct st_evidence_ops {
	/* A request has begun; its lin.no and lin.proc are set, nothing else knows it yet. */
	void (*opened)(struct st_core *c, struct st_xchg *x, const struct st_chunk *ch);
	/* Its final response has begun. */
	void (*answered)(struct st_core *c, struct st_xchg *x, const struct st_chunk *ch);
	/* A record that is a rung's own (ST_REC_PASSED). */
	void (*told)(struct st_core *c, const struct st_rec *rec);
	/* All requests that were in hand when this call was made are answered: the last chance. */
	void (*settled)(struct st_core *c, struct st_xchg *x);
	/* It has ended, answered or not. */
	void (*closed)(struct st_core *c, struct st_xchg *x);
	/* It is about to be freed: no pointer to it may stay. */
	void (*forget)(struct st_core *c, struct st_xchg *x);
};

/* All of them, best first, ended by NULL. */
extern const struct st_evidence_ops *const st_evidence_rungs[];

extern const struct st_evidence_ops st_ev_seq, st_ev_header, st_ev_request_id, st_ev_task,
	st_ev_scope, st_ev_thread, st_ev_group;

/* The call seems to be made for that request; the thread that read it tells when it answers. */
void st_ev_thread__guess(struct st_xchg *call, struct st_xchg *up);

#endif
