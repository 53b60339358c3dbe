/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Rung fentry: for kernels without the tracepoints. */
#ifndef ST_BPF_HOOKS_FENTRY_H
#define ST_BPF_HOOKS_FENTRY_H

#include "state.h"

SEC("?fentry/tcp_sendmsg_locked")
int BPF_PROG(fe_send, struct sock *sk, struct msghdr *msg, size_t size)
{
	__u64 id;

	if (st_task_wanted(&id))
		st_send_begin(sk, msg, id, size);
	return 0;
}

SEC("?fexit/tcp_sendmsg_locked")
int BPF_PROG(fx_send, struct sock *sk)
{
	st_send_end(sk);
	return 0;
}

/* Until 6.5 (1d7e4538a546) sendfile and splice send by tcp_sendpage, without a message. */
SEC("?fentry/do_tcp_sendpages")
int BPF_PROG(fe_sendpage, struct sock *sk, struct page *page, int offset, size_t size)
{
	__u64 id;

	if (st_task_wanted(&id))
		st_sendpage_begin(sk, id, size);
	return 0;
}

SEC("?fexit/do_tcp_sendpages")
int BPF_PROG(fx_sendpage, struct sock *sk)
{
	st_send_end(sk);
	return 0;
}

/* With nonblock until 5.19 (ec095263a965), without addr_len at last. */
SEC("?fexit/tcp_recvmsg")
int BPF_PROG(fx_recv6, struct sock *sk, struct msghdr *msg, size_t len, int nonblock, int flags,
	     int *addr_len, int ret)
{
	st_recv_end(sk, ret, flags | (nonblock ? ST_MSG_DONTWAIT : 0), true, (__u64)&msg->msg_iter);
	return 0;
}

SEC("?fexit/tcp_recvmsg")
int BPF_PROG(fx_recv5, struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len,
	     int ret)
{
	st_recv_end(sk, ret, flags, true, (__u64)&msg->msg_iter);
	return 0;
}

SEC("?fexit/tcp_recvmsg")
int BPF_PROG(fx_recv4, struct sock *sk, struct msghdr *msg, size_t len, int flags, int ret)
{
	st_recv_end(sk, ret, flags, true, (__u64)&msg->msg_iter);
	return 0;
}

SEC("?fexit/unix_stream_sendmsg")
int BPF_PROG(fx_unix_send, struct socket *sock, struct msghdr *msg, size_t len, int ret)
{
	st_unix_sent(ST_READ(sock, sk), ret, (__u64)&msg->msg_iter);
	return 0;
}

SEC("?fexit/unix_stream_recvmsg")
int BPF_PROG(fx_unix_recv, struct socket *sock, struct msghdr *msg, size_t size, int flags, int ret)
{
	st_recv_end(ST_READ(sock, sk), ret, flags, false, (__u64)&msg->msg_iter);
	return 0;
}

#endif
