/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One output of the sender: its queue, its requests, its back-off. For sender.c and output.c. */
#ifndef ST_EXPORT_OUTPUT_H
#define ST_EXPORT_OUTPUT_H

#include <pthread.h>

#include "export/request.h"
#include "export/said.h"

struct st_output {
	struct st_target t;
	uint32_t max_batch;
	/* What `ready` holds; written under the lock, read by anybody. */
	uint32_t waiting;
	uint64_t waiting_sz;
	/* The sender's; the lock guards what follows. */
	pthread_mutex_t *lock;
	pthread_cond_t *changed;
	CURLM *multi;
	struct st_batch *ready, **ready_end;
	struct st_batch *spare;
	uint32_t held; /* spans in requests */
	bool removing, removed;
	uint64_t flush_ns; /* deadline of a flush; 0: none */
	struct st_export_stats st;
	/* The sending thread's own. */
	struct st_request req[ST_SENDER_INFLIGHT];
	struct st_request_work work;
	uint64_t not_before_ns;
	uint32_t streak; /* failures in a row */
	uint32_t flush_fails;
	bool flush_seen;
	struct st_said said;
	uint64_t random;
	bool let_go; /* removing was seen, nothing runs any more */
};

/* bt joins `ready` (sign 1) or leaves it (-1); under the lock. */
void st_output__count_waiting(struct st_output *o, const struct st_batch *bt, int sign);

/* An empty batch that was used before, or NULL; under the lock. */
struct st_batch *st_output__spare(struct st_output *o);

/* The rest is the sending thread's. */

/* Starts what may start. Returns when to look again; UINT64_MAX: when something happens. */
uint64_t st_output__step(struct st_output *o, uint64_t now_ns);

/* A transfer ended. */
void st_output__done(struct st_request *r, CURLcode code);

/* Takes the target over, also when it fails. NULL when memory ran out. */
struct st_output *st_output__new(const struct st_target *t, uint32_t max_batch,
				 pthread_mutex_t *lock, pthread_cond_t *changed, CURLM *multi);
/* Nothing of it may run. */
void st_output__free(struct st_output *o);

#endif
