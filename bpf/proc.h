/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which processes are traced: two bits a thread group. */
#ifndef ST_BPF_PROC_H
#define ST_BPF_PROC_H

#include "ring.h"

static __always_inline __u64 *st_proc_word(__u32 tgid)
{
	__u32 key = tgid >> 5;

	return bpf_map_lookup_elem(&procs, &key);
}

static __always_inline __u32 st_proc_state(__u32 tgid)
{
	__u64 *w = st_proc_word(tgid);

	return w ? (*w >> ((tgid & 31) * 2)) & 3 : ST_PROC_IGNORED;
}

/*
 * Sets a state by adding the difference: atomic add without fetch is the only atomic
 * operation of kernels before 5.12 (5ca419f2864a).
 */
static __always_inline void st_proc_set(__u32 tgid, __u32 state)
{
	__u64 *w = st_proc_word(tgid);
	__u32 shift = (tgid & 31) * 2;
	__s64 diff;

	if (!w)
		return;
	diff = (__s64)state - (__s64)((*w >> shift) & 3);
	if (diff)
		__sync_fetch_and_add(w, (__u64)diff << shift);
}

/* Is what this thread group does captured? */
static __always_inline bool st_proc_wanted(__u32 tgid)
{
	__u32 state = st_proc_state(tgid);

	if (state != ST_PROC_TRACED && state != ST_PROC_UNKNOWN)
		return false;
	if (state == ST_PROC_UNKNOWN && !cfg.all && !cfg.wait_decide)
		return false;
	return !ctl.stopping;
}

/* id: thread group and thread of the current task. */
static __always_inline bool st_task_wanted(__u64 *id)
{
	*id = bpf_get_current_pid_tgid();
	return st_proc_wanted(*id >> 32);
}

static __always_inline bool st_current_wanted(void)
{
	__u64 id;

	return st_task_wanted(&id);
}

#endif
