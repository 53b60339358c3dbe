/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Processes come and go: children of traced ones are traced from their first call. */
#ifndef ST_BPF_PROCESS_H
#define ST_BPF_PROCESS_H

#include "proc.h"

static __always_inline void st_forked(struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = BPF_CORE_READ(child, tgid), state;

	if (tgid != (__u32)BPF_CORE_READ(child, pid))
		return; /* a thread */
	state = st_proc_state(BPF_CORE_READ(parent, tgid));
	if (state == ST_PROC_TRACED && !cfg.follow)
		state = ST_PROC_UNKNOWN;
	st_proc_set(tgid, state);
}

/* comm, then file name and arguments as they lie in the new image's memory. */
static __always_inline void st_exec_payload(struct st_rec *r, struct task_struct *p)
{
	__u8 *to = (__u8 *)(r + 1);
	struct mm_struct *mm = BPF_CORE_READ(p, mm);
	__u64 start = BPF_CORE_READ(mm, arg_start), len = BPF_CORE_READ(mm, arg_end) - start;

	bpf_get_current_comm(to, 16);
	if (len > ST_PROC_PAYLOAD - 16)
		len = ST_PROC_PAYLOAD - 16;
	barrier_var(len);
	if (len > ST_PROC_PAYLOAD - 16)
		len = ST_PROC_PAYLOAD - 16;
	if (bpf_probe_read_user(to + 16, len, (void *)start))
		len = 0;
	r->len = 16 + len;
}

static __always_inline void st_execed(struct task_struct *p)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct st_cursor cur;
	struct st_rec *r;

	/* A new image: patterns are matched anew; what was traced by -p stays so. */
	if (cfg.wait_decide)
		st_proc_set(tgid, ST_PROC_UNKNOWN);
	if (!st_proc_wanted(tgid) || !st_ring_here(&cur))
		return;
	r = bpf_ringbuf_reserve(cur.ring, sizeof(*r) + ST_PROC_PAYLOAD, 0);
	if (!r) {
		st_rec_refused(&cur);
		return;
	}
	st_rec_begin(r, &cur, ST_REC_EXEC, ST_PROC_PAYLOAD);
	st_rec_task(r);
	st_exec_payload(r, p);
	st_rec_submit(r, &cur);
}

static __always_inline void st_exited(struct task_struct *p)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct st_cursor cur;
	bool wanted;
	struct st_rec *r;

	if (BPF_CORE_READ(p, signal, live.counter) > 0)
		return; /* not the last thread */
	wanted = st_proc_wanted(tgid);
	st_proc_set(tgid, ST_PROC_UNKNOWN);
	if (!wanted || !st_ring_here(&cur))
		return;
	r = bpf_ringbuf_reserve(cur.ring, sizeof(*r), 0);
	if (!r) {
		st_rec_refused(&cur);
		return;
	}
	st_rec_begin(r, &cur, ST_REC_EXIT, 0);
	st_rec_task(r);
	r->call_len = BPF_CORE_READ(p, exit_code);
	st_rec_submit(r, &cur);
}

#endif
