/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Ids of spans and traces, by the formula of user/core/ids.c. */
#ifndef ST_BPF_IDS_H
#define ST_BPF_IDS_H

#include "maps.h"

#define ST_TRACE_SAMPLED 1u /* W3C trace-flags */

static __always_inline __u64 st_ids_mix(__u64 v)
{
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
	return v ^ (v >> 31);
}

/* The span of the first request of a turn, and the trace that it is the root of. */
static __always_inline void st_ids_own(struct st_ids *ids, __u64 conn_id, __u32 turn)
{
	__u64 v = st_ids_mix(cfg.id_key[0] ^ conn_id) + ((__u64)turn << 16);
	__u64 span = st_ids_mix(v ^ cfg.id_key[1]), hi, lo;

	span |= !span;
	hi = st_ids_mix(span + cfg.id_key[0]);
	lo = st_ids_mix(hi ^ v);
	lo |= !lo;
	*(__u64 *)ids->span_id = span;
	*(__u64 *)ids->trace_id = hi;
	*(__u64 *)(ids->trace_id + 8) = lo;
	/* As numbers, a trace id's bytes begin with the highest. */
	ids->flags = (bpf_be64_to_cpu(lo) & 0xffffffffffffffULL) >= cfg.sample_below
			     ? ST_TRACE_SAMPLED
			     : 0;
}

static __always_inline void st_ids_trace(struct st_ids *to, const struct st_ids *from)
{
	*(__u64 *)to->trace_id = *(const __u64 *)from->trace_id;
	*(__u64 *)(to->trace_id + 8) = *(const __u64 *)(from->trace_id + 8);
	to->flags = from->flags;
}

#endif
