// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * One counting program per hook that a rung stands on, so that a test knows what
 * this kernel allows without asking spantap.  Reads nothing but its counter.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ST_HOOKS_MAX 16

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ST_HOOKS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} fired SEC(".maps");

#define ST_HOOK(name, section, index)                                                              \
	SEC(section) int name(void *ctx)                                                           \
	{                                                                                          \
		__u32 key = index;                                                                 \
		__u64 *count = bpf_map_lookup_elem(&fired, &key);                                  \
                                                                                                   \
		if (count)                                                                         \
			__sync_fetch_and_add(count, 1);                                            \
		return 0;                                                                          \
	}

ST_HOOK(tp_tcp_sendmsg, "tp_btf/tcp_sendmsg_locked", 0)
ST_HOOK(tp_send_length, "tp_btf/sock_send_length", 1)
ST_HOOK(tp_recv_length, "tp_btf/sock_recv_length", 2)
ST_HOOK(tp_set_state, "tp_btf/inet_sock_set_state", 3)
ST_HOOK(fentry_sendmsg, "fentry/tcp_sendmsg_locked", 4)
ST_HOOK(fexit_recvmsg, "fexit/tcp_recvmsg", 5)
ST_HOOK(kprobe_sendmsg, "kprobe/tcp_sendmsg_locked", 6)
ST_HOOK(kprobe_cleanup, "kprobe/tcp_cleanup_rbuf", 7)
ST_HOOK(sys_enter, "tp_btf/sys_enter", 8)
ST_HOOK(sys_exit, "tp_btf/sys_exit", 9)

char LICENSE[] SEC("license") = "GPL";
