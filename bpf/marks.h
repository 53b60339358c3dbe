/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Four bits a process or thread id: what the rungs of evidence note of it. */
#ifndef ST_BPF_MARKS_H
#define ST_BPF_MARKS_H

#include "ring.h"

static __always_inline __u64 *st_marks_word(__u32 id)
{
	__u32 key = id >> 4;

	return bpf_map_lookup_elem(&marks, &key);
}

static __always_inline bool st_marked(__u32 id, __u32 mark)
{
	__u64 *w = st_marks_word(id);

	return w && *w >> ((id & 15) * 4) & mark;
}

/*
 * By adding the difference, as st_proc_set does: the word is shared, each of its bits has one
 * writer at a time.
 */
static __always_inline void st_mark(__u32 id, __u32 mark, bool on)
{
	__u64 *w = st_marks_word(id), bits = (__u64)mark << ((id & 15) * 4);

	if (w && !(*w & bits) == on)
		__sync_fetch_and_add(w, on ? bits : -bits);
}

#endif
