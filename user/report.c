/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "report.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kern/procs.h"
#include "kern/propagation.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "ui/term.h"

static const char *const counter_names[ST_C_MAX] = {
	[ST_C_RECORDS] = "records",
	[ST_C_BYTES] = "payload bytes",
	[ST_C_RING_FULL] = "records lost (ring full)",
	[ST_C_SLOTS_FULL] = "calls lost (connection table full)",
	[ST_C_STORAGE_FULL] = "calls lost (no socket storage)",
	[ST_C_UNREADABLE] = "payloads unreadable",
	[ST_C_HEAD_TOO_LONG] = "message heads too long",
	[ST_C_NO_PAYLOAD] = "calls without a known buffer",
	[ST_C_HIST_FULL] = "exchanges without a histogram",
	[ST_C_HIST] = "exchanges timed in the kernel",
	[ST_C_CONNS] = "connections",
	[ST_C_WAKEUPS] = "wake-ups",
	[ST_C_CALLS] = "calls",
	[ST_C_NESTED] = "calls lost (a hook within itself)",
};

static const char *const wire_names[ST_W_MAX] = {
	[ST_W_SENT] = "options sent",
	[ST_W_NO_ROOM] = "options left out (no room in the segment)",
	[ST_W_CAME] = "options received",
	[ST_W_ENROLLED] = "connections that tell the other end",
	[ST_W_DENIED] = "connections that must not (--propagate-to)",
	[ST_W_INSERTED] = "headers inserted",
	[ST_W_LEFT_OUT] = "requests without a header",
};

/* The buffer is the caller's (32 bytes do). */
static const char *thousands(uint64_t v, char buf[32])
{
	return st_term__count(buf, v);
}

uint64_t st_report__kernel_lost(const struct st_tracer *t)
{
	uint64_t c[ST_C_MAX];

	if (st_tracer__counters(t, c))
		return 0;
	/* Every request is at least one receive and one send: half the calls, rounded up. */
	return (c[ST_C_SLOTS_FULL] + c[ST_C_STORAGE_FULL] + st_tracer__nested(t) + 1) / 2;
}

/* Exchanges that the histograms have no room for, or whose first bytes could not be read. */
static uint64_t not_timed(const struct st_tracer *t)
{
	uint64_t c[ST_C_MAX];

	if (st_tracer__counters(t, c))
		return 0;
	return c[ST_C_HIST_FULL] + c[ST_C_UNREADABLE] +
	       (c[ST_C_SLOTS_FULL] + c[ST_C_STORAGE_FULL] + st_tracer__nested(t) + 1) / 2;
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

static uint64_t timed(const struct st_own *own)
{
	struct st_latency *l = st_timing__sum(own->timing);
	uint64_t n = l ? st_latency__total(l) : 0;

	st_latency__free(l);
	return n;
}

void st_report__latency(const struct st_own *own)
{
	struct st_latency *l = st_timing__sum(own->timing);

	if (l && st_log__level() >= ST_LOG_INFO)
		st_latency__print(l);
	st_latency__free(l);
}

static void print_wire(const struct st_own *own)
{
	uint64_t c[ST_W_MAX];
	char buf[32];

	if (!own->wire || st_propagation__counts(own->wire, c))
		return;
	for (int i = 0; i < ST_W_MAX; i++)
		if (wire_names[i] && c[i])
			st_info("  %s: %s", wire_names[i], thousands(c[i], buf));
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

		st_info("%s requests timed, %s lost%s", thousands(timed(own), a),
			thousands(unseen, b), use);
		return;
	}
	kernel += s.unread_requests;
	left_out = o.sampled_out + o.filtered;
	if (left_out)
		snprintf(out, sizeof(out), ", %s left out", thousands(left_out, d));
	if (kernel)
		snprintf(bound, sizeof(bound), " (at most %s more unseen)", thousands(kernel, d));
	st_log(ST_LOG_INFO, "%s requests, %s spans%s, %s lost%s%s", thousands(s.requests, a),
	       thousands(o.given - o.not_exported, b), out,
	       thousands(s.lost_requests + o.not_exported, c), bound, use);
	if (own)
		print_wire(own);
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

/* What is less than a page or two tells nobody anything. */
static void print_map(void *ctx, const char *name, uint64_t sz)
{
	(void)ctx;
	if (sz >= 16u << 10)
		st_info("  map %s: %.0f KiB", name, (double)sz / 1024.0);
}

void st_report__full(struct st_core *core, struct st_outputs *outputs, const struct st_own *own)
{
	uint64_t c[ST_C_MAX];
	struct st_core_stats s;
	char buf[32];

	st_report__closing(core, outputs, own);
	st_core__stats(core, &s);
	st_info("hooks: %s; %s connections, %" PRIu64 " requests open now",
		st_tracer__rungs(own->tracer), thousands(s.conns, buf), s.open);
	if (!st_tracer__counters(own->tracer, c)) {
		c[ST_C_NESTED] = st_tracer__nested(own->tracer);
		for (int i = 0; i < ST_C_MAX; i++)
			if (counter_names[i] && c[i])
				st_info("  %s: %s", counter_names[i], thousands(c[i], buf));
	}
	print_wire(own);
	st_tracer__each_map(own->tracer, print_map, NULL);
	st_outputs__report(outputs);
	st_report__open(core, st_clock__mono_ns(), 0, false);
}
