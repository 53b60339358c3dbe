/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Tasks of runtimes. User probes (tasks.bpf.c) keep what each thread works for; before a record of
 * a connection user space is told if that has changed. Go needs no probe for it: a thread in a
 * system call has its goroutine in a register.
 */
#ifndef ST_BPF_TASK_H
#define ST_BPF_TASK_H

#include "arch.h"
#include "marks.h"

static __always_inline void st_task_send(__u8 what, __u32 kind, __u64 task, __u64 other,
					 __u64 conn_id, __u32 slot)
{
	struct st_cursor cur;
	struct st_rec *r = st_rec_new(&cur, ST_REC_TASK, 0);

	if (!r)
		return;
	r->what = what;
	r->err = kind;
	r->pos = task;
	r->opp_pos = other;
	r->conn_id = conn_id;
	r->slot = slot;
	st_rec_submit(r, &cur);
}

/* The goroutine of a thread of Go that made a system call; 0 when it is not there. */
static __always_inline __u64 st_goid(const struct st_runtime *rt, __u64 g)
{
	__u64 id = 0;

	if (!g || bpf_probe_read_user(&id, sizeof(id), (void *)(g + rt->goid)))
		return 0;
	return id;
}

static __always_inline void st_task_go(const struct st_runtime *rt)
{
	__u64 task = st_goid(rt, st_user_reg_g(st_task_regs()));

	st_task_send(ST_TASK_RUNS, ST_TASK_GOROUTINE, task, 0, 0, 0);
}

/* A number for a task, never used again; 0: none. */
static __always_inline __u64 st_task_new(void)
{
	struct st_cpu *cpu = st_this_cpu();

	if (!cpu)
		return 0;
	return (++cpu->tasks << 9 | (bpf_get_smp_processor_id() & 511)) + 1;
}

/* The innermost scope that a thread is in; 0: none, or too deep. */
static __always_inline __u64 st_scope_now(const struct st_worker *w)
{
	__u32 depth = w->depth;

	if (!depth || depth > ST_SCOPES_MAX)
		return 0;
	return w->scope[(depth - 1) & (ST_SCOPES_MAX - 1)];
}

/* What a thread works for: its innermost scope, or what it just read; 0: for nobody. */
static __always_inline __u64 st_task_now(const struct st_worker *w)
{
	return w->depth ? st_scope_now(w) : w->fresh;
}

static __always_inline void st_task_scopes(struct st_worker *w, enum st_task_kind kind)
{
	__u64 task = st_task_now(w);

	if (w->told == task)
		return;
	w->told = task;
	st_task_send(ST_TASK_RUNS, kind, task, 0, 0, 0);
}

/* What is made in the scope that a request is read in, or in the next one, is made for it. */
static __noinline int st_task_thread(struct st_call *c, const struct st_slot *s)
{
	struct st_worker *w = bpf_map_lookup_elem(&workers, &c->tid);

	if (!w)
		return 0;
	if (c->dir == ST_RX && c->turn) {
		w->read_conn = s->flags & ST_SLOT_ACTIVE ? 0 : s->conn_id;
		w->read_depth = w->depth;
	}
	st_task_scopes(w, ST_TASK_ANY);
	return 0;
}

/* Go: has a goroutine announced that this request is its call? */
static __always_inline int st_task_caller(const struct st_call *c, const struct st_slot *s)
{
	__u64 sock = s->sock, *caller;

	if (c->dir != ST_TX || !c->turn)
		return 0;
	caller = bpf_map_lookup_elem(&callers, &sock);
	if (!caller)
		return 0;
	st_task_send(ST_TASK_CALLS, ST_TASK_GOROUTINE, *caller, 0, s->conn_id, c->slot);
	bpf_map_delete_elem(&callers, &sock);
	return 0;
}

/*
 * Node: nothing runs while the loop reads. What is read is a task of its own: a request is nobody's,
 * a response is its caller's. The scopes that are entered for it work for that task, whoever made
 * the socket once: connections are kept and lent.
 */
static __always_inline void st_task_read(const struct st_call *c, const struct st_slot *s,
					 struct st_worker *w)
{
	__u64 sock = s->sock, *caller = NULL;
	__u32 first = 0;

	w->depth = 0;
	w->closes = 0;
	w->fresh = 0;
	if (!c->turn || c->src.segs != 1 || c->src.len < sizeof(first) ||
	    bpf_probe_read_user(&first, sizeof(first), (void *)c->src.base))
		return;
	if (first == 0x50545448) /* "HTTP" */
		caller = bpf_map_lookup_elem(&callers, &sock);
	w->fresh = st_task_new();
	st_task_send(ST_TASK_BORN, ST_TASK_ANY, w->fresh, caller ? *caller : 0, 0, 0);
}

static __noinline int st_task_node(struct st_call *c, const struct st_slot *s)
{
	struct st_worker *w = bpf_map_lookup_elem(&workers, &c->tid);
	__u64 sock = s->sock, task;

	if (!w)
		return 0;
	if (c->dir == ST_RX)
		st_task_read(c, s, w);
	task = st_task_now(w);
	if (c->dir == ST_TX && c->turn)
		bpf_map_update_elem(&callers, &sock, &task, BPF_ANY);
	st_task_scopes(w, ST_TASK_SCOPE);
	return 0;
}

/* A call of a process that runs tasks is about to become a record. */
static __noinline int st_task_tell(struct st_call *c, const struct st_slot *s)
{
	struct st_runtime *rt = bpf_map_lookup_elem(&runtimes, &c->tgid);

	if (!rt)
		return 0;
	if (rt->kind == ST_RUNTIME_GO) {
		st_task_go(rt);
		return st_task_caller(c, s);
	}
	if (rt->kind == ST_RUNTIME_NODE)
		return st_task_node(c, s);
	return st_task_thread(c, s);
}

#endif
