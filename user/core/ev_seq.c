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
 * Unix sockets count positions from their first byte, so that only those count of which no byte was
 * missed; their sender's record may be the younger one, and the receiver waits for it until it answers.
 * What rewrites sequence numbers in between (a splice in the kernel, SYN proxies) gives no match.
 */
#include <sys/socket.h>

#include "core/conn.h"
#include "core/evidence.h"

static uint64_t key_of(const struct st_xchg *x)
{
	uint64_t shift = x->role == ST_ROLE_CLIENT ? x->lin.seq_shift : 0;

	return x->conn->join[x->role == ST_ROLE_CLIENT] + (uint32_t)(x->pos + shift);
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

static void wait_for_other(struct st_xchg **bucket, struct st_xchg *x)
{
	x->lin.seq_next = *bucket;
	x->lin.in_seq = true;
	st_rung__knows(x, ST_ROW_SEQ);
	*bucket = x;
}

/* The other end of the same request, the newest first. */
static struct st_xchg *other_end(struct st_xchg *x, const struct st_xchg *me, uint64_t key)
{
	while (x && (x->role == me->role || key_of(x) != key))
		x = x->lin.seq_next;
	return x;
}

/* Bytes that --propagate put into the stream in front of it, which are not counted here. */
static uint64_t shift_of(const struct st_xchg *x)
{
	const struct st_wired *w = &x->conn->wired;

	return w->what && w->pos == x->pos ? w->shift : x->conn->shift;
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_xchg **bucket, *other;
	uint64_t key;

	(void)e;
	if (!x->conn->has_join)
		return;
	x->lin.seq_shift = shift_of(x);
	key = key_of(x);
	bucket = bucket_of(c, key);
	other = other_end(*bucket, x, key);
	if (!other) {
		x->lin.expects = x->role == ST_ROLE_SERVER && x->conn->family == AF_UNIX;
		if (x->role == ST_ROLE_CLIENT || x->lin.expects)
			wait_for_other(bucket, x);
		return;
	}
	take_out(c, other);
	if (x->role == ST_ROLE_SERVER)
		st_lineage__below(c, x, other, ST_EV_SEQ);
	else
		st_lineage__below(c, other, x, ST_EV_SEQ);
}

/* Who answers has read the request. */
static void answered(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	(void)e;
	take_out(c, x);
}

const struct st_evidence_ops st_ev_seq = {
	.opened_if = ST_IF_BOTH,
	.answered_if = ST_IF_BOTH,
	.opened = opened,
	.answered = answered,
	.closed = take_out,
	.forget = take_out,
};
