/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Follows the tasks of processes: finds out what runtime a process has, attaches its user probes to
 * that process's memory alone and tells the hooks. Loads bpf/tasks.bpf.c when the first one comes.
 */
#ifndef ST_KERN_FOLLOW_H
#define ST_KERN_FOLLOW_H

#include "kern/tracer.h"

struct st_follow;

/* NULL: no memory. t must outlive it. */
struct st_follow *st_follow__new(struct st_tracer *t);
void st_follow__free(struct st_follow *f);

/*
 * Looks at a process again: files that were mapped since get their probes. Returns how many files
 * have them now, 0: there is nothing to follow, or -errno.
 */
int st_follow__process(struct st_follow *f, uint32_t tgid);
/* A copy of a process was made: followed if that one is. */
void st_follow__forked(struct st_follow *f, uint32_t parent, uint32_t child);
/* The process has ended, or has another image. */
void st_follow__forget(struct st_follow *f, uint32_t tgid);

#endif
