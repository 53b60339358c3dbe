/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Per-CPU rings: space, sequence numbers, counters, and when the reader is woken. */
#ifndef ST_BPF_RING_H
#define ST_BPF_RING_H

#include "maps.h"

struct st_cursor {
	struct st_cpu *cpu;
	void *ring;
	__u32 id;
};

static __always_inline struct st_cpu *st_this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

static __always_inline void st_count(enum st_counter c, __u64 n)
{
	struct st_cpu *cpu = st_this_cpu();

	if (cpu)
		cpu->counter[c] += n;
}

/* A refused record still takes a number, so that the hole shows. */
static __always_inline void st_rec_refused(struct st_cursor *cur)
{
	cur->cpu->seq++;
	cur->cpu->counter[ST_C_RING_FULL]++;
	__sync_fetch_and_add(&ctl.refused, 1);
}

/*
 * The ring of this CPU. Programs do not migrate while they run, so it stays the right one. Without
 * one (there are more than ST_MAX_CPUS) the record is refused.
 */
static __always_inline bool st_ring_here(struct st_cursor *cur)
{
	cur->id = bpf_get_smp_processor_id();
	cur->cpu = st_this_cpu();
	cur->ring = bpf_map_lookup_elem(&rings, &cur->id);
	if (cur->cpu && cur->ring)
		return true;
	if (cur->cpu)
		st_rec_refused(cur);
	return false;
}

static __always_inline __u64 st_wake_flags(struct st_cursor *cur)
{
	__u32 sleeping = ctl.sleeping;

	if (sleeping == ST_SLEEP_NOT)
		return BPF_RB_NO_WAKEUP;
	/* The query costs more than the check: every 16th record is often enough. */
	if (sleeping == ST_SLEEP_NAP &&
	    ((cur->cpu->seq & 15) ||
	     bpf_ringbuf_query(cur->ring, BPF_RB_AVAIL_DATA) < cfg.ring_wake))
		return BPF_RB_NO_WAKEUP;
	ctl.sleeping = ST_SLEEP_NOT;
	cur->cpu->counter[ST_C_WAKEUPS]++;
	return BPF_RB_FORCE_WAKEUP;
}

/*
 * Fills what every record has; the rest of the header is zero. The time is taken here, after the
 * space was reserved: the reader relies on no record with an older time appearing behind its
 * watermark.
 */
static __always_inline void st_rec_begin(struct st_rec *r, struct st_cursor *cur, __u8 kind,
					 __u16 payload_sz)
{
	__u64 *w = (__u64 *)r;

#pragma unroll
	for (int i = 0; i < (int)(sizeof(*r) / 8); i++)
		w[i] = 0;
	r->kind = kind;
	r->payload_sz = payload_sz;
	r->cpu = cur->id;
	r->seq = cur->cpu->seq++;
	r->refused = (__u16)ctl.refused;
	r->time_ns = bpf_ktime_get_ns();
}

static __always_inline void st_rec_submit(struct st_rec *r, struct st_cursor *cur)
{
	bpf_ringbuf_submit(r, st_wake_flags(cur));
}

/* Wakes the reader when it sleeps: an empty piece of ring that is thrown away. */
static __noinline void st_ring_wake(void)
{
	struct st_cursor cur;
	void *r;

	if (ctl.sleeping == ST_SLEEP_NOT || !st_ring_here(&cur))
		return;
	r = bpf_ringbuf_reserve(cur.ring, 8, 0);
	if (!r)
		return;
	ctl.sleeping = ST_SLEEP_NOT;
	cur.cpu->counter[ST_C_WAKEUPS]++;
	bpf_ringbuf_discard(r, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void st_rec_task(struct st_rec *r)
{
	__u64 id = bpf_get_current_pid_tgid();

	r->tgid = id >> 32;
	r->tid = (__u32)id;
}

/*
 * A record of the current task in this CPU's ring, all but its header's first fields zero, or NULL:
 * the ring is full, which is counted. payload_sz: a constant. Ends with st_rec_submit.
 */
static __always_inline struct st_rec *st_rec_new(struct st_cursor *cur, __u8 kind,
						 const __u16 payload_sz)
{
	struct st_rec *r;

	if (!st_ring_here(cur))
		return NULL;
	r = bpf_ringbuf_reserve(cur->ring, sizeof(*r) + payload_sz, 0);
	if (!r) {
		st_rec_refused(cur);
		return NULL;
	}
	st_rec_begin(r, cur, kind, payload_sz);
	st_rec_task(r);
	return r;
}

#endif
