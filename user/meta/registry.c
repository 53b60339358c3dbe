/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "meta/process.h"
#include "meta/resource.h"

#define NS		  1000000000ull
#define RECHECK_NS	  (10 * NS) /* a process id may have been used anew meanwhile */
#define RECHECK_EXITED_NS (1 * NS)  /* the same for one that ended */
#define KEEP_EXITED_NS	  (30 * NS)
#define NONE		  UINT32_MAX
#define ANCESTORS_MAX	  16

/* What the kernel said at exec, kept until somebody asks. */
struct exec_facts {
	uint16_t comm_len, filename_len, args_len;
	char text[];
};

/* One process. It is in the hash by tgid; `seen` is the clock algorithm's mark. */
struct item {
	const struct st_resource *res; /* NULL: nobody asked yet */
	struct exec_facts *exec;       /* not NULL: an image began since res was made */
	uint64_t check_ns;	       /* from then on the slow path looks at it */
	uint64_t exited_ns;	       /* 0: not known to have ended */
	uint64_t start_ticks;	       /* 0: unknown */
	int32_t tgid;		       /* 0: the item is free */
	int32_t parent;		       /* not 0: it began as that one's copy since res was made */
	uint32_t next, prev;	       /* among those that ended; next: among the free ones */
	bool seen;
	bool pinned; /* it is being made */
};

/* A resource that no process has any more, but a span may. */
struct retired {
	const struct st_resource *res;
	uint64_t due_ns;
};

struct st_registry {
	/* hot: the cached look-up */
	uint32_t *hash; /* item index or NONE; open addressing, linear */
	uint32_t hash_mask;
	uint32_t hash_shift;
	struct item *items;
	/* cold */
	uint32_t max, used, free_head, hand;
	uint32_t exited_first, exited_last; /* items with exited_ns, in the order of their end */
	uint32_t exited_cnt, exited_max;
	struct retired *retired; /* ring */
	uint32_t retired_max, retired_at, retired_cnt;
	uint32_t *free_idx; /* resource indices to give out, a stack */
	uint32_t free_idx_cnt, idx_max;
	uint32_t generation;
	uint64_t now_ns; /* the last time that a caller named */
	bool offline;
	uint32_t ancestors; /* being asked for the sake of a child */
	struct st_process *scratch;
	struct st_resource *self, *unknown;
	struct st_resource_env env;
	struct st_registry_stats stats;
	void (*on_forget)(void *ctx, const struct st_resource *res);
	void *forget_ctx;
	void (*on_new)(void *ctx, int tgid, const struct st_resource *res);
	void *new_ctx;
};

/* Fibonacci hashing: neighbours among process ids land far apart. */
static uint32_t bucket(const struct st_registry *r, int tgid)
{
	return ((uint32_t)tgid * 2654435769u) >> r->hash_shift;
}

static uint32_t find(const struct st_registry *r, int tgid)
{
	for (uint32_t b = bucket(r, tgid);; b = (b + 1) & r->hash_mask) {
		uint32_t i = r->hash[b];

		if (i == NONE || r->items[i].tgid == tgid)
			return i;
	}
}

static void hash_add(struct st_registry *r, uint32_t i)
{
	uint32_t b = bucket(r, r->items[i].tgid);

	while (r->hash[b] != NONE)
		b = (b + 1) & r->hash_mask;
	r->hash[b] = i;
}

/* Takes an item out and moves those behind it up, so that no mark of deletion is needed. */
static void hash_del(struct st_registry *r, uint32_t i)
{
	uint32_t b = bucket(r, r->items[i].tgid), hole;

	while (r->hash[b] != i)
		b = (b + 1) & r->hash_mask;
	hole = b;
	for (;;) {
		uint32_t home;

		b = (b + 1) & r->hash_mask;
		if (r->hash[b] == NONE)
			break;
		home = bucket(r, r->items[r->hash[b]].tgid);
		/* Stays when its home lies behind the hole, in the ring's order. */
		if (((b - home) & r->hash_mask) < ((b - hole) & r->hash_mask))
			continue;
		r->hash[hole] = r->hash[b];
		hole = b;
	}
	r->hash[hole] = NONE;
}

static void forget(struct st_registry *r, const struct st_resource *res)
{
	if (!res)
		return;
	if (r->on_forget)
		r->on_forget(r->forget_ctx, res);
	r->free_idx[r->free_idx_cnt++] = res->index;
	r->stats.live--;
	free((void *)(uintptr_t)res);
}

static void forget_oldest_retired(struct st_registry *r)
{
	const struct st_resource *res = r->retired[r->retired_at].res;

	r->retired_at = (r->retired_at + 1) % r->retired_max;
	r->retired_cnt--;
	forget(r, res);
}

static void retire(struct st_registry *r, const struct st_resource *res)
{
	if (!res)
		return;
	if (r->retired_cnt == r->retired_max)
		forget_oldest_retired(r);
	r->retired[(r->retired_at + r->retired_cnt++) % r->retired_max] =
		(struct retired){res, r->now_ns + KEEP_EXITED_NS};
}

static void exited_add(struct st_registry *r, uint32_t i)
{
	struct item *it = &r->items[i];

	it->prev = r->exited_last;
	it->next = NONE;
	*(it->prev == NONE ? &r->exited_first : &r->items[it->prev].next) = i;
	r->exited_last = i;
	r->exited_cnt++;
}

static void exited_del(struct st_registry *r, uint32_t i)
{
	struct item *it = &r->items[i];

	*(it->prev == NONE ? &r->exited_first : &r->items[it->prev].next) = it->next;
	*(it->next == NONE ? &r->exited_last : &r->items[it->next].prev) = it->prev;
	r->exited_cnt--;
}

static void set_exited(struct st_registry *r, uint32_t i, uint64_t exited_ns)
{
	if (r->items[i].exited_ns)
		exited_del(r, i);
	r->items[i].exited_ns = exited_ns;
	if (exited_ns)
		exited_add(r, i);
}

/* Frees an item whose resource was forgotten or retired. */
static void drop_item(struct st_registry *r, uint32_t i)
{
	struct item *it = &r->items[i];

	hash_del(r, i);
	set_exited(r, i, 0);
	free(it->exec);
	memset(it, 0, sizeof(*it));
	it->next = r->free_head;
	r->free_head = i;
	r->used--;
}

static void forget_oldest_exited(struct st_registry *r)
{
	uint32_t i = r->exited_first;

	forget(r, r->items[i].res);
	drop_item(r, i);
}

/* The clock algorithm: the first item that nobody asked for since the hand's last turn. */
static void evict(struct st_registry *r)
{
	for (;;) {
		uint32_t i = r->hand;
		struct item *it = &r->items[i];

		r->hand = (i + 1) % r->max;
		if (it->tgid && !it->seen && !it->pinned) {
			r->stats.evicted += it->res != NULL;
			retire(r, it->res);
			drop_item(r, i);
			return;
		}
		it->seen = false;
	}
}

static uint32_t new_item(struct st_registry *r, int tgid)
{
	uint32_t i;

	if (r->free_head == NONE)
		evict(r);
	i = r->free_head;
	r->free_head = r->items[i].next;
	r->items[i] = (struct item){.tgid = tgid};
	r->used++;
	hash_add(r, i);
	return i;
}

static void number(struct st_registry *r, struct st_resource *res)
{
	res->index = r->free_idx[--r->free_idx_cnt];
	res->generation = ++r->generation;
	r->stats.live++;
}

/* Gives a resource to the item; the former one lives on for a while. */
static void adopt(struct st_registry *r, struct item *it, struct st_resource *res)
{
	if (it->res)
		retire(r, it->res);
	number(r, res);
	it->res = res;
	r->stats.made++;
	if (r->on_new)
		r->on_new(r->new_ctx, it->tgid, res);
}

static void read_exec(struct st_process *p, const struct item *it)
{
	const struct exec_facts *e = it->exec;
	const char *filename = e->text + e->comm_len, *args = filename + e->filename_len;

	st_process__from_exec(p, it->tgid, st_str(e->text, e->comm_len),
			      st_str(filename, e->filename_len), st_str(args, e->args_len));
}

/* By the process that it was forked by; NULL: that one is not known either. */
static struct st_resource *inherit(struct st_registry *r, struct item *it)
{
	struct st_resource *res = NULL;
	uint32_t i = find(r, it->parent);

	/*
	 * Numbers are used anew: a circle is not one of ancestors. What is pinned leaves room for
	 * others.
	 */
	if (r->ancestors == ANCESTORS_MAX || 2 * r->ancestors >= r->max ||
	    (i != NONE && r->items[i].pinned))
		return NULL;
	it->pinned = true;
	r->ancestors++;
	res = st_resource__of_child(&r->env, st_registry__get(r, it->parent, r->now_ns), it->tgid);
	r->ancestors--;
	it->pinned = false;
	return res;
}

/* An ended one that still has its number has no arguments any more: what was told is better. */
static int read_process(struct st_registry *r, const struct item *it)
{
	int err = r->offline ? -ESRCH : st_process__read(r->scratch, it->tgid);

	if (!err && !r->scratch->args.len && (it->exec || it->parent))
		err = -ESRCH;
	return err;
}

static struct st_resource *make_unknown(struct st_registry *r, struct item *it)
{
	struct st_resource *res = it->parent ? inherit(r, it) : NULL;

	it->start_ticks = 0;
	if (res)
		return res;
	if (!r->offline)
		r->stats.unreadable++;
	return st_resource__build_unknown(&r->env, it->tgid);
}

/* A resource by /proc; of one that is gone by its exec event, or by its parent. */
static struct st_resource *make(struct st_registry *r, struct item *it)
{
	struct st_resource *res;
	int err = read_process(r, it);

	if (err && !it->exec)
		return make_unknown(r, it);
	if (err)
		read_exec(r->scratch, it);
	if (r->scratch->malformed && !r->stats.env_malformed++)
		st_warn("process %d: OTEL_RESOURCE_ATTRIBUTES is malformed and not used (this is "
			"said once)",
			it->tgid);
	it->start_ticks = r->scratch->start_ticks;
	res = st_resource__build(&r->env, r->scratch);
	r->stats.attr_dropped = r->env.attr_dropped;
	return res;
}

static void refresh(struct st_registry *r, struct item *it)
{
	struct st_resource *res = make(r, it);

	free(it->exec);
	it->exec = NULL;
	it->parent = 0;
	/* Out of memory: the old one is better than none. */
	if (res)
		adopt(r, it, res);
	it->check_ns = it->res ? r->now_ns + RECHECK_NS : 0;
}

/* Whether the number stands for another process than the one that was read. */
static bool is_reused(const struct st_registry *r, const struct item *it)
{
	uint64_t ticks = r->offline ? 0 : st_process__start_ticks(it->tgid);

	return ticks && ticks != it->start_ticks;
}

static const struct st_resource *get_slow(struct st_registry *r, int tgid, uint32_t i)
{
	struct item *it;

	if (tgid <= 0)
		return r->unknown;
	/* Not marked by its first look-up: a process that is seen once goes before busy ones. */
	if (i == NONE)
		i = new_item(r, tgid);
	else
		r->items[i].seen = true;
	it = &r->items[i];
	if (!it->res || it->exec || it->parent) {
		refresh(r, it);
	} else if (is_reused(r, it)) {
		set_exited(r, i, 0);
		refresh(r, it);
	} else {
		it->check_ns = r->now_ns + (it->exited_ns ? RECHECK_EXITED_NS : RECHECK_NS);
	}
	return it->res ? it->res : r->unknown;
}

const struct st_resource *st_registry__get(struct st_registry *r, int tgid, uint64_t now_ns)
{
	uint32_t i = find(r, tgid);
	struct item *it;

	if (__builtin_expect(i != NONE, 1)) {
		it = &r->items[i];
		if (__builtin_expect(now_ns < it->check_ns, 1)) {
			it->seen = true;
			return it->res;
		}
	}
	if (now_ns > r->now_ns)
		r->now_ns = now_ns;
	return get_slow(r, tgid, i);
}

void st_registry__exec(struct st_registry *r, int tgid, struct st_str comm, struct st_str filename,
		       struct st_str args)
{
	struct exec_facts *e;
	struct item *it;
	uint32_t i;

	if (r->offline || tgid <= 0 || comm.len > UINT16_MAX || filename.len > UINT16_MAX ||
	    args.len > UINT16_MAX)
		return;
	e = malloc(sizeof(*e) + comm.len + filename.len + args.len);
	if (!e)
		return;
	*e = (struct exec_facts){(uint16_t)comm.len, (uint16_t)filename.len, (uint16_t)args.len};
	if (comm.len)
		memcpy(e->text, comm.p, comm.len);
	if (filename.len)
		memcpy(e->text + comm.len, filename.p, filename.len);
	if (args.len)
		memcpy(e->text + comm.len + filename.len, args.p, args.len);
	i = find(r, tgid);
	if (i == NONE)
		i = new_item(r, tgid);
	it = &r->items[i];
	free(it->exec);
	it->exec = e;
	it->parent = 0;
	it->check_ns = 0;
	set_exited(r, i, 0);
}

void st_registry__fork(struct st_registry *r, int tgid, int parent)
{
	struct item *it;
	uint32_t i;

	if (r->offline || tgid <= 0 || parent <= 0)
		return;
	i = find(r, tgid);
	if (i == NONE)
		i = new_item(r, tgid);
	it = &r->items[i];
	free(it->exec);
	it->exec = NULL;
	it->parent = parent;
	it->check_ns = 0;
	set_exited(r, i, 0);
}

void st_registry__exit(struct st_registry *r, int tgid, uint64_t now_ns)
{
	uint32_t i = find(r, tgid);

	if (now_ns > r->now_ns)
		r->now_ns = now_ns;
	if (i == NONE)
		return;
	set_exited(r, i, now_ns ? now_ns : 1);
	if (!r->items[i].exec && !r->items[i].parent && r->items[i].res)
		r->items[i].check_ns = now_ns + RECHECK_EXITED_NS;
	if (r->exited_cnt > r->exited_max)
		forget_oldest_exited(r);
}

void st_registry__tick(struct st_registry *r, uint64_t now_ns)
{
	if (now_ns > r->now_ns)
		r->now_ns = now_ns;
	while (r->retired_cnt && r->retired[r->retired_at].due_ns <= r->now_ns)
		forget_oldest_retired(r);
	while (r->exited_cnt && r->items[r->exited_first].exited_ns + KEEP_EXITED_NS <= r->now_ns)
		forget_oldest_exited(r);
}

int st_registry__put(struct st_registry *r, int tgid, struct st_str packed)
{
	struct st_resource *res;
	int err = tgid > 0 ? st_resource__unpack(packed, &res) : -EINVAL;
	uint32_t i;

	if (err)
		return err;
	i = find(r, tgid);
	if (i == NONE)
		i = new_item(r, tgid);
	free(r->items[i].exec);
	r->items[i].exec = NULL;
	r->items[i].parent = 0;
	set_exited(r, i, 0);
	r->items[i].check_ns = r->offline ? UINT64_MAX : r->now_ns + RECHECK_NS;
	adopt(r, &r->items[i], res);
	return 0;
}

const struct st_resource *st_registry__self(struct st_registry *r)
{
	return r->self;
}

void st_registry__stats(const struct st_registry *r, struct st_registry_stats *out)
{
	*out = r->stats;
}

void st_registry__set_offline(struct st_registry *r)
{
	r->offline = true;
}

void st_registry__on_forget(struct st_registry *r,
			    void (*cb)(void *ctx, const struct st_resource *res), void *ctx)
{
	r->on_forget = cb;
	r->forget_ctx = ctx;
}

void st_registry__on_new(struct st_registry *r,
			 void (*cb)(void *ctx, int tgid, const struct st_resource *res), void *ctx)
{
	r->on_new = cb;
	r->new_ctx = ctx;
}

/* A table twice as large as it is full at most; tables of processes and of what they left. */
static int alloc_tables(struct st_registry *r)
{
	uint32_t bits = 4;

	while ((1u << bits) < 2 * r->max)
		bits++;
	r->hash_shift = 32 - bits;
	r->hash_mask = (1u << bits) - 1;
	r->retired_max = r->max / 4 + 1;
	/* At 500 ends a second two seconds' worth: spans end with their process or soon after. */
	r->exited_max = r->max / 2 + 1;
	r->exited_first = r->exited_last = NONE;
	/* Live ones, retired ones, the tracer's own and the unknown process's. */
	r->idx_max = r->max + r->retired_max + 2;
	r->hash = malloc(sizeof(*r->hash) << bits);
	r->items = calloc(r->max, sizeof(*r->items));
	r->retired = calloc(r->retired_max, sizeof(*r->retired));
	r->free_idx = calloc(r->idx_max, sizeof(*r->free_idx));
	r->scratch = st_process__new();
	if (!r->hash || !r->items || !r->retired || !r->free_idx || !r->scratch)
		return -ENOMEM;
	memset(r->hash, 0xff, sizeof(*r->hash) << bits);
	for (uint32_t i = 0; i < r->max; i++)
		r->items[i].next = i + 1 < r->max ? i + 1 : NONE;
	for (uint32_t i = 0; i < r->idx_max; i++)
		r->free_idx[r->free_idx_cnt++] = r->idx_max - 1 - i;
	return 0;
}

static void read_config(struct st_registry *r, const struct st_config *cfg)
{
	st_host__read(&r->env.host);
	if (!cfg)
		return;
	if (cfg->service_name)
		r->env.service_name = st_str_of(cfg->service_name);
	if (cfg->resource_attrs &&
	    st_otel_attrs__parse(st_str_of(cfg->resource_attrs), &r->env.attrs))
		st_warn("OTEL_RESOURCE_ATTRIBUTES: malformed; the whole value is not used (it must "
			"be key=value,key=value, with percent-encoding)");
}

/* The tracer's name is never that of what it traces, which its environment holds. */
static int make_own(struct st_registry *r)
{
	struct st_service *s = &r->scratch->service;

	if (!st_process__read(r->scratch, getpid())) {
		memcpy(s->name, "spantap", sizeof("spantap"));
		s->source = ST_NAME_ENV;
		s->language = NULL;
		r->self = st_resource__build(&r->env, r->scratch);
	} else {
		r->self = st_resource__build_unknown(&r->env, getpid());
	}
	r->unknown = st_resource__build_unknown(&r->env, 0);
	if (!r->self || !r->unknown) {
		free(r->self);
		free(r->unknown);
		r->self = r->unknown = NULL;
		return -ENOMEM;
	}
	number(r, r->self);
	number(r, r->unknown);
	return 0;
}

struct st_registry *st_registry__new(const struct st_config *cfg, uint32_t max)
{
	struct st_registry *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->max = max ? max : ST_REGISTRY_DEFAULT_MAX;
	if (alloc_tables(r))
		goto fail;
	read_config(r, cfg);
	if (make_own(r))
		goto fail;
	return r;
fail:
	st_registry__free(r);
	return NULL;
}

void st_registry__free(struct st_registry *r)
{
	if (!r)
		return;
	while (r->retired_cnt)
		forget_oldest_retired(r);
	for (uint32_t i = 0; r->items && i < r->max; i++) {
		forget(r, r->items[i].res);
		free(r->items[i].exec);
	}
	forget(r, r->self);
	forget(r, r->unknown);
	free(r->hash);
	free(r->items);
	free(r->retired);
	free(r->free_idx);
	st_process__free(r->scratch);
	free(r);
}
