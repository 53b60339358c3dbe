/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rung syscalls, the last resort: every system call of the node pays for it. The socket is looked
 * up by descriptor at entry; what was accepted or received is known at exit.
 */
#ifndef ST_BPF_HOOKS_SYS_H
#define ST_BPF_HOOKS_SYS_H

#include "state.h"

#ifdef ST_PROBE
/* Needs by bit in cfg.sys_needs: enum st_need of user/kern/ladder.h. */
#define ST_NEEDS_TCP_SEND 0x3 /* send and its result */
#define ST_NEEDS_TCP_RECV 0x4
#define ST_NEEDS_UNIX	  0x10

static __always_inline bool st_sys_sends(long nr)
{
	return nr == ST_NR_WRITE || nr == ST_NR_WRITEV || nr == ST_NR_SENDTO ||
	       nr == ST_NR_SENDMSG || nr == ST_NR_SENDMMSG || nr == ST_NR_SENDFILE ||
	       nr == ST_NR_PWRITEV2;
}

static __always_inline bool st_sys_receives(long nr)
{
	return nr == ST_NR_READ || nr == ST_NR_READV || nr == ST_NR_RECVFROM ||
	       nr == ST_NR_RECVMSG || nr == ST_NR_PREADV2;
}

/* The bytes that a send asks for; 0 when they are not the caller's memory. */
static __always_inline __u64 st_sys_send_len(const struct st_sysargs *a, const struct st_src *src)
{
	struct iovec v;
	__u64 sum = 0;

	if (src->segs == 1)
		return src->len;
	for (__u32 i = 0; i < 16; i++) {
		if (i >= src->segs ||
		    bpf_probe_read_user(&v, sizeof(v), (void *)(src->base + i * sizeof(v))))
			break;
		sum += v.iov_len;
	}
	return sum;
}

/* MSG_PEEK and the like of a receive. */
static __always_inline int st_sys_recv_flags(const struct st_sysargs *a)
{
	if (a->nr == ST_NR_RECVFROM)
		return (int)a->arg[3];
	return a->nr == ST_NR_RECVMSG ? (int)a->arg[2] : 0;
}

/* A send by its arguments, before anything of it was queued. */
static __always_inline void st_sys_send(struct sock *sk, const struct st_sysargs *a, __u64 id)
{
	struct st_src src = {};
	__u64 len;

	st_src_syscall(&src, sk);
	len = a->nr == ST_NR_SENDFILE ? 0 : st_sys_send_len(a, &src);
	st_send_begin_src(sk, &src, id, len);
}

SEC("?tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long nr)
{
	struct st_sysargs a;
	struct sock *sk;
	__u64 id;

	if (!(cfg.sys_needs & ST_NEEDS_TCP_SEND) || !st_sys_sends(nr) || !st_task_wanted(&id))
		return 0;
	st_sysargs_of(regs, &a);
	sk = st_fd_sock(a.arg[0]);
	if (sk && st_is_tcp(sk))
		st_sys_send(sk, &a, id);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	struct st_sysargs a;
	struct sock *sk;
	bool sends, tcp;

	if (!st_current_wanted())
		return 0;
	st_sysargs_of(regs, &a);
	sends = st_sys_sends(a.nr);
	if (!sends && (ret <= 0 || !st_sys_receives(a.nr)))
		return 0;
	sk = st_fd_sock(a.arg[0]);
	if (!sk)
		return 0;
	tcp = st_is_tcp(sk);
	if (sends && tcp && (cfg.sys_needs & ST_NEEDS_TCP_SEND))
		st_send_end(sk);
	else if (sends && !tcp && (cfg.sys_needs & ST_NEEDS_UNIX) && st_is_unix_stream(sk))
		st_unix_sent(sk, (int)ret, ST_NOWHERE);
	else if (!sends && (cfg.sys_needs & (tcp ? ST_NEEDS_TCP_RECV : ST_NEEDS_UNIX)))
		st_recv_end(sk, (int)ret, st_sys_recv_flags(&a), tcp, ST_NOWHERE);
	return 0;
}
#endif

#endif
