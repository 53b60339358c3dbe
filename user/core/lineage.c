/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/lineage.h"

#include "core/conn.h"
#include "core/evidence.h"
#include "core/kin.h"
#include "core/proc.h"
#include "core/propagate.h"

/* ---- those that have ended and wait ---- */

static void queue(struct st_waiting *q, struct st_xchg *x)
{
	x->lin.in = q;
	st_xlist__add(&q->list, x, ST_LIST_WAITING);
	q->cnt++;
}

static void unqueue(struct st_xchg *x)
{
	struct st_waiting *q = x->lin.in;

	st_xlist__del(&q->list, x, ST_LIST_WAITING);
	q->cnt--;
	x->lin.in = NULL;
}

static void hold(struct st_core *c, struct st_xchg *x)
{
	x->lin.held_ns = c->now_ns;
	queue(&c->lineages.held, x);
}

void st_lineage__discard(struct st_core *c, struct st_xchg *x)
{
	if (x->lin.in)
		unqueue(x);
	for (uint32_t i = 0, bits = x->lin.known_by; bits; i++, bits >>= 1)
		if (bits & 1 && st_evidence_rungs[i]->forget)
			st_evidence_rungs[i]->forget(c, x);
	st_xchg__free(c, x);
}

static void emit(struct st_core *c, struct st_xchg *x)
{
	st_core__finish(c, x);
	st_lineage__discard(c, x);
}

/* ---- those of a process ---- */

static void join_list(struct st_xlist *l, struct st_xchg *x)
{
	st_xlist__add(l, x, ST_LIST_PROC);
	x->lin.in_proc = true;
}

static void leave_list(struct st_xlist *l, struct st_xchg *x)
{
	st_xlist__del(l, x, ST_LIST_PROC);
	x->lin.in_proc = false;
}

/* ---- settling ---- */

/* A trace of ours takes an id that is known outside, as long as nothing of it has gone. */
static void take_id(struct st_trace *to, const struct st_trace *from)
{
	if (!to || !from || to->fixed)
		return;
	memcpy(to->id, from->id, sizeof(to->id));
	to->flags = from->flags;
	to->fixed = true;
}

static void adopt_now(struct st_core *c, struct st_xchg *x)
{
	take_id(x->lin.trace, x->lin.adopts);
	st_trace__unref(c, x->lin.adopts);
	x->lin.adopts = NULL;
}

/*
 * A call has told the other end which trace it belongs to, and that stands: may it be of this one? A
 * trace that nobody was told of takes the call's id.
 */
static bool agrees(const struct st_xchg *x, struct st_trace *t)
{
	if (!x->lin.sent || !t)
		return true;
	take_id(t, x->lin.sent);
	return !memcmp(t->id, x->lin.sent->id, sizeof(t->id));
}

/* Its cause is known, but it left with a trace of its own. */
static void settle_apart(struct st_core *c, struct st_xchg *x, struct st_trace *t,
			 const uint8_t span_id[8])
{
	x->lin.trace = st_trace__ref(x->lin.sent);
	x->lin.evidence = ST_EV_NONE;
	x->lin.parent = NULL;
	x->lin.settled = true;
	st_candidates__found(c, x, t, span_id);
}

static void settle_below(struct st_core *c, struct st_xchg *x, const struct st_xchg *up)
{
	if (!agrees(x, up->lin.trace)) {
		settle_apart(c, x, up->lin.trace, up->lin.span_id);
		return;
	}
	x->lin.trace = st_trace__ref(up->lin.trace);
	memcpy(x->lin.parent_id, up->lin.span_id, sizeof(x->lin.parent_id));
	x->lin.has_parent = true;
	x->lin.remote = x->tgid != up->tgid;
	x->lin.parent = NULL;
	x->lin.settled = true;
	if (x->lin.adopts)
		adopt_now(c, x);
}

/* x is settled: so are those below it, and all of them that have ended may go, the upper first. */
static void spread(struct st_core *c, struct st_xchg *x)
{
	struct st_xchg *todo = x;

	x->lin.kid_next = NULL;
	while (todo) {
		struct st_xchg *kid, *next;

		x = todo;
		todo = x->lin.kid_next;
		for (kid = x->lin.kids; kid; kid = next) {
			next = kid->lin.kid_next;
			settle_below(c, kid, x);
			kid->lin.kid_next = todo;
			todo = kid;
		}
		x->lin.kids = NULL;
		if (x->lin.in) {
			unqueue(x);
			queue(&c->lineages.ready, x);
		}
	}
}

/* ---- placing ---- */

static void placed(struct st_xchg *x, enum st_evidence evidence)
{
	x->lin.placed = true;
	x->lin.evidence = (uint8_t)evidence;
	if (x->lin.in_proc && x->role == ST_ROLE_CLIENT)
		leave_list(&x->lin.proc->pending, x);
}

void st_lineage__adopt(struct st_xchg *up, struct st_trace *t)
{
	if (!t || !t->fixed)
		return;
	if (up->lin.trace) {
		take_id(up->lin.trace, t);
		return;
	}
	while (up->lin.parent)
		up = up->lin.parent;
	if (!up->lin.adopts)
		up->lin.adopts = st_trace__ref(t);
}

void st_lineage__below_remote(struct st_core *c, struct st_xchg *x, struct st_trace *t,
			      const uint8_t parent_id[8], enum st_evidence evidence)
{
	if (x->lin.placed || !t) {
		st_trace__unref(c, t);
		return;
	}
	placed(x, evidence);
	if (!agrees(x, t)) {
		settle_apart(c, x, t, parent_id);
		st_trace__unref(c, t);
		spread(c, x);
		return;
	}
	x->lin.trace = t;
	memcpy(x->lin.parent_id, parent_id, sizeof(x->lin.parent_id));
	x->lin.has_parent = true;
	x->lin.remote = x->role == ST_ROLE_SERVER;
	x->lin.settled = true;
	spread(c, x);
}

void st_lineage__below_span(struct st_core *c, struct st_xchg *x, struct st_trace *t,
			    const uint8_t parent_id[8], enum st_evidence evidence)
{
	st_lineage__below_remote(c, x, st_trace__ref(t), parent_id, evidence);
}

static bool is_above(const struct st_xchg *x, const struct st_xchg *of)
{
	while (of && of != x)
		of = of->lin.parent;
	return of;
}

void st_lineage__below(struct st_core *c, struct st_xchg *x, struct st_xchg *up,
		       enum st_evidence evidence)
{
	if (x->lin.placed && x->role == ST_ROLE_CLIENT && x->lin.evidence == ST_EV_HEADER)
		st_lineage__adopt(up, x->lin.trace);
	/* Who opened later is nobody's parent; this also keeps the tree one. */
	if (x->lin.placed || (up->lin.no >= x->lin.no && !x->lin.expects) || up->unsure ||
	    is_above(x, up))
		return;
	placed(x, evidence);
	if (!up->lin.settled) {
		x->lin.parent = up;
		x->lin.kid_next = up->lin.kids;
		up->lin.kids = x;
		return;
	}
	settle_below(c, x, up);
	spread(c, x);
}

void st_lineage__root(struct st_core *c, struct st_xchg *x)
{
	if (x->lin.placed)
		return;
	placed(x, ST_EV_NONE);
	x->lin.trace = x->lin.sent ? st_trace__ref(x->lin.sent) : st_trace__new(c);
	if (x->lin.trace && !x->lin.sent) {
		st_ids__trace(c, x->conn_id, x->turn, x->nth, x->lin.trace->id);
		x->lin.trace->flags = x->lin.denied ? 0 : ST_TRACE_SAMPLED;
	}
	x->lin.settled = true;
	if (x->lin.adopts)
		adopt_now(c, x);
	spread(c, x);
}

/* ---- events ---- */

/*
 * A call's parent is a request that its process had not answered when the call was made. When all of
 * those are answered and no rung knew, none will.
 */
static void give_up(struct st_core *c, struct st_proc *p)
{
	uint64_t oldest = p->inbound.first ? p->inbound.first->lin.no : UINT64_MAX;

	while (p->pending.first && p->pending.first->lin.no < oldest) {
		struct st_xchg *call = p->pending.first;

		for (uint32_t i = 0; i < ST_ROW_CNT && !call->lin.placed; i++)
			if (st_evidence_rungs[i]->settled)
				st_evidence_rungs[i]->settled(c, call);
		st_lineage__root(c, call);
	}
}

/* What the rungs are chosen by. */
static uint32_t state_of(const struct st_core *c, const struct st_xchg *x,
			 const struct st_thread *thread)
{
	bool knows = thread && thread->task && thread->task_refused == c->refused;

	return (x->role == ST_ROLE_SERVER ? ST_IF_SERVER : ST_IF_CLIENT) |
	       (thread && (knows || x->lin.in_task) ? ST_IF_TASK : 0);
}

static bool has_context(const struct st_xchg *x)
{
	const struct st_carrier *car = x->ops->carrier ? x->ops->carrier(x) : NULL;

	return car && car->seen;
}

static bool is_asked(uint32_t wants, uint32_t have)
{
	return wants & have & ST_IF_BOTH && !(wants & ~(have | ST_IF_BOTH | ST_IF_OPEN));
}

void st_lineage__prepare(struct st_core *c)
{
	for (uint32_t have = 0; have < ST_IF_OPEN; have++)
		for (uint32_t i = 0; i < ST_ROW_CNT; i++) {
			const struct st_evidence_ops *ops = st_evidence_rungs[i];

			c->lineages.opened[have] |= (uint16_t)(is_asked(ops->opened_if, have) << i);
			c->lineages.answered[have] |=
				(uint16_t)(is_asked(ops->answered_if, have) << i);
		}
}

/* Files that a process maps later (modules of an interpreter) are found when it is asked again. */
#define ASK_AGAIN_NS 1000000000ULL
#define ASK_MAX	     8

static void wonder(struct st_core *c, const struct st_xchg *x)
{
	struct st_proc *p = x->lin.proc;

	if (st_kin__any(x) || !c->cfg.ops.calls || p->asked == ASK_MAX ||
	    (p->asked && c->now_ns - p->asked_ns < ASK_AGAIN_NS) || st_proc__is_proxy(c, p))
		return;
	p->asked++;
	p->asked_ns = c->now_ns;
	c->cfg.ops.calls(c->cfg.ctx, p->tgid);
}

void st_lineage__open(struct st_core *c, struct st_xchg *x, const struct st_chunk *ch)
{
	struct st_proc *p = st_proc__get(c, x->tgid);
	uint32_t have;
	uint64_t span = st_ids__span(c, x->conn_id, x->turn, x->nth);
	struct st_event_of e = {.ch = ch};

	memcpy(x->lin.span_id, &span, sizeof(span));
	x->lin.no = ++c->lineages.last_no;
	x->lin.proc = p;
	if (!p) {
		st_lineage__root(c, x);
		return;
	}
	p->refs++;
	e.thread = x->role == ST_ROLE_SERVER ? st_thread__get(c, ch->tgid, ch->last_tid)
					     : st_thread__find(c, ch->last_tid);
	have = state_of(c, x, e.thread) | (has_context(x) ? ST_IF_CARRIER : 0);
	for (uint32_t rows = c->lineages.opened[have]; rows; rows &= rows - 1) {
		const struct st_evidence_ops *ops = st_evidence_rungs[__builtin_ctz(rows)];

		if (!(ops->opened_if & ST_IF_OPEN) || !x->lin.placed)
			ops->opened(c, x, &e);
	}
	if (x->role == ST_ROLE_SERVER) {
		if (!x->lin.expects)
			st_lineage__root(c, x);
		join_list(&p->inbound, x);
	} else if (!x->lin.placed && !p->inbound.first) {
		st_lineage__root(c, x);
	} else if (!x->lin.placed) {
		join_list(&p->pending, x);
		wonder(c, x);
		st_candidates__note(c, x);
	}
}

/* No call that is made from now on is this request's. */
static void leave(struct st_core *c, struct st_xchg *x)
{
	if (x->role != ST_ROLE_SERVER || !x->lin.in_proc)
		return;
	leave_list(&x->lin.proc->inbound, x);
	give_up(c, x->lin.proc);
}

void st_lineage__answer(struct st_core *c, struct st_xchg *x, const struct st_chunk *ch,
			const struct st_response *r)
{
	struct st_event_of e = {.ch = ch, .response = r};

	if (!x->lin.proc)
		return;
	e.thread = st_thread__find(c, ch->last_tid);
	for (uint32_t rows = c->lineages.answered[state_of(c, x, e.thread)]; rows;
	     rows &= rows - 1) {
		const struct st_evidence_ops *ops = st_evidence_rungs[__builtin_ctz(rows)];

		if (!(ops->answered_if & ST_IF_OPEN) || !x->lin.placed)
			ops->answered(c, x, &e);
	}
	if (x->role == ST_ROLE_SERVER)
		st_lineage__root(c, x);
	leave(c, x);
}

void st_lineage__tell(struct st_core *c, const struct st_rec *rec)
{
	for (uint32_t i = 0; i < ST_ROW_CNT; i++)
		if (st_evidence_rungs[i]->told)
			st_evidence_rungs[i]->told(c, rec);
}

void st_lineage__close(struct st_core *c, struct st_xchg *x)
{
	x->ended = true;
	if (x->lin.proc) {
		for (uint32_t i = 0, bits = x->lin.known_by; bits; i++, bits >>= 1)
			if (bits & 1 && st_evidence_rungs[i]->closed)
				st_evidence_rungs[i]->closed(c, x);
		if (x->role == ST_ROLE_SERVER)
			st_lineage__root(c, x);
		leave(c, x);
	} else if (!x->lin.no) {
		st_lineage__root(c, x); /* it never began */
	}
	if (x->lin.settled) {
		emit(c, x);
		return;
	}
	hold(c, x);
	if (c->lineages.held.cnt <= ST_LINEAGE_HELD_MAX)
		return;
	c->stats.forced++;
	st_lineage__force(c, c->lineages.held.list.first);
}

/* ---- time ---- */

static struct st_xchg *undecided(struct st_xchg *x)
{
	while (x->lin.parent)
		x = x->lin.parent;
	return x;
}

/* Whoever above it has no place yet becomes a root. */
void st_lineage__force(struct st_core *c, struct st_xchg *x)
{
	st_lineage__root(c, undecided(x));
}

uint64_t st_lineage__due(const struct st_core *c)
{
	const struct st_xchg *x = c->lineages.held.list.first;

	return x ? x->lin.held_ns + ST_LINEAGE_WAIT_NS : UINT64_MAX;
}

/* The request that it seems to work for is still being worked on: its answer will tell. */
static bool is_promising(struct st_xchg *x)
{
	x = undecided(x);
	return st_kin__up(x, ST_KIN_THREAD) || st_kin__up(x, ST_KIN_TASK) ||
	       st_kin__up(x, ST_KIN_POOL);
}

bool st_lineage__tick(struct st_core *c, uint64_t now_ns)
{
	bool any = false;

	while (st_lineage__due(c) <= now_ns) {
		struct st_xchg *x = c->lineages.held.list.first;

		any = true;
		if (now_ns > c->now_ns)
			c->now_ns = now_ns;
		if (is_promising(x)) {
			unqueue(x);
			hold(c, x);
		} else {
			st_lineage__force(c, x);
		}
	}
	return any;
}

void st_lineage__end(struct st_core *c)
{
	while (c->lineages.held.list.first)
		st_lineage__force(c, c->lineages.held.list.first);
}

void st_lineage__emit(struct st_core *c, uint32_t max)
{
	while (max-- && c->lineages.ready.list.first)
		emit(c, c->lineages.ready.list.first);
}
