/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The per-CPU rings, read in the order of time. libbpf's ring_buffer is not used because it skips
 * nothing that is busy but hides that it stopped there; the merge must know.
 */
#ifndef ST_KERN_RINGS_H
#define ST_KERN_RINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spantap/abi.h"

struct st_rings;

/*
 * Maps the ring buffers behind fds (one per CPU; -1 for none), each ring_sz bytes. Takes no
 * ownership of the fds. Sets *out; returns 0 or -errno.
 */
int st_rings__new(const int *fds, uint32_t cnt, uint32_t ring_sz, struct st_rings **out);
void st_rings__free(struct st_rings *r);

/* A record, valid during the call. */
typedef void (*st_rec_fn)(void *ctx, const struct st_rec *rec);

/*
 * Hands over every record older than this moment, in the order of time, and frees its space.
 * A record that a CPU is still writing ends the round, since older ones could hide behind it.
 * At most max records. Returns how many there were.
 */
uint64_t st_rings__drain(struct st_rings *r, uint64_t max, st_rec_fn fn, void *ctx);

/* All records older than this moment were handed over (CLOCK_MONOTONIC). */
uint64_t st_rings__read_until(const struct st_rings *r);

/* How full the fullest ring is, in percent. */
uint32_t st_rings__fill(const struct st_rings *r);

/* Is there anything to read, finished or not? */
bool st_rings__pending(const struct st_rings *r);

#endif
