/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Turns: which bytes of which call become a record. */
#ifndef ST_BPF_TURN_H
#define ST_BPF_TURN_H

#include "hist.h"
#include "open.h"
#include "tail.h"
#include "uring.h"
#include "passed.h"
#include "task.h"
#include "waits.h"

#define ST_CHUNKS_MAX 16 /* 512 + 16 x 4096 bytes > ST_HEAD_MAX */

/* Does a message begin like this? A status line, or a method token of capitals. */
static __always_inline bool st_starts_message(__u64 first)
{
	__u32 three = (__u32)first & 0xffffff;

	/* All of the first three bytes in 'A'..'Z': subtract and look for borrows. */
	return !(((three - 0x414141) | (0x5a5a5a - three)) & 0x808080);
}

/*
 * Position 0..7 of the lowest byte whose top bit is set in m (not 0): the lone low bit shifts the
 * byte that holds the answer to the top. Without a branch, for the verifier's sake.
 */
static __always_inline __u32 st_low_byte(__u64 m)
{
	return (((m & -m) >> 7) * 0x0001020304050607ULL >> 56) & 7;
}

/*
 * Where a head's CRLF CRLF ends within the first n bytes of a middle-sized chunk is kept as the
 * direction's hint; 0 when it is not there. By words: a byte is looked at only where a CR is. What
 * lies behind the n bytes is not asked before something is found: one way out a round, and one
 * state behind all of them, spare the verifier most of its work.
 */
static __always_inline void st_find_head_end(struct st_slot_dir *d, const __u8 *p, __u32 n)
{
	__u32 end = 0;

	for (__u32 i = 0; i + 11 <= ST_PAYLOAD_M; i += 8) {
		__u64 w = *(const __u64 *)(p + i) ^ 0x0d0d0d0d0d0d0d0dULL;
		__u64 hit = (w - 0x0101010101010101ULL) & ~w & 0x8080808080808080ULL;
		__u32 at;

		if (!hit)
			continue;
		/* The first CR of a word alone: a shorter last line costs a longer copy, no more. */
		at = i + st_low_byte(hit);
		if (*(const __u32 *)(p + at) == ST_CRLFCRLF) {
			end = at + 4;
			break;
		}
	}
	*(volatile __u32 *)&d->head_hint = end;
	end = *(volatile __u32 *)&d->head_hint;
	if (end > n)
		d->head_hint = 0;
}

/* Heads of one connection tend to be of one length: that place is looked at first. */
static __always_inline __u32 st_head_end(struct st_slot_dir *d, const __u8 *p, __u32 n)
{
	__u32 hint = d->head_hint;
	__u32 at = (hint - 4) & (ST_PAYLOAD_M - 1);

	/* The mask changes nothing of a hint that counts, but is what older verifiers understand. */
	if (hint >= 4 && hint <= ST_PAYLOAD_M && hint <= n && at <= ST_PAYLOAD_M - 4 &&
	    *(const __u32 *)(p + at) == ST_CRLFCRLF)
		return hint;
	st_find_head_end(d, p, n);
	return *(volatile __u32 *)&d->head_hint;
}

/* After a chunk: has the head ended, and does the call hold more that is wanted? */
static __always_inline __u16 st_after_chunk(struct st_call *c, struct st_slot *s, const __u8 *p,
					    __u32 n, const __u32 cap)
{
	struct st_slot_dir *d = &s->dir[c->dir & 1];
	__u8 bit = 1 << (c->dir & 1);
	__u64 last = d->tail, next = 0;
	__u32 end;

	if (n >= 8) {
		/* n is at most cap, so the mask changes nothing but what the verifier knows. */
		__u32 at = (n - 8) & (cap - 1);

		if (at <= cap - 8)
			last = *(const __u64 *)(p + at);
	} else {
		/* n is 1..7: the bytes behind them are shifted out. */
		last = last >> (8 * n) | *(const __u64 *)p << (64 - 8 * n);
		/* Of longer ones user space sees for itself how they end. */
		st_note_last(s, c->dir, last);
	}
	d->tail = last;
	d->head_len += n;
	c->off += n;
	c->more = 0;
	if (last >> 32 == ST_CRLFCRLF) {
		s->capturing &= ~bit;
		/* Bytes behind a head that ends with the chunk: body, or the next message. */
		c->more = c->off < c->bytes && s->mode == ST_MODE_EVERY;
		return ST_F_HEAD_END;
	}
	if (c->off >= c->bytes)
		return 0; /* the head may go on in the next call */
	c->more = 1;
	if (s->mode == ST_MODE_EVERY)
		return 0;
	end = cap == ST_PAYLOAD_M ? st_head_end(d, p, n) : 0;
	if (!end)
		return 0;
	if (end <= cap - 8 && end + 8 <= n)
		next = *(const __u64 *)(p + end);
	if (!st_starts_message(next)) {
		s->capturing &= ~bit;
		c->more = 0;
	}
	return ST_F_HEAD_END;
}

/* Every field of the header but len, flags and err is set here: nothing is zeroed before. */
static __always_inline void st_data_fill(struct st_call *c, struct st_slot *s, struct st_rec *r,
					 struct st_cursor *cur, __u16 payload_sz)
{
	struct st_slot_dir *d = &s->dir[c->dir & 1], *o = &s->dir[(c->dir & 1) ^ 1];

	r->conn_id = s->conn_id;
	r->pos = c->pos + c->off;
	r->opp_pos = o->pos;
	r->opp_time_ns = o->time_ns;
	r->last_ns = d->time_ns;
	r->seq = cur->cpu->seq++;
	r->slot = c->slot;
	r->tgid = c->tgid;
	r->tid = c->tid;
	r->turn = s->turn;
	r->call_len = c->bytes;
	r->payload_sz = payload_sz;
	r->kind = ST_REC_DATA;
	r->dir = c->dir;
	r->cpu = cur->id;
	r->err = 0;
	r->what = s->capturing;
	r->lost = s->lost;
	r->refused = (__u16)ctl.refused;
	r->time_ns = bpf_ktime_get_ns();
}

/*
 * Copies n of the call's bytes, at most cap; how many, 0 when they cannot be read. Where the
 * last head was short and this one ends at the same place, what lies far behind it is left out.
 */
static __always_inline __u64 st_copy(const struct st_slot *s, const struct st_slot_dir *d, __u8 *p,
				     __u64 addr, __u64 n, const __u32 cap)
{
	const __u32 few = 320; /* heads of most answers, and some of what follows */
	__u32 hint = d->head_hint, at = (hint - 4) & (ST_PAYLOAD_M - 1);

	if (cap != ST_PAYLOAD_M || n <= few || s->mode != ST_MODE_HEAD || at > few - 12)
		return bpf_probe_read_user(p, n, (void *)addr) ? 0 : n;
	if (bpf_probe_read_user(p, few, (void *)addr))
		return 0;
	if (*(const __u32 *)(p + at) == ST_CRLFCRLF)
		return few;
	n -= few;
	barrier_var(n);
	if (n > cap - few || bpf_probe_read_user(p + few, n, (void *)(addr + few)))
		return few;
	return few + n;
}

/* Copies one chunk of the call into one record of a fixed size. */
static __always_inline int st_chunk(struct st_call *c, struct st_slot *s, __u64 addr, __u64 len,
				    const __u32 cap)
{
	struct st_cursor cur;
	struct st_rec *r;
	__u16 flags = c->flags;
	__u64 first = 0, n = len; /* 64 bits: spilled as 32 the older verifiers forget its bounds */
	__u8 *p;

	if (!st_ring_here(&cur))
		return 0;
	r = bpf_ringbuf_reserve(cur.ring, sizeof(*r) + cap, 0);
	if (!r) {
		st_rec_refused(&cur);
		return 0;
	}
	st_data_fill(c, s, r, &cur, cap);
	p = (__u8 *)(r + 1);
	if (n > cap)
		n = cap;
	barrier_var(n);
	if (n > cap)
		n = cap;
	if (n && !(n = st_copy(s, &s->dir[c->dir & 1], p, addr, n, cap))) {
		flags |= ST_F_UNREADABLE;
		cur.cpu->counter[ST_C_UNREADABLE]++;
	}
	r->len = n;
	if (!c->off) {
		c->now = r->time_ns;
		if (n >= 16)
			first = *(__u64 *)p;
		if (c->turn && !s->proto) /* asked for until then */
			s->starts = st_starts_message(first);
	}
	if (n)
		flags |= st_after_chunk(c, s, p, n, cap);
	else
		c->more = 0;
	r->flags = flags | (c->off < c->bytes ? ST_F_CUT : 0);
	s->lost = 0;
	st_rec_submit(r, &cur);
	return 1;
}

/*
 * A size as a global function: the verifier looks at it once, whatever its callers know. which:
 * the scratch entry of the call.
 */
#define ST_CHUNK_FN(name, cap)                                                                     \
	__noinline int name(__u32 which, __u64 addr, __u64 len)                                    \
	{                                                                                          \
		struct st_call *c = bpf_map_lookup_elem(&scratch, &which);                         \
		struct st_slot *s = c ? st_slot_at(c->slot) : NULL;                                \
                                                                                                   \
		return s ? st_chunk(c, s, addr, len, cap) : 0;                                     \
	}

ST_CHUNK_FN(st_chunk_l, ST_PAYLOAD_L)
ST_CHUNK_FN(st_chunk_s, ST_PAYLOAD_S)

/* Where the bytes at c->off lie: c->addr, c->len; 0 when there are none. Global, as the chunks are. */
__noinline int st_src_find(__u32 which)
{
	struct st_call *c = bpf_map_lookup_elem(&scratch, &which);

	return c && st_src_at(&c->src, c->off, &c->addr, &c->len);
}

/*
 * The call's first bytes: nearly always all that is wanted. A turn whose bytes cannot be read
 * still gets its record: the position and the times count.
 */
static __always_inline int st_first_chunk(struct st_call *c, struct st_slot *s, __u32 which)
{
	__u64 addr = c->src.base, len = 0;

	if (c->src.segs == 1) {
		len = c->src.len;
	} else if (st_src_find(which)) {
		addr = c->addr;
		len = c->len;
	}
	if (!len)
		c->flags |= ST_F_UNREADABLE;
	if (len > c->bytes)
		len = c->bytes;
	if (len <= ST_PAYLOAD_S)
		return st_chunk(c, s, addr, len, ST_PAYLOAD_S);
	if (len <= ST_PAYLOAD_SM)
		return st_chunk(c, s, addr, len, ST_PAYLOAD_SM);
	return st_chunk(c, s, addr, len, ST_PAYLOAD_M);
}

static __noinline int st_next_chunk(struct st_call *c, __u32 which)
{
	if (!st_src_find(which))
		return 0;
	if (c->len > c->bytes - c->off)
		c->len = c->bytes - c->off;
	return st_chunk_l(which, c->addr, c->len);
}

static __always_inline void st_capture(struct st_call *c, struct st_slot *s, __u32 which)
{
	if (!st_first_chunk(c, s, which)) {
		if (s->lost < 255)
			s->lost++;
		st_missed_read(c, s);
		return;
	}
	c->flags = (c->flags & ~ST_F_TURN) | ST_F_CONT;
	for (int i = 0; i < ST_CHUNKS_MAX && c->more; i++) {
		if (!st_next_chunk(c, which)) {
			st_missed_read(c, s);
			return;
		}
		if (s->dir[c->dir & 1].head_len >= ST_HEAD_MAX) {
			st_count(ST_C_HEAD_TOO_LONG, 1);
			s->capturing &= ~(1 << (c->dir & 1));
			return;
		}
	}
}

/* Of a short call as much as there is decides: what it begins may go on in the next ones. */
static __noinline bool st_peek_starts(struct st_call *c)
{
	__u64 addr = 0, len = 0, first = 0;

	if (!st_src_at(&c->src, 0, &addr, &len))
		return false;
	if (len > c->bytes)
		len = c->bytes;
	if (len >= sizeof(first)) {
		if (bpf_probe_read_user(&first, sizeof(first), (void *)addr))
			return false;
	} else {
		__u64 few = len & 7;

		barrier_var(few);
		if (!few || few > 7 || bpf_probe_read_user(&first, few, (void *)addr))
			return false;
		first |= 0x414141ULL << (8 * few);
	}
	return st_starts_message(first);
}

/*
 * Does this call make a record? Sets what follows from it in the slot. `again`: the buffer is
 * known only if the answer may depend on it.
 */
static __always_inline bool st_turn(struct st_slot *s, __u8 dir)
{
	struct st_slot_dir *d = &s->dir[dir];

	if (s->last_dir == dir + 1)
		return false;
	s->last_dir = dir + 1;
	s->turn++;
	st_missed_turn(s, dir);
	s->capturing = (s->capturing & ~(ST_SLOT_LAST << dir)) | 1 << dir;
	d->head_len = 0;
	d->tail = 0;
	d->expect_end = 0; /* of a body whose end nobody told: a new turn begins with a head */
	return true;
}

/* Requests of one size may end differently, and then more than an answer's length hangs on it. */
static __always_inline bool st_is_answer(const struct st_call *c)
{
	__u32 first = 0;

	return c->src.segs == 1 && c->src.len >= sizeof(first) &&
	       !bpf_probe_read_user(&first, sizeof(first), (void *)c->src.base) &&
	       first == 0x50545448; /* "HTTP" */
}

/* Of a call whose beginning was copied, the end too if a head or trailers may stand there. */
static __noinline void st_capture_end(struct st_call *c, struct st_slot *s, __u32 which)
{
	struct st_slot_dir *d = &s->dir[c->dir & 1];

	d->tail = 0;
	st_keep_tail(c, s);
	d->plain_len = d->tail && !st_is_last_chunk(d->tail) && st_is_answer(c) ? c->bytes : 0;
	if (!st_ends_like_head(d))
		return;
	d->plain_len = 0;
	if (c->bytes - c->off > ST_BEHIND_BODY)
		c->off = c->bytes - ST_BEHIND_BODY;
	st_next_chunk(c, which);
}

#define ST_WANTED 0x8000

/*
 * Within a turn: is this call still part of a head, or does it begin the next message? Not 0 then;
 * with ST_F_CONT when what is left of the call is behind a body.
 */
static __always_inline __u16 st_same_turn_wanted(struct st_call *c, struct st_slot *s)
{
	struct st_slot_dir *d = &s->dir[c->dir & 1];
	__u8 bit = 1 << (c->dir & 1);
	__u16 how = ST_WANTED;

	if (s->mode == ST_MODE_EVERY)
		return d->head_len < ST_HEAD_MAX || !s->proto ? ST_WANTED : 0;
	if (d->expect_end > c->pos) {
		s->capturing &= ~bit;
		st_keep_tail(c, s);
		if (!c->src.segs || !st_behind_body(c, d))
			return 0;
		s->capturing |= bit;
		return ST_WANTED | ST_F_CONT;
	}
	if (s->capturing & bit) {
		/* Until user space has found the protocol, what looks like HTTP gets a head's room. */
		if (d->head_len < (s->proto || s->starts ? ST_HEAD_MAX : ST_UNKNOWN_MAX))
			return ST_WANTED;
		s->capturing &= ~bit;
	}
	if (!c->src.segs)
		return 0;
	if (!st_peek_starts(c)) {
		st_keep_tail(c, s);
		if (!st_behind_body(c, d))
			return 0;
		how |= ST_F_CONT;
	}
	s->capturing |= bit;
	d->head_len = 0;
	d->tail = 0;
	return how;
}

static __always_inline void st_end_send(struct st_slot *s, __u32 slot, __u8 dir)
{
	struct st_slot_dir *d = &s->dir[dir];
	struct st_cursor cur;
	struct st_rec *r;

	r = st_rec_new(&cur, ST_REC_END, 0);
	if (!r)
		return; /* user space reads the slot as well */
	r->conn_id = s->conn_id;
	r->slot = slot;
	r->dir = dir;
	r->pos = d->pos;
	r->last_ns = d->time_ns;
	r->turn = s->turn;
	d->expect_end = 0;
	st_rec_submit(r, &cur);
}

/* Bytes up to `end` were accepted (sent) or read. */
static __always_inline void st_accepted(struct st_slot *s, __u32 slot, __u8 dir, __u64 end)
{
	struct st_slot_dir *d = &s->dir[dir];

	__u64 expected = d->expect_end;

	d->pos = end;
	if (!expected)
		return;
	if (expected == ST_EXPECT_CHUNKED
		    ? st_is_last_chunk(d->tail) && (dir == ST_RX || end == d->call_end)
		    : end >= expected)
		st_end_send(s, slot, dir);
}

/* Io workers run other threads' requests: io_uring's own and its poller. */
static __always_inline __u16 st_task_flags(void)
{
#ifndef ST_PROBE
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf()->flags & ST_PF_IO_WORKER ? ST_F_IO_WORKER : 0;
#endif
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), flags) & ST_PF_IO_WORKER
		       ? ST_F_IO_WORKER
		       : 0;
}

#endif
