/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Counts the hits of user probes by the cookies of their sites, for tests/unit/test_uprobes.c. A
 * cookie: the counter, the condition << 8 (16: always), the register of the value << 16.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "leave.h"

#define SITES 16

struct hit {
	__u64 cnt;
	__u64 value; /* of the last hit's register */
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
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 key = cookie & 0xff;
	struct hit *h = bpf_map_lookup_elem(&hits, &key);

	if (!h || !st_cond_holds(ctx->flags, cookie >> 8 & 0xff))
		return 0;
	__sync_fetch_and_add(&h->cnt, 1);
	h->value = st_reg_value(ctx, cookie >> 16 & 0xff);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
