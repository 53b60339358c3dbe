/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A task (core/task.h) and those that it makes work for the request that it read, or that it
 * answers.
 *
 * Why it cannot be wrong: a task's number is never used again, so that ancestry is what the runtime
 * did. A call belongs to the request that an ancestor read when the branch that leads to the call
 * was made after that request had been read and while it was the only one in that ancestor's hands;
 * what was made before (a pool's worker, a ping) works for somebody else. Where the reader is
 * nobody's ancestor (asyncio reads for its handlers), the one who answers is: calls of the branches
 * that it made, or went on with, since the request was read are that request's, if it works for that
 * connection alone. It does when it was made for it: the nearest of its ancestors that made a reader
 * made this connection's alone, while one above made those of others, too; or it was made by who had
 * just read. Nothing is said by who was made for others, or answers for others. Where it is not
 * known for whom it was made (before we watched), it has to answer the connection once more. Requests
 * of one read (pipelining) are told apart by the answers: a branch that was made before the last answer
 * belongs to an earlier one.
 */
#include "core/conn.h"
#include "core/evidence.h"
#include "core/kin.h"
#include "core/task.h"

#define DEPTH_MAX 32
/* Calls that are looked at when a request is answered. */
#define CALLS_MAX 4096

static enum st_evidence kind_of(const struct st_xchg *x)
{
	return x->lin.task_kind == ST_TASK_GOROUTINE ? ST_EV_GOROUTINE : ST_EV_TASK;
}

/* What the thread that made the task had in hand then, if it still has. */
static struct st_xchg *makers(struct st_core *c, const struct st_task *t)
{
	const struct st_thread *maker = t->maker_no ? st_thread__find(c, t->maker_tid) : NULL;
	struct st_xchg *x = maker ? maker->in_hand : NULL;

	return x && x->lin.no == t->maker_no ? x : NULL;
}

/* Sure when the request's answer is seen: until then its end may have been lost. */
static void seems(struct st_core *c, struct st_xchg *call, struct st_xchg *up)
{
	if (call->lin.placed) {
		st_lineage__below(c, call, up, kind_of(call));
		return;
	}
	st_rung__knows(call, ST_ROW_TASK);
	st_kin__add(call, up, ST_KIN_TASK);
}

static void decide(struct st_core *c, struct st_xchg *x, bool sure)
{
	struct st_xchg *call;

	while ((call = st_kin__take(x, ST_KIN_TASK)))
		if (sure)
			st_lineage__below(c, call, x, kind_of(call));
}

static void forget(struct st_core *c, struct st_xchg *x)
{
	(void)c;
	st_kin__del(x, ST_KIN_TASK);
}

/* The request that the nearest ancestor has in hand for the branch that leads to this call. */
static void look_up(struct st_core *c, struct st_xchg *call)
{
	uint64_t id = call->lin.task, born_ns = call->start_ns;

	for (int i = 0; i < DEPTH_MAX && id && born_ns; i++) {
		struct st_task *t = st_task__find(c, call->tgid, id);

		if (!t || t->in_cnt > 1)
			return;
		if (t->in_cnt) {
			if (t->in_hand && born_ns >= st_task__since(t) && !t->in_hand->lin.behind)
				seems(c, call, t->in_hand);
			return;
		}
		if (t->maker_no)
			st_ev_thread__guess(call, makers(c, t));
		born_ns = t->born_ns;
		id = t->parent;
	}
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_task *t;

	if (e->thread->tgid != x->tgid)
		return;
	x->lin.task = e->thread->task;
	x->lin.task_kind = e->thread->task_kind;
	x->lin.read_ns = e->ch->time_ns;
	if (x->role == ST_ROLE_CLIENT) {
		if (x->conn->caller) {
			x->lin.task = x->conn->caller;
			x->conn->caller = 0;
		}
		if (x->lin.task_kind != ST_TASK_SCOPE)
			look_up(c, x);
		return;
	}
	if (x->lin.task_kind != ST_TASK_SCOPE)
		st_task__reads(c, x->tgid, x->lin.task, x->conn_id);
	t = st_task__get(c, x->tgid, x->lin.task);
	if (!t)
		return;
	x->lin.behind = t->in_hand && t->in_hand->conn == x->conn;
	t->in_cnt++;
	t->in_hand = x;
	x->lin.in_task = true;
	st_rung__knows(x, ST_ROW_TASK);
}

static void let_go(struct st_core *c, struct st_xchg *x)
{
	struct st_task *t = x->lin.in_task ? st_task__find(c, x->tgid, x->lin.task) : NULL;

	x->lin.in_task = false;
	if (!t)
		return;
	t->in_cnt--;
	t->freed_ns = c->now_ns;
	if (t->in_hand == x)
		t->in_hand = NULL;
}

/* Does the branch that leads to the call begin at that task, since the request was read? */
static bool is_branch_of(struct st_core *c, const struct st_xchg *call, uint64_t task,
			 uint64_t since_ns)
{
	uint64_t id = call->lin.task, born_ns = call->start_ns;

	for (int i = 0; i < DEPTH_MAX && id; i++) {
		const struct st_task *t;

		if (id == task)
			return born_ns >= since_ns;
		t = st_task__find(c, call->tgid, id);
		if (!t)
			return false;
		born_ns = t->born_ns;
		id = t->parent;
	}
	return false;
}

/* Has it answered this connection before, and no other one? */
static bool answers_again(struct st_task *t, const struct st_xchg *x)
{
	bool again = t->answered_conn == x->conn_id;

	if (t->answered_conn && !again)
		t->answers_many = true;
	t->answered_conn = x->conn_id;
	return again && !t->answers_many;
}

/* Is the answering task this request's own, or that of its connection? */
static bool is_its_own(struct st_core *c, struct st_task *t, const struct st_xchg *x)
{
	enum st_owner owner = st_task__owner(c, t, x);
	bool again = answers_again(t, x);
	struct st_task *first;

	if (t->answers_many || owner != ST_OWNER_UNKNOWN)
		return !t->answers_many && owner == ST_OWNER_THIS;
	/* There may be a task for each request, made by one that was there before we watched. */
	first = st_task__first(c, t);
	return first == t ? again : answers_again(first, x);
}

static void answered(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	/* Scopes are another rung's (ev_scope.c). */
	bool told = e->thread->task_kind != ST_TASK_SCOPE && e->thread->task_refused == c->refused;
	uint64_t task = told ? e->thread->task : 0;
	struct st_task *t = st_task__get(c, x->tgid, task);
	struct st_xchg *call, *next;
	uint64_t since_ns;
	int left = CALLS_MAX;
	bool own;

	decide(c, x, true);
	let_go(c, x);
	if (!t || x->tgid != e->ch->tgid)
		return;
	own = is_its_own(c, t, x);
	/* What was begun for the request before, on a pipelined connection, is not this one's. */
	since_ns = x->lin.read_ns > t->answered_ns ? x->lin.read_ns : t->answered_ns;
	t->answered_ns = e->ch->time_ns;
	if (!own || x->lin.behind)
		return;
	for (call = x->lin.proc->pending.first; call && left--; call = next) {
		next = call->lin.at[ST_LIST_PROC].next;
		if (call->lin.no > x->lin.no && is_branch_of(c, call, task, since_ns))
			st_lineage__below(c, call, x, kind_of(call));
	}
}

static void closed(struct st_core *c, struct st_xchg *x)
{
	decide(c, x, false);
	let_go(c, x);
}

static void born(struct st_core *c, const struct st_rec *rec)
{
	struct st_task *t = st_task__get(c, rec->tgid, rec->pos);
	bool item = rec->err == ST_TASK_ITEM && !rec->opp_pos;
	const struct st_thread *maker = item ? st_thread__find(c, rec->tid) : NULL;

	if (!t)
		return;
	t->parent = rec->opp_pos;
	t->born_ns = rec->time_ns;
	if (rec->conn_id) {
		t->reads_conn = rec->conn_id;
		t->for_read = true;
	}
	if (maker && maker->in_hand) {
		t->maker_tid = rec->tid;
		t->maker_no = maker->in_hand->lin.no;
	}
}

static void runs(struct st_core *c, const struct st_rec *rec)
{
	struct st_thread *thread = st_thread__get(c, rec->tgid, rec->tid);

	if (!thread)
		return;
	thread->task = rec->pos;
	thread->task_kind = (uint8_t)rec->err;
	thread->task_refused = c->refused;
}

static void calls(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn *n = st_conn__get(c, rec);

	if (n)
		n->info->caller = rec->pos;
}

static void told(struct st_core *c, const struct st_rec *rec)
{
	if (rec->kind != ST_REC_TASK || !rec->tgid)
		return;
	switch (rec->what) {
	case ST_TASK_BORN:
		born(c, rec);
		break;
	case ST_TASK_RUNS:
		runs(c, rec);
		break;
	case ST_TASK_CALLS:
		calls(c, rec);
		break;
	}
}

const struct st_evidence_ops st_ev_task = {
	.opened_if = ST_IF_BOTH | ST_IF_TASK,
	.answered_if = ST_IF_SERVER | ST_IF_TASK,
	.opened = opened,
	.answered = answered,
	.told = told,
	.closed = closed,
	.forget = forget,
};
