/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A span's ids as TCP option 25 of the segment in which its request begins: 28 bytes, which is what
 * timestamps leave. Segments are cut shorter as soon as a request may follow, so that the option
 * never makes one longer than the path takes; where SACK blocks need the room it stays out.
 *
 *   kind 25 | length 28 | trace id, 16 bytes | span id, 8 | bit 15: sampled; low 15 bits of the
 *   request's first byte's sequence number
 *
 * The sequence bits tell a request's segment from copies of the option that segmentation offload
 * makes, and from the bytes of another request in front of it.
 */
#ifndef ST_BPF_OPTION_H
#define ST_BPF_OPTION_H

#include "conn.h"
#include "ids.h"

#define ST_OPTION_KIND	  25
#define ST_OPTION_SEQ	  0x7fff
#define ST_OPTION_SAMPLED 0x8000
#define ST_CURRENT_MSS	  1 /* BPF_WRITE_HDR_TCP_CURRENT_MSS: no segment yet, how long may one be? */

struct st_option {
	__u8 kind;
	__u8 len;
	__u8 trace_id[16];
	__u8 span_id[8];
	__be16 seq;
} __attribute__((packed));

static __always_inline void st_wire_count(enum st_wire_counter which)
{
	__u32 zero = 0;
	struct st_wire_counts *c = bpf_map_lookup_elem(&wire_counts, &zero);

	if (c)
		c->v[which]++;
}

/* Does the next send begin a request, or has it begun and not left? */
static __always_inline bool st_option_due(const struct bpf_sock_ops *ops, const struct st_wire *w)
{
	struct st_slot *s;

	if (w->state == ST_WIRE_READY)
		return (__s32)(w->seq - ops->snd_nxt) >= 0;
	if (!w->conn_id)
		return true;
	s = st_slot_at(w->slot);
	return s && s->conn_id == w->conn_id && s->last_dir != ST_TX + 1;
}

/* May the segment, of len bytes, hold the request's first one? Sent for the first time, or again. */
static __always_inline bool st_option_here(const struct bpf_sock_ops *ops, const struct st_wire *w,
					   __u32 len)
{
	__u32 off = w->seq - ops->snd_nxt;

	if (w->state == ST_WIRE_NONE || !len)
		return false;
	if (w->state == ST_WIRE_SENT && (ops->lost_out || ops->retrans_out))
		off = w->seq - ops->snd_una;
	return off < len && off <= ST_OPTION_SEQ;
}

/* How long will the options be? */
static __always_inline void st_option_len(struct bpf_sock_ops *ops, struct st_wire *w)
{
	__u32 len = ops->skb_len;

	if (ops->args[0] == ST_CURRENT_MSS) {
		w->reserved = st_option_due(ops, w) &&
			      !bpf_reserve_hdr_opt(ops, sizeof(struct st_option), 0);
		return;
	}
	if (!st_option_here(ops, w, len))
		return;
	/* Many segments at once were cut with room for it; a single one may be older than that. */
	if ((len > ops->mss_cache ? !w->reserved
				  : len + sizeof(struct st_option) > ops->mss_cache) ||
	    bpf_reserve_hdr_opt(ops, sizeof(struct st_option), 0))
		st_wire_count(ST_W_NO_ROOM);
}

static __always_inline bool st_option_segment(const struct bpf_sock_ops *ops, __u32 *seq,
					      __u32 *len)
{
	__u8 *th = ops->skb_data; /* the TCP header */

	if ((void *)(th + 20) > ops->skb_data_end)
		return false;
	*seq = bpf_ntohl(*(__be32 *)(th + 4));
	*len = ops->skb_len - (th[12] >> 4) * 4;
	return true;
}

static __always_inline void st_option_write(struct bpf_sock_ops *ops, struct st_wire *w)
{
	struct st_option o = {.kind = ST_OPTION_KIND, .len = sizeof(o)};
	__u32 seq, len, off;

	if (w->state == ST_WIRE_NONE || !st_option_segment(ops, &seq, &len))
		return;
	off = w->seq - seq;
	if (off >= len || off > ST_OPTION_SEQ)
		return;
	__builtin_memcpy(o.trace_id, w->ids.trace_id, sizeof(o.trace_id));
	__builtin_memcpy(o.span_id, w->ids.span_id, sizeof(o.span_id));
	o.seq = bpf_htons((w->seq & ST_OPTION_SEQ) |
			  (w->ids.flags & ST_TRACE_SAMPLED ? ST_OPTION_SAMPLED : 0));
	if (bpf_store_hdr_opt(ops, &o, sizeof(o), 0))
		return;
	w->state = ST_WIRE_SENT;
	st_wire_count(ST_W_SENT);
}

static __always_inline bool st_is_zero(const struct st_ids *ids)
{
	return !(*(__u64 *)ids->trace_id | *(__u64 *)(ids->trace_id + 8)) ||
	       !*(__u64 *)ids->span_id;
}

/* A segment has options that the kernel does not know. */
static __always_inline void st_option_read(struct bpf_sock_ops *ops, struct st_serve *sv)
{
	struct st_option o = {.kind = ST_OPTION_KIND};
	__u32 seq, len, at;
	struct st_came came = {.valid = 1};

	if (bpf_load_hdr_opt(ops, &o, sizeof(o), 0) != sizeof(o) ||
	    !st_option_segment(ops, &seq, &len))
		return;
	at = bpf_ntohs(o.seq);
	came.seq = seq + ((at - seq) & ST_OPTION_SEQ);
	came.ids.flags = at & ST_OPTION_SAMPLED ? ST_TRACE_SAMPLED : 0;
	__builtin_memcpy(came.ids.trace_id, o.trace_id, sizeof(o.trace_id));
	__builtin_memcpy(came.ids.span_id, o.span_id, sizeof(o.span_id));
	if (came.seq - seq >= len || st_is_zero(&came.ids))
		return;
	/* Sent again, or another segment of the same: the first one that came counts. */
#pragma unroll
	for (int i = 0; i < ST_CAME_MAX; i++)
		if (*(__u64 *)sv->came[i].ids.span_id == *(__u64 *)came.ids.span_id)
			return;
	sv->came[sv->head++ & (ST_CAME_MAX - 1)] = came;
	st_wire_count(ST_W_CAME);
}

#endif
