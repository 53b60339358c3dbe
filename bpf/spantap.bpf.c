/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The hooks. Each need (send, receive, state, Unix, process) has several; user space loads and
 * attaches the first that this kernel takes (user/kern/ladder.c has the table).
 */
#include "maps.h"
#include "state.h"
#include "process.h"
#include "hooks_fentry.h"
#include "hooks_kprobe.h"
#include "hooks_sys.h"
#include "alive.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* ---- tracepoints with BTF ---- */

#ifndef ST_PROBE
/* Since 6.16 (0f08335ade71): once per fragment, before it is copied. */
SEC("?tp_btf/tcp_sendmsg_locked")
int BPF_PROG(tp_send, const struct sock *sk, const struct msghdr *msg)
{
	__u64 id;

	if (st_task_wanted(&id))
		st_send_begin((struct sock *)sk, msg, id, msg->msg_iter.count);
	return 0;
}
#endif

/* What comes seldom, apart: the program that each send runs has little to save and restore. */
static __noinline int st_tcp_send_ended(struct sock *sk)
{
	if (st_is_tcp(sk))
		st_send_end(sk);
	return 0;
}

static __noinline int st_unix_send_ended(struct sock *sk, int ret)
{
	if (st_is_unix_stream(sk))
		st_unix_sent(sk, ret, 0);
	return 0;
}

/* Since 6.3 (6e6eda44b939): all protocols, after the call. */
SEC("?tp_btf/sock_send_length")
int BPF_PROG(tp_send_end, struct sock *sk, int ret)
{
	if (ST_READ(sk, __sk_common.skc_family) == ST_AF_UNIX)
		st_unix_send_ended(sk, ret);
	else if (cfg.tcp_send_end && ctl.watching)
		st_tcp_send_ended(sk);
	return 0;
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(tp_recv, struct sock *sk, int ret, int flags)
{
	st_recv_end(sk, ret, flags, cfg.tcp_recv, 0);
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(tp_state, const struct sock *sk, const int old, const int new)
{
	if (ST_READ(sk, sk_protocol) == ST_PROTO_TCP)
		st_state_change((struct sock *)sk, old, new);
	return 0;
}

SEC("?tp_btf/sched_process_fork")
int BPF_PROG(tp_fork, struct task_struct *parent, struct task_struct *child)
{
	st_forked(parent, child);
	return 0;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(tp_exec, struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
{
	st_execed(p, bprm);
	return 0;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(tp_exit, struct task_struct *p)
{
	st_exited(p);
	return 0;
}

/* With a third argument since 5.18 (fa2c3254d7cf), which is not looked at. */
SEC("?tp_btf/sched_switch")
int BPF_PROG(tp_switch, bool preempt)
{
	st_switched(preempt);
	return 0;
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(tp_sleep, bool preempt)
{
	st_pool_sleeps(preempt);
	return 0;
}

SEC("?tp_btf/sched_waking")
int BPF_PROG(tp_waking, struct task_struct *p)
{
	st_pool_woken(p);
	return 0;
}

/* Not a hook: user space runs it (BPF_PROG_TEST_RUN). */
SEC("?raw_tp")
int ask(void *ctx)
{
	for (__u32 i = 0; i < ST_ASK_MAX; i++) {
		if (i >= ctl.ask_cnt)
			break;
		st_ask_one(ctl.ask[i]);
	}
	return 0;
}
