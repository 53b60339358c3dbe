/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Unix sockets have no tracepoint at their end. Their storage goes with them, so that those whose
 * storage is still there are alive: user space runs this iterator and takes the other slots back.
 */
#ifndef ST_BPF_ALIVE_H
#define ST_BPF_ALIVE_H

#include "flow.h"

#ifndef ST_PROBE
SEC("?iter/bpf_sk_storage_map")
int alive(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct st_sk *m = ctx->value;
	struct st_slot *s;

	if (!m || !m->conn_id)
		return 0;
	s = st_slot_at(m->slot);
	if (s && s->conn_id == m->conn_id)
		s->seen = ctl.round;
	return 0;
}
/* Run once before anything is captured (5.15, 2c860a43dd77). */
SEC("?iter/unix")
int unix_old(struct bpf_iter__unix *ctx)
{
	struct unix_sock *u = ctx->unix_sk;
	struct st_sk *m;

	if (!u || u->sk.sk_type != ST_SOCK_STREAM)
		return 0;
	m = bpf_sk_storage_get(&socks, &u->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (m)
		m->flags |= ST_SK_OLD;
	return 0;
}
#else
/* Where connections lie in a hash, the end of a Unix socket has to be seen. */
static __always_inline void st_unix_released(struct sock *sk)
{
	struct st_conn conn;

	if (!st_conn_find(sk, &conn))
		return;
	conn.s->flags |= ST_SLOT_CLOSED;
	st_sk_drop(sk);
}

SEC("?fentry/unix_release_sock")
int BPF_PROG(fe_unix_release, struct sock *sk)
{
	st_unix_released(sk);
	return 0;
}

SEC("?kprobe/unix_release_sock")
int BPF_KPROBE(kp_unix_release, struct sock *sk)
{
	st_unix_released(sk);
	return 0;
}
#endif

#endif
