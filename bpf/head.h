/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The first bytes of an HTTP/1 request's head: its traceparent (W3C Trace Context, level 2), and how
 * far the request goes (RFC 9112 6.3). What comes twice or is malformed tells nothing, as in
 * user/core/propagate_w3c.c.
 */
#ifndef ST_BPF_HEAD_H
#define ST_BPF_HEAD_H

#include "ids.h"

#define ST_TRACEPARENT_LEN 55 /* "00-" 32 "-" 16 "-" 2 */
#define ST_TRACEPARENT_KEY 12 /* "traceparent:" */
/* The longest of it, with what ends its line. */
#define ST_TRACEPARENT_MAX (ST_TRACEPARENT_KEY + 1 + ST_TRACEPARENT_LEN + 1)
#define ST_LENGTH_DIGITS   18

/* Field names in lower case, by words. */
#define ST_NAME_TRACEPAR   0x7261706563617274ULL
#define ST_NAME_ENT	   0x3a746e65U /* "ent:" */
#define ST_NAME_CONTENT	   0x2d746e65746e6f63ULL
#define ST_NAME_LENGTH	   0x3a6874676e656cULL /* "length:" */
#define ST_NAME_TRANSFER   0x726566736e617274ULL
#define ST_NAME_UPGRADE	   0x3a65646172677075ULL
#define ST_NAME_EXPECT	   0x3a746365707865ULL
#define ST_NAME_TRACESTA   0x6174736563617274ULL
#define ST_NAME_TE	   0x3a6574U /* "te:" */
#define ST_NAME_BAGGAGE	   0x3a65676167676162ULL
#define ST_NAME_B3	   0x3a3362U
#define ST_NAME_X_B3	   0x2d33622d78ULL
#define ST_NAME_UBER_TRA   0x6172742d72656275ULL
#define ST_NAME_X_AMZN_T   0x742d6e7a6d612d78ULL

/*
 * The value of a lower-case hexadecimal digit; more than 15: it is none. Without a branch: the verifier
 * would follow each of fifty digits three ways.
 */
static __always_inline __u32 st_hex(__u8 c)
{
	__s32 digit = (__s32)c - '0', letter = (__s32)c - 'a';
	__s32 is_digit = ((digit - 10) & ~digit) >> 31, is_letter = ((letter - 6) & ~letter) >> 31;

	barrier_var(is_digit);
	barrier_var(is_letter);
	return (digit & is_digit) | ((letter + 10) & is_letter) | (16 & ~(is_digit | is_letter));
}

/* cnt bytes from twice as many digits; false: they are none. */
static __always_inline bool st_hex_bytes(__u8 *to, const __u8 *p, const __u32 cnt)
{
	__u32 bad = 0;

	for (__u32 i = 0; i < cnt; i++) {
		__u32 hi = st_hex(p[2 * i]), lo = st_hex(p[2 * i + 1]);

		bad |= hi | lo;
		to[i] = hi << 4 | (lo & 15);
	}
	return bad < 16;
}

/* Its value, at p, with as much behind it as it may have. */
static __always_inline bool st_traceparent(struct st_ids *ids, const __u8 *p)
{
	__u8 version, flags;

	if (!st_hex_bytes(&version, p, 1) || version == 0xff || p[2] != '-' || p[35] != '-' ||
	    p[52] != '-' || !st_hex_bytes(ids->trace_id, p + 3, 16) ||
	    !st_hex_bytes(ids->span_id, p + 36, 8) || !st_hex_bytes(&flags, p + 53, 1))
		return false;
	if (p[55] != '\r' && p[55] != ' ' && p[55] != '\t' && !(version && p[55] == '-'))
		return false;
	ids->flags = flags & (version ? 1 : 3);
	return (*(__u64 *)ids->trace_id || *(__u64 *)(ids->trace_id + 8)) && *(__u64 *)ids->span_id;
}

static __always_inline void st_head_traceparent(struct st_head *h, const __u8 *p)
{
	struct st_ids ids = {};

	p += ST_TRACEPARENT_KEY;
	if (*p == ' ')
		p++;
	h->cnt += h->cnt || !st_traceparent(&ids, p) ? 2 : 1;
	h->ids = ids;
}

static __always_inline void st_head_length(struct st_head *h, const __u8 *p)
{
	__u64 v = 0;
	__u32 i = 0;

	p += 15; /* "content-length:" */
	if (*p == ' ')
		p++;
	for (; i < ST_LENGTH_DIGITS; i++) {
		__u32 digit = (__u32)p[i] - '0';

		if (digit > 9)
			break;
		v = v * 10 + digit;
	}
	/* Anything but digits and the line's end is not for us to understand. */
	h->lengths += !i || i == ST_LENGTH_DIGITS || p[i] != '\r' ? 2 : 1;
	h->length = v;
}

static __always_inline struct st_head *st_head_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&heads, &zero);
}

/* A line that is carried on ends where the next one begins, if there is room for it. */
static __always_inline void st_head_carry(struct st_head *h, __u32 at)
{
	__u64 from = h->carry_at, to = h->carry.len, n = at - from;

	h->carry_at = 0;
	barrier_var(n);
	if (from >= ST_HEAD_LOOK || n > ST_CARRY_MAX)
		return;
	barrier_var(to);
	if (to >= ST_CARRY_MAX || to + n > ST_CARRY_MAX)
		return;
	if (!bpf_probe_read_kernel(h->carry.text + to, n, h->p + from))
		h->carry.len = to + n;
}

/*
 * A line begins at `at` of the n bytes in scratch. Returns 1 when it is the head's last, which is
 * empty. Global: the verifier looks at it once, whatever its callers know.
 */
__noinline int st_head_line(__u32 at, __u32 n)
{
	struct st_head *h = st_head_scratch();
	__u64 w;
	__u8 *p;

	if (!h || at >= ST_HEAD_LOOK)
		return 1;
	p = h->p + at;
	if (h->carry_at)
		st_head_carry(h, at);
	if (*p == '\r' || *p == '\n') {
		h->end = at + 1 + (*p == '\r');
		return 1;
	}
	w = *(const __u64 *)p | 0x2020202020202020ULL;
	if (w == ST_NAME_TRACEPAR && (*(const __u32 *)(p + 8) | 0x202020) == ST_NAME_ENT) {
		if (at + ST_TRACEPARENT_MAX <= n)
			st_head_traceparent(h, p);
		else
			h->cnt += 2;
	} else if (w == ST_NAME_CONTENT &&
		   ((*(const __u64 *)(p + 8) | 0x20202020202020ULL) << 8 >> 8) == ST_NAME_LENGTH) {
		st_head_length(h, p);
	} else if (w == ST_NAME_TRANSFER || w == ST_NAME_UPGRADE || w << 8 >> 8 == ST_NAME_EXPECT) {
		h->flags |= ST_HEAD_OPEN;
	} else if (w == ST_NAME_BAGGAGE ||
		   (w == ST_NAME_TRACESTA &&
		    ((*(const __u32 *)(p + 8) | 0x202020) & 0xffffff) == ST_NAME_TE)) {
		h->carry_at = at;
	} else if ((w & 0xffffff) == ST_NAME_B3 || (w & 0xffffffffffULL) == ST_NAME_X_B3 ||
		   w == ST_NAME_UBER_TRA || w == ST_NAME_X_AMZN_T) {
		h->flags |= ST_HEAD_FOREIGN;
	}
	return 0;
}

/*
 * Goes over the first n bytes in scratch. Lines begin behind an LF: by words, of which one has few.
 * Global, as the line is.
 */
__noinline int st_head_scan(__u32 n)
{
	struct st_head *h = st_head_scratch();

	if (!h)
		return 0;
	h->cnt = h->lengths = h->line = h->end = h->flags = 0;
	h->carry_at = h->carry.len = 0;
	h->length = 0;
	for (__u32 i = 0; i < ST_HEAD_LOOK && i < n; i += 8) {
		__u64 w = *(const __u64 *)(h->p + i) ^ 0x0a0a0a0a0a0a0a0aULL;
		__u64 hit = (w - 0x0101010101010101ULL) & ~w & 0x8080808080808080ULL;

		for (int k = 0; k < 3 && hit; k++) {
			__u32 at = i + ((((hit & -hit) >> 7) * 0x0001020304050607ULL >> 56) & 7);

			hit &= hit - 1;
			if (h->p[at] != '\n' || at >= n)
				continue; /* a borrow's; or stale bytes */
			if (!h->line)
				h->line = at + 1;
			if (at + 1 < n && st_head_line(at + 1, n))
				return 0;
		}
	}
	return 0;
}

#endif
