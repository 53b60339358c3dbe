/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Latency histograms of the exchanges that the kernel sees whole. */
#ifndef ST_BPF_HIST_H
#define ST_BPF_HIST_H

#include "conn.h"

static __always_inline __u32 st_log2(__u64 v)
{
	__u32 r = 0;

	if (v >> 32) {
		r += 32;
		v >>= 32;
	}
	if (v >> 16) {
		r += 16;
		v >>= 16;
	}
	if (v >> 8) {
		r += 8;
		v >>= 8;
	}
	if (v >> 4) {
		r += 4;
		v >>= 4;
	}
	if (v >> 2) {
		r += 2;
		v >>= 2;
	}
	return r + (v >> 1);
}

/* The same formula stands in user/lib/hist.h. */
static __always_inline __u32 st_hist_bucket(__u64 ns)
{
	__u32 octave, bucket;

	if (ns < 1ULL << ST_HIST_SHIFT)
		return 0;
	octave = st_log2(ns);
	bucket = (octave - ST_HIST_SHIFT) * 4 + ((ns >> (octave - 2)) & 3) + 1;
	return bucket < ST_HIST_BUCKETS ? bucket : ST_HIST_BUCKETS - 1;
}

/* A response came: the role is known, and the socket still has its ports. */
static __noinline void st_hist_port(struct st_slot *s)
{
	struct sock *sk = (struct sock *)s->sock;

	if (s->role == ST_ROLE_SERVER)
		s->port = BPF_CORE_READ(sk, __sk_common.skc_num);
	else
		s->port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

static __noinline int st_hist_index(struct st_slot *s, __u32 role)
{
	struct st_hist_key key = {};
	__u32 *known, idx;

	key.tgid = s->owner_tgid;
	key.role = role;
	key.proto = 1;
	key.status = s->status;
	key.port = s->port;
	known = bpf_map_lookup_elem(&hist_keys, &key);
	if (known)
		return (int)*known;
	if (bpf_map_pop_elem(&free_hists, &idx))
		return -1;
	if (bpf_map_update_elem(&hist_keys, &key, &idx, BPF_NOEXIST)) {
		bpf_map_push_elem(&free_hists, &idx, BPF_ANY);
		known = bpf_map_lookup_elem(&hist_keys, &key);
		return known ? (int)*known : -1;
	}
	return (int)idx;
}

/*
 * The open exchange has ended: its latency goes into the histogram of its service, port, role
 * and status class. The slot remembers the index while the class stays the same and no histogram
 * was taken back.
 */
static __always_inline void st_hist_add(struct st_slot *s, __u64 end_ns)
{
	__u32 want = ctl.hist_round << ST_SLOT_HIST_ROUND | s->status << ST_SLOT_HIST_STATUS;
	__u32 role = s->role, idx = s->hist;
	__u64 ns = end_ns > s->req_ns ? end_ns - s->req_ns : 0;
	struct st_hist *h;
	__u32 b;
	int i;

	if ((idx & ~ST_SLOT_HIST_IDX) != want) {
		i = st_hist_index(s, role);
		if (i < 0) {
			st_count(ST_C_HIST_FULL, 1);
			return;
		}
		idx = want | ((__u32)i & ST_SLOT_HIST_IDX);
		s->hist = idx;
	}
	idx &= ST_SLOT_HIST_IDX;
	h = bpf_map_lookup_elem(&hists, &idx);
	if (!h)
		return;
	b = st_hist_bucket(ns);
	h->cnt++;
	h->sum_ns += ns;
	if (b < ST_HIST_BUCKETS)
		h->bucket[b]++;
}

/*
 * A request turn begins: it closes the exchange before it. The role is what the response before
 * it told; until then the first bytes decide (st_hist_turn).
 */
static __noinline void st_hist_request(struct st_slot *s, __u8 dir, __u64 now)
{
	if (s->req_ns && s->status)
		st_hist_add(s, s->dir[(dir & 1) ^ 1].time_ns);
	s->status = 0;
	s->req_ns = now;
}

/* Is it known, without looking at bytes, that what moves this way are requests? */
static __always_inline bool st_hist_is_request(const struct st_slot *s, __u8 dir)
{
	return s->role_known && s->role == (dir == ST_TX ? ST_ROLE_CLIENT : ST_ROLE_SERVER);
}

/*
 * A turn begins whose first bytes are `first`: a response gives the open exchange its status, a
 * request closes the one before it.
 */
static __always_inline void st_hist_turn(struct st_slot *s, __u8 dir, __u64 first, __u8 status,
					 __u64 now)
{
	if ((first & 0xffffffffffULL) != 0x2f50545448ULL) { /* "HTTP/" */
		st_hist_request(s, dir, now);
		return;
	}
	if (!s->req_ns || status == 1)
		return;
	s->status = status <= ST_STATUS_CLASS_MAX ? status : ST_STATUS_CLASS_MAX;
	s->role = dir == ST_TX ? ST_ROLE_SERVER : ST_ROLE_CLIENT;
	s->role_known = 1;
	if (!s->port && s->tcp)
		st_hist_port(s);
}

#endif
