/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <stdlib.h>

#include "core/conn.h"

#define KEEP_XCHGS 1024u
#define MORE_MAX   65536u

static struct st_str keep_more(struct st_xchg *x, struct st_str s)
{
	char *at;

	/* One block, never moved, since slices point into it. */
	if (!x->more) {
		x->more = malloc(MORE_MAX);
		x->more_cap = x->more ? MORE_MAX : 0;
	}
	if (s.len > x->more_cap - x->more_len)
		return (struct st_str){0};
	at = x->more + x->more_len;
	memcpy(at, s.p, s.len);
	x->more_len += s.len;
	return st_str(at, s.len);
}

struct st_str st_xchg__keep(struct st_xchg *x, struct st_str s)
{
	char *at = x->mem + x->mem_len;

	if (!s.len)
		return (struct st_str){0};
	if (s.len > sizeof(x->mem) - x->mem_len)
		return keep_more(x, s);
	memcpy(at, s.p, s.len);
	x->mem_len += s.len;
	return st_str(at, s.len);
}

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
	free(x->more);
	if (c->free_xchg_cnt >= KEEP_XCHGS) {
		free(x);
		return;
	}
	x->next = c->free_xchgs;
	c->free_xchgs = x;
	c->free_xchg_cnt++;
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
	memset(x, 0, offsetof(struct st_xchg, mem));
	x->start_ns = c->first_ns;
	x->conn_id = n->id;
	x->turn = c->turn;
	x->tgid = c->tgid;
	x->tid = c->tid;
	x->role = f->role;
	x->conn = f->info;
	if (f->last)
		f->last->next = x;
	else
		f->first = x;
	f->last = x;
	f->open_cnt++;
	core->stats.open++;
	return x;
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
	struct st_core *core = ((struct st_conn *)f)->core;

	unlink_xchg(f, x);
	core->stats.open--;
	x->end_ns = end_ns > x->start_ns ? end_ns : x->start_ns;
	st_core__finish(core, f->ops, x);
	if (f->ops->release)
		f->ops->release(x);
	give(core, x);
}

struct st_xchg *st_flow__unanswered(const struct st_flow *f)
{
	struct st_xchg *x = f->first;

	while (x && x->answered)
		x = x->next;
	return x;
}
