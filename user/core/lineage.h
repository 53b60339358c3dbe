/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Exchanges find their place in a trace: the rungs of evidence.h are asked as a request begins and
 * as it is answered; whoever is sure calls one of the three functions st_lineage__below,
 * __below_remote and __root. An exchange that has ended waits here until it is settled.
 */
#ifndef ST_CORE_LINEAGE_H
#define ST_CORE_LINEAGE_H

#include "core/xlist.h"
#include "spantap/protocol.h"

struct st_core;

/* How long an exchange that has ended waits for evidence. */
#define ST_LINEAGE_WAIT_NS  2000000000ULL
/* So many wait at most; beyond that the oldest one becomes a root. */
#define ST_LINEAGE_HELD_MAX 16384u

/* Exchanges that have ended, in the order in which they came here. */
struct st_waiting {
	struct st_xlist list;
	uint32_t cnt;
};

struct st_lineages {
	uint64_t last_no;
	struct st_waiting held;	 /* not settled */
	struct st_waiting ready; /* settled since */
	struct st_trace *free_traces;
	/* which rungs are asked, a bit a row of the table, by what is there (ST_IF_* but OPEN) */
	uint16_t opened[16], answered[16];
};

/* Once, before any of the others. */
void st_lineage__prepare(struct st_core *c);

/* Events of an exchange, in this order; the first two by its parser's calls. */
void st_lineage__open(struct st_core *c, struct st_xchg *x, const struct st_chunk *ch);
void st_lineage__answer(struct st_core *c, struct st_xchg *x, const struct st_chunk *ch,
			const struct st_response *r);
/* It is on no connection any more: its span is made now or later. Takes x. */
void st_lineage__close(struct st_core *c, struct st_xchg *x);

/* A record that is a rung's own. */
void st_lineage__tell(struct st_core *c, const struct st_rec *rec);

/* Placing; once for an exchange. up opened before x. */
void st_lineage__below(struct st_core *c, struct st_xchg *x, struct st_xchg *up,
		       enum st_evidence evidence);
/* The parent is a span of somebody else's. t: with the trace's id; its reference is taken; or NULL. */
void st_lineage__below_remote(struct st_core *c, struct st_xchg *x, struct st_trace *t,
			      const uint8_t parent_id[8], enum st_evidence evidence);
/* The same of this process: a span of ours that has gone already. t: its trace, no reference is taken. */
void st_lineage__below_span(struct st_core *c, struct st_xchg *x, struct st_trace *t,
			    const uint8_t parent_id[8], enum st_evidence evidence);
void st_lineage__root(struct st_core *c, struct st_xchg *x);
/*
 * The process's own instrumentation began a trace of its own for a request that came without one, and
 * told it to others in a call's header. What stands above the call takes that id, now or when its own
 * place is known, as long as nothing of its trace has gone.
 */
void st_lineage__adopt(struct st_xchg *up, struct st_trace *t);
/* candidates.c: requests in hand that may have caused a call; kept, linked to, given back. */
void st_candidates__note(struct st_core *c, struct st_xchg *call);
/* The span that caused it is known, but the call has said that it belongs to another trace. */
void st_candidates__found(struct st_core *c, struct st_xchg *call, struct st_trace *t,
			  const uint8_t span_id[8]);
void st_candidates__link(struct st_xchg *x, struct st_span *s);
void st_candidates__free(struct st_core *c, struct st_xchg *x);

/* Time has come to now_ns: those that waited long enough become roots. Returns whether any did. */
bool st_lineage__tick(struct st_core *c, uint64_t now_ns);
/* When the next one has waited long enough; UINT64_MAX: none waits. */
uint64_t st_lineage__due(const struct st_core *c);
/* Frees x without a span, for a core that is given up. */
void st_lineage__discard(struct st_core *c, struct st_xchg *x);
/* Nothing above x is waited for any more. */
void st_lineage__force(struct st_core *c, struct st_xchg *x);
/* Makes the spans of those that are ready, at most so many. */
void st_lineage__emit(struct st_core *c, uint32_t max);
/* No evidence will come any more. */
void st_lineage__end(struct st_core *c);

/* trace.c. A trace with one reference whose id and flags are zero; NULL when memory runs out. */
struct st_trace *st_trace__new(struct st_core *c);
static inline struct st_trace *st_trace__ref(struct st_trace *t)
{
	if (t)
		t->refs++;
	return t;
}
/* NULL is safe. */
void st_trace__unref(struct st_core *c, struct st_trace *t);
/* Those that are free. */
void st_trace__free_all(struct st_core *c);

/* Ids that derive from the connection, the turn and the request's place in it; ids.c. */
uint64_t st_ids__span(const struct st_core *c, uint64_t conn_id, uint32_t turn, uint32_t nth);
/* The trace that a span is the root of. */
void st_ids__trace(const struct st_core *c, uint64_t conn_id, uint32_t turn, uint32_t nth,
		   uint8_t id[16]);

#endif
