/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * User probes that follow the tasks of runtimes. An object of its own, loaded when the first process
 * comes that needs it; it shares maps with the hooks' object. Arguments and results are taken from
 * registers (System V ABI; Go's: cmd/compile/abi-internal.md). user/kern/rt_*.c say where each
 * program is attached.
 */
#define ST_PROBE
#include "maps.h"
#include "fd.h"
#include "task.h"
#include "leave.h"
#include "work.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Objects of a runtime that stand for tasks: a context, an async scope, an item of a queue. */
struct st_thing {
	__u32 tgid;
	__u32 pad;
	__u64 addr;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct st_thing);
	__type(value, __u64); /* the task's number */
} things SEC(".maps");

/* Is the function left here? What it returns then. */
static __always_inline bool st_left(struct pt_regs *ctx, __u64 *value)
{
	__u64 cookie = 0;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_attach_cookie))
		cookie = bpf_get_attach_cookie(ctx);
	*value = PT_REGS_RC(ctx);
	if (!cookie)
		return true;
	*value = st_reg_value(ctx, cookie >> 8);
	return st_cond_holds(ctx->flags, (cookie & 0xff) - 1);
}

static __always_inline struct st_thing st_thing_of(__u64 addr)
{
	return (struct st_thing){.tgid = bpf_get_current_pid_tgid() >> 32, .addr = addr};
}

static __always_inline struct st_worker *st_worker_here(bool make)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct st_worker *w = bpf_map_lookup_elem(&workers, &tid), none = {};

	if (w || !make)
		return w;
	bpf_map_update_elem(&workers, &tid, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&workers, &tid);
}

static __always_inline void st_scope_push(__u64 task)
{
	struct st_worker *w = st_worker_here(true);
	__u32 depth;

	if (!w)
		return;
	depth = w->depth++;
	if (depth < ST_SCOPES_MAX)
		w->scope[depth & (ST_SCOPES_MAX - 1)] = task;
}

static __always_inline void st_scope_pop(void)
{
	struct st_worker *w = st_worker_here(false);

	if (!w || !w->depth)
		return;
	w->depth--;
	if (!w->depth || w->depth < w->read_depth)
		w->read_conn = 0;
}

/* The thing is a new task from here on, whatever lay at its address before. */
static __always_inline void st_thing_born(__u64 addr, enum st_task_kind kind)
{
	struct st_thing thing = st_thing_of(addr);
	struct st_worker *w = st_worker_here(false);
	__u64 task = st_task_new();

	if (!addr || !task)
		return;
	bpf_map_update_elem(&things, &thing, &task, BPF_ANY);
	st_task_send(ST_TASK_BORN, kind, task, w ? st_scope_now(w) : 0,
		     w && w->depth ? w->read_conn : 0, 0);
	if (cfg.propagate)
		st_work_born(task, w ? st_scope_now(w) : 0);
}

/* Its task; one that was there before we watched gets a number now, and no birth. */
static __always_inline __u64 st_thing_task(__u64 addr)
{
	struct st_thing thing = st_thing_of(addr);
	__u64 *known = bpf_map_lookup_elem(&things, &thing), task;

	if (known)
		return *known;
	task = st_task_new();
	if (task)
		bpf_map_update_elem(&things, &thing, &task, BPF_ANY);
	return task;
}

/* ---- a context that is entered and left, and copied: CPython's contextvars ---- */

/* context_run(PyContext *self, ...), Python/context.c */
SEC("?uprobe")
int py_enter(struct pt_regs *ctx)
{
	st_scope_push(st_thing_task(PT_REGS_PARM1(ctx)));
	return 0;
}

SEC("?uprobe")
int py_leave(struct pt_regs *ctx)
{
	__u64 none;

	if (st_left(ctx, &none))
		st_scope_pop();
	return 0;
}

/* PyContext_CopyCurrent, PyContext_Copy, PyContext_New return a context. */
SEC("?uprobe")
int py_made(struct pt_regs *ctx)
{
	__u64 made;

	if (st_left(ctx, &made))
		st_thing_born(made, ST_TASK_ANY);
	return 0;
}

/* ---- items of a queue between threads: _queue.SimpleQueue, on which executors stand ---- */

/* _queue_SimpleQueue_put(self, PyObject *const *args, ...), Modules/clinic/_queuemodule.c.h */
SEC("?uprobe")
int py_put(struct pt_regs *ctx)
{
	__u64 item = 0;

	if (!bpf_probe_read_user(&item, sizeof(item), (void *)PT_REGS_PARM2(ctx)))
		st_thing_born(item, ST_TASK_ITEM);
	return 0;
}

/* A get begins: what the thread worked for is done. */
SEC("?uprobe")
int py_ask(struct pt_regs *ctx)
{
	struct st_worker *w = st_worker_here(false);

	if (!w || w->depth != 1)
		return 0;
	w->depth = 0;
	w->read_conn = 0;
	return 0;
}

SEC("?uprobe")
int py_got(struct pt_regs *ctx)
{
	__u64 item, *task, id;
	struct st_thing thing;
	struct st_worker *w;

	if (!st_left(ctx, &item))
		return 0;
	thing = st_thing_of(item);
	task = item ? bpf_map_lookup_elem(&things, &thing) : NULL;
	if (!task)
		return 0;
	id = *task;
	bpf_map_delete_elem(&things, &thing);
	w = st_worker_here(true);
	/* Inside a context the item is that context's business. */
	if (w && !w->depth)
		st_scope_push(id);
	return 0;
}

/* ---- Go ---- */

static __always_inline struct st_runtime *st_runtime_here(void)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&runtimes, &tgid);
}

static __always_inline __u64 st_user_u64(__u64 addr)
{
	__u64 v = 0;

	if (!addr || bpf_probe_read_user(&v, sizeof(v), (void *)addr))
		return 0;
	return v;
}

/* A return of runtime.newproc1: the new goroutine is the result. */
SEC("?uprobe")
int go_born(struct pt_regs *ctx)
{
	struct st_runtime *rt = st_runtime_here();
	__u64 g = PT_REGS_RC(ctx), id, parent;

	if (!rt || !rt->parent_goid)
		return 0;
	id = st_goid(rt, g);
	parent = st_user_u64(g + rt->parent_goid);
	if (!id || !parent)
		return 0;
	st_task_send(ST_TASK_BORN, ST_TASK_GOROUTINE, id, parent, 0, 0);
	if (cfg.propagate)
		st_work_born(id, parent);
	return 0;
}

/*
 * net/http.(*persistConn).roundTrip(pc, ...): the goroutine that runs makes the connection's next
 * request; another one will write it. pc.conn is an interface of *net.TCPConn, which points to a
 * net.netFD.
 */
SEC("?uprobe")
int go_calls(struct pt_regs *ctx)
{
	struct st_runtime *rt = st_runtime_here();
	__u64 pc = PT_REGS_RC(ctx), conn, net_fd, sock, id;
	__u32 fd = 0;

	if (!rt || !rt->persist_conn)
		return 0;
	conn = st_user_u64(pc + rt->persist_conn + 8);
	net_fd = st_user_u64(conn);
	id = st_goid(rt, st_user_reg_g(ctx));
	if (!net_fd || !id || bpf_probe_read_user(&fd, sizeof(fd), (void *)(net_fd + rt->sysfd)))
		return 0;
	sock = (__u64)st_fd_sock(fd);
	if (sock)
		bpf_map_update_elem(&callers, &sock, &id, BPF_ANY);
	return 0;
}

/* ---- Node.js ---- */

/*
 * Objects that callbacks come to have an async id, a double that counts up and is never used again
 * in a process. Its bits are the key; as a key it must not look like an address.
 */
#define ST_ASYNC_ID	  (1ULL << 63)
#define ST_ASYNC_ID_OFF	  0x28 /* of AsyncWrap::async_id_; rt_node.c looks whether it lies there */
#define ST_ASYNC_ID_LEAST 0x3ffULL /* exponent of 1.0 */
#define ST_ASYNC_ID_MOST  0x433ULL /* ... of 2^52 */

/* The key of the id that lies there; 0: there is none. */
static __always_inline __u64 st_async_key(__u64 addr)
{
	__u64 bits = st_user_u64(addr);

	if (bits >> 52 < ST_ASYNC_ID_LEAST || bits >> 52 > ST_ASYNC_ID_MOST)
		return 0;
	return bits | ST_ASYNC_ID;
}

/* node::AsyncWrap::AsyncReset(this, ...): an object gets a new id. */
SEC("?uprobe")
int node_made(struct pt_regs *ctx)
{
	__u64 wrap = PT_REGS_PARM1(ctx);
	struct st_worker *w;

	barrier_var(wrap); /* the context is read at fixed offsets only */
	w = st_worker_here(true);
	if (w)
		w->making = wrap;
	return 0;
}

/* node::AsyncWrap::EmitAsyncInit(...), by which it ends: now it has it. */
SEC("?uprobe")
int node_numbered(struct pt_regs *ctx)
{
	struct st_worker *w = st_worker_here(false);
	__u64 key;

	if (!w || !w->making)
		return 0;
	key = st_async_key(w->making + ST_ASYNC_ID_OFF);
	w->making = 0;
	if (key)
		st_thing_born(key, ST_TASK_ANY);
	return 0;
}

/*
 * A scope is entered for an object that was made in another one. The first one behind what was read
 * is its reader's: that one works for it until it reads again. Within a scope that is known, more
 * are entered for the same cause.
 */
static __always_inline int st_node_enter(__u64 self, __u64 key)
{
	struct st_worker *w = st_worker_here(true);
	struct st_thing thing = st_thing_of(key);
	__u64 *known, task;
	__u32 depth;

	if (!w)
		return 0;
	task = st_scope_now(w);
	if (!w->depth && w->fresh) {
		task = w->fresh;
		w->fresh = 0;
		if (key)
			bpf_map_update_elem(&things, &thing, &task, BPF_ANY);
	} else if (!task && key) {
		known = bpf_map_lookup_elem(&things, &thing);
		task = known ? *known : 0;
	}
	depth = w->depth++;
	if (depth >= ST_SCOPES_MAX)
		return 0;
	w->scope[depth & (ST_SCOPES_MAX - 1)] = task;
	w->self[depth & (ST_SCOPES_MAX - 1)] = self;
	return 0;
}

/* node::InternalCallbackScope::InternalCallbackScope(this, AsyncWrap *, int) */
SEC("?uprobe")
int node_enter(struct pt_regs *ctx)
{
	__u64 self = PT_REGS_PARM1(ctx), wrap = PT_REGS_PARM2(ctx);

	return st_node_enter(self, st_async_key(wrap + ST_ASYNC_ID_OFF));
}

/*
 * node::InternalCallbackScope::InternalCallbackScope(this, Environment *, Local<Object>,
 * const async_context &, int); async_context begins with the id, 0 for what nobody asked for.
 */
SEC("?uprobe")
int node_enter_id(struct pt_regs *ctx)
{
	__u64 self = PT_REGS_PARM1(ctx), at = PT_REGS_PARM4(ctx);

	return st_node_enter(self, st_async_key(at));
}

/* node::InternalCallbackScope::Close(this): what was put off runs in it, still in the scope. */
SEC("?uprobe")
int node_close(struct pt_regs *ctx)
{
	__u64 self = PT_REGS_PARM1(ctx);
	struct st_worker *w;
	__u32 depth;

	barrier_var(self); /* the context is read at fixed offsets only */
	w = st_worker_here(false);
	if (!w)
		return 0;
	depth = w->closes++;
	if (depth < ST_SCOPES_MAX)
		w->closing[depth & (ST_SCOPES_MAX - 1)] = self;
	return 0;
}

/* It returns: the scope is left, unless it had been before (the destructor closes as well). */
SEC("?uprobe")
int node_closed(struct pt_regs *ctx)
{
	struct st_worker *w;
	__u32 top, depth;
	__u64 none;

	if (!st_left(ctx, &none))
		return 0;
	w = st_worker_here(false);
	if (!w || !w->closes)
		return 0;
	top = --w->closes;
	depth = w->depth;
	if (!depth || top >= ST_SCOPES_MAX || depth > ST_SCOPES_MAX)
		return 0;
	if (w->self[(depth - 1) & (ST_SCOPES_MAX - 1)] == w->closing[top & (ST_SCOPES_MAX - 1)])
		w->depth--;
	return 0;
}

/* The loop goes on to something else: timers, immediates, waiting. */
SEC("?uprobe")
int node_loop(struct pt_regs *ctx)
{
	struct st_worker *w = st_worker_here(false);

	if (w) {
		w->depth = 0;
		w->closes = 0;
		w->fresh = 0;
	}
	return 0;
}
