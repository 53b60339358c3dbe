/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A set of user probes: BPF programs on instructions of files, for one process or for all. By
 * uprobe_multi links where this kernel has them (200 probes go in 28 ms), else by a perf event
 * for each (21 s). A program is loaded for one or the other: st_uprobes__prepare before the load.
 *
 * There is no way to ask for a return probe: it writes into the stack, and kills a process whose
 * stack unwinds, is switched or copied. What is left where is found by kern/retsites.h, gosym.h.
 *
 * The programs are of SEC("uprobe"); bpf_get_attach_cookie() tells the sites apart.
 */
#ifndef ST_KERN_UPROBES_H
#define ST_KERN_UPROBES_H

#include <stddef.h>
#include <stdint.h>

struct bpf_program;
struct st_uprobes;

enum st_uprobe_way {
	ST_UPROBE_BEST = 0,   /* found by trying */
	ST_UPROBE_MULTI = 1,  /* uprobe_multi links */
	ST_UPROBE_EVENTS = 2, /* perf events */
};

struct st_uprobe_site {
	uint64_t off; /* in the file */
	uint64_t cookie;
};

/* -ENOMEM; -ENOTSUP when ST_UPROBE_MULTI is asked for and does not work here. */
int st_uprobes__new(enum st_uprobe_way way, struct st_uprobes **out);
/* Takes every probe away first. */
void st_uprobes__free(struct st_uprobes *u);
/* ST_UPROBE_MULTI or ST_UPROBE_EVENTS. */
enum st_uprobe_way st_uprobes__way(const struct st_uprobes *u);

/* Makes a program that has not been loaded fit for this set. */
int st_uprobes__prepare(const struct st_uprobes *u, struct bpf_program *prog);

/*
 * Puts prog on all sites of a file, or on none. path: any, also /proc/PID/root/... or
 * /proc/PID/map_files/...; it may go away afterwards. pid: a process with all its threads, 0 for
 * every process, present and future. Done once for a program, a pid and a file (device and
 * inode, or the one below an overlay): again it is 0 at once. -errno with the reason in why: -EINVAL two sites in one place,
 * -ENOTSUP the kernel takes no probe on such an instruction.
 */
int st_uprobes__attach(struct st_uprobes *u, const struct bpf_program *prog, const char *path,
		       int pid, const struct st_uprobe_site *sites, uint32_t cnt, char *why,
		       size_t why_sz);

/* Takes away what was attached for this process alone; 0: what was attached for all. */
void st_uprobes__detach_pid(struct st_uprobes *u, int pid);
/* Takes all away. */
void st_uprobes__detach(struct st_uprobes *u);

/* Sites that are attached now. */
uint32_t st_uprobes__cnt(const struct st_uprobes *u);

#endif
