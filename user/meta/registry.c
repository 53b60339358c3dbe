/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "meta/process.h"
#include "meta/proctab.h"
#include "meta/resource.h"

#define NS		  1000000000ull
#define RECHECK_NS	  (10 * NS) /* a process id may have been used anew meanwhile */
#define RECHECK_EXITED_NS (1 * NS)  /* the same for one that ended */
#define KEEP_EXITED_NS	  (30 * NS)
#define NONE		  ST_PROCTAB_NONE
#define ANCESTORS_MAX	  16

/* What the kernel said at exec, kept until somebody asks. */
struct st_exec_facts {
	uint16_t comm_len, filename_len, args_len;
	char text[];
};

/* A resource that no process has any more, but a span may. */
struct retired {
	const struct st_resource *res;
	uint64_t due_ns;
};

struct st_registry {
	struct st_proctab tab;
	uint32_t exited_max;
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

static void forget_oldest_exited(struct st_registry *r)
{
	uint32_t i = r->tab.exited_first;

	forget(r, r->tab.items[i].res);
	st_proctab__drop(&r->tab, i);
}

static void evict(struct st_registry *r)
{
	uint32_t i = st_proctab__victim(&r->tab);
	const struct st_resource *res = r->tab.items[i].res;

	r->stats.evicted += res != NULL;
	retire(r, res);
	st_proctab__drop(&r->tab, i);
}

static uint32_t new_item(struct st_registry *r, int tgid)
{
	if (r->tab.free_head == NONE)
		evict(r);
	return st_proctab__add(&r->tab, tgid);
}

static void number(struct st_registry *r, struct st_resource *res)
{
	res->index = r->free_idx[--r->free_idx_cnt];
	res->generation = ++r->generation;
	r->stats.live++;
}

/* Gives a resource to the item; the former one lives on for a while. */
static void adopt(struct st_registry *r, struct st_proc_item *it, struct st_resource *res)
{
	if (it->res)
		retire(r, it->res);
	number(r, res);
	it->res = res;
	r->stats.made++;
	if (r->on_new)
		r->on_new(r->new_ctx, it->tgid, res);
}

static void read_exec(struct st_process *p, const struct st_proc_item *it)
{
	const struct st_exec_facts *e = it->exec;
	const char *filename = e->text + e->comm_len, *args = filename + e->filename_len;

	st_process__from_exec(p, it->tgid, st_str(e->text, e->comm_len),
			      st_str(filename, e->filename_len), st_str(args, e->args_len));
}

/* By the process that it was forked by; NULL: that one is not known either. */
static struct st_resource *inherit(struct st_registry *r, struct st_proc_item *it)
{
	struct st_resource *res = NULL;
	uint32_t i = st_proctab__find(&r->tab, it->parent);

	/*
	 * Numbers are used anew: a circle is not one of ancestors. What is pinned leaves room for
	 * others.
	 */
	if (r->ancestors == ANCESTORS_MAX || 2 * r->ancestors >= r->tab.max ||
	    (i != NONE && r->tab.items[i].pinned))
		return NULL;
	it->pinned = true;
	r->ancestors++;
	res = st_resource__of_child(&r->env, st_registry__get(r, it->parent, r->now_ns), it->tgid);
	r->ancestors--;
	it->pinned = false;
	return res;
}

/* An ended one that still has its number has no arguments any more: what was told is better. */
static int read_process(struct st_registry *r, const struct st_proc_item *it)
{
	int err = r->offline ? -ESRCH : st_process__read(r->scratch, it->tgid);

	if (!err && !r->scratch->args.len && (it->exec || it->parent))
		err = -ESRCH;
	return err;
}

static struct st_resource *make_unknown(struct st_registry *r, struct st_proc_item *it)
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
static struct st_resource *make(struct st_registry *r, struct st_proc_item *it)
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

static void refresh(struct st_registry *r, struct st_proc_item *it)
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
static bool is_reused(const struct st_registry *r, const struct st_proc_item *it)
{
	uint64_t ticks = r->offline ? 0 : st_process__start_ticks(it->tgid);

	return ticks && ticks != it->start_ticks;
}

static const struct st_resource *get_slow(struct st_registry *r, int tgid, uint32_t i)
{
	struct st_proc_item *it;

	if (tgid <= 0)
		return r->unknown;
	/* Not marked by its first look-up: a process that is seen once goes before busy ones. */
	if (i == NONE)
		i = new_item(r, tgid);
	else
		r->tab.items[i].seen = true;
	it = &r->tab.items[i];
	if (!it->res || it->exec || it->parent) {
		refresh(r, it);
	} else if (is_reused(r, it)) {
		st_proctab__set_exited(&r->tab, i, 0);
		refresh(r, it);
	} else {
		it->check_ns = r->now_ns + (it->exited_ns ? RECHECK_EXITED_NS : RECHECK_NS);
	}
	return it->res ? it->res : r->unknown;
}

const struct st_resource *st_registry__get(struct st_registry *r, int tgid, uint64_t now_ns)
{
	uint32_t i = st_proctab__find(&r->tab, tgid);
	struct st_proc_item *it;

	if (__builtin_expect(i != NONE, 1)) {
		it = &r->tab.items[i];
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
	struct st_exec_facts *e;
	struct st_proc_item *it;
	uint32_t i;

	if (r->offline || tgid <= 0 || comm.len > UINT16_MAX || filename.len > UINT16_MAX ||
	    args.len > UINT16_MAX)
		return;
	e = malloc(sizeof(*e) + comm.len + filename.len + args.len);
	if (!e)
		return;
	*e = (struct st_exec_facts){(uint16_t)comm.len, (uint16_t)filename.len, (uint16_t)args.len};
	if (comm.len)
		memcpy(e->text, comm.p, comm.len);
	if (filename.len)
		memcpy(e->text + comm.len, filename.p, filename.len);
	if (args.len)
		memcpy(e->text + comm.len + filename.len, args.p, args.len);
	i = st_proctab__find(&r->tab, tgid);
	if (i == NONE)
		i = new_item(r, tgid);
	it = &r->tab.items[i];
	free(it->exec);
	it->exec = e;
	it->parent = 0;
	it->check_ns = 0;
	st_proctab__set_exited(&r->tab, i, 0);
}

void st_registry__fork(struct st_registry *r, int tgid, int parent)
{
	struct st_proc_item *it;
	uint32_t i;

	if (r->offline || tgid <= 0 || parent <= 0)
		return;
	i = st_proctab__find(&r->tab, tgid);
	if (i == NONE)
		i = new_item(r, tgid);
	it = &r->tab.items[i];
	free(it->exec);
	it->exec = NULL;
	it->parent = parent;
	it->check_ns = 0;
	st_proctab__set_exited(&r->tab, i, 0);
}

void st_registry__exit(struct st_registry *r, int tgid, uint64_t now_ns)
{
	uint32_t i = st_proctab__find(&r->tab, tgid);

	if (now_ns > r->now_ns)
		r->now_ns = now_ns;
	if (i == NONE)
		return;
	st_proctab__set_exited(&r->tab, i, now_ns ? now_ns : 1);
	if (!r->tab.items[i].exec && !r->tab.items[i].parent && r->tab.items[i].res)
		r->tab.items[i].check_ns = now_ns + RECHECK_EXITED_NS;
	if (r->tab.exited_cnt > r->exited_max)
		forget_oldest_exited(r);
}

void st_registry__tick(struct st_registry *r, uint64_t now_ns)
{
	if (now_ns > r->now_ns)
		r->now_ns = now_ns;
	while (r->retired_cnt && r->retired[r->retired_at].due_ns <= r->now_ns)
		forget_oldest_retired(r);
	while (r->tab.exited_cnt &&
	       r->tab.items[r->tab.exited_first].exited_ns + KEEP_EXITED_NS <= r->now_ns)
		forget_oldest_exited(r);
}

int st_registry__put(struct st_registry *r, int tgid, struct st_str packed)
{
	struct st_resource *res;
	int err = tgid > 0 ? st_resource__unpack(packed, &res) : -EINVAL;
	uint32_t i;

	if (err)
		return err;
	i = st_proctab__find(&r->tab, tgid);
	if (i == NONE)
		i = new_item(r, tgid);
	free(r->tab.items[i].exec);
	r->tab.items[i].exec = NULL;
	r->tab.items[i].parent = 0;
	st_proctab__set_exited(&r->tab, i, 0);
	r->tab.items[i].check_ns = r->offline ? UINT64_MAX : r->now_ns + RECHECK_NS;
	adopt(r, &r->tab.items[i], res);
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

static int alloc_tables(struct st_registry *r, uint32_t max)
{
	int err = st_proctab__init(&r->tab, max);

	r->retired_max = max / 4 + 1;
	/* At 500 ends a second two seconds' worth: spans end with their process or soon after. */
	r->exited_max = max / 2 + 1;
	/* Live ones, retired ones, the tracer's own and the unknown process's. */
	r->idx_max = max + r->retired_max + 2;
	r->retired = calloc(r->retired_max, sizeof(*r->retired));
	r->free_idx = calloc(r->idx_max, sizeof(*r->free_idx));
	r->scratch = st_process__new();
	if (err || !r->retired || !r->free_idx || !r->scratch)
		return -ENOMEM;
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
	if (alloc_tables(r, max ? max : ST_REGISTRY_DEFAULT_MAX))
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
	for (uint32_t i = 0; r->tab.items && i < r->tab.max; i++)
		forget(r, r->tab.items[i].res);
	forget(r, r->self);
	forget(r, r->unknown);
	st_proctab__free(&r->tab);
	free(r->retired);
	free(r->free_idx);
	st_process__free(r->scratch);
	free(r);
}
