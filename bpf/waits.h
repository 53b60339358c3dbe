/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which threads wait for several things at once: event loops do, a thread that works on one request
 * does not. A bit a thread says that it did since its last record. The hook sees every switch of
 * the node and is attached only while somebody asks (st_ctl.watch_waits).
 */
#ifndef ST_BPF_WAITS_H
#define ST_BPF_WAITS_H

#include "arch.h"
#include "conn.h"
#include "fd.h"
#include "marks.h"
#include "wire.h"

/* ST_F_* of the current thread's next record; what is told is forgotten. */
static __always_inline __u16 st_waits_take(__u32 tgid, __u32 tid)
{
	if (!ctl.watch_waits)
		return 0;
	if (!st_marked(tid, ST_MARK_WAITED))
		return ST_F_WATCHED;
	st_mark(tid, ST_MARK_WAITED, false);
#ifndef ST_PROBE
	if (cfg.propagate)
		st_wire_waited(tgid, tid);
#endif
	return ST_F_WATCHED | ST_F_WAITED;
}

#define ST_POLL_LOOK 4 /* descriptors of a poll(2) that are looked at */

/* Is it a socket of IPv4 or IPv6? Others wake a library's own waiting (a pipe, an eventfd). */
static __always_inline bool st_fd_is_inet(__u32 fd)
{
	struct sock *sk = st_fd_sock(fd);
	__u16 family = sk ? BPF_CORE_READ(sk, __sk_common.skc_family) : 0;

	return family == ST_AF_INET || family == ST_AF_INET6;
}

/* Several connections at once? Libraries poll one, and what wakes them. */
static __noinline int st_polls_many(__u64 fds, __u64 cnt)
{
	__u64 one; /* struct pollfd: the descriptor comes first */
	int inet = 0;

	if (cnt > ST_POLL_LOOK)
		return 1;
	for (__u32 i = 0; i < ST_POLL_LOOK; i++) {
		if (i >= cnt)
			break;
		if (bpf_probe_read_user(&one, sizeof(one), (void *)(fds + i * sizeof(one))))
			return 1;
		inet += st_fd_is_inet((__u32)one);
	}
	return inet > 1;
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
		return a->arg[1] > 1 && st_polls_many(a->arg[0], a->arg[1]);
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
