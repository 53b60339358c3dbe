/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sockets by the descriptors of the current task. */
#ifndef ST_BPF_FD_H
#define ST_BPF_FD_H

#include "maps.h"

#define ST_S_IFMT   0170000
#define ST_S_IFSOCK 0140000

/* A word of the kernel's memory. */
static __always_inline __u64 st_kernel_u64(__u64 addr)
{
#ifdef ST_CAST
	return BPF_CORE_READ((struct timespec64 *)addr, tv_sec);
#else
	__u64 v = 0;

	bpf_probe_read_kernel(&v, sizeof(v), (void *)addr);
	return v;
#endif
}

/* NULL: it is no socket. */
static __always_inline struct sock *st_fd_sock(__u64 fd)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file *file;
	struct socket *sock;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	file = (struct file *)st_kernel_u64((__u64)(BPF_CORE_READ(fdt, fd) + fd));
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & ST_S_IFMT) != ST_S_IFSOCK)
		return NULL;
	sock = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(sock, sk);
}

#endif
