/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Proxies on event loops (nginx, haproxy, Envoy): an upstream exchange belongs to the request that
 * is answered with what it brought. The kernel side tells when the bytes of an answer lie in the
 * very memory where another connection's were received (bpf/passed.h).
 *
 * Why it cannot be wrong: the bytes are those of the upstream response, unless the memory was used
 * for something else in between; a place counts once, for the next answer that is sent from it, and
 * only for the last response that began on its connection at or before that place in the stream.
 * Order in time alone is no evidence: a response that is held back (limit_req, a tarpit) may come
 * between any two others.
 */
#include "core/conn.h"
#include "core/evidence.h"

static void answered(struct st_core *c, struct st_xchg *x, const struct st_chunk *ch)
{
	if (x->role != ST_ROLE_CLIENT || !st_proc__is_proxy(c, x->lin.proc))
		return;
	x->conn->last = x;
	x->conn->last_pos = ch->pos;
}

static void forget(struct st_core *c, struct st_xchg *x)
{
	(void)c;
	if (x->conn->last == x)
		x->conn->last = NULL;
}

/* The upstream exchange whose response the record speaks of. */
static struct st_xchg *source(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn *from;

	if (!st_core__knows(c, rec->call_len, rec->pos))
		return NULL;
	from = c->conns[rec->call_len];
	return from->info->last_pos <= rec->opp_pos ? from->info->last : NULL;
}

static void told(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn *to;
	struct st_xchg *call, *up;

	if (rec->kind != ST_REC_PASSED)
		return;
	to = st_conn__get(c, rec);
	call = source(c, rec);
	if (!to || !call || to->flow.role != ST_ROLE_SERVER)
		return;
	up = st_flow__unanswered(&to->flow);
	if (up && up->lin.proc == call->lin.proc && up->lin.no)
		st_lineage__below(c, call, up, ST_EV_GROUP);
}

const struct st_evidence_ops st_ev_group = {
	.answered = answered,
	.told = told,
	.forget = forget,
};
