/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Full accept queues of this network namespace: the kernel drops a connection that finds its
 * listener's queue full, counts it for the whole namespace, and tells nobody whose it was.
 */
#ifndef ST_KERN_LISTENQ_H
#define ST_KERN_LISTENQ_H

#include "kern/procs.h"
#include "spantap/abi.h"

struct st_listenq;

/* NULL when memory runs out. */
struct st_listenq *st_listenq__new(void);
void st_listenq__free(struct st_listenq *q);

/*
 * Connections dropped for a full accept queue since the last call (ListenOverflows of
 * /proc/net/netstat); the first call gives 0. Some 50 us.
 */
uint64_t st_listenq__overflows(struct st_listenq *q);

/*
 * The listening TCP sockets whose accept queue is full now (sock_diag(7)) and that a process owns
 * which is_traced says yes to: the first one of it in the order of /proc. Returns how many, or
 * -errno.
 */
typedef void (*st_listenq_fn)(void *ctx, uint32_t tgid, uint32_t inode, const struct st_open *at);
int st_listenq__each_full(struct st_listenq *q, st_proc_is is_traced, st_listenq_fn fn, void *ctx);

#endif
