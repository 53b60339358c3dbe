/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kern/counters.h"
#include "kern/cpus.h"
#include "kern/iter.h"
#include "kern/plan.h"
#include "lib/log.h"

#define DEFAULT_CONNS 16384u
/* Processes that answer or ask, times their ports and status classes, and those that ended lately. */
#define HIST_MAX      512u

/* Threads and goroutines that have to do with requests; with --propagate. */
#define WORKS_MAX     32768u
/* Requests in hand that came with tracestate or baggage. */
#define CARRIED_MAX   2048u

struct st_tracer {
	struct st_plan *plan;
	struct bpf_object *obj;
	struct st_rings *rings;
	struct st_ctl *ctl;
	struct st_slot *slots;
	uint64_t *procs;
	uint64_t *marks;
	bool watches_pools;
	size_t ctl_sz, slots_sz, procs_sz;
	uint32_t max_conns, ring_sz, proc_words;
	uint32_t propagates;
	bool all;
	struct st_hists hists;
	int any_ring;
	int ask_fd; /* -1: not looked up yet */
	int ring_fd[ST_MAX_CPUS];
	uint32_t ring_cnt; /* highest number of a CPU that is online plus one */
	uint32_t cpu_cnt;  /* of those that can come */
};

/*
 * 8 MiB in all for up to 8 CPUs, 384 KiB for each one more, or 128 KiB beside histograms (264 KiB a
 * CPU) and without records of requests: the largest power of two that fits. Few CPUs get long
 * rings: there the reader competes with what it traces.
 */
static uint32_t default_ring_sz(uint32_t cpus, bool timing)
{
	uint64_t more = timing ? 128ULL << 10 : 384ULL << 10;
	uint64_t total = (8ULL << 20) + (cpus > 8 ? (cpus - 8) * more : 0);
	uint32_t sz = 4u << 20;

	while (sz > 65536 && (uint64_t)sz * cpus > total)
		sz /= 2;
	return sz;
}

static int map_fd(const struct st_tracer *t, const char *name)
{
	return bpf_object__find_map_fd_by_name(t->obj, name);
}

static int set_entries(struct bpf_object *obj, const char *name, uint32_t n)
{
	struct bpf_map *m = bpf_object__find_map_by_name(obj, name);

	return m ? bpf_map__set_max_entries(m, n) : -ENOENT;
}

static uint32_t pid_max(void)
{
	FILE *f = fopen("/proc/sys/kernel/pid_max", "re");
	unsigned int v = 0;

	if (f) {
		if (fscanf(f, "%u", &v) != 1)
			v = 0;
		fclose(f);
	}
	return v ? v : 4194304;
}

/* Called by the plan for each object that it opens, before it is loaded. */
static int size_maps(void *ctx, struct bpf_object *obj)
{
	struct st_tracer *t = ctx;
	struct bpf_map *rings = bpf_object__find_map_by_name(obj, "rings");
	int err;

	t->proc_words = pid_max() / 32 + 1;
	err = bpf_map__set_inner_map_fd(rings, t->any_ring);
	if (!err)
		err = set_entries(obj, "rings", t->cpu_cnt);
	if (!err)
		err = set_entries(obj, "procs", t->proc_words);
	if (!err)
		err = set_entries(obj, "marks", t->proc_words * 2);
	if (!err)
		err = set_entries(obj, "slots", t->max_conns);
	if (!err)
		err = set_entries(obj, "free_slots", t->max_conns);
	if (!err && t->propagates)
		err = set_entries(obj, "works", WORKS_MAX);
	if (!err && t->propagates & ST_PROPAGATE_HEADER &&
	    bpf_object__find_map_by_name(obj, "carried"))
		err = set_entries(obj, "carried", CARRIED_MAX);
	if (!err)
		err = set_entries(obj, "hists", t->hists.max);
	if (!err)
		err = set_entries(obj, "hist_keys", t->hists.max);
	if (!err)
		err = set_entries(obj, "free_hists", t->hists.max);
	if (!err && bpf_map__type(bpf_object__find_map_by_name(obj, "socks")) == BPF_MAP_TYPE_HASH)
		err = set_entries(obj, "socks", t->max_conns * 2);
	return err;
}

static void *map_memory(int fd, size_t sz)
{
	void *p = mmap(NULL, sz, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int bss_fd(struct bpf_object *obj)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, obj) {
		const char *name = bpf_map__name(m);
		size_t n = strlen(name);

		if (n > 4 && !strcmp(name + n - 4, ".bss"))
			return bpf_map__fd(m);
	}
	return -ENOENT;
}

static int map_shared(struct st_tracer *t)
{
	t->ctl_sz = (size_t)sysconf(_SC_PAGESIZE);
	t->slots_sz = (size_t)t->max_conns * sizeof(struct st_slot);
	t->procs_sz = (size_t)t->proc_words * sizeof(uint64_t);
	t->ctl = map_memory(bss_fd(t->obj), t->ctl_sz);
	t->slots = map_memory(map_fd(t, "slots"), t->slots_sz);
	t->procs = map_memory(map_fd(t, "procs"), t->procs_sz);
	t->marks = map_memory(map_fd(t, "marks"), 2 * t->procs_sz);
	t->hists.ctl = t->ctl;
	t->hists.keys = map_fd(t, "hist_keys");
	t->hists.values = map_fd(t, "hists");
	t->hists.free = map_fd(t, "free_hists");
	return t->ctl && t->slots && t->procs && t->marks ? 0 : -ENOMEM;
}

static int fill_stack(const struct st_tracer *t, const char *name, uint32_t n)
{
	int fd = map_fd(t, name);

	/* The last one pushed is the first one used: low indices share cache lines. */
	for (uint32_t i = n; i-- > 0;)
		if (bpf_map_update_elem(fd, NULL, &i, BPF_ANY))
			return -errno;
	return 0;
}

/* Rings are made before the load: the first one also tells the load what the inner maps are. */
static int make_rings(struct st_tracer *t, bool *online)
{
	for (uint32_t i = 0; i < t->ring_cnt; i++) {
		if (!online[i])
			continue;
		t->ring_fd[i] =
			bpf_map_create(BPF_MAP_TYPE_RINGBUF, "st_ring", 0, 0, t->ring_sz, NULL);
		if (t->ring_fd[i] < 0) {
			int err = -errno;

			st_error("a ring of %u KiB for CPU %u: %s; " ST_NEEDED_CAPS,
				 t->ring_sz >> 10, i, strerror(-err));
			return err;
		}
		t->any_ring = t->ring_fd[i];
	}
	return 0;
}

/* A CPU that is offline now shares the ring of another one, should it come: a ring takes many writers. */
static int place_ring(struct st_tracer *t, uint32_t cpu)
{
	int fd = cpu < t->ring_cnt && t->ring_fd[cpu] >= 0 ? t->ring_fd[cpu] : t->any_ring;

	return bpf_map_update_elem(map_fd(t, "rings"), &cpu, &fd, BPF_ANY) ? -errno : 0;
}

static int place_rings(struct st_tracer *t)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < t->cpu_cnt; i++)
		err = place_ring(t, i);
	return err ? err : st_rings__new(t->ring_fd, t->ring_cnt, t->ring_sz, &t->rings);
}

/* Called by the plan between load and attach: from the first hook on all must be in place. */
static int prepare(void *ctx, struct bpf_object *obj)
{
	struct st_tracer *t = ctx;
	int err;

	t->obj = obj;
	err = map_shared(t);
	/*
	 * Hooks are attached one after the other: a connection of which the first of them tells
	 * would count as seen from its beginning, while its request passed a hook to come.
	 */
	if (!err)
		__atomic_store_n(&t->ctl->stopping, 1, __ATOMIC_RELEASE);
	if (!err)
		err = fill_stack(t, "free_slots", t->max_conns);
	if (!err)
		err = fill_stack(t, "free_hists", t->hists.max);
	if (!err)
		err = place_rings(t);
	return err;
}

static void unmap(void *p, size_t sz)
{
	if (p)
		munmap(p, sz);
}

/* Undoes prepare: the plan calls it when a hook refused and another object is tried. */
static void discard(void *ctx)
{
	struct st_tracer *t = ctx;

	st_rings__free(t->rings);
	unmap(t->ctl, t->ctl_sz);
	unmap(t->slots, t->slots_sz);
	unmap(t->procs, t->procs_sz);
	unmap(t->marks, 2 * t->procs_sz);
	t->rings = NULL;
	t->ctl = NULL;
	t->slots = NULL;
	t->procs = NULL;
	t->marks = NULL;
	t->obj = NULL;
}

static void fill_config(struct st_tracer *t, const struct st_tracer_config *in,
			struct st_bpf_config *out)
{
	*out = (struct st_bpf_config){
		.self_tgid = (uint32_t)getpid(),
		.all = in->all,
		.follow = in->follow,
		.ring_wake = t->ring_sz / 4,
		.max_conns = t->max_conns,
		.wait_decide = in->wait_decide,
		.timing = in->timing_only,
		.propagate = in->timing_only ? 0 : in->propagate,
		.id_key = {in->id_key[0], in->id_key[1]},
		.sample_below = in->sample_below,
	};
	for (int i = 0; i < in->port_cnt && i < 16; i++)
		out->ports[i] = in->ports[i];
}

int st_tracer__open(const struct st_tracer_config *cfg, struct st_tracer **out)
{
	static const struct st_plan_ops ops = {size_maps, prepare, discard};
	struct st_tracer *t = calloc(1, sizeof(*t));
	struct st_bpf_config bpf_cfg;
	bool online[ST_MAX_CPUS] = {false};
	int n = st_cpus__online(online, ST_MAX_CPUS), err;

	if (!t)
		return -ENOMEM;
	memset(t->ring_fd, 0xff, sizeof(t->ring_fd));
	t->ask_fd = -1;
	if (n < 0) {
		free(t);
		return n;
	}
	for (uint32_t i = 0; i < ST_MAX_CPUS; i++)
		if (online[i])
			t->ring_cnt = i + 1;
	t->cpu_cnt = (uint32_t)libbpf_num_possible_cpus();
	if (t->cpu_cnt < t->ring_cnt || t->cpu_cnt > ST_MAX_CPUS)
		t->cpu_cnt = ST_MAX_CPUS;
	t->ring_sz = cfg->ring_sz ? cfg->ring_sz : default_ring_sz((uint32_t)n, cfg->timing_only);
	/* Spans carry the times themselves. */
	t->hists.max = cfg->timing_only ? HIST_MAX : 1;
	t->propagates = cfg->propagate;
	t->all = cfg->all;
	t->max_conns = cfg->max_conns ? cfg->max_conns : DEFAULT_CONNS;
	fill_config(t, cfg, &bpf_cfg);
	err = make_rings(t, online);
	if (!err)
		err = st_plan__run(&bpf_cfg, cfg->rung, &ops, t, &t->plan);
	if (err) {
		st_tracer__close(t);
		return err;
	}
	st_tracer__set_proc(t, bpf_cfg.self_tgid, ST_PROC_IGNORED);
	t->ctl->unix_known = !cfg->timing_only && !st_iter__run(t->obj, "unix_old", NULL);
	t->ctl->mode = cfg->timing_only ? ST_MODE_TIMING : ST_MODE_HEAD;
	__atomic_store_n(&t->ctl->stopping, 0, __ATOMIC_RELEASE);
	*out = t;
	return 0;
}

void st_tracer__close(struct st_tracer *t)
{
	if (!t)
		return;
	st_plan__free(t->plan); /* detaches first */
	discard(t);
	for (uint32_t i = 0; i < t->ring_cnt; i++)
		if (t->ring_fd[i] >= 0)
			close(t->ring_fd[i]);
	free(t);
}

int st_tracer__watch_waits(struct st_tracer *t)
{
	int err = st_plan__attach(t->plan, ST_NEED_WAITS);

	if (!err)
		__atomic_store_n(&t->ctl->watch_waits, 1, __ATOMIC_RELEASE);
	return err;
}

int st_tracer__watch_pool(struct st_tracer *t, uint32_t tgid)
{
	int err = t->watches_pools ? 0 : st_plan__attach(t->plan, ST_NEED_POOLS);

	if (err)
		return err;
	t->watches_pools = true;
	st_tracer__mark(t, tgid, ST_MARK_POOL);
	return 0;
}

const struct st_tracer_need *st_tracer__need(const struct st_tracer *t, enum st_need need)
{
	return st_plan__need(t->plan, need);
}

const char *st_tracer__rungs(const struct st_tracer *t)
{
	return st_plan__rungs(t->plan);
}

struct st_rings *st_tracer__rings(struct st_tracer *t)
{
	return t->rings;
}

struct st_slot *st_tracer__slots(struct st_tracer *t, uint32_t *cnt)
{
	*cnt = t->max_conns;
	return t->slots;
}

void st_tracer__free_slot(struct st_tracer *t, uint32_t slot)
{
	if (slot >= t->max_conns)
		return;
	memset(&t->slots[slot], 0, sizeof(t->slots[slot]));
	bpf_map_update_elem(map_fd(t, "free_slots"), NULL, &slot, BPF_ANY);
}

/*
 * Edge-triggered: records that came without a wake-up must not end a nap, which they would if
 * readiness alone counted.
 */
int st_tracer__watch(struct st_tracer *t, int epoll_fd)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	for (uint32_t i = 0; i < t->ring_cnt; i++)
		if (t->ring_fd[i] >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, t->ring_fd[i], &ev))
			return -errno;
	return 0;
}

void st_tracer__detach(struct st_tracer *t)
{
	st_plan__detach(t->plan);
}

int st_tracer__share_maps(const struct st_tracer *t, struct bpf_object *obj)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, obj) {
		const char *name = bpf_map__name(m), *dot = strchr(name, '.');
		/* Globals: the object's name stands in front. */
		int fd = map_fd(t, dot ? dot : name), err;

		if (fd < 0)
			continue;
		err = bpf_map__reuse_fd(m, fd);
		if (err)
			return err;
	}
	return 0;
}

int st_tracer__map(const struct st_tracer *t, const char *name)
{
	return map_fd(t, name);
}

struct st_ctl *st_tracer__ctl(struct st_tracer *t)
{
	return t->ctl;
}

void st_tracer__set_proc(struct st_tracer *t, uint32_t tgid, uint32_t state)
{
	uint64_t *w;
	uint32_t shift = (tgid & 31) * 2;
	int64_t diff;

	if (tgid >> 5 >= t->proc_words)
		return;
	w = &t->procs[tgid >> 5];
	diff = (int64_t)state - (int64_t)((*w >> shift) & 3);
	if (diff)
		__atomic_fetch_add(w, (uint64_t)diff << shift, __ATOMIC_RELAXED);
}

void st_tracer__mark(struct st_tracer *t, uint32_t tgid, uint32_t mark)
{
	uint64_t *w = &t->marks[tgid >> 4], bits = (uint64_t)mark << (tgid & 15) * 4;

	if (tgid >> 5 < t->proc_words && !(*w & bits))
		__atomic_fetch_add(w, bits, __ATOMIC_RELAXED);
}

uint32_t st_tracer__proc(const struct st_tracer *t, uint32_t tgid)
{
	if (tgid >> 5 >= t->proc_words)
		return ST_PROC_IGNORED;
	return (uint32_t)(t->procs[tgid >> 5] >> ((tgid & 31) * 2)) & 3;
}

bool st_tracer__traces(const struct st_tracer *t, uint32_t tgid)
{
	uint32_t state = st_tracer__proc(t, tgid);

	return state == ST_PROC_TRACED || (t->all && state == ST_PROC_UNKNOWN);
}

void st_tracer__ask(struct st_tracer *t, const uint32_t *slots, uint32_t cnt)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	uint64_t none[1] = {0};

	if (t->ask_fd < 0)
		t->ask_fd = bpf_program__fd(bpf_object__find_program_by_name(t->obj, "ask"));
	t->ctl->ask_cnt = cnt < ST_ASK_MAX ? cnt : ST_ASK_MAX;
	memcpy(t->ctl->ask, slots, t->ctl->ask_cnt * sizeof(*slots));
	opts.ctx_in = none;
	opts.ctx_size_in = sizeof(none);
	/* Its failure leaves the positions as they are: the next turn tells them. */
	bpf_prog_test_run_opts(t->ask_fd, &opts);
}

uint32_t st_tracer__walk_sockets(struct st_tracer *t)
{
	union bpf_iter_link_info info = {.map.map_fd = (uint32_t)map_fd(t, "socks")};

	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	t->ctl->round += 1 + !(t->ctl->round + 1); /* never 0 */
	return st_iter__run(t->obj, "alive", &opts) ? 0 : t->ctl->round;
}

int st_tracer__counters(const struct st_tracer *t, uint64_t out[ST_C_MAX])
{
	return st_counters__sum(map_fd(t, "cpus"), out);
}

uint64_t st_tracer__nested(const struct st_tracer *t)
{
	return st_counters__nested(t->obj);
}

const struct st_hists *st_tracer__hists(const struct st_tracer *t)
{
	return &t->hists;
}

static uint64_t fd_memlock(int fd)
{
	char path[64], line[128];
	unsigned long long v = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &v) == 1)
			break;
	fclose(f);
	return v;
}

void st_tracer__each_map(const struct st_tracer *t, st_map_fn fn, void *ctx)
{
	uint64_t rings_sz = 0;
	struct bpf_map *m;

	for (uint32_t i = 0; i < t->ring_cnt; i++)
		if (t->ring_fd[i] >= 0)
			rings_sz += fd_memlock(t->ring_fd[i]);
	fn(ctx, "records", rings_sz);
	bpf_object__for_each_map(m, t->obj)
		fn(ctx, bpf_map__name(m), fd_memlock(bpf_map__fd(m)));
}

static void add_sz(void *ctx, const char *name, uint64_t sz)
{
	(void)name;
	*(uint64_t *)ctx += sz;
}

uint64_t st_tracer__map_bytes(const struct st_tracer *t)
{
	uint64_t sum = 0;

	st_tracer__each_map(t, add_sz, &sum);
	return sum;
}
