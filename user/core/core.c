/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Records by kind. */
#include "core/core.h"

#include <errno.h>
#include <stdlib.h>

#include "core/conn.h"
#include "spantap/keys.h"

#define DEFAULT_XCHGS 65536u
#define DEFAULT_NAMES 1000u

struct st_core *st_core__new(const struct st_core_config *cfg)
{
	struct st_core *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->cfg = *cfg;
	if (!c->cfg.max_xchgs)
		c->cfg.max_xchgs = DEFAULT_XCHGS;
	if (!c->cfg.max_names)
		c->cfg.max_names = DEFAULT_NAMES;
	st_lineage__prepare(c);
	c->conns = calloc(cfg->max_conns, sizeof(*c->conns));
	if (!c->conns) {
		free(c);
		return NULL;
	}
	return c;
}

static void free_infos(struct st_core *c)
{
	while (c->free_infos) {
		struct st_conn_info *i = c->free_infos;

		c->free_infos = i->next;
		free(i);
	}
}

static void free_conn(struct st_conn *n)
{
	st_buf__free(&n->stream[ST_RX].kept);
	st_buf__free(&n->stream[ST_TX].kept);
	free(n);
}

void st_core__free(struct st_core *c)
{
	if (!c)
		return;
	st_core__settle(c); /* empties the list of the awaiting ones */
	for (uint32_t i = 0; i < c->cfg.max_conns; i++) {
		struct st_conn *n = c->conns[i];

		if (!n)
			continue;
		while (n->flow.first) {
			struct st_xchg *x = n->flow.first;

			n->flow.first = x->next;
			st_lineage__discard(c, x);
		}
		if (n->flow.ops && n->flow.ops->drop)
			n->flow.ops->drop(&n->flow);
		st_conn_info__unref(c, n->info);
		free_conn(n);
	}
	while (c->lineages.held.list.first)
		st_lineage__discard(c, c->lineages.held.list.first);
	while (c->lineages.ready.list.first)
		st_lineage__discard(c, c->lineages.ready.list.first);
	while (c->free_conns) {
		struct st_conn *n = c->free_conns;

		c->free_conns = n->free_next;
		free_conn(n);
	}
	for (uint32_t i = 0; i < ST_NAMES_RESOURCES; i++)
		st_names__free(c->names[i].names);
	st_xchg__free_all(c);
	st_proc__free_all(c);
	st_task__free_all(c);
	st_trace__free_all(c); /* the others have references */
	free_infos(c);
	free(c->conns);
	free(c);
}

static enum st_dir other(enum st_dir dir)
{
	return dir == ST_RX ? ST_TX : ST_RX;
}

/*
 * Turns of which no record came. They alternate, so their number and the direction of what came
 * around them say how many requests were among them.
 */
static void lost_turns(struct st_conn *n, uint32_t turns, const struct st_rec *rec)
{
	bool data = rec->kind == ST_REC_DATA, within = data && !(rec->flags & ST_F_TURN);
	enum st_dir dir = (enum st_dir)rec->dir, first;

	for (int d = 0; d < 2; d++)
		st_stream__forget(n, (enum st_dir)d);
	first = n->turn ? other((enum st_dir)n->last_dir) : turns % 2 == within ? dir : other(dir);
	if (!n->flow.ops) {
		/* Until the protocol is known; another hole before that makes no difference. */
		if (!n->lost_turns)
			n->lost_first = (uint8_t)first;
		n->lost_turns += turns;
		n->headless = within;
		return;
	}
	st_flow__lost(&n->flow, n->flow.ops->lost(&n->flow, turns, first, rec->time_ns));
	/* The beginning of the turn that this record belongs to is among them. */
	if (within)
		n->flow.ops->gap(&n->flow, dir, rec->pos, rec->pos);
}

/*
 * Which turn is it? Turns alternate; where the number does not fit the direction, another CPU began
 * the next turn, the other way, before this record took its number.
 */
static uint32_t turn_of(const struct st_conn *n, const struct st_rec *rec)
{
	bool odd = (rec->turn - n->turn) & 1, same = rec->dir == n->last_dir;

	if (rec->kind == ST_REC_DATA && n->turn && rec->turn > n->turn && odd == same)
		return rec->turn - 1;
	return rec->turn;
}

static void count_turns(struct st_conn *n, const struct st_rec *rec)
{
	uint32_t seen = rec->kind == ST_REC_DATA && rec->flags & ST_F_TURN ? n->turn + 1 : n->turn;
	uint32_t turn = turn_of(n, rec);

	if (turn > seen && !n->off)
		lost_turns(n, turn - seen, rec);
	n->turn = turn;
}

/* The next turn, begun where both directions stand: the parser may take it in one step. */
static bool quick(struct st_conn *n, const struct st_rec *rec)
{
	struct st_stream *s = &n->stream[rec->dir], *o = &n->stream[rec->dir ^ 1];
	uint64_t want;

	if (!(rec->flags & ST_F_TURN) || rec->turn != n->turn + 1 || rec->dir == n->last_dir ||
	    rec->pos != s->next || rec->opp_pos > o->next || !n->flow.ops || !n->flow.ops->quick ||
	    n->headless || !s->synced || !o->synced || s->kept.len || o->kept.len)
		return false;
	n->turn++;
	n->await_end = 0;
	want = n->flow.ops->quick(&n->flow, rec);
	if (!want) {
		n->turn--;
		return false;
	}
	s->next = want;
	n->last_dir = rec->dir;
	return true;
}

static void on_data(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn *n = st_conn__get(c, rec);
	enum st_dir dir = (enum st_dir)rec->dir;

	if (rec->flags & ST_F_WAITED)
		st_thread__waited(c, rec);
	if (!n || n->off || (!c->cfg.no_quick && quick(n, rec)))
		return;
	count_turns(n, rec);
	n->last_dir = rec->dir;
	if (rec->flags & ST_F_TURN) {
		st_stream__moved(n, (enum st_dir) !dir, rec->opp_pos, rec->opp_time_ns,
				 rec->what & ST_SLOT_LAST << !dir ? ST_OVER_LAST : ST_OVER_SPOKE);
		n->headless = false;
		n->await_end = 0;
	}
	/* At a turn's start the turn before it has told how far this direction came. */
	if (!(rec->flags & (ST_F_CONT | ST_F_TURN)) && rec->last_ns)
		st_stream__moved(n, dir, rec->pos, rec->last_ns, ST_OVER_NOT);
	if (n->headless)
		return;
	if (rec->len)
		st_stream__data(n, dir, rec);
	else
		st_stream__unseen(n, dir, rec);
}

/* Fields are appended: what an older recording does not have is zero. */
#define ST_OPEN_MIN offsetof(struct st_open, isn)

static void set_info(struct st_conn_info *i, const struct st_rec *rec)
{
	struct st_open o = {0};

	memcpy(&o, rec + 1, rec->len < sizeof(o) ? rec->len : sizeof(o));
	i->fresh = rec->flags & ST_F_FRESH;
	st_conn_info__set(i, &o);
}

static void on_open(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn *n = st_conn__get(c, rec);

	if (!n)
		return;
	set_info(n->info, rec);
	n->fresh = rec->flags & ST_F_FRESH;
	n->whole = n->fresh || n->info->role == ST_ROLE_CLIENT; /* the kernel saw it connect */
}

static void on_end(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn *n = st_conn__get(c, rec);

	if (n && n->turn == rec->turn)
		st_stream__moved(n, (enum st_dir)rec->dir, rec->pos, rec->last_ns, ST_OVER_LAST);
}

static struct st_str close_reason(const struct st_conn *n, const struct st_rec *rec)
{
	switch (rec->err) {
	case ECONNRESET:
		return ST_STR("ECONNRESET");
	case EPIPE:
		return ST_STR("EPIPE");
	case ETIMEDOUT:
		return ST_STR("ETIMEDOUT");
	}
	/* An exiting process sends FINs; what ends them comes in another's time. */
	if (n->exiting || (rec->flags & ST_F_EXITING))
		return ST_STR("process_exited");
	return ST_STR("connection_closed");
}

static void on_closed(struct st_conn *n, const struct st_rec *rec)
{
	struct st_core *c = n->core;
	uint64_t id = n->id;

	if (n->flow.ops && n->peer_fin_ns)
		n->flow.ops->eof(&n->flow, ST_RX,
				 rec->opp_time_ns > n->peer_fin_ns ? rec->opp_time_ns
								   : n->peer_fin_ns);
	if (n->flow.ops)
		n->flow.ops->closed(&n->flow, rec->time_ns, close_reason(n, rec));
	st_conn__drop(n);
	if (c->cfg.ops.gone)
		c->cfg.ops.gone(c->cfg.ctx, rec->slot, id);
}

/* A peer that ends is known to when its FIN comes; this side ended with its last byte. */
static uint64_t fin_ns(const struct st_rec *rec)
{
	return rec->what == ST_STATE_OWN_FIN && rec->last_ns ? rec->last_ns : rec->time_ns;
}

/*
 * The peer's FIN may come in the middle of the very call that reads what stood before it, on
 * another CPU even: it says where the bytes end, not that they were read.
 */
static void on_peer_fin(struct st_conn *n, const struct st_rec *rec)
{
	n->peer_fin_ns = rec->time_ns;
	if (n->flow.ops && !n->off)
		n->flow.ops->fin(&n->flow, (enum st_dir)rec->dir, rec->pos + rec->call_len);
}

static void on_state(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn *n = st_conn__get(c, rec);
	enum st_dir dir = (enum st_dir)rec->dir;

	if (!n)
		return;
	if (rec->what == ST_STATE_PEER_FIN) {
		on_peer_fin(n, rec);
		return;
	}
	/* A turn that has just begun on another CPU is not lost: the kernel counts what it refused. */
	if (rec->lost)
		count_turns(n, rec);
	if (rec->opp_time_ns)
		st_stream__moved(n, (enum st_dir) !dir, rec->opp_pos, rec->opp_time_ns,
				 ST_OVER_NOT);
	if (rec->last_ns && !n->own_fin)
		st_stream__moved(n, dir, rec->pos, rec->last_ns, ST_OVER_NOT);
	if (rec->what == ST_STATE_CLOSED) {
		on_closed(n, rec);
		return;
	}
	if (rec->what == ST_STATE_OWN_FIN) {
		n->exiting = rec->flags & ST_F_EXITING;
		n->own_fin = true;
	}
	if (n->flow.ops && !n->off && rec->what == ST_STATE_OWN_FIN)
		n->flow.ops->eof(&n->flow, dir, fin_ns(rec));
}

static void on_address(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn_info info = {0};

	set_info(&info, rec);
	if (rec->kind == ST_REC_CONNECT)
		st_core__failed_connect(c, rec, &info);
	else
		st_core__accept_overflow(c, rec, &info);
}

/* Records that user space makes itself (ends, sweeps) have no number. */
static bool is_numbered(const struct st_rec *rec)
{
	return rec->seq;
}

int st_core__feed(struct st_core *c, const struct st_rec *rec)
{
	if (rec->dir > ST_TX || rec->len > rec->payload_sz)
		return -EINVAL;
	c->stats.records++;
	if (is_numbered(rec))
		c->refused = rec->refused;
	if (rec->time_ns > c->now_ns)
		c->now_ns = rec->time_ns;
	switch (rec->kind) {
	case ST_REC_DATA:
		on_data(c, rec);
		return 0;
	case ST_REC_END:
		on_end(c, rec);
		return 0;
	case ST_REC_STATE:
		on_state(c, rec);
		return 0;
	case ST_REC_OPEN:
		if (rec->len < ST_OPEN_MIN)
			return -EINVAL;
		on_open(c, rec);
		return 0;
	case ST_REC_CONNECT:
	case ST_REC_OVERFLOW:
		if (rec->len < ST_OPEN_MIN)
			return -EINVAL;
		on_address(c, rec);
		return 0;
	case ST_REC_WIRE:
		if (rec->len < sizeof(struct st_ids))
			return -EINVAL;
		st_lineage__tell(c, rec);
		return 0;
	case ST_REC_PASSED:
	case ST_REC_TASK:
	case ST_REC_WAIT:
		st_lineage__tell(c, rec);
		return 0;
	case ST_REC_FORK:
	case ST_REC_EXEC:
	case ST_REC_EXIT:
		if (rec->kind == ST_REC_EXIT)
			st_proc__exit(c, rec->tgid);
		if (c->cfg.ops.process)
			c->cfg.ops.process(c->cfg.ctx, rec);
		return 0;
	}
	return -EINVAL;
}

void st_core__settle(struct st_core *c)
{
	struct st_conn *n = c->awaiting;

	c->awaiting = NULL;
	while (n) {
		struct st_conn *next = n->await_next;

		n->queued = false;
		n->await_next = NULL;
		if (!n->id) {
			n->free_next = c->free_conns;
			c->free_conns = n;
		} else if (n->await_end && c->cfg.ops.expect) {
			c->cfg.ops.expect(c->cfg.ctx, n->slot, n->id, (enum st_dir)n->await_dir,
					  n->await_end, n->await_turn);
		}
		n = next;
	}
	st_lineage__emit(c, c->cfg.ops.room ? c->cfg.ops.room(c->cfg.ctx) : UINT32_MAX);
}

void st_core__end(struct st_core *c, uint64_t now_ns)
{
	for (uint32_t i = 0; i < c->cfg.max_conns; i++) {
		struct st_conn *n = c->conns[i];

		if (n)
			st_conn__count_lost(n);
		if (!n || !n->flow.ops)
			continue;
		while (n->flow.first) {
			n->flow.first->incomplete = true;
			st_flow__close(&n->flow, n->flow.first, now_ns);
		}
	}
	st_lineage__end(c);
	st_lineage__emit(c, UINT32_MAX);
}

bool st_core__tick(struct st_core *c, uint64_t now_ns)
{
	return st_lineage__tick(c, now_ns);
}

uint32_t st_core__ready(const struct st_core *c)
{
	return c->lineages.ready.cnt;
}

uint64_t st_core__due(const struct st_core *c)
{
	return st_lineage__due(c);
}

void st_core__set_epoch_off(struct st_core *c, int64_t off_ns)
{
	c->cfg.epoch_off_ns = off_ns;
}

bool st_core__knows(const struct st_core *c, uint32_t slot, uint64_t conn_id)
{
	return slot < c->cfg.max_conns && c->conns[slot] && c->conns[slot]->id == conn_id;
}

static void describe_open(struct st_conn *n, struct st_xchg *x, struct st_open_request *r)
{
	struct st_span *s = &n->core->span;
	const struct st_attr *path;
	struct st_str fallback;

	s->attr_cnt = 0;
	s->attrs = s->own;
	n->flow.ops->span(x, s, &fallback);
	path = st_span_find(s, ST_KEY(url_path));
	if (!path)
		path = st_span_find(s, ST_KEY(url_full));
	*r = (struct st_open_request){
		.start_ns = x->start_ns,
		.tgid = x->tgid,
		.role = x->role,
		.name = s->name,
		.path = path ? path->s : (struct st_str){0},
		.conn = x->conn,
	};
}

uint32_t st_core__each_open(struct st_core *c, uint64_t before_ns, bool once, st_open_fn fn,
			    void *ctx)
{
	struct st_open_request r;
	uint32_t cnt = 0;

	if (!c->stats.open)
		return 0;
	for (uint32_t i = 0; i < c->cfg.max_conns; i++) {
		struct st_conn *n = c->conns[i];

		if (!n)
			continue;
		for (struct st_xchg *x = n->flow.first; x; x = x->next) {
			if (x->start_ns >= before_ns || (once && x->shown))
				continue;
			x->shown = x->shown || once;
			cnt++;
			describe_open(n, x, &r);
			fn(ctx, &r);
		}
	}
	return cnt;
}

void st_core__stats(const struct st_core *c, struct st_core_stats *out)
{
	*out = c->stats;
}
