/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which span a request that is about to be sent is, and whose trace it belongs to, as far as that
 * is sure at this moment; --propagate. What the programs of propagate.bpf.c put on the wire is
 * decided here, where the capture knows turns and their requests.
 *
 * Whose request a call is made for: of a goroutine or a task, the one that the nearest ancestor has in hand,
 * as in user/core/ev_task.c. Of a thread, the one that it read, when it waited for that connection
 * alone and for nothing else since, and when threads of this process have always answered what they
 * read: a process of which one was seen to hand a request on is not asked again. All else leaves as a
 * trace of its own, and what is learned later becomes a link.
 */
#ifndef ST_BPF_WIRE_H
#define ST_BPF_WIRE_H

#include "arch.h"
#include "marks.h"
#include "payload.h"
#include "task.h"
#include "work.h"

#ifndef ST_PROBE
#include "head.h"

/* So many requests of a process must have been answered by who read them. */
#define ST_CREW_AGREED 2u
/* Goroutines' ancestors that are looked at. */
#define ST_ANCESTORS   8

/* Who runs: the goroutine, the task that the thread works for, or the thread itself. */
static __always_inline struct st_work_key st_work_here(__u32 tgid, __u32 tid)
{
	struct st_work_key key = {.tgid = tgid, .id = tid, .kind = ST_WORK_THREAD};
	struct st_runtime *rt = NULL;
	struct st_worker *w;

	if (st_marked(tgid, ST_MARK_TASKS))
		rt = bpf_map_lookup_elem(&runtimes, &tgid);
	if (!rt)
		return key;
	if (rt->kind == ST_RUNTIME_GO) {
		key.kind = ST_WORK_TASK;
		key.id = st_goid(rt, st_user_reg_g(st_task_regs()));
		return key;
	}
	w = bpf_map_lookup_elem(&workers, &tid);
	if (rt->kind == ST_RUNTIME_NODE) {
		key.id = 0; /* what promises run may be another's */
	} else if (w && w->depth) {
		key.kind = ST_WORK_TASK;
		key.id = st_scope_now(w);
	}
	return key;
}

static __always_inline bool st_same_work(const struct st_work_key *a, const struct st_work_key *b)
{
	return a->id && a->id == b->id && a->tgid == b->tgid && a->kind == b->kind;
}

/* ---- requests that are read and answered ---- */

/*
 * A process that was forked and runs the same image (randomised addresses are equal) does what its
 * siblings do: all of them count as their parent.
 */
static __always_inline __u32 st_crew_of(__u32 tgid)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	struct mm_struct *mm = BPF_CORE_READ(task, mm), *above = BPF_CORE_READ(parent, mm);

	if (mm && above && BPF_CORE_READ(mm, start_stack) == BPF_CORE_READ(above, start_stack) &&
	    BPF_CORE_READ(mm, start_brk) == BPF_CORE_READ(above, start_brk) &&
	    BPF_CORE_READ(mm, env_end) == BPF_CORE_READ(above, env_end))
		return BPF_CORE_READ(parent, tgid);
	return tgid;
}

static __always_inline void st_crew_note(__u32 tgid, bool agreed)
{
	struct st_crew *crew, none = {};

	tgid = st_crew_of(tgid);
	crew = bpf_map_lookup_elem(&crews, &tgid);
	if (!crew) {
		bpf_map_update_elem(&crews, &tgid, &none, BPF_NOEXIST);
		crew = bpf_map_lookup_elem(&crews, &tgid);
	}
	if (crew)
		__sync_fetch_and_add(agreed ? &crew->agreed : &crew->against, 1);
}

/* The request is nobody's any more. Returns its reader. */
static __always_inline struct st_work *st_serve_release(struct st_serve *sv, __u64 conn_id)
{
	struct st_work *w = sv->reader.id ? bpf_map_lookup_elem(&works, &sv->reader) : NULL;

	sv->reader.id = 0;
	if (!w)
		return NULL;
	if (w->cnt)
		w->cnt--;
	w->many &= w->cnt != 0;
	w->since_ns = bpf_ktime_get_ns();
	if (w->conn_id == conn_id)
		w->conn_id = 0;
	return w;
}

/* Its bytes are read by another one than before, or by the first. */
static __noinline int st_serve_take(struct st_serve *sv, const struct st_call *c, __u64 conn_id,
				    const struct st_work_key *key)
{
	struct st_work *w;

	st_serve_release(sv, conn_id);
	w = key->id ? st_work_make(key) : NULL;
	if (!w)
		return 0;
	sv->reader = *key;
	w->ids = sv->ids;
	w->conn_id = conn_id;
	w->since_ns = bpf_ktime_get_ns();
	w->blocks = !!(c->flags & ST_F_BLOCKS);
	w->waited = 0;
	w->before = st_marked(c->tid, ST_MARK_WAITED);
	w->many |= ++w->cnt > 1;
	return 0;
}

/* What came by option with the request that begins at this position. */
static __always_inline struct st_came *st_came_at(struct st_serve *sv, __u32 seq)
{
#pragma unroll
	for (int i = 0; i < ST_CAME_MAX; i++)
		if (sv->came[i].valid && sv->came[i].seq == seq)
			return &sv->came[i];
	return NULL;
}

static __always_inline void st_wire_tell(__u8 what, const struct st_call *c,
					 const struct st_slot *s, const struct st_ids *ids,
					 __u32 seq, __u32 inserted)
{
	struct st_cursor cur;
	struct st_rec *r = st_rec_new(&cur, ST_REC_WIRE, ST_PAYLOAD_S);

	if (!r)
		return;
	r->conn_id = s->conn_id;
	r->slot = c->slot;
	r->turn = s->turn;
	r->pos = c->pos;
	r->opp_pos = st_pos_extend(c->pos, seq);
	r->dir = c->dir;
	r->what = what;
	r->call_len = inserted;
	r->len = sizeof(*ids);
	__builtin_memset(r + 1, 0, ST_PAYLOAD_S);
	*(struct st_ids *)(r + 1) = *ids;
	st_rec_submit(r, &cur);
}

/* What a request's head says of its trace. */
enum st_said { ST_SAID_NOTHING, ST_SAID_IDS, ST_SAID_OTHER };

static __always_inline enum st_said st_head_said(const struct st_head *h)
{
	if (h->flags & ST_HEAD_FOREIGN)
		return ST_SAID_OTHER;
	return h->cnt == 1 ? ST_SAID_IDS : ST_SAID_NOTHING;
}

/* ids: of its traceparent. */
static __noinline int st_wire_said(const struct st_call *c, struct st_ids *ids)
{
	struct st_head *h = st_head_scratch();
	__u64 addr = 0, n = 0;

	if (!h || !st_src_at(&c->src, 0, &addr, &n))
		return ST_SAID_NOTHING;
	if (n > c->bytes)
		n = c->bytes;
	if (n > ST_HEAD_LOOK)
		n = ST_HEAD_LOOK;
	barrier_var(n);
	if (!n || n > ST_HEAD_LOOK || bpf_probe_read_user(h->p, n, (void *)addr))
		return ST_SAID_NOTHING;
	st_head_scan(n);
	*ids = h->ids;
	return st_head_said(h);
}

/*
 * What begins no request: a response, on a connection that is older than we are; and what is left of a
 * FastCGI request when it was answered (a record's version 1 and its type; 1 begins one).
 */
static __always_inline bool st_is_no_request(const struct st_call *c)
{
	__u32 first = 0;

	if (c->src.segs != 1 || c->src.len < sizeof(first) ||
	    bpf_probe_read_user(&first, sizeof(first), (void *)c->src.base))
		return false;
	return first == 0x50545448 || /* "HTTP" */
	       ((first & 0xff) == 1 && (first >> 8 & 0xff) > 1 && (first >> 8 & 0xff) < 12);
}

/* A request begins: the ids of its span. 0: its trace is not known here. */
static __noinline int st_serve_begin(struct st_serve *sv, const struct st_call *c,
				     const struct st_slot *s)
{
	struct st_came *came = st_came_at(sv, (__u32)c->pos);
	struct st_ids above;
	int said = st_wire_said(c, &above);

	sv->turn = s->turn;
	sv->conn_id = s->conn_id;
	st_ids_own(&sv->ids, s->conn_id, s->turn);
	if (came) {
		st_ids_trace(&sv->ids, &came->ids);
		st_wire_tell(ST_WIRE_CAME, c, s, &came->ids, (__u32)c->pos, 0);
		came->valid = 0;
		return 1;
	}
	if (said == ST_SAID_IDS)
		st_ids_trace(&sv->ids, &above);
	return said != ST_SAID_OTHER;
}

/* What its head tells of state and baggage is kept for the calls that are made for it. */
static __noinline int st_serve_carry(struct st_serve *sv, const struct st_slot *s)
{
	struct st_head *h = st_head_scratch();
	__u64 conn_id = s->conn_id;

	if (sv->carries)
		bpf_map_delete_elem(&carried, &conn_id);
	sv->carries = h && h->carry.len;
	if (!sv->carries)
		return 0;
	h->carry.turn = s->turn;
	return bpf_map_update_elem(&carried, &conn_id, &h->carry, BPF_ANY);
}

/* Bytes were received, by who runs. */
static __noinline int st_wire_read(struct sock *sk, const struct st_call *c, struct st_slot *s)
{
	struct st_work_key key;
	struct st_serve *sv;

	if (s->flags & ST_SLOT_ACTIVE || bpf_sk_storage_get(&wires, sk, 0, 0))
		return 0;
	sv = bpf_sk_storage_get(&serves, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!sv)
		return 0;
	key = st_work_here(c->tgid, c->tid);
	if (sv->turn != s->turn || sv->conn_id != s->conn_id) {
		/* Bytes of the request before may come first. */
		if (st_is_no_request(c))
			return 0;
		if (!st_serve_begin(sv, c, s))
			key.id = 0;
		if (cfg.propagate & ST_PROPAGATE_HEADER)
			st_serve_carry(sv, s);
	} else if (st_same_work(&sv->reader, &key)) {
		return 0;
	}
	st_serve_take(sv, c, s->conn_id, &key);
	return 0;
}

/* A turn of answers begins. */
static __always_inline void st_wire_answered(struct st_serve *sv, const struct st_call *c,
					     const struct st_slot *s)
{
	struct st_work_key key = st_work_here(c->tgid, c->tid);
	bool itself = st_same_work(&sv->reader, &key);
	bool known = sv->reader.id, many;
	struct st_work *w = st_serve_release(sv, s->conn_id);

	many = w && (w->many || w->cnt);
	if (known && key.kind == ST_WORK_THREAD)
		st_crew_note(c->tgid, itself && w && !many);
}

/* ---- requests that are made ---- */

/* The request that a thread has in hand: the ids of its span, or NULL. */
static __always_inline struct st_work *st_work_of_thread(const struct st_work_key *key)
{
	struct st_work *w = bpf_map_lookup_elem(&works, key);
	struct st_crew *crew;
	__u32 tgid;

	if (!w || !w->conn_id || w->cnt != 1 || w->many || !w->blocks || w->waited ||
	    (!w->before && st_marked((__u32)key->id, ST_MARK_WAITED)))
		return NULL;
	tgid = st_crew_of(key->tgid);
	crew = bpf_map_lookup_elem(&crews, &tgid);
	return crew && crew->agreed >= ST_CREW_AGREED && !crew->against ? w : NULL;
}

/* The one that the nearest ancestor has in hand for the branch that leads here. */
static __always_inline struct st_work *st_work_above(struct st_work_key key)
{
	__u64 born_ns = bpf_ktime_get_ns();

	for (int i = 0; i < ST_ANCESTORS; i++) {
		struct st_work *w = key.id ? bpf_map_lookup_elem(&works, &key) : NULL;

		if (!w || w->cnt > 1)
			return NULL;
		if (w->cnt)
			return w->conn_id && born_ns >= w->since_ns ? w : NULL;
		if (!w->born_ns)
			return NULL;
		born_ns = w->born_ns;
		key.id = w->parent;
	}
	return NULL;
}

static __always_inline struct st_work *st_work_for(const struct st_slot *s, __u64 tgid_tid)
{
	struct st_work_key key = st_work_here(tgid_tid >> 32, (__u32)tgid_tid);
	__u64 sock = s->sock, *caller;

	if (!key.id)
		return NULL;
	if (key.kind == ST_WORK_THREAD)
		return st_work_of_thread(&key);
	/* Go: another goroutine writes what one has announced as its call. */
	caller = bpf_map_lookup_elem(&callers, &sock);
	if (caller)
		key.id = *caller;
	return st_work_above(key);
}

/* The ids of the request that begins a turn of this connection. own: a trace that its head names. */
static __always_inline void st_wire_fill(struct st_wire *w, const struct st_slot *s, __u32 slot,
					 __u64 tgid_tid, __u32 turn, const struct st_ids *own)
{
	struct st_work *above;

	w->turn = turn;
	w->conn_id = s->conn_id;
	w->slot = slot;
	w->above = 0;
	st_ids_own(&w->ids, s->conn_id, turn);
	if (own) {
		st_ids_trace(&w->ids, own);
		return;
	}
	above = st_work_for(s, tgid_tid);
	if (!above)
		return;
	st_ids_trace(&w->ids, &above->ids);
	w->above = above->conn_id;
}

/* Nothing is told of a request that tells of its trace in a way that is not read here. */
static __always_inline bool st_wire_find(struct st_wire *w, const struct st_call *c,
					 const struct st_slot *s)
{
	struct st_ids own;
	int said;

	if (w->conn_id == s->conn_id && w->turn == s->turn)
		return true; /* its header was inserted */
	said = st_wire_said(c, &own);
	if (said == ST_SAID_OTHER)
		return false;
	st_wire_fill(w, s, c->slot, (__u64)c->tgid << 32 | c->tid, s->turn,
		     said == ST_SAID_IDS ? &own : NULL);
	return true;
}

/* A turn begins to be sent. */
static __noinline int st_wire_send(struct sock *sk, const struct st_call *c, struct st_slot *s)
{
	struct st_wire *w = bpf_sk_storage_get(&wires, sk, 0, 0);
	struct st_serve *sv;
	__u32 inserted;

	if (!w) {
		sv = bpf_sk_storage_get(&serves, sk, 0, 0);
		if (sv)
			st_wire_answered(sv, c, s);
		return 0;
	}
	w->state = ST_WIRE_NONE;
	inserted = w->told;
	w->told = 0;
	if ((!inserted && !(cfg.propagate & ST_PROPAGATE_OPTION)) || !st_wire_find(w, c, s))
		return 0;
	w->seq = (__u32)c->pos + s->dir[ST_TX].shift - inserted;
	w->state = ST_WIRE_READY;
	st_wire_tell(ST_WIRE_LEFT, c, s, &w->ids, w->seq, inserted);
	return 0;
}

/*
 * Headers are inserted into a message before the send hook sees it. 1: this is the message's first
 * piece, and the system call's buffer has its bytes; inserted: how many more the piece has.
 */
static __noinline int st_wire_message(struct sock *sk, __u64 *inserted)
{
	struct st_wire *w = bpf_sk_storage_get(&wires, sk, 0, 0);

	if (!w || !w->fresh)
		return 0;
	*inserted = w->told = w->inserted;
	w->inserted = 0;
	w->fresh = 0;
	return 1;
}

/* Of a message within a turn it is not told which part of the buffer it is, unless it is all of it. */
static __noinline int st_wire_source(struct sock *sk, struct st_call *c)
{
	struct st_wire *w = bpf_sk_storage_get(&wires, sk, 0, 0);

	st_src_syscall(&c->src, sk);
	if (!c->turn && w && (c->src.segs != 1 || c->src.len != w->message))
		c->src.segs = 0;
	return 0;
}

/* The connection is gone: its request is nobody's. */
static __always_inline void st_wire_closed(struct sock *sk, __u64 conn_id)
{
	struct st_serve *sv = bpf_sk_storage_get(&serves, sk, 0, 0);

	if (sv)
		st_serve_release(sv, conn_id);
}

/* The mark that the thread has waited for several things is about to be taken off. */
static __noinline int st_wire_waited(__u32 tgid, __u32 tid)
{
	struct st_work_key key = {.tgid = tgid, .id = tid};
	struct st_work *w = bpf_map_lookup_elem(&works, &key);

	if (w && !w->before)
		w->waited = 1;
	if (w)
		w->before = 0;
	return 0;
}
#endif

#endif
