/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The reader's side of the simulation: what user/pipeline.c and user/sweep.c do with slots.
 */
#include "simkernel.h"

static struct st_slot *slot_of(struct sim *s, uint32_t slot, uint64_t conn_id)
{
	return slot < s->slot_cnt && s->slots[slot].conn_id == conn_id ? &s->slots[slot] : NULL;
}

static bool is_last_chunk(uint64_t tail)
{
	return tail >> 24 == 0x0a0d0a0d30ULL &&
	       ((tail >> 16 & 0xff) == '\n' || (tail >> 16 & 0xff) == 0);
}

void sim_on_expect(struct sim *s, uint32_t slot, uint64_t conn_id, enum st_dir dir, uint64_t end,
		   uint32_t turn)
{
	struct st_slot *sl = slot_of(s, slot, conn_id);

	if (!sl || sl->turn != turn || s->watch_cnt == SIM_WATCH_MAX)
		return;
	sl->dir[dir].expect_end = end;
	s->watch[s->watch_cnt++] = (struct sim_watch){conn_id, end, slot, turn, (uint8_t)dir};
}

static void tell_end(struct sim *s, const struct sim_watch *w, const struct st_slot_dir *d)
{
	bool every = s->slots[w->slot].mode == ST_MODE_EVERY;

	if (every && (w->end == ST_EXPECT_CHUNKED || d->pos > w->end))
		return;
	if (s->told_cnt == SIM_TOLD_MAX)
		return;
	s->told[s->told_cnt++] = (struct st_rec){
		.time_ns = s->now_ns,
		.conn_id = w->conn_id,
		.pos = d->pos < w->end ? d->pos : w->end,
		.last_ns = d->time_ns,
		.slot = w->slot,
		.turn = w->turn,
		.kind = ST_REC_END,
		.dir = w->dir,
	};
}

/* The program `ask`. */
static void ask_position(struct st_slot *sl)
{
	const struct sim_sock *k = (const struct sim_sock *)(uintptr_t)sl->sock;
	uint64_t known = sl->dir[ST_TX].pos, end;

	if (!sl->tcp || (sl->flags & ST_SLOT_CLOSED))
		return;
	end = known + (uint64_t)(int64_t)(int32_t)(k->write_seq - (uint32_t)known);
	if (end > known)
		sl->dir[ST_TX].pos = end;
}

static bool watch_over(struct sim *s, const struct sim_watch *w)
{
	struct st_slot *sl = slot_of(s, w->slot, w->conn_id);
	struct st_slot_dir *d;
	bool over;

	if (!sl)
		return true;
	d = &sl->dir[w->dir];
	if (w->end == ST_EXPECT_CHUNKED)
		over = is_last_chunk(d->tail) && (w->dir == ST_RX || d->pos == d->call_end);
	else
		over = d->pos >= w->end;
	if (sl->turn != w->turn) {
		d->expect_end = 0;
		return true;
	}
	if (!d->expect_end)
		return true;
	if (!over)
		return false;
	d->expect_end = 0;
	tell_end(s, w, d);
	return true;
}

static void watch_all(struct sim *s)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->watch_cnt; i++) {
		struct st_slot *sl = slot_of(s, s->watch[i].slot, s->watch[i].conn_id);

		if (sl && s->watch[i].dir == ST_TX)
			ask_position(sl);
	}
	for (uint32_t i = 0; i < s->watch_cnt; i++)
		if (!watch_over(s, &s->watch[i]))
			s->watch[kept++] = s->watch[i];
	s->watch_cnt = kept;
	s->watching = kept > 0;
}

void sim_on_mode(struct sim *s, uint32_t slot, uint64_t conn_id, enum st_mode mode, uint8_t proto)
{
	struct st_slot *sl = slot_of(s, slot, conn_id);

	if (!sl)
		return;
	sl->proto = proto;
	sl->mode = (uint8_t)mode;
}

void sim_on_gone(struct sim *s, uint32_t slot, uint64_t conn_id)
{
	struct st_slot *sl = slot_of(s, slot, conn_id);

	if (!sl)
		return;
	sl->conn_id = 0;
	s->free_slots[s->free_cnt++] = slot;
}

void sim_drain(struct sim *s, sim_rec_fn fn, void *ctx)
{
	uint32_t left = s->drain_max ? s->drain_max : UINT32_MAX;
	size_t off = 0;

	while (off < s->queue.len && left--) {
		const struct st_rec *r = (const struct st_rec *)(s->queue.p + off);

		off += sizeof(*r) + r->payload_sz;
		fn(ctx, r);
	}
	if (off)
		memmove(s->queue.p, s->queue.p + off, s->queue.len - off);
	s->queue.len -= off;
}

void sim_drain_told(struct sim *s, sim_rec_fn fn, void *ctx)
{
	watch_all(s);
	for (uint32_t i = 0; i < s->told_cnt; i++)
		fn(ctx, &s->told[i]);
	s->told_cnt = 0;
}

void sim_sweep(struct sim *s, sim_rec_fn fn, void *ctx)
{
	for (uint32_t i = 0; i < s->slot_cnt; i++) {
		const struct st_slot *sl = &s->slots[i];
		struct st_rec rec = {
			.time_ns = s->now_ns,
			.conn_id = sl->conn_id,
			.pos = sl->dir[ST_TX].pos,
			.opp_pos = sl->dir[ST_RX].pos,
			.last_ns = sl->dir[ST_TX].time_ns,
			.opp_time_ns = sl->dir[ST_RX].time_ns,
			.slot = i,
			.tgid = sl->owner_tgid,
			.turn = sl->turn,
			.kind = ST_REC_STATE,
			.what = ST_STATE_CLOSED,
			.dir = ST_TX,
			.lost = 1,
		};

		if (sl->conn_id && (sl->flags & ST_SLOT_CLOSED))
			fn(ctx, &rec);
	}
}
