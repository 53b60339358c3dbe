/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Processes of this host, from /proc. */
#ifndef ST_KERN_PROCS_H
#define ST_KERN_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls fn for every thread group. Returns 0 or -errno. */
typedef void (*st_proc_fn)(void *ctx, uint32_t tgid, uint32_t parent);
int st_procs__each(st_proc_fn fn, void *ctx);

/*
 * Calls fn for pid and its descendants as they are now (the pid itself first).
 * Returns how many, or -errno: -ESRCH when there is no such process.
 */
int st_procs__family(uint32_t pid, st_proc_fn fn, void *ctx);

/*
 * The same of every process that is_root says yes to, each once, whoever else's child it is; one
 * look at /proc for all of them. Roots come first. Returns how many, or -errno.
 */
typedef bool (*st_proc_is)(void *ctx, uint32_t tgid);
int st_procs__families(st_proc_is is_root, st_proc_fn fn, void *ctx);

/* The parent, or -ESRCH. */
int st_procs__parent(uint32_t pid);
/* Its name (comm), without the newline. 0 or -errno. */
int st_procs__comm(uint32_t pid, char *buf, size_t sz);
/* Path of its executable. 0 or -errno (kernel threads have none). */
int st_procs__exe(uint32_t pid, char *buf, size_t sz);
/* The thread group of a thread id, or -ESRCH. */
int st_procs__tgid(uint32_t tid);
bool st_procs__alive(uint32_t pid);

/* CPU time used by this process so far, nanoseconds, and its resident memory, bytes. */
uint64_t st_self__cpu_ns(void);
uint64_t st_self__resident(uint64_t *shared);

#endif
