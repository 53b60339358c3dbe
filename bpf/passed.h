/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a proxy sends on lies where it was received, as a rule: the memory tells which upstream
 * connection a response came from. Places of receives are kept in a table that forgets by itself;
 * a response that begins is looked up in it and takes the place out, so that it counts once.
 */
#ifndef ST_BPF_PASSED_H
#define ST_BPF_PASSED_H

#include "marks.h"
#include "payload.h"

#define ST_PAGE_SHIFT 12

static __always_inline __u64 st_place_key(__u32 tgid, __u64 addr)
{
	return addr >> ST_PAGE_SHIFT | (__u64)tgid << 40;
}

static __always_inline struct st_place *st_place_at(__u64 key)
{
	__u32 i = (key * 0x9e3779b97f4a7c15ULL) >> (64 - ST_PLACES_BITS);

	return bpf_map_lookup_elem(&places, &i);
}

/* Two CPUs may write one entry at once; what is mixed of both does not add up. */
static __always_inline __u64 st_place_sum(const struct st_place *p)
{
	return p->key ^ p->conn_id ^ p->base * 3 ^ p->pos * 5 ^ (__u64)p->len << 32 ^ p->slot;
}

static __always_inline void st_place_note(const struct st_call *c, const struct st_slot *s,
					  __u64 base, __u32 len, __u64 pos)
{
	__u64 key = st_place_key(c->tgid, base);
	struct st_place *p = st_place_at(key);

	if (!p)
		return;
	p->sum = 0;
	p->key = key;
	p->conn_id = s->conn_id;
	p->base = base;
	p->pos = pos;
	p->len = len;
	p->slot = c->slot;
	p->sum = st_place_sum(p);
}

#define ST_PASSED_SEGS 4

/* The call's bytes were received into its buffers, one after the other. */
static __always_inline void st_places_note(const struct st_call *c, const struct st_slot *s)
{
	__u64 left = c->bytes;
	struct iovec v;

	for (__u32 i = 0; i < ST_PASSED_SEGS && left && st_src_seg(&c->src, i, &v); i++) {
		__u64 len = v.iov_len < left ? v.iov_len : left;

		st_place_note(c, s, (__u64)v.iov_base, len, c->pos + c->bytes - left);
		left -= len;
	}
}

/* The connection whose bytes lie at addr; found by the page where the receive began. */
static __always_inline bool st_place_take(__u32 tgid, __u64 addr, __u64 page, struct st_place *out)
{
	__u64 key = st_place_key(tgid, page);
	struct st_place *p = st_place_at(key);

	if (!p || p->key != key)
		return false;
	*out = *p;
	if (out->sum != st_place_sum(out) || addr < out->base || addr >= out->base + out->len)
		return false;
	p->sum = 0;
	p->key = 0;
	return true;
}

static __always_inline bool st_place_find(__u32 tgid, __u64 addr, struct st_place *out)
{
	return st_place_take(tgid, addr, addr, out) ||
	       st_place_take(tgid, addr, addr - (1ULL << ST_PAGE_SHIFT), out);
}

static __always_inline void st_passed_send(const struct st_slot *s, __u32 slot,
					   const struct st_place *from)
{
	struct st_cursor cur;
	struct st_rec *r = st_rec_new(&cur, ST_REC_PASSED, 0);

	if (!r)
		return;
	r->conn_id = s->conn_id;
	r->slot = slot;
	r->turn = s->turn;
	r->pos = from->conn_id;
	r->opp_pos = from->pos;
	r->call_len = from->slot;
	st_rec_submit(r, &cur);
}

/* A proxy begins to send: are the bytes, behind a head that it made itself, another connection's? */
static __noinline void st_passed_look(struct st_call *c, const struct st_slot *s)
{
	struct st_place from;
	struct iovec v;

	for (__u32 i = 0; i < ST_PASSED_SEGS && st_src_seg(&c->src, i, &v); i++) {
		if (!st_place_find(c->tgid, (__u64)v.iov_base, &from) || from.conn_id == s->conn_id)
			continue;
		st_passed_send(s, c->slot, &from);
		return;
	}
}

#endif
