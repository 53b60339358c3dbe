/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <stdlib.h>

#include "core/conn.h"

#define KEEP_XCHGS 1024u

static struct st_xchg *take(struct st_core *c)
{
	struct st_xchg *x = c->free_xchgs;

	if (!x)
		return malloc(sizeof(*x));
	c->free_xchgs = x->next;
	c->free_xchg_cnt--;
	return x;
}

static void give(struct st_core *c, struct st_xchg *x)
{
	if (c->free_xchg_cnt >= KEEP_XCHGS) {
		free(x);
		return;
	}
	x->next = c->free_xchgs;
	c->free_xchgs = x;
	c->free_xchg_cnt++;
}

void st_xchg__free(struct st_core *c, struct st_xchg *x)
{
	if (x->ops->release)
		x->ops->release(x);
	st_conn_info__unref(c, x->conn);
	st_proc__unref(c, x->lin.proc);
	st_trace__unref(c, x->lin.trace);
	st_trace__unref(c, x->lin.adopts);
	st_trace__unref(c, x->lin.sent);
	if (x->lin.candidates)
		st_candidates__free(c, x);
	c->stats.open--;
	give(c, x);
}

void st_xchg__free_all(struct st_core *c)
{
	while (c->free_xchgs) {
		struct st_xchg *x = c->free_xchgs;

		c->free_xchgs = x->next;
		free(x);
	}
}

struct st_xchg *st_flow__open(struct st_flow *f, const struct st_chunk *c)
{
	struct st_conn *n = (struct st_conn *)f;
	struct st_core *core = n->core;
	struct st_xchg *x = NULL;

	core->stats.requests++;
	if (f->open_cnt < ST_PIPELINE_MAX && core->stats.open < core->cfg.max_xchgs)
		x = take(core);
	if (!x) {
		core->stats.overflow++;
		core->stats.lost_requests++;
		return NULL;
	}
	memset(x, 0, sizeof(*x));
	x->start_ns = c->first_ns;
	x->conn_id = n->id;
	x->pos = c->pos;
	x->turn = c->turn;
	x->tgid = c->tgid;
	x->tid = c->tid;
	x->role = f->role;
	x->ops = f->ops;
	x->conn = st_conn_info__ref(f->info);
	if (f->last)
		f->last->next = x;
	else
		f->first = x;
	f->last = x;
	f->open_cnt++;
	core->stats.open++;
	return x;
}

void st_flow__begin(struct st_flow *f, struct st_xchg *x, const struct st_chunk *c)
{
	st_lineage__open(((struct st_conn *)f)->core, x, c);
}

void st_flow__answer(struct st_flow *f, struct st_xchg *x, const struct st_chunk *c,
		     const struct st_response *r)
{
	if (x->answered)
		return;
	x->answered = true;
	st_lineage__answer(((struct st_conn *)f)->core, x, c, r);
}

static void unlink_xchg(struct st_flow *f, struct st_xchg *x)
{
	struct st_xchg **at = &f->first, *prev = NULL;

	while (*at != x) {
		prev = *at;
		at = &prev->next;
	}
	*at = x->next;
	if (f->last == x)
		f->last = prev;
	f->open_cnt--;
}

void st_flow__close(struct st_flow *f, struct st_xchg *x, uint64_t end_ns)
{
	unlink_xchg(f, x);
	x->end_ns = end_ns > x->start_ns ? end_ns : x->start_ns;
	st_lineage__close(((struct st_conn *)f)->core, x);
}

struct st_xchg *st_flow__unanswered(const struct st_flow *f)
{
	struct st_xchg *x = f->first;

	while (x && x->answered)
		x = x->next;
	return x;
}
