/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counts the hits of user probes by the cookies of their sites, for tests/unit/test_uprobes.c. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define SITES 16

struct hit {
	__u64 cnt;
	__u64 value; /* the last hit's return register */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SITES);
	__type(key, __u32);
	__type(value, struct hit);
} hits SEC(".maps");

SEC("uprobe")
int count(struct pt_regs *ctx)
{
	__u32 key = (__u32)bpf_get_attach_cookie(ctx);
	struct hit *h = bpf_map_lookup_elem(&hits, &key);

	if (!h)
		return 0;
	__sync_fetch_and_add(&h->cnt, 1);
	h->value = PT_REGS_RC(ctx);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
