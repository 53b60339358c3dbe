/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The record that tells of a connection, before any other of it. */
#ifndef ST_BPF_OPEN_H
#define ST_BPF_OPEN_H

#include "conn.h"

#define ST_RCV_SHUTDOWN 1

static __always_inline void st_open_addresses(struct st_open *o, struct sock *sk)
{
	__u32 *local = (__u32 *)o->local, *peer = (__u32 *)o->peer;

	if (o->family == ST_AF_INET) {
		*local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*peer = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	}
	if (o->family != ST_AF_INET6)
		return;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		local[i] = BPF_CORE_READ(sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
		peer[i] = BPF_CORE_READ(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
	}
}

/*
 * TCP: was nothing moved before the call that is about to send, or took the last `took` bytes?
 * bytes_received and rcv_nxt count a FIN, and so does copied_seq once it was consumed.
 */
static __always_inline bool st_is_fresh(struct sock *sk, __u32 took)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u32 unread = BPF_CORE_READ(tp, rcv_nxt) - BPF_CORE_READ(tp, copied_seq);
	__u64 before = BPF_CORE_READ(tp, bytes_received) - unread - took;

	if (BPF_CORE_READ(tp, bytes_sent) ||
	    BPF_CORE_READ(tp, write_seq) != BPF_CORE_READ(tp, snd_nxt))
		return false;
	return !before || (before == 1 && BPF_CORE_READ(sk, sk_shutdown) & ST_RCV_SHUTDOWN);
}

/*
 * The sequence numbers of a connection's first bytes: where both directions stand, less what they
 * moved. bytes_acked of who connected counts the SYN (tcp_ack), which makes its own ISN one less
 * than the other end's view of it: only the direction that responses take is compared. Without the
 * socket's lock an ACK may come between two reads: then they are read once more.
 */
static __always_inline void st_open_isn(struct st_open *o, struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;
	__u32 una = 0, next = 0;

	for (int i = 0; i < 2; i++) {
		una = BPF_CORE_READ(tp, snd_una);
		next = BPF_CORE_READ(tp, rcv_nxt);
		o->isn[ST_TX] = una - (__u32)BPF_CORE_READ(tp, bytes_acked);
		o->isn[ST_RX] = next - (__u32)BPF_CORE_READ(tp, bytes_received);
		if (una == BPF_CORE_READ(tp, snd_una) && next == BPF_CORE_READ(tp, rcv_nxt))
			return;
	}
}

#ifndef ST_PROBE
/* Both ends of a Unix socket; fresh: no byte was moved before we watched. */
static __always_inline void st_open_unix(const struct st_slot *s, struct st_rec *r,
					 struct st_open *o, struct sock *sk)
{
	struct st_unix_id *local = (struct st_unix_id *)o->local;
	struct st_unix_id *peer = (struct st_unix_id *)o->peer;
	struct sock *other = BPF_CORE_READ((struct unix_sock *)sk, peer);

	local->sock = (__u64)sk;
	local->ino = st_sock_ino(sk);
	peer->sock = (__u64)other;
	if (other)
		peer->ino = st_sock_ino(other);
	if (ctl.unix_known && !(s->flags & ST_SLOT_OLD))
		r->flags = ST_F_FRESH;
}
#endif

/*
 * OPEN is sent until the ring takes it, so that data never comes before it. took: bytes that were
 * received by the call that it comes with.
 */
static __noinline void st_open_send(struct st_slot *s, __u32 slot, __u8 kind, __u16 err, __u32 took)
{
	struct sock *sk = (struct sock *)s->sock;
	struct st_cursor cur;
	struct st_open *o;
	struct st_rec *r;

	r = st_rec_new(&cur, kind, ST_PAYLOAD_S);
	if (!r)
		return;
	r->conn_id = s->conn_id;
	r->slot = slot;
	r->err = err;
	r->pos = s->dir[ST_RX].pos;
	r->opp_pos = s->dir[ST_TX].pos;
	r->last_ns = s->req_ns;
	r->len = sizeof(*o);
	o = (struct st_open *)(r + 1);
	__builtin_memset(o, 0, ST_PAYLOAD_S);
	o->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	o->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	st_open_addresses(o, sk);
	if (o->family != ST_AF_UNIX) {
		o->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
		/* A connect that failed has put its port back; this one is 0 if it never had any. */
		if (kind == ST_REC_CONNECT)
			o->local_port =
				bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
		o->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
		o->protocol = ST_PROTO_TCP;
		st_open_isn(o, sk);
		if (st_is_fresh(sk, took))
			r->flags = ST_F_FRESH;
	}
#ifndef ST_PROBE
	if (o->family == ST_AF_UNIX)
		st_open_unix(s, r, o, sk);
#endif
	if (s->flags & ST_SLOT_ACTIVE)
		o->role = ST_ROLE_CLIENT;
	s->flags |= ST_SLOT_OPENED;
	st_rec_submit(r, &cur);
}

#endif
