/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A request's traceparent (W3C Trace Context, level 2), looked for in the first bytes of its head.
 * What comes twice or is malformed tells nothing, as in user/core/propagate_w3c.c.
 */
#ifndef ST_BPF_SCAN_H
#define ST_BPF_SCAN_H

#include "ids.h"

#define ST_TRACEPARENT_LEN 55 /* "00-" 32 "-" 16 "-" 2 */
#define ST_TRACEPARENT_KEY 12 /* "traceparent:" */

/* The value of a lower-case hexadecimal digit; more than 15: it is none. */
static __always_inline __u32 st_hex(__u8 c)
{
	__u32 digit = (__u32)c - '0', letter = (__u32)c - 'a';

	if (digit < 10)
		return digit;
	return letter < 6 ? letter + 10 : 16;
}

/* cnt bytes from twice as many digits; 0: they are none. p lies in a map's value, as to does. */
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

/* Is a field's name written here? In either case (RFC 9110 5.1). */
static __always_inline bool st_is_traceparent(const __u8 *p)
{
	return (*(const __u64 *)p | 0x2020202020202020ULL) == 0x7261706563617274ULL &&
	       (*(const __u32 *)(p + 8) | 0x00202020) == 0x3a746e65;
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

/* The longest of it, with what ends its line. */
#define ST_TRACEPARENT_MAX (ST_TRACEPARENT_KEY + 1 + ST_TRACEPARENT_LEN + 1)

/*
 * A line begins at `at` of the n bytes in scratch. Returns 1 when it is the head's last, which is
 * empty. Global: the verifier looks at it once, whatever its callers know.
 */
__noinline int st_scan_line(__u32 at, __u32 n)
{
	__u32 zero = 0;
	struct st_scan *s = bpf_map_lookup_elem(&scans, &zero);
	struct st_ids ids = {};
	__u8 *p;

	if (!s || at >= ST_SCAN_MAX)
		return 1;
	p = s->p + at;
	if (*p == '\r' || *p == '\n')
		return 1;
	if (at + ST_TRACEPARENT_MAX > n || !st_is_traceparent(p))
		return 0;
	p += ST_TRACEPARENT_KEY;
	if (*p == ' ')
		p++;
	s->cnt += s->cnt || !st_traceparent(&ids, p) ? 2 : 1;
	s->ids = ids;
	return 0;
}

/* Lines begin behind an LF: by words, of which one has few. Returns whether there is a sound one. */
static __always_inline bool st_scan_head(struct st_scan *s, __u32 n)
{
	s->cnt = 0;
	s->line = 0;
	for (__u32 i = 0; i < ST_SCAN_MAX && i < n; i += 8) {
		__u64 w = *(const __u64 *)(s->p + i) ^ 0x0a0a0a0a0a0a0a0aULL;
		__u64 hit = (w - 0x0101010101010101ULL) & ~w & 0x8080808080808080ULL;

		for (int k = 0; k < 3 && hit; k++) {
			__u32 at = i + ((((hit & -hit) >> 7) * 0x0001020304050607ULL >> 56) & 7);

			hit &= hit - 1;
			if (s->p[at] != '\n')
				continue; /* a borrow's */
			if (!s->line)
				s->line = at + 1;
			if (at + 1 < n && st_scan_line(at + 1, n))
				return s->cnt == 1;
		}
	}
	return s->cnt == 1;
}

#endif
