/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Each function here stands for one of bpf/ and does what that one does; names are theirs with
 * st_ taken off.
 */
#include "simkernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define SIM_CHUNKS_MAX 16
#define SIM_CRLFCRLF   0x0a0d0a0du

struct sim *sim_new(uint32_t slot_cnt)
{
	struct sim *s = must(calloc(1, sizeof(*s)));

	s->now_ns = SIM_T0;
	s->slot_cnt = slot_cnt;
	s->slots = must(calloc(slot_cnt, sizeof(*s->slots)));
	s->free_slots = must(calloc(slot_cnt, sizeof(*s->free_slots)));
	s->told = must(calloc(SIM_TOLD_MAX, sizeof(*s->told)));
	s->watch = must(calloc(SIM_WATCH_MAX, sizeof(*s->watch)));
	while (s->free_cnt < slot_cnt) {
		s->free_slots[s->free_cnt] = slot_cnt - 1 - s->free_cnt;
		s->free_cnt++;
	}
	s->queue = st_buf__init(SIZE_MAX / 2);
	return s;
}

void sim_free(struct sim *s)
{
	if (!s)
		return;
	free(s->slots);
	free(s->free_slots);
	free(s->told);
	free(s->watch);
	st_buf__free(&s->queue);
	free(s);
}

void sim_pair(struct sim *s, struct sim_sock *client, struct sim_sock *server)
{
	uint32_t n = s->conn_cnt++;

	for (int i = 0; i < 2; i++) {
		struct sim_sock *k = i ? server : client;

		memset(k, 0, sizeof(*k));
		k->sim = s;
		k->peer = i ? client : server;
		k->traced = true;
		k->tcp = true;
		k->tgid = k->tid = i ? 200 : 100;
		k->in = st_buf__init(SIZE_MAX / 2);
		k->addr.family = AF_INET;
		k->addr.protocol = IPPROTO_TCP;
		memcpy(k->addr.local, "\x7f\0\0\1", 4);
		memcpy(k->addr.peer, "\x7f\0\0\1", 4);
		k->addr.local_port = i ? 8080 : (uint16_t)(40000 + n % 20000);
		k->addr.peer_port = i ? (uint16_t)(40000 + n % 20000) : 8080;
		k->addr.netns = 4026531840u;
	}
	/* One connection in four comes near the wrap of its sequence numbers. */
	client->write_seq = n % 4 == 3 ? 0xfffffe00u : 0x1000u * (n + 1);
	server->write_seq = n % 4 == 1 ? 0xffffff00u : 0x77777u * (n + 3);
	client->copied_seq = client->rcv_nxt = server->write_seq;
	server->copied_seq = server->rcv_nxt = client->write_seq;
}

void sim_sock_free(struct sim_sock *k)
{
	st_buf__free(&k->in);
}

/* ---- ring.h ---- */

static struct st_rec *reserve(struct sim_sock *k, struct sim *s, uint8_t kind, uint32_t payload_sz)
{
	struct st_cpu *cpu = &s->cpus[s->cpu];
	struct st_rec *r;

	if (s->refuse && s->refuse(s->refuse_ctx, k, kind)) {
		cpu->seq++;
		cpu->counter[ST_C_RING_FULL]++;
		s->refused++;
		return NULL;
	}
	r = must(st_buf__room(&s->queue, sizeof(*r) + payload_sz));
	memset(r, 0, sizeof(*r) + payload_sz);
	s->queue.len += sizeof(*r) + payload_sz;
	r->kind = kind;
	r->payload_sz = (uint16_t)payload_sz;
	r->cpu = (uint16_t)s->cpu;
	r->seq = cpu->seq++;
	r->time_ns = s->now_ns;
	cpu->counter[ST_C_RECORDS]++;
	return r;
}

static void rec_task(struct st_rec *r, const struct sim_sock *k)
{
	r->tgid = k->tgid;
	r->tid = k->tid;
}

/* ---- conn.h ---- */

static uint64_t pos_extend(uint64_t known, uint32_t low)
{
	return known + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)known);
}

static struct st_slot *conn_find(struct sim_sock *k)
{
	struct st_slot *sl;

	if (!k->conn_id)
		return NULL;
	sl = &k->sim->slots[k->slot];
	return sl->conn_id == k->conn_id ? sl : NULL;
}

static struct st_slot *conn_make(struct sim_sock *k)
{
	struct sim *s = k->sim;
	struct st_slot *sl;

	if (!s->free_cnt) {
		s->cpus[s->cpu].counter[ST_C_SLOTS_FULL]++;
		return NULL;
	}
	k->slot = s->free_slots[--s->free_cnt];
	k->conn_id = (++s->cpus[s->cpu].counter[ST_C_CONNS] << 9 | s->cpu) + 1;
	sl = &s->slots[k->slot];
	*sl = (struct st_slot){
		.sock = (uintptr_t)k,
		.mode = s->mode,
		.tcp = k->tcp,
		.owner_tgid = k->tgid,
		.conn_id = k->conn_id,
	};
	sl->dir[ST_RX].pos = sl->dir[ST_TX].pos = 1ULL << 32;
	if (k->tcp) {
		sl->dir[ST_RX].pos |= k->copied_seq;
		sl->dir[ST_TX].pos |= k->write_seq;
	}
	return sl;
}

static struct st_slot *conn_get(struct sim_sock *k)
{
	struct st_slot *sl = conn_find(k);

	return sl ? sl : conn_make(k);
}

/* ---- turn.h ---- */

/* One call that moves bytes: struct st_call with its buffers. */
struct sim_call {
	struct sim_sock *k;
	struct st_slot *s;
	const uint8_t *seg[SIM_SEGS_MAX];
	size_t seg_len[SIM_SEGS_MAX];
	uint32_t segs;
	uint64_t pos;
	uint64_t now;
	uint32_t bytes, off;
	uint16_t flags;
	uint8_t dir;
	bool more, turn;
};

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

static void open_send(struct sim_sock *k, struct st_slot *sl, uint8_t kind, uint16_t err)
{
	struct st_rec *r = reserve(k, k->sim, kind, ST_PAYLOAD_S);
	struct st_open o = k->addr;

	if (!r)
		return;
	rec_task(r, k);
	r->conn_id = sl->conn_id;
	r->slot = k->slot;
	r->err = err;
	r->pos = sl->dir[ST_RX].pos;
	r->opp_pos = sl->dir[ST_TX].pos;
	r->last_ns = sl->req_ns;
	r->len = sizeof(o);
	o.role = sl->flags & ST_SLOT_ACTIVE ? ST_ROLE_CLIENT : 0;
	memcpy(r + 1, &o, sizeof(o));
	sl->flags |= ST_SLOT_OPENED;
}

static bool starts_message(uint64_t first)
{
	uint32_t three = (uint32_t)first & 0xffffff;

	return !(((three - 0x414141) | (0x5a5a5a - three)) & 0x808080);
}

static uint32_t find_head_end(const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i + 4 <= n; i++)
		if (!memcmp(p + i, "\r\n\r\n", 4))
			return i + 4;
	return 0;
}

static uint64_t word_at(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static void after_chunk(struct sim_call *c, struct st_rec *r, const uint8_t *p, uint32_t n,
			uint32_t cap)
{
	struct st_slot_dir *d = &c->s->dir[c->dir];
	uint8_t bit = (uint8_t)(1 << c->dir);
	uint64_t last = d->tail, next = 0;
	uint32_t end;

	if (n >= 8)
		last = word_at(p + n - 8);
	else
		last = last >> (8 * n) | word_at(p) << (64 - 8 * n);
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
	end = cap == ST_PAYLOAD_M ? find_head_end(p, n) : 0;
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

	rec_task(r, c->k);
	r->conn_id = c->s->conn_id;
	r->slot = c->k->slot;
	r->pos = c->pos + c->off;
	r->opp_pos = o->pos;
	r->opp_time_ns = o->time_ns;
	r->last_ns = d->time_ns;
	r->turn = c->s->turn;
	r->call_len = c->bytes;
	r->dir = c->dir;
	r->flags = c->flags;
	r->lost = c->s->lost;
}

static bool chunk(struct sim_call *c, const uint8_t *from, size_t len, uint32_t cap)
{
	struct st_rec *r = reserve(c->k, c->k->sim, ST_REC_DATA, cap);
	uint32_t n = len > cap ? cap : (uint32_t)len;
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
	return chunk(c, p, len, len <= ST_PAYLOAD_S ? ST_PAYLOAD_S : ST_PAYLOAD_M);
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
		return;
	}
	c->flags = (uint16_t)((c->flags & ~ST_F_TURN) | ST_F_CONT);
	for (int i = 0; i < SIM_CHUNKS_MAX && c->more; i++) {
		if (!next_chunk(c))
			return;
		if (c->s->dir[c->dir].head_len >= ST_HEAD_MAX) {
			cpu->counter[ST_C_HEAD_TOO_LONG]++;
			c->s->capturing &= (uint8_t) ~(1 << c->dir);
			return;
		}
	}
}

static bool peek_starts(const struct sim_call *c)
{
	const uint8_t *p;
	size_t len;

	return src_at(c, 0, &p, &len) && len >= 8 && starts_message(word_at(p));
}

static bool turn_begins(struct st_slot *s, uint8_t dir)
{
	if (s->last_dir == dir + 1)
		return false;
	s->last_dir = (uint8_t)(dir + 1);
	s->turn++;
	s->capturing |= (uint8_t)(1 << dir);
	s->dir[dir].head_len = 0;
	s->dir[dir].tail = 0;
	return true;
}

static bool tail_ends_chunks(uint64_t tail)
{
	uint8_t before = (uint8_t)(tail >> 16);

	return tail >> 24 == 0x0a0d0a0d30ULL && (before == '\n' || !before);
}

/* Of the last buffer, as the call names it: more than a receive filled, and what was announced. */
static void keep_tail(struct sim_call *c, struct st_slot_dir *d)
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
		return false;
	}
	if (s->capturing & bit) {
		if (d->head_len < (s->proto || s->starts ? ST_HEAD_MAX : ST_UNKNOWN_MAX))
			return true;
		s->capturing &= (uint8_t)~bit;
		return false;
	}
	if (!c->segs)
		return false;
	if (!peek_starts(c)) {
		keep_tail(c, d);
		return false;
	}
	s->capturing |= bit;
	d->head_len = 0;
	d->tail = 0;
	return true;
}

static void end_send(struct sim_sock *k, struct st_slot *sl, uint8_t dir)
{
	struct st_rec *r = reserve(k, k->sim, ST_REC_END, 0);

	if (!r)
		return;
	rec_task(r, k);
	r->conn_id = sl->conn_id;
	r->slot = k->slot;
	r->dir = dir;
	r->pos = sl->dir[dir].pos;
	r->last_ns = sl->dir[dir].time_ns;
	r->turn = sl->turn;
	sl->dir[dir].expect_end = 0;
}

static void accepted_to(struct sim_sock *k, struct st_slot *sl, uint8_t dir, uint64_t end)
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
	return c->turn || c->s->mode == ST_MODE_EVERY || c->s->dir[c->dir].expect_end <= c->pos ||
	       c->s->dir[c->dir].expect_end == ST_EXPECT_CHUNKED;
}

static void call_run(struct sim_call *c)
{
	if (c->turn || same_turn_wanted(c)) {
		c->flags = (uint16_t)((c->turn ? ST_F_TURN : 0) |
				      (c->dir == ST_TX ? ST_F_ANNOUNCED : 0));
		if (!(c->s->flags & ST_SLOT_OPENED))
			open_send(c->k, c->s, ST_REC_OPEN, 0);
		capture_call(c);
	}
	if (!c->now)
		c->now = c->k->sim->now_ns;
	c->s->dir[c->dir].time_ns = c->now;
}

static void send_enter(struct sim_call *c, size_t left)
{
	struct st_slot_dir *d = &c->s->dir[ST_TX];
	uint64_t pos = pos_extend(d->pos, c->k->write_seq);

	if (d->call_end == pos + left) {
		d->time_ns = c->k->sim->now_ns;
		return;
	}
	d->call_end = pos + left;
	d->pos = pos;
	c->pos = pos;
	c->bytes = left > 0x7fffffff ? 0x7fffffff : (uint32_t)left;
	c->turn = turn_begins(c->s, ST_TX);
	if (look_needed(c) && (c->segs || c->turn))
		call_run(c);
	else
		d->time_ns = c->k->sim->now_ns;
}

static void moved(struct sim_call *c, uint32_t bytes)
{
	struct sim_sock *k = c->k;
	struct st_slot_dir *d = &c->s->dir[c->dir];
	uint32_t copied = k->copied_seq;
	uint64_t end = d->pos + bytes;

	if (k->tcp) {
		copied -= k->rcv_shut && copied == k->rcv_nxt;
		end = pos_extend(d->pos, copied);
		c->s->dir[ST_TX].pos = pos_extend(c->s->dir[ST_TX].pos, k->write_seq);
	}
	c->bytes = bytes;
	c->pos = end - bytes;
	c->turn = turn_begins(c->s, c->dir);
	if (!look_needed(c))
		c->segs = 0;
	if (c->segs || (c->turn && c->s->mode != ST_MODE_OFF))
		call_run(c);
	else
		d->time_ns = k->sim->now_ns;
	accepted_to(k, c->s, c->dir, end);
}

/* ---- the calls ---- */

static void segs_of(struct sim_call *c, const void *p, size_t len)
{
	c->segs = p ? 1 : 0;
	c->seg[0] = p;
	c->seg_len[0] = len;
}

static void deliver(struct sim_sock *k, const void *p, size_t len)
{
	struct sim_sock *o = k->peer;
	uint8_t *to = must(st_buf__room(&o->in, len ? len : 1));

	if (p && len)
		memcpy(to, p, len);
	else
		memset(to, 0, len);
	o->in.len += len;
	o->rcv_nxt += (uint32_t)len;
}

static void begin_call(struct sim_call *c, size_t len)
{
	if (!c->k->traced || !c->k->tcp)
		return;
	c->s = conn_get(c->k);
	c->dir = ST_TX;
	if (c->s)
		send_enter(c, len);
}

void sim_send_begin(struct sim_sock *k, const void *p, size_t len)
{
	struct sim_call c = {.k = k};

	k->send_p = p;
	k->send_len = len;
	segs_of(&c, p, len);
	begin_call(&c, len);
}

static void unix_sent(struct sim_call *c, size_t accepted)
{
	if (!c->k->traced || !accepted)
		return;
	c->s = conn_get(c->k);
	c->dir = ST_TX;
	if (c->s)
		moved(c, (uint32_t)accepted);
}

void sim_send_end(struct sim_sock *k, size_t accepted)
{
	struct sim_call c = {.k = k};
	struct st_slot *sl;

	deliver(k, k->send_p, accepted);
	k->write_seq += (uint32_t)accepted;
	if (!k->tcp) {
		segs_of(&c, k->send_p, k->send_len);
		unix_sent(&c, accepted);
		return;
	}
	sl = k->traced ? conn_find(k) : NULL;
	if (!sl || !k->sim->watching)
		return;
	accepted_to(k, sl, ST_TX, pos_extend(sl->dir[ST_TX].pos, k->write_seq));
}

void sim_send(struct sim_sock *k, const void *p, size_t len)
{
	sim_send_begin(k, p, len);
	sim_send_end(k, len);
}

void sim_puts(struct sim_sock *k, const char *z)
{
	sim_send(k, z, strlen(z));
}

void sim_sendv(struct sim_sock *k, const struct st_str *v, int cnt)
{
	struct sim_call c = {.k = k, .segs = (uint32_t)cnt};
	struct st_buf all = st_buf__init(SIZE_MAX / 2);

	for (int i = 0; i < cnt; i++) {
		c.seg[i] = (const uint8_t *)v[i].p;
		c.seg_len[i] = v[i].len;
		st_buf__put(&all, v[i].p, v[i].len);
	}
	begin_call(&c, all.len);
	k->send_p = all.p;
	k->send_len = all.len;
	sim_send_end(k, all.len);
	k->send_p = NULL;
	st_buf__free(&all);
}

static size_t receive(struct sim_sock *k, size_t len, bool readable)
{
	size_t left = k->in.len - k->in_off;
	struct sim_call c = {.k = k, .dir = ST_RX};
	const uint8_t *p = k->in.p + k->in_off;

	if (len > left)
		len = left;
	if (!len) {
		/* The end of the file takes the FIN. */
		if (k->rcv_shut)
			k->copied_seq = k->rcv_nxt;
		return 0;
	}
	k->in_off += len;
	k->copied_seq += (uint32_t)len;
	/* A FIN behind the last byte is taken by the same call (tcp_recvmsg_locked). */
	if (k->tcp && k->rcv_shut && k->in_off == k->in.len)
		k->copied_seq = k->rcv_nxt;
	if (k->traced && (c.s = conn_get(k))) {
		segs_of(&c, readable ? p : NULL, len);
		moved(&c, (uint32_t)len);
	}
	if (k->in_off == k->in.len) {
		st_buf__reset(&k->in);
		k->in_off = 0;
	}
	return len;
}

size_t sim_recv(struct sim_sock *k, size_t len)
{
	return receive(k, len, true);
}

size_t sim_recv_all(struct sim_sock *k)
{
	return receive(k, SIZE_MAX, true);
}

size_t sim_recv_blind(struct sim_sock *k, size_t len)
{
	return receive(k, len, false);
}

/* ---- state.h ---- */

static void state_positions(struct sim_sock *k, struct st_slot *sl, struct st_rec *r)
{
	uint32_t next = k->rcv_nxt - 1;

	sl->dir[ST_TX].pos = pos_extend(sl->dir[ST_TX].pos, k->write_seq);
	r->pos = sl->dir[r->dir].pos;
	r->opp_pos = sl->dir[!r->dir].pos;
	if (r->what != ST_STATE_PEER_FIN)
		return;
	r->call_len = (int32_t)(next - k->copied_seq) > 0 ? next - k->copied_seq : 0;
	r->pos = pos_extend(r->pos, k->copied_seq);
}

static void state_send(struct sim_sock *k, struct st_slot *sl, uint8_t what, uint16_t err)
{
	struct st_rec *r = reserve(k, k->sim, ST_REC_STATE, 0);

	if (!r)
		return;
	rec_task(r, k);
	r->conn_id = sl->conn_id;
	r->slot = k->slot;
	r->what = what;
	r->err = err;
	r->turn = sl->turn;
	r->dir = what == ST_STATE_PEER_FIN ? ST_RX : ST_TX;
	r->last_ns = sl->dir[r->dir].time_ns;
	state_positions(k, sl, r);
	r->opp_time_ns = sl->dir[!r->dir].time_ns;
	r->lost = sl->lost;
	if (k->exiting)
		r->flags |= ST_F_EXITING;
}

static void set_state(struct sim_sock *k, enum sim_tcp state, uint16_t err)
{
	enum sim_tcp old = (enum sim_tcp)k->state;
	struct st_slot *sl = conn_find(k);

	k->state = (uint8_t)state;
	if (!sl)
		return;
	switch (state) {
	case SIM_SYN_SENT:
		break;
	case SIM_ESTABLISHED:
		sl->dir[ST_TX].pos = 1ULL << 32 | k->write_seq;
		sl->dir[ST_RX].pos = 1ULL << 32 | k->copied_seq;
		break;
	case SIM_CLOSE_WAIT:
		state_send(k, sl, ST_STATE_PEER_FIN, err);
		break;
	case SIM_FIN_WAIT:
	case SIM_LAST_ACK:
		state_send(k, sl, ST_STATE_OWN_FIN, err);
		break;
	case SIM_CLOSED:
		if (old == SIM_SYN_SENT)
			open_send(k, sl, ST_REC_CONNECT, err);
		sl->flags |= ST_SLOT_CLOSED;
		state_send(k, sl, ST_STATE_CLOSED, err);
		k->conn_id = 0; /* st_sk_drop */
		break;
	}
}

static void connecting(struct sim_sock *k)
{
	struct st_slot *sl = k->traced && k->tcp ? conn_get(k) : NULL;

	k->state = SIM_SYN_SENT;
	if (!sl)
		return;
	sl->flags |= ST_SLOT_ACTIVE;
	sl->role = ST_ROLE_CLIENT;
}

void sim_connect(struct sim_sock *client)
{
	if (!client->tcp) {
		client->state = client->peer->state = SIM_ESTABLISHED;
		return;
	}
	connecting(client);
	set_state(client, SIM_ESTABLISHED, 0);
	set_state(client->peer, SIM_ESTABLISHED, 0);
}

void sim_connect_fail(struct sim_sock *client, uint16_t err)
{
	connecting(client);
	sim_sleep(client->sim, 1000);
	set_state(client, SIM_CLOSED, err);
}

static void got_fin(struct sim_sock *k)
{
	k->rcv_shut = true;
	k->rcv_nxt++;
	if (k->state == SIM_ESTABLISHED) {
		set_state(k, SIM_CLOSE_WAIT, 0);
		return;
	}
	if (k->state == SIM_FIN_WAIT) /* to TIME_WAIT, which is another object */
		set_state(k, SIM_CLOSED, 0);
}

void sim_shutdown(struct sim_sock *k)
{
	struct sim_sock *o = k->peer;

	if (!k->tcp || (k->state != SIM_ESTABLISHED && k->state != SIM_CLOSE_WAIT))
		return;
	set_state(k, k->state == SIM_ESTABLISHED ? SIM_FIN_WAIT : SIM_LAST_ACK, 0);
	k->write_seq++;
	got_fin(o);
	if (k->state == SIM_LAST_ACK)
		set_state(k, SIM_CLOSED, 0);
}

static void reset_by_peer(struct sim_sock *k)
{
	if (k->state == SIM_CLOSED)
		return;
	set_state(k, SIM_CLOSED, k->state == SIM_CLOSE_WAIT ? EPIPE : ECONNRESET);
}

void sim_reset(struct sim_sock *k)
{
	if (k->state == SIM_CLOSED)
		return;
	set_state(k, SIM_CLOSED, 0);
	reset_by_peer(k->peer);
}

void sim_close(struct sim_sock *k)
{
	/* Unread bytes make it a reset (RFC 2525 2.17). */
	if (k->tcp && k->in.len > k->in_off)
		sim_reset(k);
	else
		sim_shutdown(k);
}

void sim_exit(struct sim *s, uint32_t tgid)
{
	struct sim_sock none = {.sim = s, .tgid = tgid, .tid = tgid};
	struct st_rec *r = reserve(&none, s, ST_REC_EXIT, 0);

	if (r)
		rec_task(r, &none);
}
