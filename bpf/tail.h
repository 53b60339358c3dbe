/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How calls end that are not copied whole: a body's last chunk, or the head behind a body. */
#ifndef ST_BPF_TAIL_H
#define ST_BPF_TAIL_H

#include "payload.h"

#define ST_CRLFCRLF 0x0a0d0a0du

/* The last chunk of a chunked body and the empty trailer: "0 CRLF CRLF", as the last bytes sent. */
static __always_inline bool st_is_last_chunk(__u64 tail)
{
	__u8 before = tail >> 16;

	return tail >> 24 == 0x0a0d0a0d30ULL && (before == '\n' || !before);
}

static __always_inline void st_note_last(struct st_slot *s, __u8 dir, __u64 tail)
{
	__u8 bit = ST_SLOT_LAST << (dir & 1);

	s->capturing &= ~bit;
	if (st_is_last_chunk(tail))
		s->capturing |= bit;
}

static __always_inline void st_read_tail(struct st_call *c, struct st_slot_dir *d)
{
	__u64 addr = c->src.base, len = c->src.len, last = 0;
	struct iovec v;

	if (!c->src.segs)
		return;
	if (c->src.segs > 1) {
		if (c->dir == ST_RX ||
		    !st_iovec_at(c->src.base, c->src.kernel, c->src.segs - 1, &v))
			return;
		addr = (__u64)v.iov_base;
		len = v.iov_len;
	} else if (len > c->bytes) {
		len = c->bytes;
	}
	if (len >= sizeof(last)) {
		if (!bpf_probe_read_user(&last, sizeof(last), (void *)(addr + len - sizeof(last))))
			d->tail = last;
	} else if (len) {
		__u64 few = len & 7;

		barrier_var(few);
		if (few > 7 || bpf_probe_read_user(&last, few, (void *)addr))
			return;
		d->tail = d->tail >> (8 * len) | last << (64 - 8 * len);
	}
}

/* Keeps the last bytes of a call that was not copied whole: a chunked body's end shows there. */
static __noinline void st_keep_tail(struct st_call *c, struct st_slot *s)
{
	struct st_slot_dir *d = &s->dir[c->dir & 1];

	st_read_tail(c, d);
	st_note_last(s, c->dir, d->tail);
}

/* What of a call is looked at for the head, or the trailers, that its end looks like. */
#define ST_BEHIND_BODY ST_PAYLOAD_L

static __always_inline bool st_ends_like_head(const struct st_slot_dir *d)
{
	return d->tail >> 32 == ST_CRLFCRLF && !st_is_last_chunk(d->tail);
}

/*
 * A call that begins within a body: the next message may stand behind it. Where user space has told
 * the body's end, it begins there; else a head is looked for if the call ends like one.
 * Leaves what is to be copied as the call, and returns whether there is anything.
 */
static __noinline bool st_behind_body(struct st_call *c, struct st_slot_dir *d)
{
	__u64 end = d->expect_end, skip = 0;

	if (end > c->pos) {
		if (end >= c->pos + c->bytes)
			return false;
		skip = end - c->pos;
	} else {
		if (!st_ends_like_head(d))
			return false;
		if (c->bytes > ST_BEHIND_BODY)
			skip = c->bytes - ST_BEHIND_BODY;
	}
	if (c->src.segs > 1) {
		c->src.skip += skip;
	} else {
		c->src.base += skip;
		c->src.len = c->src.len > skip ? c->src.len - skip : 0;
	}
	c->pos += skip;
	c->bytes -= skip;
	d->head_len = 0;
	d->tail = 0;
	return true;
}

#endif
