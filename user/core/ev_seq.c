/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Both ends of a TCP connection on this host: a request begins at the same sequence number on
 * either side (RFC 9293 3.4), whatever addresses a translation shows to each.
 *
 * Why it cannot be wrong: a request is known by the sequence number of its first byte and by the
 * initial one of the answering direction. Both are drawn by the kernels' keyed hashes
 * (net/core/secure_seq.c), so that two connections that live at the same time share these 64 bits
 * by chance once in 2^64 pairs; a peer elsewhere chooses the first 32 alone, never the second. The
 * sender's record is older than the receiver's, since it was made before the bytes were queued.
 * What rewrites sequence numbers in between (a splice in the kernel, SYN proxies) gives no match.
 */
#include "core/conn.h"
#include "core/evidence.h"

/* Of the direction that the response takes. */
static uint64_t key_of(const struct st_xchg *x)
{
	enum st_dir dir = x->role == ST_ROLE_CLIENT ? ST_RX : ST_TX;

	return (uint64_t)x->conn->isn[dir] << 32 | (uint32_t)x->pos;
}

static struct st_xchg **bucket_of(struct st_core *c, uint64_t key)
{
	return &c->seq[(key * 0x9e3779b97f4a7c15ULL) >> (64 - ST_SEQ_BITS)];
}

static void take_out(struct st_core *c, struct st_xchg *x)
{
	struct st_xchg **at;

	if (!x->lin.in_seq)
		return;
	for (at = bucket_of(c, key_of(x)); *at != x;)
		at = &(*at)->lin.seq_next;
	*at = x->lin.seq_next;
	x->lin.in_seq = false;
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_xchg **bucket, *call;
	uint64_t key;

	(void)e;
	if (!x->conn->has_isn)
		return;
	key = key_of(x);
	bucket = bucket_of(c, key);
	if (x->role == ST_ROLE_CLIENT) {
		x->lin.seq_next = *bucket;
		x->lin.in_seq = true;
		st_rung__knows(x, ST_ROW_SEQ);
		*bucket = x;
		return;
	}
	for (call = *bucket; call && key_of(call) != key;)
		call = call->lin.seq_next;
	if (!call)
		return;
	take_out(c, call);
	st_lineage__below(c, x, call, ST_EV_SEQ);
}

/* Who answers has read the request. */
static void answered(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	(void)e;
	take_out(c, x);
}

const struct st_evidence_ops st_ev_seq = {
	.opened_if = ST_IF_BOTH,
	.answered_if = ST_IF_CLIENT,
	.opened = opened,
	.answered = answered,
	.closed = take_out,
	.forget = take_out,
};
