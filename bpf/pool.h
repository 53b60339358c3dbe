/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which thread of a process wakes which: pools of threads hand requests on by futex(2). Told of
 * processes that user space has marked; attached when the first one is. A thread is woken in the
 * context of who wakes it, or of whom an interrupt found on the processor: it counts only if that one
 * is in futex(2) on the very address.
 */
#ifndef ST_BPF_POOL_H
#define ST_BPF_POOL_H

#include "arch.h"
#include "fd.h"
#include "marks.h"

#define ST_FUTEX_CMD	 0x7f /* FUTEX_CMD_MASK */
#define ST_FUTEX_WAIT	 0
#define ST_FUTEX_BITSET	 9
#define ST_FUTEX_PRIVATE 128

/* The state was a long called `state` before 5.14 (2f064a59a11f). */
struct task_struct___state {
	long state;
} __attribute__((preserve_access_index));

static __always_inline bool st_is_interruptible(struct task_struct *p)
{
	if (bpf_core_field_exists(p->__state))
		return BPF_CORE_READ(p, __state) & 1;
	return BPF_CORE_READ((struct task_struct___state *)p, state) & 1;
}

static __always_inline const struct pt_regs *st_regs_of(struct task_struct *p)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (const struct pt_regs *)bpf_task_pt_regs(p);
	return st_stack_regs(p);
}

/* Not p->on_rq: a task that sleeps may stay there for a while (6.12, 152e11f6df29). */
static __always_inline bool st_is_running(struct task_struct *p)
{
	return bpf_core_field_exists(p->on_cpu) && BPF_CORE_READ(p, on_cpu);
}

/* Mutexes wait by FUTEX_WAIT | PRIVATE; conditions, semaphores and futures by others. */
static __always_inline bool st_in_wait(const struct st_sysargs *a)
{
	__u32 op = a->arg[1];

	return a->nr == ST_NR_FUTEX && ((op & ST_FUTEX_CMD) == ST_FUTEX_BITSET ||
					(op & (ST_FUTEX_CMD | ST_FUTEX_PRIVATE)) == ST_FUTEX_WAIT);
}

static __always_inline void st_pool_tell(__u8 what, struct task_struct *p,
					 const struct st_sysargs *a, __u32 by, __u16 flags)
{
	__u64 comm = (__u64)p + bpf_core_field_offset(struct task_struct, comm);
	struct st_cursor cur;
	struct st_rec *r = st_rec_new(&cur, ST_REC_WAIT, 0);

	if (!r)
		return;
	r->what = what;
	r->tgid = BPF_CORE_READ(p, tgid);
	r->tid = BPF_CORE_READ(p, pid);
	r->opp_pos = st_kernel_u64(comm);
	r->opp_time_ns = st_kernel_u64(comm + 8);
	r->call_len = by;
	r->flags = flags;
	r->pos = a->arg[0];
	r->err = (__u16)a->arg[1];
	st_rec_submit(r, &cur);
}

/* The current thread ends; another one may get its number. */
static __always_inline void st_pool_exited(struct task_struct *p)
{
	struct st_sysargs none = {};

	if (st_marked(bpf_get_current_pid_tgid() >> 32, ST_MARK_POOL) && !ctl.stopping)
		st_pool_tell(ST_WAIT_GONE, p, &none, 0, 0);
}

/* The current task is about to leave the processor. */
static __always_inline void st_pool_sleeps(bool preempt)
{
	struct task_struct *p = (struct task_struct *)bpf_get_current_task();
	struct st_sysargs a;

	if (preempt || !st_marked(bpf_get_current_pid_tgid() >> 32, ST_MARK_POOL) || ctl.stopping)
		return;
	st_sysargs_of(st_task_regs(), &a);
	if (st_in_wait(&a) && st_is_interruptible(p))
		st_pool_tell(ST_WAIT_SLEEPS, p, &a, 0, 0);
}

static __always_inline void st_pool_woken(struct task_struct *p)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = BPF_CORE_READ(p, tgid), what = ST_WAIT_ENDS;
	struct st_sysargs a, by;

	if (!st_marked(tgid, ST_MARK_POOL) || ctl.stopping || !st_is_interruptible(p))
		return;
	st_sysargs_of(st_regs_of(p), &a);
	if (!st_in_wait(&a))
		return;
	if (id >> 32 == tgid) {
		st_sysargs_of(st_task_regs(), &by);
		if (by.nr == ST_NR_FUTEX && by.arg[0] == a.arg[0])
			what = ST_WAIT_WOKEN;
	}
	st_pool_tell(what, p, &a, what == ST_WAIT_WOKEN ? (__u32)id : 0,
		     st_is_running(p) ? ST_F_EARLY : 0);
}

#endif
