/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/features_try.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kern/uprobe_multi.h"

#define PAGE 4096u

/* "r0 = 0; exit" */
static const struct bpf_insn nothing[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	{.code = BPF_JMP | BPF_EXIT},
};

static int closed(int fd)
{
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

void st_try__quiet(bool on)
{
	static libbpf_print_fn_t before;
	libbpf_print_fn_t now = libbpf_set_print(NULL);

	if (on)
		before = now;
	else
		libbpf_set_print(before);
}

int st_try__map(void)
{
	return closed(bpf_map_create(BPF_MAP_TYPE_ARRAY, "st_try", 4, 8, 1, NULL));
}

int st_try__ringbuf(void)
{
	return closed(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "st_try", 0, 0,
				     (uint32_t)sysconf(_SC_PAGESIZE), NULL));
}

int st_try__mmap_array(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "st_try", 4, PAGE, 1, &opts), err = 0;
	void *p;

	if (fd < 0)
		return -errno;
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err = -errno;
	else
		munmap(p, PAGE);
	close(fd);
	return err;
}

struct btf *st_try__kernel_btf(void)
{
	/* Only the running kernel's own: files elsewhere may be of another one. */
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return NULL;
	return btf__parse("/sys/kernel/btf/vmlinux", NULL);
}

void st_try__free_btf(struct btf *btf)
{
	btf__free(btf);
}

static int load_tracing(enum bpf_attach_type type, int btf_id, const struct bpf_insn *insns,
			size_t insn_cnt)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type,
		    .attach_btf_id = (uint32_t)btf_id);
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "st_try", "GPL", insns, insn_cnt, &opts);

	return fd < 0 ? -errno : fd;
}

/* Loads "nothing" for a BTF target and attaches it, each way of which goes by this call. */
static int load_and_attach(enum bpf_attach_type type, int btf_id)
{
	int prog, err;

	if (btf_id <= 0)
		return -ENOENT;
	prog = load_tracing(type, btf_id, nothing, 2);
	if (prog < 0)
		return prog;
	err = closed(bpf_raw_tracepoint_open(NULL, prog));
	close(prog);
	return err;
}

int st_try__tracepoint(const struct btf *btf, const char *name)
{
	char type[96];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return load_and_attach(BPF_TRACE_RAW_TP,
			       btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF));
}

int st_try__fentry(const struct btf *btf, const char *func)
{
	return load_and_attach(BPF_TRACE_FENTRY, btf__find_by_name_kind(btf, func, BTF_KIND_FUNC));
}

/* Iterators that need a map to be attached are shown by the load alone. */
int st_try__iter(const struct btf *btf, const char *func)
{
	int id = btf__find_by_name_kind(btf, func, BTF_KIND_FUNC);
	int prog;

	if (id <= 0)
		return -ENOENT;
	prog = load_tracing(BPF_TRACE_ITER, id, nothing, 2);
	if (prog < 0)
		return prog;
	close(prog);
	return 0;
}

/* Socket storage wants types for key (int) and value (int). */
static int make_sk_storage(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC, .btf_key_type_id = 1,
		    .btf_value_type_id = 1);
	struct btf *btf = btf__new_empty();
	int fd = -1, err = -ENOMEM;

	if (!btf)
		return err;
	if (btf__add_int(btf, "int", 4, BTF_INT_SIGNED) == 1 && !btf__load_into_kernel(btf)) {
		opts.btf_fd = (uint32_t)btf__fd(btf);
		fd = bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, "st_try", 4, 4, 0, &opts);
		err = fd < 0 ? -errno : fd;
	} else {
		err = -errno;
	}
	btf__free(btf);
	return err;
}

/* bpf_sk_storage_get(map, the tracepoint's socket, NULL, 0) in a tracing program. */
int st_try__sk_storage(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "btf_trace_inet_sock_set_state", BTF_KIND_TYPEDEF);
	int map = make_sk_storage(), prog;
	struct bpf_insn insns[] = {
		{.code = BPF_LDX | BPF_DW | BPF_MEM, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_4},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_sk_storage_get},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};

	if (map < 0)
		return map;
	prog = id > 0 ? load_tracing(BPF_TRACE_RAW_TP, id, insns, 8) : -ENOENT;
	close(map);
	if (prog < 0)
		return prog;
	close(prog);
	return 0;
}

static int perf_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	attr->size = sizeof(*attr);
	attr->sample_period = 1;
	return (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int attach_perf(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int prog, event, err;

	event = perf_open(attr, pid, cpu);
	if (event < 0)
		return -errno;
	prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "st_try", "GPL", nothing, 2, NULL);
	err = prog < 0 || ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) ? -errno : 0;
	close(event);
	if (prog >= 0)
		close(prog);
	return err;
}

int st_try__kprobe(uint32_t pmu_type, const char *func)
{
	struct perf_event_attr attr = {.type = pmu_type, .kprobe_func = (uintptr_t)func};

	return attach_perf(&attr, -1, 0);
}

/* Something to set a uprobe on that no thread executes. */
__attribute__((noinline, used)) static void uprobe_target(void)
{
	__asm__ volatile("nop; nop; nop");
}

int st_try__file_offset(uintptr_t addr, uint64_t *off, char *path, size_t path_sz)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	int err = -ENOENT;

	if (!f)
		return -errno;
	while (err && fgets(line, sizeof(line), f)) {
		unsigned long from, to, at;
		char file[256];

		if (sscanf(line, "%lx-%lx %*s %lx %*s %*s %255[^\n]", &from, &to, &at, file) != 4)
			continue;
		if (addr < from || addr >= to)
			continue;
		*off = addr - from + at;
		snprintf(path, path_sz, "%s", file);
		err = 0;
	}
	fclose(f);
	return err;
}

int st_try__uprobe(uint32_t pmu_type)
{
	struct perf_event_attr attr = {.type = pmu_type};
	char path[256];
	uint64_t off = 0;
	int err = st_try__file_offset((uintptr_t)uprobe_target, &off, path, sizeof(path));

	if (err)
		return err;
	attr.uprobe_path = (uintptr_t)path;
	attr.probe_offset = off;
	return attach_perf(&attr, getpid(), -1);
}

/*
 * The link is asked for on a folder: a kernel that knows uprobe_multi says EBADF (it is no regular
 * file), others refuse the attach type with EINVAL.
 */
int st_try__uprobe_multi(void)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)ST_TRACE_UPROBE_MULTI);
	uint64_t off = 0;
	int prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "st_try", "GPL", nothing, 2, &opts);
	int link, err;

	if (prog < 0)
		return errno == EINVAL ? -ENOENT : -errno;
	link = st_uprobe_multi__link(prog, "/", &off, NULL, 1, 0);
	err = link < 0 ? link : 0;
	if (link >= 0)
		close(link);
	close(prog);
	if (err == -EBADF)
		return 0;
	return err == -EINVAL || err == -E2BIG ? -ENOENT : err;
}
