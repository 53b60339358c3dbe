/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One try each: makes the smallest thing that needs a feature and takes it away at once. All
 * return 0 or -errno; -ENOENT: what it stands on does not exist in this kernel.
 */
#ifndef ST_KERN_FEATURES_TRY_H
#define ST_KERN_FEATURES_TRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf;

int st_try__map(void);
int st_try__ringbuf(void);
int st_try__mmap_array(void);

/* The kernel's type information, NULL and errno when there is none. */
struct btf *st_try__kernel_btf(void);
void st_try__free_btf(struct btf *btf);

int st_try__tracepoint(const struct btf *btf, const char *name);
int st_try__fentry(const struct btf *btf, const char *func);
int st_try__iter(const struct btf *btf, const char *func);
int st_try__sk_storage(const struct btf *btf);
int st_try__kprobe(uint32_t pmu_type, const char *func);
int st_try__uprobe(uint32_t pmu_type); /* on a function of this program that nobody calls */
int st_try__uprobe_multi(void);

/* Where in its file an address of this process is mapped from, and which file. */
int st_try__file_offset(uintptr_t addr, uint64_t *off, char *path, size_t path_sz);

/* libbpf's messages off, or as they were. */
void st_try__quiet(bool on);

#endif
