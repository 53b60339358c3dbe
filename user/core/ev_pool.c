/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A thread reads a request and puts work into the queue of a pool; a worker makes the call, and the
 * request is answered by that thread, when the worker has woken it, or by the worker itself. Seen are
 * the threads' sleeps in futex(2) and who ends them (pool.h).
 *
 * Three things must agree:
 *  - There: the thread had that request alone in hand and woke the worker, which slept where it
 *    waits for work since before the request came. Whoever waits for a lock instead waits for one
 *    that is held, or waited for, already: a request that came later cannot give it to him.
 *  - Empty: while the call was under way another worker of the pool waited for work, so that nothing
 *    was in the queue then, unless for one who was woken before and has not begun since.
 *  - Back: the thread slept since before that moment, until the worker woke it, which had woken
 *    no other request's thread; then it made no call of its own, and answered. Or the worker
 *    answered, and nobody had been called to work since that moment.
 *
 * Why it cannot be wrong: what the worker did for the request, and thereby ended its wait, had been
 * put before the thread slept, so before the queue was seen empty. By then the worker had it in
 * hand; it does one thing after the other, and waited for the
 * response alone, not for several things at once; it was making the call at that moment. So the call is
 * part of it.
 *
 * Each alone is wrong often. There: a worker takes what another one was called for. Back: a call's
 * end wakes nobody (one of several that are waited for together, or not waited for), and what the
 * worker takes next, without a call, does. Where a queue is never empty nothing can be said.
 */
#include "core/conn.h"
#include "core/evidence.h"
#include "core/kin.h"
#include "core/pool.h"

#define MANY	    UINT64_MAX
#define INBOUND_MAX 256

/* A request of the process that is not answered. */
static struct st_xchg *request_of(const struct st_proc *p, uint64_t no)
{
	struct st_xchg *x = p->inbound.first;

	for (int i = 0; x && x->lin.no != no && i < INBOUND_MAX; i++)
		x = x->lin.at[ST_LIST_PROC].next;
	return x && x->lin.no == no ? x : NULL;
}

/* What this worker seemed to do for that request is unknown. */
static void drop_calls(struct st_xchg *up, uint32_t tid)
{
	struct st_xchg *call = up ? up->lin.kin[ST_KIN_POOL].first : NULL, *next;

	for (; call; call = next) {
		next = call->lin.kin[ST_KIN_POOL].next;
		if (!tid || call->tid == tid)
			st_kin__del(call, ST_KIN_POOL);
	}
}

static void drop_run(const struct st_proc *p, struct st_mate *m)
{
	if (m->up_no)
		drop_calls(request_of(p, m->up_no), m->tid);
	m->up_no = 0;
}

/* ---- there ---- */

static void reads(struct st_pool *pool, const struct st_event_of *e)
{
	const struct st_thread *t = e->thread;
	struct st_mate *m = t ? st_mate__get(pool, t->tid) : NULL;

	if (!m)
		return;
	/* Between two reads it handed on the first, or it may yet. */
	m->one_by_one = !(t->open_cnt + t->left_cnt) || m->acted_ns > m->read_ns;
	m->read_ns = e->ch->time_ns;
}

/* The request for which `by` may have woken m, which is about to wake. */
static const struct st_xchg *called_for(struct st_core *c, struct st_pool *pool,
					const struct st_mate *m, uint32_t by)
{
	const struct st_thread *t = st_thread__find(c, m->tid);
	const struct st_mate *caller = st_mate__find(pool, by);
	const struct st_xchg *up;

	if (!st_mate__is_idle(m) || (t && t->open_cnt) || !caller || !caller->one_by_one)
		return NULL;
	up = st_ev_thread__only(c, st_thread__find(c, by));
	return up && up->start_ns > m->since_ns && up->lin.refused == c->refused ? up : NULL;
}

/* ---- empty ---- */

enum look { MADE = 0, GOT = 1, LOOKS };

static void look(const struct st_pool *pool, struct st_xchg *call, const struct st_mate *m,
		 enum look when, uint64_t now_ns)
{
	if (!st_pool__has_idle(pool, m))
		return;
	call->lin.pool_ns[when] = now_ns;
	call->lin.pool_puts[when] = pool->puts;
}

/* Was nothing in the queue then, and in nobody's hands who was to take it from there? */
static bool was_empty(const struct st_pool *pool, const struct st_xchg *call,
		      const struct st_mate *m, int when)
{
	uint64_t ns = call->lin.pool_ns[when];

	return ns && !st_pool__has_dozing(pool, m, ns);
}

/* Who makes calls without a request in hand may be a pool's worker. */
static void ask(struct st_core *c, struct st_proc *p)
{
	if (p->pool_asked || !p->inbound.first)
		return;
	p->pool_asked = true;
	if (c->cfg.ops.watch_pool && st_proc__program(c, p) == ST_PROGRAM_ANY && p->may_pool)
		c->cfg.ops.watch_pool(c->cfg.ctx, p->tgid);
}

static void calls(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_pool *pool = x->lin.proc->pool;
	const struct st_thread *t = e->thread;
	struct st_xchg *up;
	struct st_mate *m;

	if (t && t->open_cnt) {
		/* It goes on by itself: what woke it may not have been what it waits for. */
		if (t->in_hand)
			drop_calls(t->in_hand, 0);
		return;
	}
	if ((t && t->task) || x->lin.placed || x->tid != e->ch->last_tid ||
	    e->ch->flags & ST_F_IO_WORKER)
		return;
	if (!pool) {
		ask(c, x->lin.proc);
		return;
	}
	m = st_mate__get(pool, x->tid);
	if (!m)
		return;
	m->works = m->called = true;
	m->woke_no = 0;
	up = m->up_no ? request_of(x->lin.proc, m->up_no) : NULL;
	if (!up)
		return;
	x->lin.pool_run = m->run;
	st_rung__knows(x, ST_ROW_POOL);
	st_rung__knows(up, ST_ROW_POOL);
	st_kin__add(x, up, ST_KIN_POOL);
	look(pool, x, m, MADE, e->ch->time_ns);
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	if (x->lin.proc->pool)
		st_pool__get(c, x->lin.proc); /* forgets what losses made unsure */
	if (x->role == ST_ROLE_CLIENT)
		calls(c, x, e);
	else if (x->lin.proc->pool)
		reads(x->lin.proc->pool, e);
}

/* Did it wait for this response alone? Where that is not seen, it will be. */
static bool waited_for_it(struct st_core *c, const struct st_chunk *ch)
{
	if (ch->flags & (ST_F_WAITED | ST_F_IO_WORKER))
		return false;
	if (ch->flags & (ST_F_BLOCKS | ST_F_WATCHED))
		return true;
	if (c->cfg.ops.watch_waits)
		c->cfg.ops.watch_waits(c->cfg.ctx);
	return false;
}

/* The worker reads the response, in the run in which it made the call. */
static void got(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_xchg *up = st_kin__up(x, ST_KIN_POOL);
	struct st_pool *pool = x->lin.proc->pool;
	struct st_mate *m = st_mate__find(pool, x->tid);

	if (!up)
		return;
	if (!m || m->run != x->lin.pool_run || e->ch->last_tid != x->tid ||
	    !waited_for_it(c, e->ch))
		st_kin__del(x, ST_KIN_POOL);
	else
		look(pool, x, m, GOT, e->ch->time_ns);
}

/* ---- back ---- */

/* The thread that m wakes put nothing into the queue since it was seen empty: it slept. */
static bool tells(const struct st_pool *pool, const struct st_xchg *call, const struct st_mate *m,
		  const struct st_mate *reader)
{
	if (call->tid != m->tid || call->lin.pool_run != m->run || !call->answered ||
	    !reader->asleep)
		return false;
	for (int i = 0; i < LOOKS; i++)
		if (reader->since_ns < call->lin.pool_ns[i] && was_empty(pool, call, m, i))
			return true;
	return false;
}

/* Nobody put anything into it: a worker that sleeps would have been woken. */
static bool tells_alone(const struct st_pool *pool, const struct st_xchg *call,
			const struct st_mate *m)
{
	if (call->tid != m->tid || call->lin.pool_run != m->run || !call->answered || m->woke_no)
		return false;
	for (int i = 0; i < LOOKS; i++)
		if (call->lin.pool_puts[i] == pool->puts && was_empty(pool, call, m, i))
			return true;
	return false;
}

/* m wakes a thread that has requests in hand. */
static void wakes_reader(struct st_core *c, const struct st_proc *p, struct st_mate *m,
			 const struct st_mate *reader, struct st_thread *t)
{
	const struct st_xchg *up = st_ev_thread__only(c, t);
	uint64_t no = up ? up->lin.no : MANY;
	struct st_xchg *call;

	if (m->woke_no && m->woke_no != no) {
		if (m->woke_no != MANY)
			drop_calls(request_of(p, m->woke_no), m->tid);
		no = MANY;
	}
	m->woke_no = no;
	if (m->up_no != no) {
		drop_run(p, m);
		return;
	}
	for (call = up->lin.kin[ST_KIN_POOL].first; call; call = call->lin.kin[ST_KIN_POOL].next)
		if (tells(p->pool, call, m, reader))
			call->lin.pool_back = true;
	m->up_no = 0; /* what it does next may be another's */
}

static void answers(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_proc *p = x->lin.proc;
	uint32_t tid = e->ch->last_tid;
	bool one = e->ch->tid == tid && !(e->ch->flags & (ST_F_IO_WORKER | ST_F_WAITED)) &&
		   x->lin.refused == c->refused;
	bool itself = tid == x->tid;
	struct st_mate *m = st_mate__find(p->pool, tid);
	struct st_xchg *call;

	if (itself && st_ev_thread__only(c, e->thread) != x)
		one = false;
	if (m && m->up_no != x->lin.no)
		drop_run(p, m);
	while ((call = st_kin__take(x, ST_KIN_POOL)))
		if (one && (itself ? call->lin.pool_back : m && tells_alone(p->pool, call, m)))
			st_lineage__below(c, call, x, ST_EV_POOL);
	if (m)
		m->up_no = 0;
}

static void answered(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	if (!x->lin.proc->pool)
		return;
	st_pool__get(c, x->lin.proc);
	if (x->role == ST_ROLE_CLIENT)
		got(c, x, e);
	else
		answers(c, x, e);
}

/* ---- records ---- */

static void woken(struct st_core *c, const struct st_proc *p, struct st_mate *m,
		  const struct st_rec *rec)
{
	struct st_thread *t = st_thread__find(c, m->tid);
	const struct st_xchg *up = NULL;

	if (rec->what == ST_WAIT_WOKEN) {
		struct st_mate *by = st_mate__get(p->pool, rec->call_len);

		up = called_for(c, p->pool, m, rec->call_len);
		if (by && t && t->tgid == p->tgid && t->open_cnt)
			wakes_reader(c, p, by, m, t);
		if (by)
			by->acted_ns = rec->time_ns;
	}
	st_mate__wakes(p->pool, m, rec);
	m->up_no = up ? up->lin.no : 0;
}

static void told(struct st_core *c, const struct st_rec *rec)
{
	struct st_proc *p = rec->kind == ST_REC_WAIT ? st_proc__get(c, rec->tgid) : NULL;
	struct st_mate *m;

	if (!p || !st_pool__get(c, p))
		return;
	if (rec->what == ST_WAIT_GONE) {
		st_mate__drop(p->pool, rec->tid);
		return;
	}
	m = st_mate__get(p->pool, rec->tid);
	if (!m)
		return;
	if (rec->what == ST_WAIT_SLEEPS)
		st_mate__sleeps(p->pool, m, rec);
	else
		woken(c, p, m, rec);
}

static void closed(struct st_core *c, struct st_xchg *x)
{
	(void)c;
	if (x->role == ST_ROLE_SERVER)
		drop_calls(x, 0);
}

static void forget(struct st_core *c, struct st_xchg *x)
{
	(void)c;
	drop_calls(x, 0);
	st_kin__del(x, ST_KIN_POOL);
}

const struct st_evidence_ops st_ev_pool = {
	.opened_if = ST_IF_BOTH,
	.answered_if = ST_IF_BOTH,
	.opened = opened,
	.answered = answered,
	.told = told,
	.closed = closed,
	.forget = forget,
};
