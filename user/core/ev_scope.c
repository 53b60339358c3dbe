/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Scopes of an event loop that runs promises (Node.js): a callback's scope is known, but a promise's
 * continuation runs in the scope of whoever resolved it, which a queue, a lock or a limited agent
 * shared by several requests may have handed to somebody else's.
 *
 * Why it cannot be wrong: a call is asked twice. Forward: it was made in a scope that descends from
 * one request's. Backward: what its response set off answered that same request, and no other one
 * that was in hand; this is known when all of those are answered. A call whose response set off
 * no answer of its own has the forward word alone. It is taken where the request waited for a call
 * that was made in the very same scope, as it does for several that are awaited together: a
 * continuation of another one's, which was handed over there, makes its call where nothing of the
 * request's own goes on. Both may go on in one scope, so that this is taken only in processes where
 * the two words have agreed often and never differed: where continuations are handed over, they soon
 * do. There, what lies between a response and an answer may be anybody's, so that only the last call
 * before the answer counts.
 */
#include "core/conn.h"
#include "core/evidence.h"
#include "core/kin.h"
#include "core/task.h"

#define DEPTH_MAX  32
/* So often must both words have agreed before the forward one is taken alone. */
#define AGREED_MIN 32

/* The one request in whose scope the call was made; NULL: none, or several. */
static struct st_xchg *forward(struct st_core *c, const struct st_xchg *call)
{
	uint64_t id = call->lin.task, born_ns = call->start_ns;

	for (int i = 0; i < DEPTH_MAX && id && born_ns; i++) {
		const struct st_task *t = st_task__find(c, call->tgid, id);

		if (!t || t->in_cnt > 1)
			return NULL;
		if (t->in_cnt)
			return t->in_hand && born_ns >= st_task__since(t) ? t->in_hand : NULL;
		born_ns = t->born_ns;
		id = t->parent;
	}
	return NULL;
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_xchg *up;

	if (e->thread->task_kind != ST_TASK_SCOPE)
		return;
	up = forward(c, x);
	if (!up || up->lin.no >= x->lin.no)
		return;
	st_rung__knows(x, ST_ROW_SCOPE);
	st_rung__knows(up, ST_ROW_SCOPE);
	x->lin.scope_no = up->lin.no;
	st_kin__add(x, up, ST_KIN_SCOPE);
}

/* What the response sets off is a task of its own: the thread's, now. */
static void response(struct st_core *c, struct st_xchg *call, const struct st_thread *thread)
{
	struct st_task *t = st_task__get(c, call->tgid, thread->task);

	if (!t || thread->task == call->lin.task)
		return;
	st_rung__knows(call, ST_ROW_SCOPE);
	t->response_of = call;
	t->is_response = true;
	call->lin.scope_done = t->id;
}

/* Who made the scope that the call was made in (a connect's callback); 0: a response did, or nobody. */
static uint64_t scope_above(struct st_core *c, const struct st_xchg *call)
{
	const struct st_task *t = st_task__find(c, call->tgid, call->lin.task);

	return t && !t->is_response ? t->parent : 0;
}

/* Calls of one scope: the last one that the request waited for has set off its answer. */
static void awaited_with(struct st_core *c, struct st_xchg *x, const struct st_xchg *last)
{
	uint64_t task = last->lin.task, above = scope_above(c, last);
	struct st_xchg *call = x->lin.kin[ST_KIN_SCOPE].first;

	for (; call; call = call->lin.kin[ST_KIN_SCOPE].next) {
		uint64_t other = scope_above(c, call);

		if (call->lin.task == task || call->lin.task == above || other == task ||
		    (other && other == above))
			call->lin.scope_with = true;
	}
}

/* Which responses set off the answer? */
static void backward(struct st_core *c, struct st_xchg *x, uint64_t id)
{
	struct st_proc *p = x->lin.proc;
	bool nearest = true;

	for (int i = 0; i < DEPTH_MAX && id; i++) {
		const struct st_task *t = st_task__find(c, x->tgid, id);
		struct st_xchg *call = t ? t->response_of : NULL;

		if (!t)
			return;
		if (call && call->lin.scope_no == x->lin.no) {
			call->lin.scope_agreed = true;
			call->lin.scope_direct = nearest;
			awaited_with(c, x, call);
			p->agreed++;
		} else if (call && call->lin.scope_no) {
			call->lin.scope_against = true;
			p->differed = true;
		}
		nearest = nearest && !call;
		/* Answered where another request is being worked on. */
		if (t->in_hand && t->in_hand != x)
			p->differed = true;
		id = t->parent;
	}
}

/* What is still under way when its request is answered was not waited for: it may be anybody's. */
static void not_awaited(struct st_xchg *x)
{
	struct st_xchg *call = x->lin.kin[ST_KIN_SCOPE].first;

	for (; call; call = call->lin.kin[ST_KIN_SCOPE].next)
		if (!call->answered)
			call->lin.scope_against = true;
}

static void answered(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	if (e->thread->task_kind != ST_TASK_SCOPE)
		return;
	if (x->role == ST_ROLE_CLIENT) {
		response(c, x, e->thread);
		return;
	}
	backward(c, x, e->thread->task);
	not_awaited(x);
}

static bool is_sure(const struct st_xchg *call)
{
	const struct st_proc *p = call->lin.proc;

	if (!call->lin.scope_no || call->lin.scope_against)
		return false;
	if (p->differed)
		return call->lin.scope_direct;
	return call->lin.scope_agreed || (call->lin.scope_with && p->agreed >= AGREED_MIN);
}

static void settled(struct st_core *c, struct st_xchg *x)
{
	struct st_xchg *up = st_kin__up(x, ST_KIN_SCOPE);

	if (x->role != ST_ROLE_CLIENT || x->lin.placed || !is_sure(x))
		return;
	if (up)
		st_lineage__below(c, x, up, ST_EV_TASK);
	else if (x->lin.scope_trace)
		st_lineage__below_span(c, x, x->lin.scope_trace, x->lin.scope_span, ST_EV_TASK);
}

/* A request goes before its calls are decided: they keep what they need of it. */
static void leave_word(struct st_xchg *x)
{
	struct st_xchg *call;

	while ((call = st_kin__take(x, ST_KIN_SCOPE))) {
		call->lin.scope_trace = st_trace__ref(x->lin.trace);
		memcpy(call->lin.scope_span, x->lin.span_id, sizeof(call->lin.scope_span));
	}
}

static void forget(struct st_core *c, struct st_xchg *x)
{
	struct st_task *t = x->lin.scope_done ? st_task__find(c, x->tgid, x->lin.scope_done) : NULL;

	leave_word(x);
	if (t && t->response_of == x)
		t->response_of = NULL;
	st_trace__unref(c, x->lin.scope_trace);
	x->lin.scope_trace = NULL;
	st_kin__del(x, ST_KIN_SCOPE);
}

const struct st_evidence_ops st_ev_scope = {
	.opened_if = ST_IF_CLIENT | ST_IF_TASK | ST_IF_OPEN,
	.answered_if = ST_IF_BOTH | ST_IF_TASK,
	.opened = opened,
	.answered = answered,
	.settled = settled,
	.forget = forget,
};
