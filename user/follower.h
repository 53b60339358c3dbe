/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Follows the tasks of processes (kern/follow.h) in a thread of its own: reading a large executable
 * and attaching to it takes longer than the rings hold records.
 */
#ifndef ST_FOLLOWER_H
#define ST_FOLLOWER_H

#include "kern/follow.h"

struct st_follower;

/* NULL: no memory, or no thread. t must outlive it. */
struct st_follower *st_follower__new(struct st_tracer *t);
/* Waits for what is under way; takes every probe away. NULL is safe. */
void st_follower__free(struct st_follower *f);

/* At once, by the caller's own thread: for the start, when nothing is traced yet. */
void st_follower__now(struct st_follower *f, uint32_t tgid);
/* Soon. What does not fit the queue is left out: it is asked for again as long as it matters. */
void st_follower__soon(struct st_follower *f, uint32_t tgid);
/* A copy of a process was made: followed soon if that one is. */
void st_follower__forked(struct st_follower *f, uint32_t parent, uint32_t child);
/* The process has ended, or has another image. */
void st_follower__forget(struct st_follower *f, uint32_t tgid);

#endif
