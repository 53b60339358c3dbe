/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/uprobe_multi.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kern/features_try.h"

int st_uprobe_multi__link(int prog_fd, const char *path, const uint64_t *offs,
			  const uint64_t *cookies, uint32_t cnt, int pid)
{
	struct {
		uint32_t prog_fd, target_fd, attach_type, flags;
		uint64_t path, offsets, ref_ctr_offsets, cookies;
		uint32_t cnt, multi_flags, pid, pad;
	} attr = {
		.prog_fd = (uint32_t)prog_fd,
		.attach_type = ST_TRACE_UPROBE_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offs,
		.cookies = (uintptr_t)cookies,
		.cnt = cnt,
		.pid = (uint32_t)pid,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

/* ---- the try ---- */

/* Counts in the map's one value. */
static int load_counter(int map)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)ST_TRACE_UPROBE_MULTI);
	const struct bpf_insn insns[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_VALUE,
		 .imm = map},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1},
		{.code = BPF_STX | BPF_DW | BPF_ATOMIC,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_2,
		 .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "st_try", "GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), &opts);
}

__attribute__((noinline, used)) static void *probed(void *arg)
{
	__asm__ volatile("" ::: "memory");
	return arg;
}

static void call_in_thread(void)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, probed, NULL))
		pthread_join(t, NULL);
}

bool st_uprobe_multi__works(void)
{
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "st_try", 4, 8, 1, NULL);
	int prog = map < 0 ? -1 : load_counter(map), link = -1;
	uint64_t off, hits = 0;
	uint32_t key = 0;
	char path[256];

	if (prog >= 0 && !st_try__file_offset((uintptr_t)probed, &off, path, sizeof(path)))
		link = st_uprobe_multi__link(prog, path, &off, NULL, 1, getpid());
	if (link >= 0) {
		call_in_thread();
		bpf_map_lookup_elem(map, &key, &hits);
		close(link);
	}
	if (prog >= 0)
		close(prog);
	if (map >= 0)
		close(map);
	return hits == 1;
}
