/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Threads of a process as their waits in futex(2) show them (ST_REC_WAIT): who sleeps where, and
 * since when. ev_pool.c draws its conclusions from it. When a record was refused all of it is
 * forgotten and learnt anew.
 */
#ifndef ST_CORE_POOL_H
#define ST_CORE_POOL_H

#include "core/lineage.h"

#define ST_POOL_BUCKETS	  256u
/* Beyond so many threads all is forgotten. */
#define ST_POOL_MATES_MAX 4096u

struct st_mate {
	struct st_mate *next; /* in the bucket */
	uint32_t tid;
	bool asleep;
	bool early;	   /* woken before it left the processor: its next sleep is over already */
	bool works;	   /* it made a call while it had no request in hand */
	bool called;	   /* since it was woken last */
	bool one_by_one;   /* it read its last request when it had done with the one before */
	uint8_t home_cnt;  /* sleeps there more than elsewhere */
	uint64_t home;	   /* where it sleeps most of the time */
	uint64_t addr;	   /* where it sleeps, or slept last */
	uint64_t since_ns; /* asleep, or awake */
	uint64_t run;	   /* numbers the times between two sleeps, never twice in a pool */
	char name[16];	   /* no NUL when it is that long */
	uint64_t acted_ns; /* it slept or woke somebody, last */
	uint64_t read_ns;  /* it read a request, last */
	uint32_t by;	   /* who woke it; 0: nobody or another process */
	/* in this run */
	uint64_t up_no;	  /* lin.no of the request that it seems to work for; 0: none */
	uint64_t woke_no; /* of the request whose thread it woke since its last call; 0: none */
};

struct st_pool {
	struct st_mate *mate[ST_POOL_BUCKETS];
	uint32_t cnt;
	uint16_t refused; /* st_core.refused when it was learnt */
	uint64_t runs;
	uint64_t
		puts; /* workers woken at home: each time something may have been put into a queue */
};

/* Of this process; made when it is new. NULL when memory runs out. */
struct st_pool *st_pool__get(struct st_core *c, struct st_proc *p);
/* NULL is safe. */
void st_pool__free(struct st_pool *pool);

/* NULL: not known. pool may be NULL. */
struct st_mate *st_mate__find(struct st_pool *pool, uint32_t tid);
/* Made when it is new. NULL when memory runs out. */
struct st_mate *st_mate__get(struct st_pool *pool, uint32_t tid);
/* The thread has ended. */
void st_mate__drop(struct st_pool *pool, uint32_t tid);

/* It goes to sleep, or is awake. */
void st_mate__sleeps(struct st_pool *pool, struct st_mate *m, const struct st_rec *rec);
void st_mate__wakes(struct st_pool *pool, struct st_mate *m, const struct st_rec *rec);

/* Does it sleep where a worker waits for something to do? */
bool st_mate__is_idle(const struct st_mate *m);
/* Does another worker of the same pool? */
bool st_pool__has_idle(const struct st_pool *pool, const struct st_mate *m);
/* Was another worker of its pool woken before that time and has shown no work since? */
bool st_pool__has_dozing(const struct st_pool *pool, const struct st_mate *m, uint64_t before_ns);

#endif
