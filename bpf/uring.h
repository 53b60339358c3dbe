/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Calls whose buffer is not in the system call's arguments: those of io_uring. At the call's end
 * the socket is known and the request is not, so requests are remembered when they are about
 * to be worked on: when they are submitted (their thread goes on with them at once) and when what
 * they wait for has come. What is remembered may be out of date; it counts only if the request
 * that now lies there is a receive of this very socket.
 */
#ifndef ST_BPF_URING_H
#define ST_BPF_URING_H

#include "payload.h"

#define ST_PF_IO_WORKER	    0x00000010 /* io_uring's own threads: PF_IO_WORKER */

/* include/uapi/linux/io_uring.h; a bit each: what moves bytes, by direction and kind. */
#define ST_URING_RECV	    (1ULL << 10 | 1ULL << 27)			       /* RECVMSG, RECV */
#define ST_URING_SEND	    (1ULL << 9 | 1ULL << 26 | 1ULL << 47 | 1ULL << 48) /* and the _ZC ones */
#define ST_URING_READ	    (1ULL << 1 | 1ULL << 22 | 1ULL << 49) /* READ_MULTISHOT: 49 */
#define ST_URING_WRITE	    (1ULL << 2 | 1ULL << 23)
#define ST_URING_REGISTERED (1ULL << 4 | 1ULL << 5) /* READ_FIXED, WRITE_FIXED */
#define ST_URING_ALL                                                                               \
	(ST_URING_RECV | ST_URING_SEND | ST_URING_READ | ST_URING_WRITE | ST_URING_REGISTERED)

static __always_inline __u64 st_uring_bit(struct io_kiocb *req)
{
	__u8 op = BPF_CORE_READ(req, opcode);

	return op < 64 ? 1ULL << op : 0;
}

/* Requests of threads are keyed by their number, which no address of a socket equals. */
static __always_inline void st_uring_remember(struct io_kiocb *req, bool submitted)
{
	__u64 key = (__u32)bpf_get_current_pid_tgid(), at = (__u64)req;
	struct socket *sock;

	if (ctl.stopping || !(st_uring_bit(req) & ST_URING_ALL))
		return;
	if (!submitted) {
		/* A waker's context. Not a socket: a key that nobody looks for. */
		sock = BPF_CORE_READ(req, file, private_data);
		key = (__u64)BPF_CORE_READ(sock, sk);
	}
	if (key)
		bpf_map_update_elem(&uring_reqs, &key, &at, BPF_ANY);
}

/*
 * `bytes` of what an iterator covers, from `back` bytes before where it is now. By probe reads: it
 * may lie anywhere. Always right of the position, or nothing: an iterator of another kind, or one
 * that has not come so far, is not the one.
 */
static __always_inline void st_src_behind(struct st_src *src, const struct iov_iter *it, __u32 back,
					  __u32 bytes)
{
	struct iov_iter___old *old = (void *)it;
	struct iov_iter___mid *mid = (void *)it;
	__u64 off = BPF_CORE_READ(it, iov_offset), left = back, iov;
	struct iovec v;

	src->segs = 0;
	if (bpf_core_field_exists(old->type)) {
		if ((BPF_CORE_READ(old, type) & ~1u) != ST_OLD_ITER_IOVEC)
			return;
		iov = (__u64)BPF_CORE_READ(old, iov);
	} else if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
		   BPF_CORE_READ(it, iter_type) == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		src->base = (__u64)BPF_CORE_READ(it, ubuf) + off - back;
		src->len = bytes;
		src->segs = off >= back;
		return;
	} else {
		if (BPF_CORE_READ(it, iter_type) != bpf_core_enum_value(enum iter_type, ITER_IOVEC))
			return;
		iov = bpf_core_field_exists(it->__iov) ? (__u64)BPF_CORE_READ(it, __iov)
						       : (__u64)BPF_CORE_READ(mid, iov);
	}
	/* Of the vector at hand `off` bytes are passed, of those before it all. */
	for (__u32 i = 0; i <= ST_SEGS_MAX; i++) {
		if (left <= off) {
			st_src_iovecs(src, iov, i + BPF_CORE_READ(it, nr_segs), 1, off - left);
			if (src->segs == 1 && src->len > bytes)
				src->len = bytes;
			return;
		}
		left -= off;
		iov -= sizeof(v);
		if (!st_iovec_at(iov, 1, 0, &v))
			return;
		off = v.iov_len;
	}
}

/* The buffer of a request that has just moved `bytes` of this socket; false if it has not. */
static __always_inline bool st_uring_src(struct st_src *src, struct sock *sk, __u64 at, __u8 dir,
					 __u32 bytes)
{
	struct io_kiocb *req = (void *)at;
	void *async;
	__u64 op;

	if (!at || BPF_CORE_READ(req, file) != BPF_CORE_READ(sk, sk_socket, file))
		return false;
	async = BPF_CORE_READ(req, async_data);
	if (!async)
		return false;
	op = st_uring_bit(req);
	if (op & (dir == ST_RX ? ST_URING_RECV : ST_URING_SEND)) {
		st_src_behind(src, &((struct io_async_msghdr *)async)->msg.msg_iter, bytes, bytes);
	} else if (op & (dir == ST_RX ? ST_URING_READ : ST_URING_WRITE)) {
		/* The socket moved a copy of this iterator. */
		st_src_behind(src, &((struct io_async_rw *)async)->iter, 0, bytes);
	} else if (op == (dir == ST_RX ? 1 << 4 : 1 << 5)) {
		src->base = BPF_CORE_READ((struct io_rw *)req, addr);
		src->len = bytes;
		src->segs = 1;
	}
	return src->segs;
}

static __always_inline __u64 st_uring_known(__u64 key)
{
	__u64 *at = bpf_map_lookup_elem(&uring_reqs, &key);

	return at ? *at : 0;
}

/* What an io_uring worker is at; its poller (SQPOLL) is none. */
static __always_inline __u64 st_uring_of_worker(struct task_struct *task)
{
	struct io_worker *worker;
	__u64 work;

	if (!(BPF_CORE_READ(task, flags) & ST_PF_IO_WORKER))
		return 0;
	worker = BPF_CORE_READ(task, worker_private);
	work = worker ? (__u64)BPF_CORE_READ(worker, cur_work) : 0;
	return work ? work - bpf_core_field_offset(struct io_kiocb, work) : 0;
}

static __always_inline bool st_uring_find(struct st_src *src, struct sock *sk, __u8 dir,
					  __u32 bytes)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct io_async_rw *rw = NULL;

	/*
	 * Until 6.10 (4a3223f7bfda, a9165b83c193) a request under way may keep its iterator on the
	 * stack; since then one without async_data is over. 5.10 has `iter` too, but no workers.
	 */
	if (!bpf_core_field_exists(rw->iter) || !bpf_core_field_exists(task->worker_private))
		return false;
	return st_uring_src(src, sk, st_uring_of_worker(task), dir, bytes) ||
	       st_uring_src(src, sk, st_uring_known(tid), dir, bytes) ||
	       st_uring_src(src, sk, st_uring_known((__u64)sk), dir, bytes);
}

SEC("?tp_btf/io_uring_submit_req")
int BPF_PROG(tp_uring_submit, struct io_kiocb *req)
{
	if (st_current_wanted())
		st_uring_remember(req, true);
	return 0;
}

/* In the context of who woke the request. */
SEC("?tp_btf/io_uring_task_add")
int BPF_PROG(tp_uring_woken, struct io_kiocb *req)
{
	st_uring_remember(req, false);
	return 0;
}

#endif
