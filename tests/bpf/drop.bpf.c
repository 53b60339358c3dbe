/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A link that loses one packet in thirty, for the tests: where the kernel has no netem. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TC_ACT_OK   0
#define TC_ACT_SHOT 2

SEC("tc")
int lossy(struct __sk_buff *skb)
{
	return bpf_get_prandom_u32() % 30 ? TC_ACT_OK : TC_ACT_SHOT;
}
