/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections come and go: TCP states, failed connects, accept queues that overflow. */
#ifndef ST_BPF_STATE_H
#define ST_BPF_STATE_H

#include "flow.h"

#define ST_PF_EXITING 0x00000004

/* Positions as they are now. A peer's FIN is counted in rcv_nxt (tcp_fin), but is no byte. */
static __always_inline void st_state_positions(struct sock *sk, struct st_slot *s, struct st_rec *r)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u32 copied, next;

	s->dir[ST_TX].pos = st_pos_extend(s->dir[ST_TX].pos,
					  BPF_CORE_READ(tp, write_seq) - s->dir[ST_TX].shift);
	r->pos = s->dir[r->dir & 1].pos;
	r->opp_pos = s->dir[(r->dir & 1) ^ 1].pos;
	if (r->what != ST_STATE_PEER_FIN)
		return;
	/* call_len: bytes that came and were not read yet. */
	next = BPF_CORE_READ(tp, rcv_nxt) - 1;
	copied = BPF_CORE_READ(tp, copied_seq);
	r->call_len = (__s32)(next - copied) > 0 ? next - copied : 0;
	r->pos = st_pos_extend(r->pos, copied);
}

static __noinline void st_state_send(struct sock *sk, struct st_slot *s, __u32 slot, __u8 what)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct st_cursor cur;
	struct st_rec *r;

	r = st_rec_new(&cur, ST_REC_STATE, 0);
	if (!r)
		return;
	r->conn_id = s->conn_id;
	r->slot = slot;
	r->what = what;
	r->err = BPF_CORE_READ(sk, sk_err);
	/* Turns without records are no losses while the kernel itself does the timing. */
	r->turn = s->mode == ST_MODE_TIMING ? 0 : s->turn;
	r->dir = what == ST_STATE_PEER_FIN ? ST_RX : ST_TX;
	r->last_ns = s->dir[r->dir & 1].time_ns;
	st_state_positions(sk, s, r);
	r->opp_time_ns = s->dir[(r->dir & 1) ^ 1].time_ns;
	r->lost = s->lost;
	if (BPF_CORE_READ(task, flags) & ST_PF_EXITING)
		r->flags |= ST_F_EXITING;
	st_rec_submit(r, &cur);
}

static __always_inline void st_conn_closed(struct sock *sk, struct st_conn *c, int old)
{
	struct st_slot *s = c->s;

	if (cfg.timing && s->req_ns && s->status && !(s->flags & ST_SLOT_CLOSED))
		st_hist_add(s, s->dir[s->role == ST_ROLE_SERVER ? ST_TX : ST_RX].time_ns);
	if (old == TCP_SYN_SENT)
		st_open_send(s, c->slot, ST_REC_CONNECT, BPF_CORE_READ(sk, sk_err), 0);
	s->flags |= ST_SLOT_CLOSED;
	if (s->missed_tid)
		st_missed_over(s);
	st_state_send(sk, s, c->slot, ST_STATE_CLOSED);
#ifndef ST_PROBE
	if (cfg.propagate)
		st_wire_closed(sk, s->conn_id);
#endif
	st_sk_drop(sk);
}

/* The tracer's own connections are remembered by ports, so that their other end is left alone. */
static __always_inline void st_self_state(struct sock *sk, int new)
{
	__u32 both = st_ports_of(sk);
	__u8 one = 1;

	if (new == TCP_ESTABLISHED)
		bpf_map_update_elem(&own_ports, &both, &one, BPF_ANY);
	else if (new == TCP_CLOSE)
		bpf_map_delete_elem(&own_ports, &both);
}

static __always_inline void st_connecting(struct sock *sk)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct st_conn conn;
	struct st_sk *m;

	if (tgid == cfg.self_tgid) {
		m = st_sk_make(sk);
		if (m)
			m->flags = ST_SK_SELF;
		return;
	}
	if (!st_proc_wanted(tgid) || !st_conn_get(sk, &conn, true))
		return;
	conn.s->flags |= ST_SLOT_ACTIVE;
	conn.s->role = ST_ROLE_CLIENT;
	/* When it began, should it fail; no status yet, so that no histogram takes it for a request. */
	conn.s->req_ns = bpf_ktime_get_ns();
}

static __always_inline void st_state_change(struct sock *sk, int old, int new)
{
	struct st_conn conn;
	struct st_sk *m;

	if (new == TCP_SYN_SENT) {
		st_connecting(sk);
		return;
	}
	m = st_sk_get(sk);
	if (!m)
		return;
	if (m->flags & ST_SK_SELF) {
		st_self_state(sk, new);
		return;
	}
	if (!st_conn_find(sk, &conn))
		return;
	switch (new) {
	case TCP_ESTABLISHED:
		/* The sequence numbers exist only now. */
		conn.s->req_ns = 0;
		conn.s->dir[ST_TX].pos = 1ULL << 32 | st_write_seq(sk);
		conn.s->dir[ST_RX].pos =
			1ULL << 32 | BPF_CORE_READ((struct tcp_sock *)sk, copied_seq);
		break;
	case TCP_CLOSE_WAIT:
		st_state_send(sk, conn.s, conn.slot, ST_STATE_PEER_FIN);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		st_state_send(sk, conn.s, conn.slot, ST_STATE_OWN_FIN);
		break;
	case TCP_CLOSE:
		st_conn_closed(sk, &conn, old);
		break;
	}
}

#endif
