/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which bytes of which call become a record: what bpf/turn.h and flow.h do, under their names. */
#include "simkernel_int.h"

#define SIM_CHUNKS_MAX 16
#define SIM_CRLFCRLF   0x0a0d0a0du

/* ---- missed.h ---- */

static uint8_t *missed_by(struct sim *s, uint32_t tid)
{
	return &s->missed[tid & 0xffff];
}

void sim__missed_over(struct sim *s, struct st_slot *sl)
{
	if (sl->missed_tid)
		--*missed_by(s, sl->missed_tid);
	sl->missed_tid = 0;
}

static void missed(const struct sim_call *c)
{
	struct st_slot *sl = c->s;

	if (c->dir != ST_RX || sl->flags & ST_SLOT_ACTIVE || sl->user_role == ST_ROLE_CLIENT)
		return;
	if (sl->missed_tid != c->k->tid)
		++*missed_by(c->k->sim, c->k->tid);
	sl->missed_tid = c->k->tid;
	sl->missed_turn = sl->turn;
}

/* ---- turn.h ---- */

static bool src_at(const struct sim_call *c, uint64_t off, const uint8_t **p, size_t *len)
{
	for (uint32_t i = 0; i < c->segs; i++) {
		if (off < c->seg_len[i]) {
			*p = c->seg[i] + off;
			*len = c->seg_len[i] - off;
			return true;
		}
		off -= c->seg_len[i];
	}
	return false;
}

/* Of a received FIN that was taken, the position counts one more (open.h: bytes_received does not). */
static void open_isn(const struct sim_sock *k, struct st_open *o)
{
	uint32_t fin = k->rcv_shut && k->copied_seq == k->rcv_nxt;

	o->isn[ST_TX] = k->write_seq - (uint32_t)k->sent;
	o->isn[ST_RX] = k->copied_seq - fin - (uint32_t)k->taken;
}

void sim__open_send(struct sim_sock *k, struct st_slot *sl, uint8_t kind, uint16_t err,
		    uint64_t took)
{
	struct st_rec *r = sim__reserve(k, k->sim, kind, ST_PAYLOAD_S);
	struct st_open o = k->addr;

	if (!r)
		return;
	sim__rec_task(r, k);
	r->conn_id = sl->conn_id;
	r->slot = k->slot;
	r->err = err;
	r->pos = sl->dir[ST_RX].pos;
	r->opp_pos = sl->dir[ST_TX].pos;
	r->last_ns = sl->req_ns;
	r->len = sizeof(o);
	o.role = sl->flags & ST_SLOT_ACTIVE ? ST_ROLE_CLIENT : 0;
	if (k->tcp && k->taken == took && !k->sent)
		r->flags |= ST_F_FRESH;
	if (k->tcp)
		open_isn(k, &o);
	memcpy(r + 1, &o, sizeof(o));
	sl->flags |= ST_SLOT_OPENED;
}

static bool starts_message(uint64_t first)
{
	uint32_t three = (uint32_t)first & 0xffffff;

	return !(((three - 0x414141) | (0x5a5a5a - three)) & 0x808080);
}

/* The first CR of each word alone is looked at. */
static uint32_t find_head_end(const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i += 8) {
		const uint8_t *cr = memchr(p + i, '\r', 8);

		if (!cr)
			continue;
		if (cr + 4 > p + n)
			return 0;
		if (!memcmp(cr, "\r\n\r\n", 4))
			return (uint32_t)(cr - p) + 4;
	}
	return 0;
}

static uint32_t head_end(struct st_slot_dir *d, const uint8_t *p, uint32_t n)
{
	uint32_t hint = d->head_hint;

	if (hint >= 4 && hint <= n && !memcmp(p + hint - 4, "\r\n\r\n", 4))
		return hint;
	return d->head_hint = find_head_end(p, n);
}

static uint64_t word_at(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static bool tail_ends_chunks(uint64_t tail)
{
	uint8_t before = (uint8_t)(tail >> 16);

	return tail >> 24 == 0x0a0d0a0d30ULL && (before == '\n' || !before);
}

static void note_last(struct sim_call *c, uint64_t tail)
{
	uint8_t bit = (uint8_t)(ST_SLOT_LAST << c->dir);

	c->s->capturing &= (uint8_t)~bit;
	if (tail_ends_chunks(tail))
		c->s->capturing |= bit;
}

static void after_chunk(struct sim_call *c, struct st_rec *r, const uint8_t *p, uint32_t n,
			uint32_t cap)
{
	struct st_slot_dir *d = &c->s->dir[c->dir];
	uint8_t bit = (uint8_t)(1 << c->dir);
	uint64_t last = d->tail, next = 0;
	uint32_t end;

	if (n >= 8) {
		last = word_at(p + n - 8);
	} else {
		last = last >> (8 * n) | word_at(p) << (64 - 8 * n);
		note_last(c, last);
	}
	d->tail = last;
	d->head_len += n;
	c->off += n;
	c->more = false;
	if (last >> 32 == SIM_CRLFCRLF) {
		r->flags |= ST_F_HEAD_END;
		c->s->capturing &= (uint8_t)~bit;
		c->more = c->off < c->bytes && c->s->mode == ST_MODE_EVERY;
		return;
	}
	if (c->off >= c->bytes)
		return;
	c->more = true;
	if (c->s->mode == ST_MODE_EVERY)
		return;
	end = cap == ST_PAYLOAD_M ? head_end(d, p, n) : 0;
	if (!end)
		return;
	if (end + 8 <= n)
		next = word_at(p + end);
	r->flags |= ST_F_HEAD_END;
	if (starts_message(next))
		return;
	c->s->capturing &= (uint8_t)~bit;
	c->more = false;
}

static void data_fill(struct sim_call *c, struct st_rec *r)
{
	struct st_slot_dir *d = &c->s->dir[c->dir], *o = &c->s->dir[!c->dir];

	sim__rec_task(r, c->k);
	r->conn_id = c->s->conn_id;
	r->slot = c->k->slot;
	r->pos = c->pos + c->off;
	r->opp_pos = o->pos;
	r->opp_time_ns = o->time_ns;
	r->last_ns = d->time_ns;
	r->turn = c->s->turn;
	r->call_len = c->bytes;
	r->dir = c->dir;
	r->flags = c->flags | c->k->flags;
	if (*missed_by(c->k->sim, c->k->tid))
		r->flags |= ST_F_MISSED;
	r->what = c->s->capturing;
	r->lost = c->s->lost;
}

/* How many bytes are copied: few where the head ends at the same place as the last one. */
static uint32_t copied(const struct sim_call *c, const uint8_t *from, uint32_t n, uint32_t cap)
{
	uint32_t at = (c->s->dir[c->dir].head_hint - 4) & (ST_PAYLOAD_M - 1);

	if (cap != ST_PAYLOAD_M || n <= 320 || c->s->mode != ST_MODE_HEAD || at > 308 ||
	    memcmp(from + at, "\r\n\r\n", 4))
		return n;
	return 320;
}

static bool chunk(struct sim_call *c, const uint8_t *from, size_t len, uint32_t cap)
{
	struct st_rec *r = sim__reserve(c->k, c->k->sim, ST_REC_DATA, cap);
	uint32_t n = copied(c, from, len > cap ? cap : (uint32_t)len, cap);
	uint8_t *p;

	if (!r)
		return false;
	data_fill(c, r);
	p = (uint8_t *)(r + 1);
	if (n)
		memcpy(p, from, n);
	r->len = (uint16_t)n;
	if (!c->off)
		c->now = r->time_ns;
	if (!c->off && c->turn)
		c->s->starts = n >= 16 && starts_message(word_at(p));
	if (n)
		after_chunk(c, r, p, n, cap);
	else
		c->more = false;
	if (c->off < c->bytes)
		r->flags |= ST_F_CUT;
	c->s->lost = 0;
	return true;
}

static bool first_chunk(struct sim_call *c)
{
	const uint8_t *p = NULL;
	size_t len = 0;

	if (!src_at(c, 0, &p, &len)) {
		c->flags |= ST_F_UNREADABLE;
		c->more = false;
		return chunk(c, NULL, 0, ST_PAYLOAD_S);
	}
	if (len > c->bytes)
		len = c->bytes;
	return chunk(c, p, len,
		     len <= ST_PAYLOAD_S    ? ST_PAYLOAD_S
		     : len <= ST_PAYLOAD_SM ? ST_PAYLOAD_SM
					    : ST_PAYLOAD_M);
}

static bool next_chunk(struct sim_call *c)
{
	const uint8_t *p = NULL;
	size_t len = 0;

	if (!src_at(c, c->off, &p, &len))
		return false;
	if (len > c->bytes - c->off)
		len = c->bytes - c->off;
	return chunk(c, p, len, ST_PAYLOAD_L);
}

static void capture_call(struct sim_call *c)
{
	struct st_cpu *cpu = &c->k->sim->cpus[c->k->sim->cpu];

	if (!first_chunk(c)) {
		if (c->s->lost < 255)
			c->s->lost++;
		missed(c);
		return;
	}
	c->flags = (uint16_t)((c->flags & ~ST_F_TURN) | ST_F_CONT);
	for (int i = 0; i < SIM_CHUNKS_MAX && c->more; i++) {
		if (!next_chunk(c)) {
			missed(c);
			return;
		}
		if (c->s->dir[c->dir].head_len >= ST_HEAD_MAX) {
			cpu->counter[ST_C_HEAD_TOO_LONG]++;
			c->s->capturing &= (uint8_t)~(1 << c->dir);
			return;
		}
	}
}

static bool peek_starts(const struct sim_call *c)
{
	const uint8_t *p;
	size_t len;

	uint64_t first = 0x4141414141414141ULL;

	if (!src_at(c, 0, &p, &len))
		return false;
	if (len > c->bytes)
		len = c->bytes;
	memcpy(&first, p, len < 8 ? len : 8);
	return starts_message(first);
}

static bool turn_begins(struct sim *sim, struct st_slot *s, uint8_t dir)
{
	if (s->last_dir == dir + 1)
		return false;
	s->last_dir = (uint8_t)(dir + 1);
	s->turn++;
	if (dir == ST_TX && s->turn - s->missed_turn >= 3)
		sim__missed_over(sim, s);
	s->capturing = (uint8_t)((s->capturing & ~(ST_SLOT_LAST << dir)) | 1 << dir);
	s->dir[dir].head_len = 0;
	s->dir[dir].tail = 0;
	s->dir[dir].expect_end = 0;
	return true;
}

/* Of the last buffer, as the call names it: more than a receive filled, and what was announced. */
static void read_tail(struct sim_call *c, struct st_slot_dir *d)
{
	const uint8_t *p;
	size_t len;

	if (!c->segs || (c->segs > 1 && c->dir == ST_RX))
		return;
	p = c->seg[c->segs - 1];
	len = c->seg_len[c->segs - 1];
	if (c->segs == 1 && len > c->bytes)
		len = c->bytes;
	p += len;
	if (len >= 8)
		d->tail = word_at(p - 8);
	else
		for (const uint8_t *q = p - len; q < p; q++)
			d->tail = d->tail >> 8 | (uint64_t)*q << 56;
}

static void keep_tail(struct sim_call *c, struct st_slot_dir *d)
{
	read_tail(c, d);
	note_last(c, d->tail);
}

/* Forgets the call's first n bytes. */
static void skip_bytes(struct sim_call *c, uint64_t n)
{
	c->pos += n;
	c->bytes -= (uint32_t)n;
	for (uint32_t i = 0; i < c->segs && n; i++) {
		size_t here = n < c->seg_len[i] ? (size_t)n : c->seg_len[i];

		c->seg[i] += here;
		c->seg_len[i] -= here;
		n -= here;
	}
}

static bool ends_like_head(const struct st_slot_dir *d)
{
	return d->tail >> 32 == SIM_CRLFCRLF && !tail_ends_chunks(d->tail);
}

static bool is_answer(const struct sim_call *c)
{
	return c->segs == 1 && c->seg_len[0] >= 4 && !memcmp(c->seg[0], "HTTP", 4);
}

static void capture_end(struct sim_call *c, struct st_slot_dir *d)
{
	d->tail = 0;
	keep_tail(c, d);
	d->plain_len = d->tail && !tail_ends_chunks(d->tail) && is_answer(c) ? c->bytes : 0;
	if (!ends_like_head(d))
		return;
	d->plain_len = 0;
	if (c->bytes - c->off > ST_PAYLOAD_L)
		c->off = c->bytes - ST_PAYLOAD_L;
	next_chunk(c);
}

static bool behind_body(struct sim_call *c, struct st_slot_dir *d)
{
	if (d->expect_end > c->pos) {
		if (d->expect_end >= c->pos + c->bytes)
			return false;
		skip_bytes(c, d->expect_end - c->pos);
	} else {
		if (!ends_like_head(d))
			return false;
		if (c->bytes > ST_PAYLOAD_L)
			skip_bytes(c, c->bytes - ST_PAYLOAD_L);
	}
	c->flags = ST_F_CONT;
	d->head_len = 0;
	d->tail = 0;
	return true;
}

static bool same_turn_wanted(struct sim_call *c)
{
	struct st_slot *s = c->s;
	struct st_slot_dir *d = &s->dir[c->dir];
	uint8_t bit = (uint8_t)(1 << c->dir);

	if (s->mode == ST_MODE_EVERY)
		return d->head_len < ST_HEAD_MAX || !s->proto;
	if (d->expect_end > c->pos) {
		s->capturing &= (uint8_t)~bit;
		keep_tail(c, d);
		if (!c->segs || !behind_body(c, d))
			return false;
		s->capturing |= bit;
		return true;
	}
	if (s->capturing & bit) {
		if (d->head_len < (s->proto || s->starts ? ST_HEAD_MAX : ST_UNKNOWN_MAX))
			return true;
		s->capturing &= (uint8_t)~bit;
	}
	if (!c->segs)
		return false;
	if (!peek_starts(c)) {
		keep_tail(c, d);
		if (!behind_body(c, d))
			return false;
	}
	s->capturing |= bit;
	d->head_len = 0;
	d->tail = 0;
	return true;
}

static void end_send(struct sim_sock *k, struct st_slot *sl, uint8_t dir)
{
	struct st_rec *r = sim__reserve(k, k->sim, ST_REC_END, 0);

	if (!r)
		return;
	sim__rec_task(r, k);
	r->conn_id = sl->conn_id;
	r->slot = k->slot;
	r->dir = dir;
	r->pos = sl->dir[dir].pos;
	r->last_ns = sl->dir[dir].time_ns;
	r->turn = sl->turn;
	sl->dir[dir].expect_end = 0;
}

void sim__accepted_to(struct sim_sock *k, struct st_slot *sl, uint8_t dir, uint64_t end)
{
	struct st_slot_dir *d = &sl->dir[dir];

	uint64_t expected = d->expect_end;

	d->pos = end;
	if (!expected)
		return;
	if (expected == ST_EXPECT_CHUNKED
		    ? tail_ends_chunks(d->tail) && (dir == ST_RX || end == d->call_end)
		    : end >= expected)
		end_send(k, sl, dir);
}

/* ---- flow.h ---- */

static bool look_needed(const struct sim_call *c)
{
	if (c->s->mode == ST_MODE_OFF)
		return false;
	return c->turn || c->s->mode == ST_MODE_EVERY ||
	       c->s->dir[c->dir].expect_end < c->pos + c->bytes ||
	       c->s->dir[c->dir].expect_end == ST_EXPECT_CHUNKED;
}

static void call_run(struct sim_call *c)
{
	if (c->turn || same_turn_wanted(c)) {
		c->flags |= (uint16_t)((c->turn ? ST_F_TURN : 0) |
				       (c->dir == ST_TX ? ST_F_ANNOUNCED : 0));
		if (!(c->s->flags & ST_SLOT_OPENED))
			sim__open_send(c->k, c->s, ST_REC_OPEN, 0, c->dir == ST_RX ? c->bytes : 0);
		capture_call(c);
		if (c->off < c->bytes && c->s->mode == ST_MODE_HEAD &&
		    c->bytes != c->s->dir[c->dir].plain_len)
			capture_end(c, &c->s->dir[c->dir]);
	}
	if (!c->now)
		c->now = c->k->sim->now_ns;
	c->s->dir[c->dir].time_ns = c->now;
}

void sim__send_enter(struct sim_call *c, size_t left)
{
	struct st_slot_dir *d = &c->s->dir[ST_TX];
	uint64_t pos = sim__pos_extend(d->pos, c->k->write_seq);

	if (d->call_end == pos + left) {
		d->time_ns = c->k->sim->now_ns;
		return;
	}
	d->call_end = pos + left;
	d->pos = pos;
	c->pos = pos;
	c->bytes = left > 0x7fffffff ? 0x7fffffff : (uint32_t)left;
	c->turn = turn_begins(c->k->sim, c->s, ST_TX);
	if (look_needed(c) && (c->segs || c->turn))
		call_run(c);
	else
		d->time_ns = c->k->sim->now_ns;
}

void sim__moved(struct sim_call *c, uint32_t bytes)
{
	struct sim_sock *k = c->k;
	struct st_slot_dir *d = &c->s->dir[c->dir];
	uint32_t copied = k->copied_seq;
	uint64_t end = d->pos + bytes;

	if (k->tcp) {
		copied -= k->rcv_shut && copied == k->rcv_nxt;
		end = sim__pos_extend(d->pos, copied);
		c->s->dir[ST_TX].pos = sim__pos_extend(c->s->dir[ST_TX].pos, k->write_seq);
	}
	c->bytes = bytes;
	c->pos = end - bytes;
	c->turn = turn_begins(c->k->sim, c->s, c->dir);
	if (!look_needed(c))
		c->segs = 0;
	if (c->segs || (c->turn && c->s->mode != ST_MODE_OFF))
		call_run(c);
	else
		d->time_ns = k->sim->now_ns;
	sim__accepted_to(k, c->s, c->dir, end);
}
