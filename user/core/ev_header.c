/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a request's header fields say of its trace (core/propagate.h).
 *
 * Why it cannot be wrong: for a request that comes in, the header is the caller's own word, and
 * W3C Trace Context says that it is to be believed; where the caller's span is seen as well (seq),
 * that one stands between. A call whose header is the very one that a request in hand came with
 * was passed on for it; if several requests came with it (a client that repeats or forges them), even
 * one after the other, it tells nothing. Any other header was written by the process itself, whose
 * own span it names.
 */
#include "core/conn.h"
#include "core/evidence.h"
#include "core/propagate.h"

#include <stdlib.h>

/* Requests in hand that are compared. */
#define COMPARE_MAX 1024

static bool same_context(const struct st_lineage *a, const struct st_lineage *b)
{
	return a->has_context && b->has_context &&
	       !memcmp(a->context, b->context, sizeof(a->context));
}

static uint64_t *seen_place(struct st_core *c, uint64_t h)
{
	return &c->contexts_seen[h >> (64 - ST_CONTEXTS_BITS)];
}

static uint64_t hash_of(const struct st_xchg *x)
{
	uint64_t h = (uint64_t)x->tgid + 1, w;

	for (uint32_t i = 0; i < sizeof(x->lin.context); i += 8) {
		memcpy(&w, x->lin.context + i, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	return h * 0x9e3779b97f4a7c15ULL;
}

/* Has another request come with this header? What goes on with it is nobody's then. */
static void look_for_repetition(struct st_core *c, struct st_xchg *x)
{
	uint64_t h = hash_of(x), *seen = seen_place(c, h);

	if (*seen != h) {
		*seen = h;
		return;
	}
	x->lin.repeated = true;
	for (struct st_xchg *y = x->lin.proc->inbound.first; y; y = y->lin.at[ST_LIST_PROC].next)
		y->lin.repeated |= same_context(&y->lin, &x->lin);
}

/* The one request in hand that came with the call's header. Returns how many did, 2 at most. */
static int passed_on(const struct st_xchg *call, struct st_xchg **up)
{
	struct st_xchg *x = call->lin.proc->inbound.first;
	int cnt = 0;

	for (int i = 0; x && i < COMPARE_MAX && cnt < 2; i++, x = x->lin.at[ST_LIST_PROC].next)
		if (same_context(&x->lin, &call->lin)) {
			*up = x;
			cnt++;
		}
	if (x || (cnt && (*up)->lin.repeated))
		return 2;
	return cnt;
}

static struct st_trace *trace_of(struct st_core *c, const struct st_remote *r)
{
	struct st_trace *t = st_trace__new(c);
	char *state = t && r->trace_state.len ? malloc(r->trace_state.len) : NULL;

	if (!t)
		return NULL;
	memcpy(t->id, r->trace_id, sizeof(t->id));
	/* A decision that is left to us is to keep it. */
	t->flags = r->flags | (r->sampled_known ? 0 : ST_TRACE_SAMPLED);
	t->fixed = true;
	if (state) {
		memcpy(state, r->trace_state.p, r->trace_state.len);
		t->state = st_str(state, r->trace_state.len);
	}
	return t;
}

static void place(struct st_core *c, struct st_xchg *x, const struct st_remote *r)
{
	struct st_xchg *up = NULL;
	int cnt;

	memcpy(x->lin.context, r->trace_id, 16);
	memcpy(x->lin.context + 16, r->span_id, 8);
	x->lin.has_context = true;
	if (x->role == ST_ROLE_CLIENT) {
		cnt = passed_on(x, &up);
		if (cnt == 1)
			st_lineage__below(c, x, up, ST_EV_HEADER);
		if (cnt)
			return;
	} else {
		look_for_repetition(c, x);
	}
	if (!x->lin.placed)
		st_lineage__below_remote(c, x, trace_of(c, r), r->span_id, ST_EV_HEADER);
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_remote r;
	int rc;

	(void)e;
	if (!c->cfg.propagators.cnt)
		return;
	rc = st_propagate__extract(&c->cfg.propagators, x->ops->carrier(x), &r);
	c->stats.bad_contexts += r.malformed != 0;
	if (rc > 0)
		place(c, x, &r);
	else if (r.sampled_known && !(r.flags & ST_TRACE_SAMPLED))
		x->lin.denied = true;
}

const struct st_evidence_ops st_ev_header = {
	.opened_if = ST_IF_BOTH | ST_IF_CARRIER,
	.opened = opened,
};
