/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Runtimes whose tasks are followed by user probes. One runtime is one file, rt_NAME.c, and one row of
 * the table in runtime.c: it knows the files that it is made of and where in them which program of
 * bpf/tasks.bpf.c belongs.
 */
#ifndef ST_KERN_RUNTIME_H
#define ST_KERN_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/uprobes.h"
#include "spantap/abi.h"
struct st_elf;

#define ST_RT_SITES_MAX 128

/* Probes of one file. */
struct st_rt_plan {
	struct st_runtime rt; /* kind 0: the file adds probes, another one says what runs */
	struct {
		const char *prog;
		struct st_uprobe_site at;
	} site[ST_RT_SITES_MAX];
	uint32_t cnt;
	char why[192]; /* of a refusal */
};

struct st_rt_ops {
	const char *name; /* "Go", "asyncio" */
	/* Could a file of this name (the path's last part) be one of it? is_exe: it is the program. */
	bool (*may_be)(const char *file, bool is_exe);
	/* 0; -ENOENT: the file is none of this runtime; else -errno, with plan->why. */
	int (*find)(struct st_elf *e, struct st_rt_plan *plan);
};

extern const struct st_rt_ops *const st_runtimes[];
extern const struct st_rt_ops st_rt_go, st_rt_python, st_rt_python_queue, st_rt_node, st_rt_libc;

/* For the finders: a site more; what does not fit is an error. */
int st_rt__site(struct st_rt_plan *p, const char *prog, uint64_t off, uint64_t cookie);
/* Where the function at addr begins. */
int st_rt__entry(struct st_rt_plan *p, struct st_elf *e, uint64_t addr, const char *prog);
/*
 * Where it is left; by cheap places where it has them, whose cookies bpf/tasks.bpf.c reads. early: only
 * the value that it returns matters, not the moment.
 */
int st_rt__leaves(struct st_rt_plan *p, struct st_elf *e, uint64_t addr, const char *prog,
		  bool early);

#endif
