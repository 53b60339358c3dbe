/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Rung kprobe: entries only. A return probe on a function that sleeps is lost when many sleep at
 * once (its instances are limited), so ends are taken from what is called last.
 */
#ifndef ST_BPF_HOOKS_KPROBE_H
#define ST_BPF_HOOKS_KPROBE_H

#include "state.h"

#ifdef ST_PROBE
SEC("?kprobe/tcp_sendmsg_locked")
int BPF_KPROBE(kp_send, struct sock *sk, struct msghdr *msg, size_t size)
{
	__u64 id;

	if (st_task_wanted(&id))
		st_send_begin(sk, msg, id, size);
	return 0;
}

SEC("?kprobe/do_tcp_sendpages")
int BPF_KPROBE(kp_sendpage, struct sock *sk, struct page *page, int offset, size_t size)
{
	__u64 id;

	if (st_task_wanted(&id))
		st_sendpage_begin(sk, id, size);
	return 0;
}

/* release_sock() calls it as the last thing of every send: write_seq is final then. */
SEC("?kprobe/tcp_release_cb")
int BPF_KPROBE(kp_release, struct sock *sk)
{
	st_send_end(sk);
	return 0;
}

/* Called at the end of every receive with the bytes that were copied to the user. */
SEC("?kprobe/tcp_cleanup_rbuf")
int BPF_KPROBE(kp_recv, struct sock *sk, int copied)
{
	/* How the caller asked is not known here. */
	st_recv_end(sk, copied, ST_MSG_DONTWAIT, true, 0);
	return 0;
}
#endif

#endif
