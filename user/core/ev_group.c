/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * nginx: an upstream exchange belongs to the request that is answered with what it brought. The
 * kernel side tells when the bytes of an answer lie in the very memory where another connection's
 * were received (bpf/passed.h).
 *
 * Why it cannot be wrong: the bytes are those of the upstream response, unless the memory was used
 * for something else in between, and nginx's buffers belong to their request until it ends; a place
 * counts once, for the next answer that is sent from it, and only for the last response that began on
 * its connection at or before that place in the stream. Where memory comes from an allocator that
 * hands it out again at once (Envoy) this was wrong, one time in thousands: such proxies are left to
 * what their answers say (ev_echo.c).
 * Order in time alone is no evidence: a response that is held back (limit_req, a tarpit) may come
 * between any two others.
 */
#include "core/conn.h"
#include "core/evidence.h"

static struct st_xchg **bucket_of(struct st_core *c, uint64_t conn_id)
{
	return &c->passing[(conn_id * 0x9e3779b97f4a7c15ULL) >> (64 - ST_PASSING_BITS)];
}

static void answered(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_xchg **bucket = bucket_of(c, x->conn_id);

	if (!st_proc__is_proxy(c, x->lin.proc) || !x->lin.proc->keeps_place)
		return;
	x->lin.group_pos = e->ch->pos;
	x->lin.group_next = *bucket;
	x->lin.in_group = true;
	st_rung__knows(x, ST_ROW_GROUP);
	*bucket = x;
}

static void forget(struct st_core *c, struct st_xchg *x)
{
	struct st_xchg **at = bucket_of(c, x->conn_id);

	if (!x->lin.in_group)
		return;
	while (*at != x)
		at = &(*at)->lin.group_next;
	*at = x->lin.group_next;
	x->lin.in_group = false;
}

/*
 * The upstream exchange whose response the record speaks of; its connection may be closed by now.
 * The newest of a bucket stands first.
 */
static struct st_xchg *source(struct st_core *c, const struct st_rec *rec)
{
	struct st_xchg *x = *bucket_of(c, rec->pos);

	while (x && (x->conn_id != rec->pos || x->lin.group_pos > rec->opp_pos))
		x = x->lin.group_next;
	return x;
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
	.answered_if = ST_IF_CLIENT | ST_IF_OPEN,
	.answered = answered,
	.told = told,
	.forget = forget,
};
