/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One thread reads a request, makes calls and answers it.
 *
 * Why it cannot be wrong: the thread did nothing else in between. It read no other connection's
 * request before it answered this one; it never waited for several things at once (epoll, select)
 * while it had the request in hand, so that no timer and no other connection could have had a turn;
 * and it was the one who answered, so that it had not handed the request on. A request that it had
 * read before and left unanswered may still be its own: that counts against it unless this
 * process's threads are known to leave such requests to others; and one that answers what it had
 * left while it has another one in hand is not heard again. A request that was read without blocking
 * may be an event loop's: it counts only while such waits are seen, and not at all where one of them
 * gave the thread a request to read: the same wait may have told of a timer or of anything else, whose
 * turn comes before the answer without another wait. Only programs that are known to answer a request
 * before they do anything else may wait as they like. Where records were refused, the kernel tells
 * which threads read what nobody knows of, until that is answered. Kernel workers that run others'
 * calls (io_uring) are nobody.
 */
#include "core/conn.h"
#include "core/evidence.h"
#include "core/kin.h"
#include "core/proc.h"

/* Would we have seen it if this thread had waited for many things? */
static bool is_telling(uint16_t flags)
{
	return flags & (ST_F_BLOCKS | ST_F_WATCHED);
}

/* Does it read what one of many waits told it of? Who does so once goes on like that. */
static bool is_loop(struct st_thread *t, const struct st_xchg *x, const struct st_chunk *ch)
{
	if (ch->flags & ST_F_BLOCKS)
		return false;
	if (ch->flags & ST_F_WAITED || t->waited_ns >= x->start_ns)
		t->loops = true;
	return t->loops;
}

/* Its reader works on it before it turns to anything else, or we would see it. */
static bool is_alone(const struct st_xchg *x)
{
	return x->lin.alone || (!x->lin.behind && x->lin.proc->program == ST_PROGRAM_SERIAL);
}

static bool is_one_thread(const struct st_xchg *x, const struct st_chunk *ch)
{
	return x->tid == ch->last_tid && !(ch->flags & ST_F_IO_WORKER);
}

/* Requests that were read and left must have been answered by others so often. */
#define HANDED_MIN   2
/* ... and so much more often than by themselves. */
#define HANDED_RATIO 4

static void read_by(struct st_core *c, struct st_thread *t, struct st_xchg *x,
		    const struct st_chunk *ch)
{
	struct st_xchg *left = t->in_hand;

	if (left && left->conn != x->conn) {
		left->lin.left = true;
		t->left_cnt++;
		t->open_cnt--;
	}
	t->open_cnt++;
	t->in_hand = x;
	x->lin.thread = t;
	st_rung__knows(x, ST_ROW_THREAD);
	x->lin.waits = t->waits;
	x->lin.refused = c->refused;
	x->lin.missed = ch->flags & ST_F_MISSED;
	x->lin.behind = left && left->conn == x->conn;
	x->lin.alone = !is_loop(t, x, ch) && is_telling(ch->flags) && !x->lin.behind;
}

/* What a thread of this process leaves, others answer: as often as chance has it. */
static bool hands_on(const struct st_proc *p)
{
	return p->handed >= HANDED_MIN && p->handed / HANDED_RATIO >= p->kept;
}

/* Nothing but this request is in the thread's hands. */
static bool has_only(const struct st_thread *t, const struct st_xchg *x)
{
	bool other = x->lin.missed || t->waits != x->lin.waits;

	if (t->left_cnt && !hands_on(x->lin.proc))
		return false;
	return t->open_cnt == 1 && t->in_hand == x && !t->many &&
	       (!other || x->lin.proc->program == ST_PROGRAM_SERIAL);
}

void st_ev_thread__guess(struct st_xchg *call, struct st_xchg *up)
{
	if (!up || !is_alone(up) || st_kin__up(call, ST_KIN_THREAD) ||
	    (call->lin.placed && call->lin.evidence != ST_EV_HEADER))
		return;
	st_rung__knows(call, ST_ROW_THREAD);
	st_kin__add(call, up, ST_KIN_THREAD);
}

struct st_xchg *st_ev_thread__only(struct st_core *c, const struct st_thread *t)
{
	struct st_xchg *up = t && !t->task ? t->in_hand : NULL;

	if (!up || !has_only(t, up))
		return NULL;
	if (is_alone(up))
		return up;
	if (c->cfg.ops.watch_waits)
		c->cfg.ops.watch_waits(c->cfg.ctx);
	return NULL;
}

static void call_by(struct st_core *c, const struct st_thread *t, struct st_xchg *x)
{
	enum st_program program = st_proc__program(c, x->lin.proc);

	/* What is a task's, and what a proxy does, is for their own rungs to say. */
	if (!t->in_hand || program == ST_PROGRAM_TASKS || program == ST_PROGRAM_PROXY ||
	    t->in_hand->tgid != x->tgid)
		return;
	st_ev_thread__guess(x, st_ev_thread__only(c, t));
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	if (!e->thread || !is_one_thread(x, e->ch))
		return;
	if (x->role == ST_ROLE_SERVER)
		read_by(c, e->thread, x, e->ch);
	else
		call_by(c, e->thread, x);
}

/* The calls that it seemed to make are its own, or nobody knows whose. */
static void decide(struct st_core *c, struct st_xchg *x, bool sure)
{
	struct st_xchg *call;

	if (sure)
		st_lineage__adopt(x, x->lin.offered);
	while ((call = st_kin__take(x, ST_KIN_THREAD)))
		if (sure)
			st_lineage__below(c, call, x, ST_EV_THREAD);
}

static void let_go(struct st_xchg *x)
{
	struct st_thread *t = x->lin.thread;

	if (!t)
		return;
	if (x->lin.left)
		t->left_cnt--;
	else
		t->open_cnt--;
	x->lin.left = false;
	if (t->in_hand == x)
		t->in_hand = NULL;
	x->lin.thread = NULL;
}

/* Who answers what it had left while it has another one in hand goes to and fro between them. */
static void told_of_left(struct st_thread *t, struct st_xchg *x, bool itself)
{
	if (itself && t->open_cnt)
		t->many = true;
	else if (itself)
		x->lin.proc->kept++;
	else
		x->lin.proc->handed++;
}

static void answered(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_thread *t = x->lin.thread;
	bool itself = t && t == e->thread && is_one_thread(x, e->ch) && e->ch->tid == x->tid;

	if (t && x->lin.left)
		told_of_left(t, x, t == e->thread);
	/* Where records were refused, it may have read another one that nobody knows of. */
	decide(c, x, itself && has_only(t, x) && x->lin.refused == c->refused);
	let_go(x);
}

static void closed(struct st_core *c, struct st_xchg *x)
{
	decide(c, x, false);
	let_go(x);
}

static void forget(struct st_core *c, struct st_xchg *x)
{
	struct st_xchg *up = st_kin__up(x, ST_KIN_THREAD);

	st_trace__unref(c, x->lin.offered);
	x->lin.offered = NULL;
	/* Its own header has placed it already: what that says of the trace stays. */
	if (up && x->lin.evidence == ST_EV_HEADER && x->role == ST_ROLE_CLIENT && !up->lin.offered)
		up->lin.offered = st_trace__ref(x->lin.trace);
	st_kin__del(x, ST_KIN_THREAD);
}

const struct st_evidence_ops st_ev_thread = {
	.opened_if = ST_IF_BOTH,
	.answered_if = ST_IF_SERVER,
	.opened = opened,
	.answered = answered,
	.closed = closed,
	.forget = forget,
};
