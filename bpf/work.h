/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who works for requests: threads and goroutines; wire.h says what follows from it. */
#ifndef ST_BPF_WORK_H
#define ST_BPF_WORK_H

#include "maps.h"

static __always_inline struct st_work *st_work_make(const struct st_work_key *key)
{
	struct st_work *w = bpf_map_lookup_elem(&works, key), none = {};

	if (w)
		return w;
	bpf_map_update_elem(&works, key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&works, key);
}

static __always_inline void st_work_born(__u64 task, __u64 parent)
{
	struct st_work_key key = {
		.id = task,
		.tgid = bpf_get_current_pid_tgid() >> 32,
		.kind = ST_WORK_TASK,
	};
	struct st_work *w = st_work_make(&key);

	if (!w)
		return;
	w->parent = parent;
	w->born_ns = bpf_ktime_get_ns();
}

#endif
