/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Units of work that a runtime runs on threads of its own choice: goroutines, asyncio contexts,
 * Node's async scopes, items of a thread pool. The kernel side numbers them, never twice in a
 * process, and tells when one is made and whose work a thread does (ST_REC_TASK).
 */
#ifndef ST_CORE_TASK_H
#define ST_CORE_TASK_H

#include "core/lineage.h"
#include "spantap/protocol.h"

#define ST_TASK_SETS 8192u
#define ST_TASK_WAYS 4u

struct st_task {
	uint64_t id; /* 0: a free place */
	uint64_t parent;
	uint64_t born_ns; /* 0: before we watched */
	uint32_t tgid;
	uint32_t in_cnt;	 /* requests that it read and that are not answered */
	struct st_xchg *in_hand; /* the last one of them */
	uint64_t freed_ns;	 /* when it had one less, last */
	/* made by a thread that works for no task: what it had in hand then */
	uint32_t maker_tid;
	uint64_t maker_no;	     /* lin.no; 0: nothing */
	struct st_xchg *response_of; /* scope: the call whose response it is */
	bool is_response;	     /* scope: ... whether that is still there or not */
	/* reading: what it, or those that it made, reads; task_owner.c */
	uint64_t reads_conn; /* the last one's; 0: none yet */
	bool reads_many;
	bool for_read; /* it was made by who had just read of reads_conn */
	/* answering */
	uint64_t answered_conn; /* whose requests it answers; 0: none yet */
	bool answers_many;
	uint64_t answered_ns; /* when it began its last answer */
};

struct st_tasks {
	struct st_task *set; /* ST_TASK_SETS * ST_TASK_WAYS, made when the first one comes */
	uint8_t victim[ST_TASK_SETS];
};

/* Branches made since then work for the one request that the task has in hand (in_cnt is 1). */
static inline uint64_t st_task__since(const struct st_task *t)
{
	uint64_t read_ns = t->in_hand->lin.read_ns;

	return read_ns > t->freed_ns ? read_ns : t->freed_ns;
}

/* NULL: not known (any more). */
struct st_task *st_task__find(struct st_core *c, uint32_t tgid, uint64_t id);
/* Made when it is new, at the cost of one that nothing is open on. NULL: no memory or no room. */
struct st_task *st_task__get(struct st_core *c, uint32_t tgid, uint64_t id);
void st_task__free_all(struct st_core *c);

/* It has read a request of that connection. */
void st_task__reads(struct st_core *c, uint32_t tgid, uint64_t id, uint64_t conn_id);

/* The first one of its ancestors that is known. */
struct st_task *st_task__first(struct st_core *c, struct st_task *t);

/* For whose connection was it made? */
enum st_owner {
	ST_OWNER_UNKNOWN,
	ST_OWNER_THIS,	 /* the request's alone */
	ST_OWNER_OTHERS, /* another one, or several */
};
enum st_owner st_task__owner(struct st_core *c, const struct st_task *t, const struct st_xchg *x);

#endif
