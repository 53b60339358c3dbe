/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * --propagate: requests tell whose they are. wire.h decides what; here it is put on the wire and taken
 * off it. An object of its own, attached to the root cgroup when it is asked for; it shares maps
 * with the hooks' object.
 */
#include "maps.h"
#include "option.h"
#include "header.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ST_SOL_TCP 6

/* ---- whom to tell ---- */

static __always_inline bool st_rule_fits(const struct st_wire_rule *r, const __u32 addr[4],
					 __u32 port)
{
	__u32 left = r->bits;

	if (r->port && r->port != port)
		return false;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		__u32 n = left < 32 ? left : 32;
		__u32 mask = n ? bpf_htonl(~0u << (32 - n)) : 0;

		if ((r->addr[i] ^ addr[i]) & mask)
			return false;
		left -= n;
	}
	return true;
}

/* The first rule that fits decides; without one it is what the rules do not say: see user space. */
static __noinline bool st_wire_allowed(const __u32 addr[4], __u32 port)
{
	for (__u32 i = 0; i < ST_WIRE_RULES; i++) {
		__u32 key = i;
		struct st_wire_rule *r = bpf_map_lookup_elem(&wire_rules, &key);

		if (!r || !r->used)
			break;
		if (st_rule_fits(r, addr, port))
			return r->allow;
	}
	return true;
}

static __always_inline bool st_ops_allowed(const struct bpf_sock_ops *ops)
{
	__u32 addr[4] = {ops->remote_ip6[0], ops->remote_ip6[1], ops->remote_ip6[2],
			 ops->remote_ip6[3]};

	if (ops->family == ST_AF_INET) {
		addr[0] = addr[1] = 0;
		addr[2] = bpf_htonl(0xffff);
		addr[3] = ops->remote_ip4;
	}
	return st_wire_allowed(addr, bpf_ntohl(ops->remote_port));
}

/* ---- sockets come ---- */

static __always_inline void st_flags_on(struct bpf_sock_ops *ops, int flags)
{
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | flags);
}

/* One that a traced process connected has its slot since it began to. */
static __always_inline void st_connected(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	struct st_sk *m = bpf_sk_storage_get(&socks, sk, 0, 0);
	struct st_wire *w;

	if (!m || !m->conn_id)
		return;
	if (!st_ops_allowed(ops)) {
		st_wire_count(ST_W_DENIED);
		return;
	}
	w = bpf_sk_storage_get(&wires, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!w)
		return;
	if (cfg.propagate & ST_PROPAGATE_OPTION)
		st_flags_on(ops, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
	if (cfg.propagate & ST_PROPAGATE_HEADER)
		st_header_enter(ops, w, m);
	st_wire_count(ST_W_ENROLLED);
}

/* Who will accept it is not known yet; only segments with unknown options come by. */
static __always_inline void st_accepting(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	if (cfg.propagate & ST_PROPAGATE_OPTION)
		st_flags_on(ops, BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG);
}

static __always_inline void st_segment_cb(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	struct st_serve *sv;
	struct st_wire *w;

	w = bpf_sk_storage_get(&wires, sk, 0, 0);
	if (w && ops->op == BPF_SOCK_OPS_PARSE_HDR_OPT_CB) {
		st_header_leave(ops, w);
		return;
	}
	if (ops->op == BPF_SOCK_OPS_PARSE_HDR_OPT_CB) {
		sv = bpf_sk_storage_get(&serves, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (sv)
			st_option_read(ops, sv);
		return;
	}
	if (!w)
		return;
	if (ops->op == BPF_SOCK_OPS_RTT_CB || ops->op == BPF_SOCK_OPS_RETRANS_CB)
		st_header_leave(ops, w);
	else if (ops->op == BPF_SOCK_OPS_HDR_OPT_LEN_CB)
		st_option_len(ops, w);
	else
		st_option_write(ops, w);
}

SEC("?sockops")
int on_socket(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;

	if (!sk)
		return 1;
	switch (ops->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		st_connected(ops, sk);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		st_accepting(ops, sk);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
	case BPF_SOCK_OPS_PARSE_HDR_OPT_CB:
	case BPF_SOCK_OPS_RTT_CB:
	case BPF_SOCK_OPS_RETRANS_CB:
		st_segment_cb(ops, sk);
		break;
	}
	return 1;
}

SEC("?sk_msg")
int on_message(struct sk_msg_md *m)
{
	struct bpf_sock *sk = m->sk;
	struct st_wire *w = sk ? bpf_sk_storage_get(&wires, sk, 0, 0) : NULL;

	if (w)
		st_header_message(m, sk, w);
	return SK_PASS;
}

/* ---- sockets that are older than we are ---- */

#define ST_TCP_CB_FLAGS 1008 /* TCP_BPF_SOCK_OPS_CB_FLAGS; 6.12 (eb8b26a5cd6c) */
#define ST_LISTEN_MAX	8192

/* Where somebody listens: its sockets answer. Network namespace << 16 | port. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ST_LISTEN_MAX);
	__type(key, __u64);
	__type(value, __u8);
} listening SEC(".maps");

/* Sockets (inodes) of the processes that are traced. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u8);
} inodes SEC(".maps");

static __always_inline bool st_old_flags(struct tcp_sock *tp, int more)
{
	int flags = 0;

	if (bpf_getsockopt(tp, ST_SOL_TCP, ST_TCP_CB_FLAGS, &flags, sizeof(flags)))
		return false;
	flags |= more;
	return !bpf_setsockopt(tp, ST_SOL_TCP, ST_TCP_CB_FLAGS, &flags, sizeof(flags));
}

static __always_inline bool st_old_allowed(struct sock *sk)
{
	__u32 addr[4] = {0, 0, bpf_htonl(0xffff), BPF_CORE_READ(sk, __sk_common.skc_daddr)};

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == ST_AF_INET6)
		for (int i = 0; i < 4; i++)
			addr[i] = BPF_CORE_READ(sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
	return st_wire_allowed(addr, bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport)));
}

static __always_inline __u64 st_listen_key(struct sock *sk)
{
	return (__u64)BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) << 16 |
	       BPF_CORE_READ(sk, __sk_common.skc_num);
}

static __always_inline bool st_old_wanted(struct sock *sk)
{
	__u64 ino = st_sock_ino(sk);

	return ino && bpf_map_lookup_elem(&inodes, &ino) && st_old_allowed(sk);
}

/* Run twice: whose port is listened on is known when the first walk is over. */
SEC("?iter/tcp")
int old_listen(struct bpf_iter__tcp *ctx)
{
	struct sock *sk = (struct sock *)ctx->sk_common;
	__u8 one = 1;
	__u64 key;

	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		return 0;
	key = st_listen_key(sk);
	bpf_map_update_elem(&listening, &key, &one, BPF_ANY);
	return 0;
}

SEC("?iter/tcp")
int old_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp = skc ? bpf_skc_to_tcp_sock(skc) : NULL;
	struct sock *sk = (struct sock *)tp;
	__u64 key;

	if (!tp || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_ESTABLISHED)
		return 0;
	key = st_listen_key(sk);
	if (bpf_map_lookup_elem(&listening, &key)) {
		st_old_flags(tp, BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG);
		return 0;
	}
	if (!st_old_wanted(sk) || !st_old_flags(tp, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG))
		return 0;
	if (bpf_sk_storage_get(&wires, sk, 0, BPF_SK_STORAGE_GET_F_CREATE))
		st_wire_count(ST_W_ENROLLED);
	return 0;
}
