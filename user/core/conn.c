/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/conn.h"

#include <stdlib.h>

static struct st_conn *new_conn(struct st_core *c)
{
	struct st_conn *n = c->free_conns;

	if (n) {
		c->free_conns = n->free_next;
		return n;
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->stream[ST_RX].kept = st_buf__init(ST_KEEP_MAX);
	n->stream[ST_TX].kept = st_buf__init(ST_KEEP_MAX);
	return n;
}

static void reset(struct st_conn *n)
{
	memset(&n->flow, 0, sizeof(n->flow));
	memset(n->state, 0, sizeof(n->state));
	n->turn = 0;
	n->last_dir = 0;
	n->lost_turns = 0;
	n->blind = false;
	n->unknown_turns = 0;
	n->off = false;
	n->headless = false;
	n->whole = false;
	n->fresh = false;
	n->exiting = false;
	n->own_fin = false;
	n->peer_fin_ns = 0;
	n->await_end = 0;
	for (int d = 0; d < 2; d++)
		st_stream__reset(&n->stream[d]);
}

struct st_conn_info *st_conn_info__ref(struct st_conn_info *i)
{
	if (i)
		i->refs++;
	return i;
}

void st_conn_info__unref(struct st_core *c, struct st_conn_info *i)
{
	if (!i || --i->refs)
		return;
	i->next = c->free_infos;
	c->free_infos = i;
}

static struct st_conn_info *new_info(struct st_core *c)
{
	struct st_conn_info *i = c->free_infos;

	if (i)
		c->free_infos = i->next;
	else
		i = malloc(sizeof(*i));
	if (!i)
		return NULL;
	memset(i, 0, sizeof(*i));
	i->refs = 1;
	return i;
}

void st_conn__count_lost(struct st_conn *n)
{
	if (!n->flow.ops && !n->unknown_turns && !n->blind)
		st_flow__lost(&n->flow, (n->lost_turns + 1) / 2);
	else if (!n->flow.ops && !n->unknown_turns)
		n->core->stats.unread_requests += (n->lost_turns + 1) / 2;
	n->lost_turns = 0;
}

/* Takes the connection out of the table; it may still stand on the awaiting list. */
void st_conn__drop(struct st_conn *n)
{
	struct st_core *c = n->core;

	st_conn__count_lost(n);
	if (n->flow.ops && n->flow.ops->drop)
		n->flow.ops->drop(&n->flow);
	c->conns[n->slot] = NULL;
	c->stats.conns--;
	st_conn_info__unref(c, n->info);
	n->info = NULL;
	n->id = 0;
	n->await_end = 0;
	/* A long head's memory is not kept for every connection to come. */
	for (int d = 0; d < 2; d++)
		if (n->stream[d].kept.cap > 4096)
			st_buf__free(&n->stream[d].kept);
	if (!n->queued) {
		n->free_next = c->free_conns;
		c->free_conns = n;
	}
}

/* The connection of a record; made when it is new. NULL: the slot is out of range, or no memory. */
struct st_conn *st_conn__get(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn *n;

	if (rec->slot >= c->cfg.max_conns || !rec->conn_id)
		return NULL;
	n = c->conns[rec->slot];
	if (n && n->id == rec->conn_id)
		return n;
	if (n) {
		/* Its CLOSED record was lost: the slot has another owner already. */
		if (n->flow.ops)
			n->flow.ops->closed(&n->flow, rec->time_ns, (struct st_str){0});
		st_conn__drop(n);
	}
	n = new_conn(c);
	if (!n)
		return NULL;
	reset(n);
	n->info = new_info(c);
	if (!n->info) {
		n->free_next = c->free_conns;
		c->free_conns = n;
		return NULL;
	}
	n->core = c;
	n->id = n->info->id = rec->conn_id;
	n->slot = rec->slot;
	n->flow.info = n->info;
	n->flow.state = n->state;
	c->conns[rec->slot] = n;
	c->stats.conns++;
	return n;
}

void st_flow__expect(struct st_flow *f, enum st_dir dir, uint64_t end)
{
	struct st_conn *n = (struct st_conn *)f;

	n->await_end = end;
	if (!end)
		return;
	n->await_dir = (uint8_t)dir;
	n->await_turn = n->turn;
	if (n->queued)
		return;
	n->queued = true;
	n->await_next = n->core->awaiting;
	n->core->awaiting = n;
}

void st_flow__mode(struct st_flow *f, enum st_mode mode)
{
	struct st_conn *n = (struct st_conn *)f;
	struct st_core *c = n->core;

	n->off = mode == ST_MODE_OFF;
	if (c->cfg.ops.mode)
		c->cfg.ops.mode(c->cfg.ctx, n->slot, n->id, mode, f->ops ? f->ops->id : 0);
}

void st_flow__stray(struct st_flow *f)
{
	((struct st_conn *)f)->core->stats.stray++;
}

void st_flow__lost(struct st_flow *f, uint32_t cnt)
{
	struct st_core *c = ((struct st_conn *)f)->core;

	c->stats.lost_requests += cnt;
	c->stats.requests += cnt;
}

bool st_flow__is_whole(const struct st_flow *f)
{
	return ((const struct st_conn *)f)->whole;
}
