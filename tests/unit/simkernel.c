/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Each function here stands for one of bpf/ and does what that one does; names are theirs with
 * st_ taken off.
 */
#include "simkernel_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

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

struct st_rec *sim__reserve(struct sim_sock *k, struct sim *s, uint8_t kind, uint32_t payload_sz)
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
	r->refused = (uint16_t)s->refused;
	r->time_ns = s->now_ns;
	cpu->counter[ST_C_RECORDS]++;
	return r;
}

void sim__rec_task(struct st_rec *r, const struct sim_sock *k)
{
	r->tgid = k->tgid;
	r->tid = k->tid;
}

/* ---- conn.h ---- */

uint64_t sim__pos_extend(uint64_t known, uint32_t low)
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
		sim__send_enter(c, len);
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
		sim__moved(c, (uint32_t)accepted);
}

void sim_send_end(struct sim_sock *k, size_t accepted)
{
	struct sim_call c = {.k = k};
	struct st_slot *sl;

	deliver(k, k->send_p, accepted);
	k->write_seq += (uint32_t)accepted;
	k->sent += accepted;
	if (!k->tcp) {
		segs_of(&c, k->send_p, k->send_len);
		unix_sent(&c, accepted);
		return;
	}
	sl = k->traced ? conn_find(k) : NULL;
	if (!sl || !k->sim->watching)
		return;
	sim__accepted_to(k, sl, ST_TX, sim__pos_extend(sl->dir[ST_TX].pos, k->write_seq));
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
	k->taken += len;
	k->copied_seq += (uint32_t)len;
	/* A FIN behind the last byte is taken by the same call (tcp_recvmsg_locked). */
	if (k->tcp && k->rcv_shut && k->in_off == k->in.len)
		k->copied_seq = k->rcv_nxt;
	if (k->traced && (c.s = conn_get(k))) {
		segs_of(&c, readable ? p : NULL, len);
		sim__moved(&c, (uint32_t)len);
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

	sl->dir[ST_TX].pos = sim__pos_extend(sl->dir[ST_TX].pos, k->write_seq);
	r->pos = sl->dir[r->dir].pos;
	r->opp_pos = sl->dir[!r->dir].pos;
	if (r->what != ST_STATE_PEER_FIN)
		return;
	r->call_len = (int32_t)(next - k->copied_seq) > 0 ? next - k->copied_seq : 0;
	r->pos = sim__pos_extend(r->pos, k->copied_seq);
}

static void state_send(struct sim_sock *k, struct st_slot *sl, uint8_t what, uint16_t err)
{
	struct st_rec *r = sim__reserve(k, k->sim, ST_REC_STATE, 0);

	if (!r)
		return;
	sim__rec_task(r, k);
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
		sl->req_ns = 0;
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
			sim__open_send(k, sl, ST_REC_CONNECT, err, 0);
		sl->flags |= ST_SLOT_CLOSED;
		sim__missed_over(k->sim, sl);
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
	sl->req_ns = k->sim->now_ns;
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
	struct st_rec *r = sim__reserve(&none, s, ST_REC_EXIT, 0);

	if (r)
		sim__rec_task(r, &none);
}

/* ---- pool.h ---- */

void sim_wait(struct sim *s, uint8_t what, uint32_t tgid, uint32_t tid, uint32_t by, uint64_t addr,
	      uint16_t flags, const char *name)
{
	struct sim_sock none = {.sim = s, .tgid = tgid, .tid = tid};
	struct st_rec *r = sim__reserve(&none, s, ST_REC_WAIT, 0);
	char comm[16] = "";

	if (!r)
		return;
	snprintf(comm, sizeof(comm), "%s", name ? name : "app");
	sim__rec_task(r, &none);
	r->what = what;
	r->call_len = by;
	r->pos = addr;
	r->flags = flags;
	memcpy(&r->opp_pos, comm, 8);
	memcpy(&r->opp_time_ns, comm + 8, 8);
}

/* ---- tasks.bpf.c, passed.h ---- */

static void task_send(struct sim *s, struct sim_sock *k, uint8_t what, uint64_t task, uint8_t kind,
		      uint64_t other)
{
	struct st_slot *sl = k->traced ? conn_get(k) : NULL;
	struct st_rec *r = sim__reserve(k, s, ST_REC_TASK, 0);

	if (!r)
		return;
	sim__rec_task(r, k);
	r->conn_id = sl ? sl->conn_id : 0;
	r->slot = k->slot;
	r->what = what;
	r->err = kind;
	r->pos = task;
	r->opp_pos = other;
}

void sim_task_born(struct sim *s, uint32_t tgid, uint32_t tid, uint64_t task, uint8_t kind,
		   uint64_t parent)
{
	struct sim_sock none = {.sim = s, .tgid = tgid, .tid = tid};

	task_send(s, &none, ST_TASK_BORN, task, kind, parent);
}

void sim_task_born_for(struct sim_sock *k, uint64_t task, uint8_t kind, uint64_t parent)
{
	task_send(k->sim, k, ST_TASK_BORN, task, kind, parent);
}

void sim_task_runs(struct sim *s, uint32_t tgid, uint32_t tid, uint64_t task, uint8_t kind)
{
	struct sim_sock none = {.sim = s, .tgid = tgid, .tid = tid};

	task_send(s, &none, ST_TASK_RUNS, task, kind, 0);
}

void sim_task_calls(struct sim_sock *k, uint64_t task)
{
	task_send(k->sim, k, ST_TASK_CALLS, task, ST_TASK_GOROUTINE, 0);
}

void sim_passed(struct sim_sock *k, const struct sim_sock *from, uint32_t back)
{
	struct st_slot *sl = conn_get(k);
	struct st_rec *r = sl ? sim__reserve(k, k->sim, ST_REC_PASSED, 0) : NULL;

	if (!r)
		return;
	sim__rec_task(r, k);
	r->conn_id = sl->conn_id;
	r->slot = k->slot;
	r->turn = sl->turn;
	r->pos = from->conn_id;
	r->call_len = from->slot;
	r->opp_pos = k->sim->slots[from->slot].dir[ST_RX].pos - back;
}

/* ---- wire.h ---- */

void sim_wire(struct sim_sock *k, uint8_t what, const struct st_ids *ids)
{
	struct st_slot *sl = conn_get(k);
	struct st_rec *r = sl ? sim__reserve(k, k->sim, ST_REC_WIRE, sizeof(*ids)) : NULL;
	uint8_t dir = what == ST_WIRE_LEFT ? ST_TX : ST_RX;

	if (!r)
		return;
	sim__rec_task(r, k);
	r->conn_id = sl->conn_id;
	r->slot = k->slot;
	r->what = what;
	r->dir = dir;
	r->pos = r->opp_pos = sl->dir[dir].pos;
	r->len = sizeof(*ids);
	memcpy(r + 1, ids, sizeof(*ids));
}
