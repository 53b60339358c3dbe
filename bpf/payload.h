/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where a call's bytes lie in user memory. */
#ifndef ST_BPF_PAYLOAD_H
#define ST_BPF_PAYLOAD_H

#include "conn.h"
#include "arch.h"

#define ST_SEGS_MAX 8

/* iov_iter before 6.0 (Linux 3e20a751aff0, de4f5fed3f23): no ubuf, `iov` for `__iov`, type bits. */
struct iov_iter___old {
	unsigned int type;
	const struct iovec *iov;
} __attribute__((preserve_access_index));

struct iov_iter___mid {
	const struct iovec *iov;
	void *ubuf;
} __attribute__((preserve_access_index));

/* Before 6.2 a load from this union gives a typed pointer, with which one must not calculate. */
#ifdef ST_CAST
#define ST_ITER_READ(it, f) ST_READ(it, f)
#else
#define ST_ITER_READ(it, f) BPF_CORE_READ(it, f)
#endif

#define ST_OLD_ITER_IOVEC 4 /* enum iter_type before 5.14 (8cd54c1c8480) */

/* The i-th of a call's buffers; they are described in kernel or in user memory. */
static __always_inline bool st_iovec_at(__u64 base, __u32 kernel, __u32 i, struct iovec *v)
{
	void *at = (void *)(base + i * sizeof(*v));

#ifdef ST_CAST
	/* As two numbers: since 6.17 a loaded `void *` is a pointer, which no global function takes. */
	if (kernel) {
		const struct timespec64 *two =
			bpf_rdonly_cast(at, bpf_core_type_id_kernel(struct timespec64));

		v->iov_base = (void *)two->tv_sec;
		v->iov_len = two->tv_nsec;
		return true;
	}
#endif
	return !(kernel ? bpf_probe_read_kernel(v, sizeof(*v), at)
			: bpf_probe_read_user(v, sizeof(*v), at));
}

static __always_inline void st_src_iovecs(struct st_src *src, __u64 iov, __u64 nr, __u32 kernel,
					  __u64 skip)
{
	struct iovec v;

	src->segs = 0;
	if (!iov || !nr)
		return;
	src->kernel = kernel;
	src->skip = 0;
	if (nr > 1) {
		src->base = iov;
		src->segs = nr > 64 ? 64 : (__u32)nr;
		src->skip = skip;
		return;
	}
	if (!st_iovec_at(iov, kernel, 0, &v))
		return;
	src->base = (__u64)v.iov_base + skip;
	src->len = v.iov_len > skip ? v.iov_len - skip : 0;
	src->segs = 1;
}

/* Do the bytes lie in kernel memory (sendfile, splice), where there is nothing to read for us? */
static __always_inline bool st_iter_is_kernel(const struct iov_iter *it)
{
	struct iov_iter___old *old = (void *)it;

	if (bpf_core_field_exists(old->type))
		return (BPF_CORE_READ(old, type) & ~1u) != ST_OLD_ITER_IOVEC;
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    ST_READ(it, iter_type) == bpf_core_enum_value(enum iter_type, ITER_UBUF))
		return false;
	return ST_READ(it, iter_type) != bpf_core_enum_value(enum iter_type, ITER_IOVEC);
}

/* The i-th of a call's buffers, as the call gave it; false: there is none. */
static __always_inline bool st_src_seg(const struct st_src *src, __u32 i, struct iovec *v)
{
	if (i >= src->segs)
		return false;
	if (src->segs > 1)
		return st_iovec_at(src->base, src->kernel, i, v);
	v->iov_base = (void *)src->base;
	v->iov_len = src->len;
	return true;
}

/* A message's iterator at the entry of a send: nothing of it has been consumed yet. */
static __always_inline void st_src_iter(struct st_src *src, const struct iov_iter *it)
{
	struct iov_iter___old *old = (void *)it;
	struct iov_iter___mid *mid = (void *)it;
	__u64 off = ST_READ(it, iov_offset);
	__u64 iov;

	src->segs = 0;
	if (bpf_core_field_exists(old->type)) {
		if ((BPF_CORE_READ(old, type) & ~1u) == ST_OLD_ITER_IOVEC)
			st_src_iovecs(src, (__u64)BPF_CORE_READ(old, iov), ST_READ(it, nr_segs), 1,
				      off);
		return;
	}
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    ST_READ(it, iter_type) == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		src->base = (__u64)ST_ITER_READ(it, ubuf) + off;
		src->len = ST_READ(it, count);
		src->segs = 1;
		return;
	}
	if (ST_READ(it, iter_type) != bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		return;
	if (bpf_core_field_exists(it->__iov))
		iov = (__u64)ST_ITER_READ(it, __iov);
	else
		iov = (__u64)BPF_CORE_READ(mid, iov);
	st_src_iovecs(src, iov, ST_READ(it, nr_segs), 1, off);
}

#ifndef ST_CAST
static __always_inline bool st_fd_is_probed(__u64 fd, struct sock *sk)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **array = BPF_CORE_READ(fdt, fd), *file = NULL;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return false;
	bpf_probe_read_kernel(&file, sizeof(file), array + fd);
	return file && file == BPF_CORE_READ(sk, sk_socket, file);
}
#endif

/*
 * Is that descriptor of the current task this socket, and the task a 64-bit one? Typed loads where
 * the kernel has bpf_get_current_task_btf (5.11): a sixth of the probe reads' cost.
 */
static __always_inline bool st_args_fit(__u64 fd, struct sock *sk)
{
#ifndef ST_PROBE
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		struct task_struct *task = bpf_get_current_task_btf();
		struct fdtable *fdt = task->files->fdt;
		struct file *file = NULL;

		if ((task->thread_info.status & ST_TS_COMPAT) || fd >= fdt->max_fds)
			return false;
#ifdef ST_CAST
		/* An element of the array of pointers, read as any struct that begins with one. */
		file = (void *)((struct list_head *)bpf_rdonly_cast(
					fdt->fd + fd, bpf_core_type_id_kernel(struct list_head)))
			       ->next;
#else
		bpf_probe_read_kernel(&file, sizeof(file), fdt->fd + fd);
#endif
		return file && file == sk->sk_socket->file;
	}
#endif
#ifdef ST_CAST
	return false; /* not reached: who has the cast has the typed task */
#else
	return !st_task_compat() && st_fd_is_probed(fd, sk);
#endif
}

/*
 * The buffer of the system call that is under way, when it is a read or write of this very
 * socket: kernel readers, io_uring and 32-bit callers have other arguments in their registers.
 */
static __always_inline void st_src_syscall(struct st_src *src, struct sock *sk)
{
	struct user_msghdr msg;
	struct st_sysargs a;

	src->segs = 0;
	st_sysargs_of(st_task_regs(), &a);
	switch (a.nr) {
	case ST_NR_READ:
	case ST_NR_WRITE:
	case ST_NR_SENDTO:
	case ST_NR_RECVFROM:
		src->base = a.arg[1];
		src->len = a.arg[2];
		src->segs = 1;
		break;
	case ST_NR_READV:
	case ST_NR_WRITEV:
	case ST_NR_PREADV2:
	case ST_NR_PWRITEV2:
		st_src_iovecs(src, a.arg[1], a.arg[2], 0, 0);
		break;
	case ST_NR_SENDMSG:
	case ST_NR_RECVMSG:
		if (!bpf_probe_read_user(&msg, sizeof(msg), (void *)a.arg[1]))
			st_src_iovecs(src, (__u64)msg.msg_iov, msg.msg_iovlen, 0, 0);
		break;
	}
	if (src->segs && !st_args_fit(a.arg[0], sk))
		src->segs = 0;
}

/* The same of calls with many messages, when there is one: of several it is not told which. */
static __always_inline bool st_src_only_message(struct st_src *src, struct sock *sk)
{
	struct user_msghdr msg;
	struct st_sysargs a;

	src->segs = 0;
	st_sysargs_of(st_task_regs(), &a);
	if ((a.nr != ST_NR_RECVMMSG && a.nr != ST_NR_SENDMMSG) || a.arg[2] != 1 ||
	    bpf_probe_read_user(&msg, sizeof(msg), (void *)a.arg[1]))
		return false;
	st_src_iovecs(src, (__u64)msg.msg_iov, msg.msg_iovlen, 0, 0);
	if (src->segs && !st_args_fit(a.arg[0], sk))
		src->segs = 0;
	return src->segs;
}

/*
 * The contiguous bytes that hold offset `off` of the call: their address and length.
 * False when there are none (or they lie beyond the first ST_SEGS_MAX buffers).
 */
static __always_inline bool st_src_at(const struct st_src *src, __u64 off, __u64 *addr, __u64 *len)
{
	struct iovec v;

	if (!src->segs)
		return false;
	if (src->segs == 1) {
		if (off >= src->len)
			return false;
		*addr = src->base + off;
		*len = src->len - off;
		return true;
	}
	off += src->skip;
	for (__u32 i = 0; i < ST_SEGS_MAX; i++) {
		if (i >= src->segs || !st_iovec_at(src->base, src->kernel, i, &v))
			return false;
		if (off < v.iov_len) {
			*addr = (__u64)v.iov_base + off;
			*len = v.iov_len - off;
			return true;
		}
		off -= v.iov_len;
	}
	return false;
}

#endif
