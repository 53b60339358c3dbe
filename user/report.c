/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "report.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kern/procs.h"
#include "lib/clock.h"
#include "lib/hist.h"
#include "lib/log.h"
#include "ui/term.h"

#define HISTS_MAX 512

static const char *const counter_names[ST_C_MAX] = {
	[ST_C_RECORDS] = "records",
	[ST_C_BYTES] = "payload bytes",
	[ST_C_RING_FULL] = "records lost (ring full)",
	[ST_C_SLOTS_FULL] = "calls lost (connection table full)",
	[ST_C_STORAGE_FULL] = "calls lost (no socket storage)",
	[ST_C_UNREADABLE] = "payloads unreadable",
	[ST_C_HEAD_TOO_LONG] = "message heads too long",
	[ST_C_NO_PAYLOAD] = "receives without a known buffer",
	[ST_C_HIST_FULL] = "exchanges without a histogram",
	[ST_C_HIST] = "exchanges timed in the kernel",
	[ST_C_CONNS] = "connections",
	[ST_C_WAKEUPS] = "wake-ups",
	[ST_C_CALLS] = "calls",
};

/* 1234567 as 1,234,567; the buffer is the caller's (32 bytes do). */
static const char *thousands(uint64_t v, char buf[32])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, v), k = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			buf[k++] = ',';
		buf[k++] = digits[i];
	}
	buf[k] = 0;
	return buf;
}

uint64_t st_report__kernel_lost(const struct st_tracer *t)
{
	uint64_t c[ST_C_MAX];

	if (st_tracer__counters(t, c))
		return 0;
	/* Every request is at least one receive and one send: half the calls, rounded up. */
	return (c[ST_C_SLOTS_FULL] + c[ST_C_STORAGE_FULL] + 1) / 2;
}

/* Exchanges that the histograms have no room for, or whose first bytes could not be read. */
static uint64_t not_timed(const struct st_tracer *t)
{
	uint64_t c[ST_C_MAX];

	if (st_tracer__counters(t, c))
		return 0;
	return c[ST_C_HIST_FULL] + c[ST_C_UNREADABLE] +
	       (c[ST_C_SLOTS_FULL] + c[ST_C_STORAGE_FULL] + 1) / 2;
}

static void own_use(const struct st_own *own, char *buf, size_t sz)
{
	uint64_t wall = st_clock__mono_ns() - own->started_ns, shared;
	uint64_t cpu = st_self__cpu_ns() - own->cpu_at_start_ns;
	uint64_t rss = st_self__resident(&shared);

	snprintf(buf, sz, "; tracer %.1f %% of a core, %.0f MiB, maps %.1f MiB",
		 wall ? 100.0 * (double)cpu / (double)wall : 0.0,
		 (double)(rss - shared) / 1048576.0,
		 (double)st_tracer__map_bytes(own->tracer) / 1048576.0);
}

void st_report__closing(struct st_core *core, struct st_outputs *outputs, const struct st_own *own)
{
	char a[32], b[32], c[32], d[32], use[128] = "", out[64] = "", bound[48] = "";
	struct st_core_stats s;
	struct st_outputs_stats o;
	uint64_t kernel = own ? st_report__kernel_lost(own->tracer) : 0, left_out;

	st_core__stats(core, &s);
	st_outputs__stats(outputs, &o);
	if (own)
		own_use(own, use, sizeof(use));
	if (own && own->timing) {
		uint64_t unseen = not_timed(own->tracer);

		st_info("%s requests timed, %s lost%s", thousands(st_report__latency(own, NULL), a),
			thousands(unseen, b), use);
		return;
	}
	left_out = o.sampled_out + o.filtered;
	if (left_out)
		snprintf(out, sizeof(out), ", %s left out", thousands(left_out, d));
	if (kernel)
		snprintf(bound, sizeof(bound), " (at most %s more unseen)", thousands(kernel, d));
	st_log(ST_LOG_INFO, "%s requests, %s spans%s, %s lost%s%s", thousands(s.requests, a),
	       thousands(o.given - o.not_exported, b), out,
	       thousands(s.lost_requests + o.not_exported, c), bound, use);
	if (s.incomplete || s.name_overflow || s.unknown_conns)
		st_info("%s spans incomplete, %s renamed (too many names), %s connections of no known "
			"protocol",
			thousands(s.incomplete, a), thousands(s.name_overflow, b),
			thousands(s.unknown_conns, c));
}

struct open_ctx {
	uint64_t now_ns;
	bool once;
};

static void print_open(void *ctx, const struct st_open_request *r)
{
	const struct open_ctx *o = ctx;
	char comm[32] = "?";

	st_procs__comm(r->tgid, comm, sizeof(comm));
	st_log(ST_LOG_INFO, "open for %.1f s: %.*s  %s (%u)%s %s%s%u",
	       (double)(o->now_ns - r->start_ns) / 1e9, (int)r->name.len, r->name.p, comm, r->tgid,
	       r->role == ST_ROLE_CLIENT ? " ->" : " <-", r->conn->peer,
	       r->conn->peer_port ? ":" : "", r->conn->peer_port);
}

void st_report__open(struct st_core *core, uint64_t now_ns, uint64_t min_age_ns, bool once)
{
	struct open_ctx o = {now_ns, once};

	st_core__each_open(core, now_ns > min_age_ns ? now_ns - min_age_ns : 0, once, print_open,
			   &o);
}

bool st_report__has_open(struct st_core *core)
{
	struct st_core_stats s;

	st_core__stats(core, &s);
	return s.open;
}

void st_report__full(struct st_core *core, struct st_outputs *outputs, const struct st_own *own)
{
	uint64_t c[ST_C_MAX];
	struct st_core_stats s;
	char buf[32];

	st_report__closing(core, outputs, own);
	st_core__stats(core, &s);
	st_info("hooks: %s; %s connections; %" PRIu64 " requests open now",
		st_tracer__rungs(own->tracer), thousands(s.conns, buf), s.open);
	if (!st_tracer__counters(own->tracer, c))
		for (int i = 0; i < ST_C_MAX; i++)
			if (counter_names[i] && c[i])
				st_info("  %s: %s", counter_names[i], thousands(c[i], buf));
	st_outputs__report(outputs);
	st_report__open(core, st_clock__mono_ns(), 0, false);
}

struct hists {
	const struct st_own *own;
	int cnt;
	struct {
		struct st_hist_key key;
		struct st_hist h;
	} v[HISTS_MAX];
};

static void collect(void *ctx, const struct st_hist_key *key, const struct st_hist *h)
{
	struct hists *all = ctx;

	if (all->cnt < HISTS_MAX && st_who__counts(all->own->who, all->own->tracer, key->tgid)) {
		all->v[all->cnt].key = *key;
		all->v[all->cnt++].h = *h;
	}
}

/*
 * An exchange is counted when the next one begins or the connection closes: those that ended but
 * saw neither still stand in their slots.
 */
static void add_pending(struct hists *all, const struct st_slot *s)
{
	const struct st_slot_dir *resp;

	if (!s->conn_id || (s->flags & ST_SLOT_CLOSED) || !s->req_ns || !s->status ||
	    !st_who__counts(all->own->who, all->own->tracer, s->owner_tgid))
		return;
	resp = &s->dir[s->role == ST_ROLE_SERVER ? ST_TX : ST_RX];
	for (int i = 0; i < all->cnt; i++) {
		const struct st_hist_key *k = &all->v[i].key;

		if (k->tgid != s->owner_tgid || k->role != s->role || k->status != s->status)
			continue;
		all->v[i].h.cnt++;
		all->v[i].h.sum_ns += resp->time_ns - s->req_ns;
		all->v[i].h.bucket[st_hist__bucket(resp->time_ns - s->req_ns)]++;
		return;
	}
	if (all->cnt < HISTS_MAX) {
		all->v[all->cnt].key = (struct st_hist_key){
			.tgid = s->owner_tgid, .role = s->role, .status = s->status, .proto = 1};
		memset(&all->v[all->cnt].h, 0, sizeof(all->v[0].h));
		all->v[all->cnt].h.cnt = 1;
		all->v[all->cnt].h.sum_ns = resp->time_ns - s->req_ns;
		all->v[all->cnt++].h.bucket[st_hist__bucket(resp->time_ns - s->req_ns)] = 1;
	}
}

struct row {
	char service[64];
	struct st_hist_key key;
	struct st_hist h;
};

static void add_hist(struct st_hist *to, const struct st_hist *h)
{
	to->cnt += h->cnt;
	to->sum_ns += h->sum_ns;
	for (uint32_t b = 0; b < ST_HIST_BUCKETS; b++)
		to->bucket[b] += h->bucket[b];
}

/* A service's processes are one row: which worker took a request is chance. */
static int add_row(struct row *rows, int cnt, const char *service, const struct st_hist_key *k,
		   const struct st_hist *h)
{
	for (int i = 0; i < cnt; i++)
		if (rows[i].key.role == k->role && rows[i].key.port == k->port &&
		    rows[i].key.status == k->status && rows[i].key.proto == k->proto &&
		    !strcmp(rows[i].service, service)) {
			add_hist(&rows[i].h, h);
			return cnt;
		}
	snprintf(rows[cnt].service, sizeof(rows[cnt].service), "%s", service);
	rows[cnt].key = *k;
	rows[cnt].h = *h;
	return cnt + 1;
}

static int by_count(const void *a, const void *b)
{
	uint64_t x = ((const struct row *)a)->h.cnt, y = ((const struct row *)b)->h.cnt;

	return (x < y) - (x > y);
}

/* 80 columns. The prefix of messages would cost nine of them. */
static void print_row(const struct row *r)
{
	static const double q[] = {0.50, 0.95, 0.99};
	char code[8] = "-", n[32], t[3][ST_TERM_DURATION_SZ];

	if (r->key.status)
		snprintf(code, sizeof(code), "%uxx", r->key.status);
	for (int i = 0; i < 3; i++)
		st_term__duration(t[i], st_hist__quantile_ns(&r->h, q[i]), false);
	fprintf(stderr, "%-20.20s %s %5u %4s %11s %9s %9s %9s\n", r->service,
		r->key.role == ST_ROLE_CLIENT ? "client" : "server", r->key.port, code,
		thousands(r->h.cnt, n), t[0], t[1], t[2]);
}

static void print_rows(const struct hists *all, struct st_registry *registry)
{
	struct row *rows = calloc((size_t)all->cnt + 1, sizeof(*rows));
	char service[sizeof(rows->service)];
	int cnt = 0;

	for (int i = 0; rows && i < all->cnt; i++) {
		const struct st_resource *res =
			st_registry__get(registry, (int)all->v[i].key.tgid, st_clock__mono_ns());

		st_term__clean(service, sizeof(service), res->service, false);
		cnt = add_row(rows, cnt, service, &all->v[i].key, &all->v[i].h);
	}
	if (cnt && st_log__level() >= ST_LOG_INFO) {
		qsort(rows, (size_t)cnt, sizeof(*rows), by_count);
		fprintf(stderr, "%-20s %s %5s %4s %11s %9s %9s %9s\n", "service", "role  ", "port",
			"code", "requests", "p50", "p95", "p99");
		for (int i = 0; i < cnt; i++)
			print_row(&rows[i]);
	}
	free(rows);
}

uint64_t st_report__latency(const struct st_own *own, struct st_registry *registry)
{
	struct hists *all = calloc(1, sizeof(*all));
	struct st_slot *slots;
	uint64_t sum = 0;
	uint32_t cnt;

	if (!all)
		return 0;
	all->own = own;
	st_tracer__each_hist(own->tracer, collect, all);
	slots = st_tracer__slots(own->tracer, &cnt);
	for (uint32_t i = 0; i < cnt; i++)
		add_pending(all, &slots[i]);
	for (int i = 0; i < all->cnt; i++)
		sum += all->v[i].h.cnt;
	if (registry)
		print_rows(all, registry);
	free(all);
	return sum;
}
