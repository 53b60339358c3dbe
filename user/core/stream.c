/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One direction's bytes: overlaps trimmed, holes said, short pieces kept until they suffice. */
#include <errno.h>

#include "core/conn.h"

void st_stream__reset(struct st_stream *s)
{
	s->synced = false;
	s->next = 0;
	st_buf__reset(&s->kept);
}

/* A turn before the protocol is known that tells nothing of it: as if it had been lost. */
static void untold_turn(struct st_conn *n, enum st_dir dir)
{
	if (n->headless)
		return;
	n->headless = true;
	n->lost_turns++;
	n->lost_first = (uint8_t)(n->lost_turns % 2 ? dir : !dir);
}

static void gap_to(struct st_conn *n, enum st_dir dir, uint64_t pos)
{
	struct st_stream *s = &n->stream[dir];

	st_buf__reset(&s->kept);
	if (n->flow.ops)
		n->flow.ops->gap(&n->flow, dir, s->next, pos);
	else
		untold_turn(n, dir);
	n->core->stats.gaps++;
	s->next = pos;
}

void st_stream__forget(struct st_conn *n, enum st_dir dir)
{
	struct st_stream *s = &n->stream[dir];

	if (s->kept.len)
		gap_to(n, dir, s->next + s->kept.len);
	st_stream__reset(s);
}

static void off(struct st_conn *n)
{
	n->core->stats.unknown_conns++;
	st_flow__mode(&n->flow, ST_MODE_OFF);
}

static bool is_wanted(const struct st_core *c, const struct st_proto_ops *ops)
{
	return !c->cfg.protocols || c->cfg.protocols >> ops->id & 1;
}

/* Finds the protocol by the first bytes of a turn. Returns 1 when found, 0 for more bytes. */
static int detect(struct st_conn *n, enum st_dir dir, const struct st_chunk *c)
{
	int undecided = 0;

	for (int i = 0; st_protocols[i]; i++) {
		int rc;

		if (!is_wanted(n->core, st_protocols[i]))
			continue;
		rc = st_protocols[i]->detect(st_bytes(c->p, c->len));
		if (rc > 0) {
			n->flow.ops = st_protocols[i];
			n->flow.dir_req = (uint8_t)(rc == 1 ? dir : !dir);
			return 1;
		}
		undecided |= rc == 0;
	}
	return undecided ? 0 : -EPROTO;
}

/* Hands bytes to the parser as long as it takes some. Returns how many it is done with. */
static uint32_t parse(struct st_conn *n, enum st_dir dir, struct st_chunk c)
{
	struct st_stream *s = &n->stream[dir];
	uint32_t used = 0;

	while (c.len && !n->off) {
		uint64_t want = n->flow.ops->data(&n->flow, dir, &c);

		if (want == c.pos)
			return used;
		s->next = want;
		if (want - c.pos >= c.len)
			return used + c.len;
		c.p += want - c.pos;
		c.len -= (uint32_t)(want - c.pos);
		used += (uint32_t)(want - c.pos);
		c.pos = want;
		c.first_ns = c.time_ns;
		c.tid = c.last_tid;
	}
	return used + c.len;
}

static void keep(struct st_conn *n, struct st_stream *s, const struct st_chunk *c, uint32_t used)
{
	if (used >= c->len) {
		st_buf__reset(&s->kept);
		return;
	}
	if (s->kept.len) {
		/* c lies in the kept bytes already. */
		if (used)
			memmove(s->kept.p, s->kept.p + used, c->len - used);
		s->kept.len = c->len - used;
		return;
	}
	s->first_ns = used ? c->time_ns : c->first_ns;
	s->first_tgid = c->tgid;
	s->first_tid = c->tid;
	s->first_turn = c->turn;
	if (!st_buf__put(&s->kept, c->p + used, c->len - used)) {
		st_buf__reset(&s->kept);
		n->core->stats.gaps++;
		s->next = c->pos + c->len;
	}
}

/* What was lost before the protocol was known. */
static void count_lost(struct st_conn *n, uint64_t now_ns)
{
	uint32_t turns = n->lost_turns;

	n->lost_turns = 0;
	if (turns)
		st_flow__lost(&n->flow, n->flow.ops->lost(&n->flow, turns,
							  (enum st_dir)n->lost_first, now_ns));
}

/* An answer may come all the same. */
static void note_garbled(struct st_conn *n, const struct st_chunk *c)
{
	if (!n->fresh || n->turn != 1 || n->unknown_turns || n->lost_turns)
		return;
	n->flow.garbled = *c;
	n->flow.garbled.p = NULL;
	n->flow.garbled.len = 0;
}

static void feed(struct st_conn *n, enum st_dir dir, struct st_chunk *c)
{
	struct st_stream *s = &n->stream[dir];
	uint32_t used;
	int rc;

	if (s->kept.len) {
		if (!st_buf__put(&s->kept, c->p, c->len)) {
			gap_to(n, dir, c->pos + c->len);
			return;
		}
		c->p = s->kept.p;
		c->len = (uint32_t)s->kept.len;
		c->pos = s->next;
		c->first_ns = s->first_ns;
		c->tgid = s->first_tgid;
		c->tid = s->first_tid;
		c->turn = s->first_turn;
	}
	if (!n->flow.ops) {
		rc = detect(n, dir, c);
		if (rc < 0) {
			st_buf__reset(&s->kept);
			s->synced = false;
			note_garbled(n, c);
			if (++n->unknown_turns >= ST_UNKNOWN_TURNS)
				off(n);
			return;
		}
		if (!rc) {
			keep(n, s, c, 0);
			return;
		}
		st_flow__mode(&n->flow, ST_MODE_HEAD);
		count_lost(n, c->first_ns);
	}
	used = parse(n, dir, *c);
	keep(n, s, c, used);
}

/* Later pieces of a call do not tell where it began. */
static uint64_t call_end(const struct st_rec *rec)
{
	return rec->flags & ST_F_CONT ? 0 : rec->pos + rec->call_len;
}

void st_stream__data(struct st_conn *n, enum st_dir dir, const struct st_rec *rec)
{
	struct st_stream *s = &n->stream[dir];
	struct st_chunk c = {
		.p = (const uint8_t *)(rec + 1),
		.len = rec->len,
		.pos = rec->pos,
		.read_end = rec->dir == ST_RX ? call_end(rec) : 0,
		.call_end = call_end(rec),
		.first_ns = rec->time_ns,
		.time_ns = rec->time_ns,
		.tgid = rec->tgid,
		.tid = rec->tid,
		.last_tid = rec->tid,
		.turn = n->turn,
		.flags = rec->flags,
	};
	uint64_t want;

	if (!s->synced) {
		s->synced = true;
		s->next = c.pos;
	}
	want = s->next + s->kept.len;
	if (c.pos > want) {
		gap_to(n, dir, c.pos);
	} else if (c.pos < want) {
		/* Sent again after a partial send, or the rest of a body that is skipped. */
		if (want - c.pos >= c.len)
			return;
		c.p += want - c.pos;
		c.len -= (uint32_t)(want - c.pos);
		c.pos = want;
	}
	if (c.len && !n->headless)
		feed(n, dir, &c);
}

void st_stream__unseen(struct st_conn *n, enum st_dir dir, const struct st_rec *rec)
{
	struct st_stream *s = &n->stream[dir];

	if (!n->flow.ops && (rec->flags & ST_F_TURN)) {
		untold_turn(n, dir);
		n->blind = true;
	}
	/* Else the hole shows when more is known of the direction. */
	if (s->synced)
		return;
	s->synced = true;
	s->next = rec->pos;
}

void st_stream__moved(struct st_conn *n, enum st_dir dir, uint64_t pos, uint64_t time_ns,
		      enum st_over over)
{
	struct st_stream *s = &n->stream[dir];

	if (!n->flow.ops) {
		if (over && s->kept.len)
			untold_turn(n, dir);
		if (over)
			st_stream__reset(s);
		return;
	}
	if (n->off || !s->synced)
		return;
	if (pos > s->next + s->kept.len)
		gap_to(n, dir, pos);
	n->flow.ops->moved(&n->flow, dir, pos, time_ns, over);
	/* What was to be skipped did not all come: what comes next may be wanted. */
	if (over && s->next > pos)
		s->next = pos;
	/* Pieces of an answer that nobody waits for (a body behind a 304, say) begin no later one. */
	if (over && s->kept.len && !n->flow.first && dir != n->flow.dir_req) {
		st_buf__reset(&s->kept);
		s->next = pos;
	}
}
