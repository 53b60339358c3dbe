/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Processes come and go: children of traced ones are traced from their first call. */
#ifndef ST_BPF_PROCESS_H
#define ST_BPF_PROCESS_H

#include "pool.h"
#include "turn.h"

/* A child may be gone before anybody reads who it was: it is what its parent is. */
static __always_inline void st_tell_fork(__u32 parent, __u32 child)
{
	struct st_cursor cur;
	struct st_rec *r;

	r = st_rec_new(&cur, ST_REC_FORK, 0);
	if (!r)
		return;
	r->tgid = r->tid = child;
	r->call_len = parent;
	st_rec_submit(r, &cur);
}

static __always_inline void st_forked(struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = BPF_CORE_READ(child, tgid), from = BPF_CORE_READ(parent, tgid), state;

	if (tgid != (__u32)BPF_CORE_READ(child, pid))
		return; /* a thread */
	state = st_proc_state(from);
	if (state == ST_PROC_TRACED && !cfg.follow)
		state = ST_PROC_UNKNOWN;
	st_proc_set(tgid, state);
	st_mark(tgid, ST_MARK_PROXY, st_marked(from, ST_MARK_PROXY));
	if (!ctl.stopping && (state == ST_PROC_TRACED || (cfg.all && state == ST_PROC_UNKNOWN)))
		st_tell_fork(from, tgid);
}

#define ST_EXEC_FILE_MAX 240 /* comm, this and the arguments' room: ST_PROC_PAYLOAD */
#define ST_EXEC_ARGS_MAX (ST_PROC_PAYLOAD - 16 - ST_EXEC_FILE_MAX)

/* A string of the kernel's, with its NUL; returns its bytes. ST_EXEC_FILE_MAX: it is longer. */
static __always_inline long st_kernel_str(__u8 *to, const char *from)
{
#ifdef ST_CAST
	/* By words, as any struct that begins with a number of 64 bits gives them. */
	for (__u32 i = 0; i < ST_EXEC_FILE_MAX / 8; i++) {
		__u64 w = BPF_CORE_READ((struct timespec64 *)(from + 8 * i), tv_sec);
		__u64 nul = (w - 0x0101010101010101ULL) & ~w & 0x8080808080808080ULL;

		if (nul)
			w &= (nul & -nul) - 1;
		*(__u64 *)(to + 8 * i) = w;
		if (nul)
			return 8 * i + st_low_byte(nul) + 1;
	}
	return ST_EXEC_FILE_MAX;
#else
	return bpf_probe_read_kernel_str(to, ST_EXEC_FILE_MAX, from);
#endif
}

/*
 * comm, then the file that is executed (a script's interpreter), then the arguments as they lie in
 * the new image's memory.
 */
static __always_inline void st_exec_payload(struct st_rec *r, struct task_struct *p,
					    struct linux_binprm *bprm)
{
	__u8 *to = (__u8 *)(r + 1) + 16;
	struct mm_struct *mm = BPF_CORE_READ(p, mm);
	__u64 start = BPF_CORE_READ(mm, arg_start), len = BPF_CORE_READ(mm, arg_end) - start;
	long n = st_kernel_str(to, BPF_CORE_READ(bprm, interp));
	__u64 file = n;

	bpf_get_current_comm(r + 1, 16);
	/* A name that was cut is none. */
	if (n <= 0 || n >= ST_EXEC_FILE_MAX)
		file = 0;
	barrier_var(file);
	if (file >= ST_EXEC_FILE_MAX)
		file = 0;
	if (len > ST_EXEC_ARGS_MAX)
		len = ST_EXEC_ARGS_MAX;
	barrier_var(len);
	if (len > ST_EXEC_ARGS_MAX)
		len = ST_EXEC_ARGS_MAX;
	if (bpf_probe_read_user(to + file, len, (void *)start))
		len = 0;
	r->call_len = file;
	r->len = 16 + file + len;
}

static __always_inline void st_execed(struct task_struct *p, struct linux_binprm *bprm)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct st_cursor cur;
	struct st_rec *r;

	/* A new image: patterns are matched anew; what was traced by -p stays so. */
	if (cfg.wait_decide)
		st_proc_set(tgid, ST_PROC_UNKNOWN);
	if (!st_proc_wanted(tgid))
		return;
	r = st_rec_new(&cur, ST_REC_EXEC, ST_PROC_PAYLOAD);
	if (!r)
		return;
	st_exec_payload(r, p, bprm);
	st_rec_submit(r, &cur);
}

static __always_inline void st_exited(struct task_struct *p)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct st_cursor cur;
	bool wanted;
	struct st_rec *r;

	if (BPF_CORE_READ(p, signal, live.counter) > 0) {
		st_pool_exited(p);
		return; /* not the last thread */
	}
	wanted = st_proc_wanted(tgid);
	st_proc_set(tgid, ST_PROC_UNKNOWN);
	st_mark(tgid, ST_MARK_PROXY, false);
	st_mark(tgid, ST_MARK_TASKS, false);
	st_mark(tgid, ST_MARK_POOL, false);
	if (!wanted)
		return;
	r = st_rec_new(&cur, ST_REC_EXIT, 0);
	if (!r)
		return;
	r->call_len = BPF_CORE_READ(p, exit_code);
	st_rec_submit(r, &cur);
}

#endif
