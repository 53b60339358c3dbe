/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Requests whose record was refused as they were read: their reader has one in hand that user space
 * does not know of, and its other records say so (ST_F_MISSED) until that is answered. An answer may
 * be an interim one (100), after which the request's body is read and the final one comes: it counts
 * as answered with the second turn that is sent from there on, or when the connection ends.
 */
#ifndef ST_BPF_MISSED_H
#define ST_BPF_MISSED_H

#include "maps.h"

#define ST_MISSED_TURNS 3 /* from the request that was missed to that answer */

static __noinline int st_missed_over(struct st_slot *s)
{
	__u32 tid = s->missed_tid, *cnt = bpf_map_lookup_elem(&missed, &tid);

	if (!tid)
		return 0;
	s->missed_tid = 0;
	if (cnt)
		__sync_fetch_and_add(cnt, -1);
	__sync_fetch_and_add(&ctl.missed, -1);
	return 0;
}

/* One more of the current thread; without room for it nobody is sure any more. */
static __always_inline void st_missed_more(__u32 tid)
{
	__u32 *cnt = bpf_map_lookup_elem(&missed, &tid), one = 1;

	if (cnt)
		__sync_fetch_and_add(cnt, 1);
	else if (bpf_map_update_elem(&missed, &tid, &one, BPF_NOEXIST))
		ctl.missed_all = 1;
	__sync_fetch_and_add(&ctl.missed, 1);
}

/*
 * A record of what the current thread received was refused. Of two readers of one request the first
 * one keeps it for good.
 */
static __noinline int st_missed_read(const struct st_call *c, struct st_slot *s)
{
	if (c->dir != ST_RX || s->flags & ST_SLOT_ACTIVE || s->user_role == ST_ROLE_CLIENT)
		return 0;
	if (s->missed_tid != c->tid)
		st_missed_more(c->tid);
	s->missed_tid = c->tid;
	s->missed_turn = s->turn;
	return 0;
}

static __always_inline void st_missed_turn(struct st_slot *s, __u8 dir)
{
	if (s->missed_tid && dir == ST_TX && s->turn - s->missed_turn >= ST_MISSED_TURNS)
		st_missed_over(s);
}

/* ST_F_MISSED if the current thread has any. It alone makes its entry, so that it alone may end it. */
static __always_inline __u16 st_missed_flag(__u32 tid)
{
	__u32 *cnt;

	if (!ctl.missed)
		return 0;
	cnt = bpf_map_lookup_elem(&missed, &tid);
	if (cnt && !*cnt) {
		bpf_map_delete_elem(&missed, &tid);
		cnt = NULL;
	}
	return cnt || ctl.missed_all ? ST_F_MISSED : 0;
}

#endif
