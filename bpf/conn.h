/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Connections: from a socket to its slot. */
#ifndef ST_BPF_CONN_H
#define ST_BPF_CONN_H

#include "proc.h"
#include "missed.h"

#define ST_AF_UNIX     1
#define ST_AF_INET     2
#define ST_AF_INET6    10
#define ST_SOCK_STREAM 1
#define ST_PROTO_TCP   6

/* A connection at hand. */
struct st_conn {
	struct st_slot *s;
	__u32 slot;
};

static __always_inline struct st_sk *st_sk_get(struct sock *sk)
{
#ifdef ST_PROBE
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&socks, &key);
#else
	return bpf_sk_storage_get(&socks, sk, 0, 0);
#endif
}

static __always_inline struct st_sk *st_sk_make(struct sock *sk)
{
#ifdef ST_PROBE
	__u64 key = (__u64)sk;
	struct st_sk zero = {};

	bpf_map_update_elem(&socks, &key, &zero, BPF_ANY);
	return bpf_map_lookup_elem(&socks, &key);
#else
	return bpf_sk_storage_get(&socks, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
#endif
}

static __always_inline void st_sk_drop(struct sock *sk)
{
#ifdef ST_PROBE
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&socks, &key);
#else
	bpf_sk_storage_delete(&socks, sk);
#endif
}

static __always_inline struct st_slot *st_slot_at(__u32 i)
{
	return bpf_map_lookup_elem(&slots, &i);
}

/* The connection of a socket that has one; false when it is not followed. */
static __always_inline bool st_conn_find(struct sock *sk, struct st_conn *c)
{
	struct st_sk *m = st_sk_get(sk);

	if (!m || !m->conn_id)
		return false;
	c->slot = m->slot;
	c->s = st_slot_at(m->slot);
	/* User space takes a slot back when it has read CLOSED: then the id differs. */
	return c->s && c->s->conn_id == m->conn_id;
}

static __always_inline __u32 st_ports_of(struct sock *sk)
{
	return (__u32)ST_READ(sk, __sk_common.skc_num) << 16 |
	       bpf_ntohs(ST_READ(sk, __sk_common.skc_dport));
}

static __always_inline bool st_port_wanted(struct sock *sk, __u16 family)
{
	__u32 both;

	if (!cfg.ports[0])
		return true;
	if (family == ST_AF_UNIX)
		return false;
	both = st_ports_of(sk);
#pragma unroll
	for (int i = 0; i < 16; i++)
		if (cfg.ports[i] && (cfg.ports[i] == both >> 16 || cfg.ports[i] == (both & 0xffff)))
			return true;
	return false;
}

/* A connection whose other end on this host is the tracer's export: never followed. */
static __always_inline bool st_peer_is_self(struct sock *sk, __u16 family)
{
	__u32 both;

	if (family == ST_AF_UNIX)
		return false;
	both = st_ports_of(sk);
	both = both << 16 | both >> 16;
	return bpf_map_lookup_elem(&own_ports, &both) != 0;
}

/* Ids are unique per run: a per-CPU count above the CPU's number. */
static __always_inline __u64 st_new_conn_id(void)
{
	struct st_cpu *cpu = st_this_cpu();

	if (!cpu)
		return 0;
	return (++cpu->counter[ST_C_CONNS] << 9 | (bpf_get_smp_processor_id() & 511)) + 1;
}

static __always_inline void st_slot_init(struct st_slot *s, struct sock *sk, __u64 id, bool tcp)
{
	struct tcp_sock *tp;
	__u64 *w = (__u64 *)s;

	if (s->missed_tid)
		st_missed_over(s);
#pragma unroll
	for (int i = 0; i < (int)(sizeof(*s) / 8); i++)
		w[i] = 0;
	s->sock = (__u64)sk;
	s->mode = ctl.mode;
	s->tcp = tcp;
	s->owner_tgid = bpf_get_current_pid_tgid() >> 32;
	if (tcp) {
		tp = (struct tcp_sock *)sk;
		/* Above 2^32, so that a step back before the first byte seen stays positive. */
		s->dir[ST_RX].pos = 1ULL << 32 | BPF_CORE_READ(tp, copied_seq);
		s->dir[ST_TX].pos = 1ULL << 32 | BPF_CORE_READ(tp, write_seq);
	} else {
		s->dir[ST_RX].pos = s->dir[ST_TX].pos = 1ULL << 32;
	}
	s->conn_id = id;
}

static __always_inline __u64 st_sock_ino(struct sock *sk)
{
	struct socket *sock = BPF_CORE_READ(sk, sk_socket);

	if (!sock)
		return 0;
	return BPF_CORE_READ(
		(struct socket_alloc *)((void *)sock -
					bpf_core_field_offset(struct socket_alloc, socket)),
		vfs_inode.i_ino);
}

#ifdef ST_PROBE
/*
 * Where nothing tells that a Unix socket is gone, another one may have its address: the kernel
 * numbers sockets as inodes.
 */
static __noinline void st_unix_check(struct sock *sk)
{
	struct st_sk *m = st_sk_get(sk);
	struct st_slot *s;

	if (!m || !m->conn_id || m->ino == st_sock_ino(sk))
		return;
	s = st_slot_at(m->slot);
	if (s && s->conn_id == m->conn_id)
		s->flags |= ST_SLOT_CLOSED;
	st_sk_drop(sk);
}
#endif

/* Their ends are looked for when enough of them began, by a reader that is awake. */
#define ST_UNIX_WAKE 256

static __always_inline void st_unix_made(struct sock *sk, struct st_sk *m)
{
	if (!(++ctl.unix_made % ST_UNIX_WAKE))
		st_ring_wake();
#ifdef ST_PROBE
	m->ino = st_sock_ino(sk);
#endif
}

/* A new connection; at once marked as not wanted when it is not. */
static __noinline bool st_conn_make(struct sock *sk, struct st_conn *c, bool tcp)
{
	__u16 family = ST_READ(sk, __sk_common.skc_family);
	struct st_sk *m = st_sk_make(sk);
	__u32 slot;

	if (!m) {
		st_count(ST_C_STORAGE_FULL, 1);
		return false;
	}
	if (m->flags & (ST_SK_IGNORED | ST_SK_SELF))
		return false;
	if (!st_port_wanted(sk, family) || st_peer_is_self(sk, family)) {
		m->flags |= ST_SK_IGNORED;
		return false;
	}
	if (bpf_map_pop_elem(&free_slots, &slot)) {
		st_count(ST_C_SLOTS_FULL, 1);
		return false;
	}
	c->slot = slot;
	c->s = st_slot_at(slot);
	if (!c->s)
		return false;
	m->slot = slot;
	m->conn_id = st_new_conn_id();
	if (!tcp)
		st_unix_made(sk, m);
	st_slot_init(c->s, sk, m->conn_id, tcp);
	if (m->flags & ST_SK_OLD)
		c->s->flags |= ST_SLOT_OLD;
	return true;
}

static __always_inline bool st_conn_get(struct sock *sk, struct st_conn *c, bool tcp)
{
#ifdef ST_PROBE
	if (!tcp)
		st_unix_check(sk);
#endif
	return st_conn_find(sk, c) || st_conn_make(sk, c, tcp);
}

/* A position from 32 bits of it, near the one that was known. */
static __always_inline __u64 st_pos_extend(__u64 known, __u32 low)
{
	return known + (__s64)(__s32)(low - (__u32)known);
}

#endif
