/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "sweep.h"

#include <stdlib.h>

#include "kern/tracer.h"
#include "lib/clock.h"

/* A record is made so soon after the bytes that it tells of were noted in the slot. */
#define GRACE_NS      (100 * ST_NSEC_PER_MSEC)

#define UNIX_EVERY_NS (10 * ST_NSEC_PER_SEC)
/* Or when so many were made: a part of the slots. */
#define UNIX_PART     16u
/* While some are made, that is looked at so often. */
#define UNIX_LOOK_NS  (100 * ST_NSEC_PER_MSEC)

static uint64_t last_moved(const struct st_slot *s)
{
	uint64_t rx = s->dir[ST_RX].time_ns, tx = s->dir[ST_TX].time_ns;

	return rx > tx ? rx : tx;
}

/* What a record of the connection's state would have said. */
static void tell(struct st_pipeline *p, const struct st_slot *s, uint32_t i, enum st_state what,
		 uint64_t now_ns)
{
	struct st_rec rec = {
		.time_ns = now_ns,
		.conn_id = s->conn_id,
		.pos = s->dir[ST_TX].pos,
		.opp_pos = s->dir[ST_RX].pos,
		.last_ns = s->dir[ST_TX].time_ns,
		.opp_time_ns = s->dir[ST_RX].time_ns,
		.slot = i,
		.tgid = s->owner_tgid,
		.turn = s->turn,
		.kind = ST_REC_STATE,
		.what = what,
		.lost = 1, /* this very record at least */
		.dir = ST_TX,
	};

	st_pipeline__record(p, &rec);
}

void st_sweep__closed(const struct st_slot *slots, uint32_t cnt, struct st_sweep_marks *m,
		      uint64_t read_until_ns, uint64_t now_ns, st_sweep_fn fn, void *ctx)
{
	bool all_read = m->at_ns < read_until_ns;

	m->cnt = 0;
	for (uint32_t i = 0; i < cnt; i++) {
		uint64_t id = slots[i].flags & ST_SLOT_CLOSED ? slots[i].conn_id : 0;

		if (id && m->id[i] == id && all_read) {
			fn(ctx, i);
			id = 0;
		}
		m->id[i] = id;
		m->cnt += id != 0;
	}
	m->at_ns = now_ns;
}

struct close_ctx {
	struct st_pipeline *p;
	const struct st_slot *slots;
	uint64_t now_ns;
};

static void close_one(void *ctx, uint32_t i)
{
	const struct close_ctx *c = ctx;

	tell(c->p, &c->slots[i], i, ST_STATE_CLOSED, c->now_ns);
}

/* Nothing is in the rings any more: what they refused of connections still open is told, too. */
static void end_all(struct close_ctx *ctx, struct st_sweep_marks *marks, uint32_t cnt)
{
	st_sweep__closed(ctx->slots, cnt, marks, UINT64_MAX, ctx->now_ns, close_one, ctx);
	for (uint32_t i = 0; i < cnt; i++)
		if (ctx->slots[i].conn_id)
			tell(ctx->p, &ctx->slots[i], i, ST_STATE_ESTABLISHED, ctx->now_ns);
}

void st_sweep__run(struct st_pipeline *p, struct st_tracer *t, bool last)
{
	static struct st_sweep_marks marks; /* one tracer a process */
	static uint64_t lost_before;
	struct close_ctx ctx = {.p = p, .now_ns = st_clock__mono_ns()};
	uint64_t c[ST_C_MAX];
	uint32_t cnt;

	if (st_tracer__counters(t, c) || !c[ST_C_RING_FULL] ||
	    (!last && !marks.cnt && c[ST_C_RING_FULL] == lost_before))
		return;
	lost_before = c[ST_C_RING_FULL];
	ctx.slots = st_tracer__slots(t, &cnt);
	if (!marks.id)
		marks.id = calloc(cnt, sizeof(*marks.id));
	if (!marks.id)
		return; /* they stay open until the end */
	st_sweep__closed(ctx.slots, cnt, &marks, st_rings__read_until(st_tracer__rings(t)),
			 ctx.now_ns, close_one, &ctx);
	if (last)
		end_all(&ctx, &marks, cnt);
}

static uint32_t count_unix(const struct st_slot *slots, uint32_t cnt)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < cnt; i++)
		n += slots[i].conn_id && !slots[i].tcp;
	return n;
}

/*
 * The kernel said so, or its socket was not among those that live. One that was made during the walk
 * has just moved bytes, or is about to, in the very call that made it.
 */
bool st_sweep__unix_is_gone(const struct st_slot *s, uint32_t round, uint64_t read_until_ns)
{
	uint64_t moved_ns = last_moved(s);

	if (!s->conn_id || s->tcp || !moved_ns || moved_ns + GRACE_NS >= read_until_ns)
		return false;
	return (s->flags & ST_SLOT_CLOSED) || (round && s->seen != round);
}

static void walk_unix(struct st_pipeline *p, struct st_tracer *t, struct st_timing *m)
{
	uint64_t read_ns = st_rings__read_until(st_tracer__rings(t));
	uint32_t cnt, round;
	struct st_slot *slots = st_tracer__slots(t, &cnt);

	if (!count_unix(slots, cnt))
		return;
	round = st_tracer__walk_sockets(t);
	for (uint32_t i = 0; i < cnt; i++) {
		if (!st_sweep__unix_is_gone(&slots[i], round, read_ns))
			continue;
		st_timing__over(m, &slots[i]);
		tell(p, &slots[i], i, ST_STATE_CLOSED, last_moved(&slots[i]));
	}
}

uint64_t st_sweep__unix(struct st_pipeline *p, struct st_tracer *t, struct st_timing *m,
			uint64_t now_ns)
{
	static uint64_t next_ns, look_ns; /* one tracer a process */
	static uint32_t made_before, walked_at;
	uint32_t made = __atomic_load_n(&st_tracer__ctl(t)->unix_made, __ATOMIC_RELAXED), cnt;

	st_tracer__slots(t, &cnt);
	if (made != made_before)
		look_ns = now_ns + 10 * UNIX_LOOK_NS;
	made_before = made;
	if (now_ns >= next_ns || made - walked_at > cnt / UNIX_PART) {
		walk_unix(p, t, m);
		walked_at = made;
		next_ns = now_ns + UNIX_EVERY_NS;
	}
	return now_ns < look_ns ? now_ns + UNIX_LOOK_NS : UINT64_MAX;
}
