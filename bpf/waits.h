/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which threads wait for several things at once: event loops do, a thread that works on one request
 * does not. A bit a thread says that it did since its last record. The hook sees every switch of
 * the node and is attached only while somebody asks (st_ctl.watch_waits).
 */
#ifndef ST_BPF_WAITS_H
#define ST_BPF_WAITS_H

#include "arch.h"
#include "marks.h"

/* ST_F_* of the current thread's next record; what is told is forgotten. */
static __always_inline __u16 st_waits_take(__u32 tid)
{
	if (!ctl.watch_waits)
		return 0;
	if (!st_marked(tid, ST_MARK_WAITED))
		return ST_F_WATCHED;
	st_mark(tid, ST_MARK_WAITED, false);
	return ST_F_WATCHED | ST_F_WAITED;
}

/* Does the thread wait in a call that may bring it any of several things? */
static __always_inline bool st_waits_for_many(const struct st_sysargs *a)
{
	switch (a->nr) {
	case ST_NR_EPOLL_WAIT:
	case ST_NR_EPOLL_PWAIT:
	case ST_NR_EPOLL_PWAIT2:
	case ST_NR_SELECT:
	case ST_NR_PSELECT6:
	case ST_NR_IO_URING_ENTER:
		return true;
	case ST_NR_POLL:
	case ST_NR_PPOLL:
		return a->arg[1] > 1;
	}
	return false;
}

/* The current task is about to leave the processor by its own will. */
static __always_inline void st_switched(bool preempt)
{
	struct st_sysargs a;
	__u64 id;

	if (preempt || !st_task_wanted(&id))
		return;
	st_sysargs_of(st_task_regs(), &a);
	if (st_waits_for_many(&a))
		st_mark((__u32)id, ST_MARK_WAITED, true);
}

#endif
