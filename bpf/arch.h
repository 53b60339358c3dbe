/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* All that depends on the processor: system-call arguments and numbers. x86-64. */
#ifndef ST_BPF_ARCH_H
#define ST_BPF_ARCH_H

#define ST_NR_READ	     0
#define ST_NR_WRITE	     1
#define ST_NR_PREAD64	     17
#define ST_NR_PWRITE64	     18
#define ST_NR_POLL	     7
#define ST_NR_READV	     19
#define ST_NR_WRITEV	     20
#define ST_NR_SENDFILE	     40
#define ST_NR_CONNECT	     42
#define ST_NR_SENDTO	     44
#define ST_NR_RECVFROM	     45
#define ST_NR_SENDMSG	     46
#define ST_NR_RECVMSG	     47
#define ST_NR_SELECT	     23
#define ST_NR_FUTEX	     202
#define ST_NR_EPOLL_WAIT     232
#define ST_NR_PSELECT6	     270
#define ST_NR_PPOLL	     271
#define ST_NR_SPLICE	     275
#define ST_NR_EPOLL_PWAIT    281
#define ST_NR_RECVMMSG	     299
#define ST_NR_SENDMMSG	     307
#define ST_NR_PREADV2	     327
#define ST_NR_PWRITEV2	     328
#define ST_NR_IO_URING_ENTER 426
#define ST_NR_EPOLL_PWAIT2   441

/* x86: the kernel stack is 4 pages (arch/x86/include/asm/page_64_types.h, without KASAN). */
#define ST_THREAD_SIZE	     (4096UL << 2)
/* x86: thread_info.status of a task inside a 32-bit system call (TS_COMPAT). */
#define ST_TS_COMPAT	     0x0002

struct st_sysargs {
	long nr;
	unsigned long arg[4];
};

static __always_inline const struct pt_regs *st_stack_regs(struct task_struct *task)
{
	return (const struct pt_regs *)((unsigned long)BPF_CORE_READ(task, stack) + ST_THREAD_SIZE -
					sizeof(struct pt_regs));
}

static __always_inline const struct pt_regs *st_task_regs(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return st_stack_regs((struct task_struct *)bpf_get_current_task());
}

static __always_inline void st_sysargs_of(const struct pt_regs *regs, struct st_sysargs *out)
{
#ifdef ST_CAST
	regs = bpf_rdonly_cast(regs, bpf_core_type_id_kernel(struct pt_regs));
	out->nr = (int)regs->orig_ax;
	out->arg[0] = regs->di;
	out->arg[1] = regs->si;
	out->arg[2] = regs->dx;
	out->arg[3] = regs->r10;
#else
	unsigned long v[4]; /* dx, si, di, orig_ax follow one another in pt_regs */

	if (bpf_probe_read_kernel(v, sizeof(v), &regs->dx)) {
		out->nr = -1;
		return;
	}
	out->arg[2] = v[0];
	out->arg[1] = v[1];
	out->arg[0] = v[2];
	out->nr = (int)v[3];
	out->arg[3] = 0;
	/* Only recvfrom's flags are wanted of the fourth. */
	if (out->nr == ST_NR_RECVFROM)
		bpf_probe_read_kernel(&out->arg[3], sizeof(out->arg[3]), &regs->r10);
#endif
}

/* Where Go keeps the goroutine that runs (cmd/compile/abi-internal.md, amd64: R14). */
static __always_inline __u64 st_user_reg_g(const struct pt_regs *regs)
{
#ifdef ST_CAST
	return ((const struct pt_regs *)bpf_rdonly_cast(regs,
							bpf_core_type_id_kernel(struct pt_regs)))
		->r14;
#else
	__u64 v = 0;

	bpf_probe_read_kernel(&v, sizeof(v), &regs->r14);
	return v;
#endif
}

static __always_inline bool st_task_compat(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread_info.status) & ST_TS_COMPAT;
}

#endif
