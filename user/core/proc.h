/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the rungs know of processes and threads: which requests a process has not answered yet, and
 * what each thread has in hand.
 */
#ifndef ST_CORE_PROC_H
#define ST_CORE_PROC_H

#include "core/lineage.h"

#define ST_PROC_BUCKETS	  1024u
#define ST_THREAD_BUCKETS 4096u
/* Entries that nothing is open on are given up beyond so many. */
#define ST_PROCS_MAX	  8192u
#define ST_THREADS_MAX	  16384u

struct st_proc {
	struct st_proc *next; /* in the bucket */
	uint32_t tgid;
	uint32_t refs;		  /* exchanges */
	struct st_xlist inbound;  /* SERVER, not answered, in the order in which they opened */
	struct st_xlist pending;  /* CLIENT, not placed, the same */
	struct st_echoes *echoes; /* echo: of a proxy, owned */
	bool gone;
	uint8_t asked;	      /* st_core_ops.calls was, so often, */
	uint64_t asked_ns;    /* last then */
	uint8_t program;      /* enum st_program */
	bool keeps_place;     /* group: what it passes on stays in the request's own memory */
	uint32_t handed;      /* thread: requests left by who read them and answered by others, */
	uint32_t kept;	      /* thread: and by themselves, later */
	struct st_pool *pool; /* pool: its threads' waits, owned; NULL: not watched */
	bool pool_asked;      /* pool: st_core_ops.watch_pool was */
	bool may_pool;	      /* pool: its threads hand work on by futex(2) */
	bool differed;	      /* scope: the two words about a call did, once */
	uint32_t agreed;      /* scope: how often they agreed */
};

/* What is known of the program that a process runs. */
enum st_program {
	ST_PROGRAM_ASK = 0, /* not looked up yet */
	ST_PROGRAM_ANY,
	ST_PROGRAM_PROXY,  /* passes requests on, one upstream exchange for one of its own */
	ST_PROGRAM_TASKS,  /* a runtime that runs tasks on whatever thread is free: Go, Node.js */
	ST_PROGRAM_SERIAL, /* each process works on one request from its read to its answer */
};

struct st_thread {
	struct st_thread *next;
	uint32_t tid;
	uint32_t tgid;
	struct st_xchg *in_hand; /* thread: the request that was read last and is not answered */
	uint32_t open_cnt;	 /* thread: requests that it read and that are not answered, */
	uint32_t left_cnt;	 /* thread: and those among them that it left for another one */
	uint32_t waits;		 /* thread: times that it waited for many things at once */
	uint64_t waited_ns;	 /* thread: the record that last said so */
	bool loops;		 /* thread: such a wait gave it a request to read */
	bool many;		 /* thread: it answered one that it had left */
	uint8_t task_kind;	 /* enum st_task_kind of: */
	uint64_t task;		 /* task: whose work it does; 0: none's */
	uint16_t task_refused;	 /* task: st_core.refused when that was told */
};

struct st_procs {
	struct st_proc *proc[ST_PROC_BUCKETS];
	struct st_thread *thread[ST_THREAD_BUCKETS];
	uint32_t proc_cnt, thread_cnt;
};

/* Made when they are new. NULL when memory runs out. */
struct st_proc *st_proc__get(struct st_core *c, uint32_t tgid);
struct st_thread *st_thread__get(struct st_core *c, uint32_t tgid, uint32_t tid);
/* It waited for several things at once before the record. */
void st_thread__waited(struct st_core *c, const struct st_rec *rec);
/* Known already, or NULL. */
struct st_thread *st_thread__find(struct st_core *c, uint32_t tid);

void st_proc__unref(struct st_core *c, struct st_proc *p);
/* The process has ended. */
void st_proc__exit(struct st_core *c, uint32_t tgid);
void st_proc__free_all(struct st_core *c);

/* Does this executable, a path or its last part, pass requests on? */
bool st_proxy__is_exe(struct st_str exe);
/* By its executable's name. */
enum st_program st_proc__program(struct st_core *c, struct st_proc *p);
static inline bool st_proc__is_proxy(struct st_core *c, struct st_proc *p)
{
	return st_proc__program(c, p) == ST_PROGRAM_PROXY;
}

#endif
