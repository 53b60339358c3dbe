/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "timing.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/hist.h"

/*
 * After an end, so long: at 1,000 ends a second a fraction of the kernel's histograms. The tracer's
 * memory of who a process was is longer.
 */
#define AFTER_END_NS (200 * ST_NSEC_PER_MSEC)
/* Without one: names the services of new processes while they live. */
#define EVERY_NS     (5 * ST_NSEC_PER_SEC)

/* Records are read so soon. */
#define READ_NS	     (5 * ST_NSEC_PER_MSEC)

struct st_timing {
	struct st_tracer *tracer;
	struct st_registry *registry;
	const struct st_who *who;
	struct st_latency *ended;
	uint64_t due_ns; /* 0: run at once */
	uint64_t now_ns;
	/* Those that were gone at gone_ns, sorted: taken when all records of that time were read. */
	uint32_t *gone;
	uint32_t gone_cnt;
	uint64_t gone_ns;
};

/* Where to, for a look at all histograms. */
struct sum {
	struct st_timing *m;
	struct st_latency *to;
	bool failed;
};

struct st_timing *st_timing__new(struct st_tracer *t, struct st_registry *registry,
				 const struct st_who *who)
{
	struct st_timing *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->tracer = t;
	m->registry = registry;
	m->who = who;
	m->ended = st_latency__new();
	m->gone = calloc(st_tracer__hists(t)->max, sizeof(*m->gone));
	if (m->ended && m->gone)
		return m;
	st_timing__free(m);
	return NULL;
}

void st_timing__free(struct st_timing *m)
{
	if (!m)
		return;
	st_latency__free(m->ended);
	free(m->gone);
	free(m);
}

void st_timing__ended(struct st_timing *m)
{
	uint64_t due_ns = st_clock__mono_ns() + AFTER_END_NS;

	if (m && due_ns < m->due_ns)
		m->due_ns = due_ns;
}

static void add(void *ctx, const struct st_hist_key *key, const struct st_hist *h)
{
	struct sum *s = ctx;
	const struct st_resource *res;

	if (!st_who__counts(s->m->who, s->m->tracer, key->tgid))
		return;
	res = st_registry__get(s->m->registry, (int)key->tgid, s->m->now_ns);
	s->failed |= st_latency__add(s->to, res->service, key, h) != 0;
}

/* One that its parent has not waited for yet keeps its number: it is taken the next time. */
static bool has_ended(struct st_timing *m, uint32_t tgid)
{
	if (kill((pid_t)tgid, 0) && errno == ESRCH)
		return true;
	/* Asked for while it lives: later nobody knows its service. */
	st_registry__get(m->registry, (int)tgid, m->now_ns);
	return false;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void find_gone(struct st_timing *m)
{
	int n = st_hists__groups(st_tracer__hists(m->tracer), m->gone);

	m->gone_cnt = 0;
	for (int i = 0; i < n; i++)
		if (has_ended(m, m->gone[i]))
			m->gone[m->gone_cnt++] = m->gone[i];
	qsort(m->gone, m->gone_cnt, sizeof(*m->gone), by_number);
	m->gone_ns = st_clock__mono_ns();
}

static bool is_gone(void *ctx, uint32_t tgid)
{
	const struct st_timing *m = ctx;

	return bsearch(&tgid, m->gone, m->gone_cnt, sizeof(tgid), by_number);
}

static void take_gone(struct st_timing *m)
{
	struct sum s = {.m = m, .to = m->ended};

	st_hists__take(st_tracer__hists(m->tracer), is_gone, m, add, &s);
	m->gone_cnt = 0;
}

/*
 * A histogram is there at once, the record that says whose it is when it has been read: one that
 * was gone before that would have no name.
 */
uint64_t st_timing__run(struct st_timing *m, uint64_t now_ns)
{
	if (now_ns < m->due_ns)
		return m->due_ns;
	m->now_ns = now_ns;
	if (!m->gone_cnt)
		find_gone(m);
	if (m->gone_cnt && st_rings__read_until(st_tracer__rings(m->tracer)) < m->gone_ns)
		return now_ns + READ_NS;
	if (m->gone_cnt)
		take_gone(m);
	m->due_ns = now_ns + EVERY_NS;
	return m->due_ns;
}

/* What is over in a slot, but not counted by the kernel. */
static void add_pending(struct sum *s, const struct st_slot *slot)
{
	const struct st_slot_dir *resp = &slot->dir[slot->role == ST_ROLE_SERVER ? ST_TX : ST_RX];
	struct st_hist_key key = {.tgid = slot->owner_tgid,
				  .port = slot->port,
				  .proto = 1,
				  .role = slot->role,
				  .status = slot->status};
	struct st_hist h = {.cnt = 1};

	/* A TCP connection's last exchange is counted when it closes. */
	if (!slot->conn_id || (slot->tcp && (slot->flags & ST_SLOT_CLOSED)) || !slot->req_ns ||
	    !slot->status)
		return;
	h.sum_ns = resp->time_ns > slot->req_ns ? resp->time_ns - slot->req_ns : 0;
	h.bucket[st_hist__bucket(h.sum_ns)] = 1;
	add(s, &key, &h);
}

void st_timing__over(struct st_timing *m, const struct st_slot *slot)
{
	struct sum s = {.m = m};

	if (!m)
		return;
	s.to = m->ended;
	m->now_ns = st_clock__mono_ns();
	add_pending(&s, slot);
}

struct st_latency *st_timing__sum(struct st_timing *m)
{
	struct sum s = {.m = m, .to = st_latency__new()};
	struct st_slot *slots;
	uint32_t cnt;

	if (!s.to)
		return NULL;
	m->now_ns = st_clock__mono_ns();
	s.failed = st_latency__join(s.to, m->ended) != 0;
	st_hists__each(st_tracer__hists(m->tracer), add, &s);
	slots = st_tracer__slots(m->tracer, &cnt);
	for (uint32_t i = 0; i < cnt; i++)
		add_pending(&s, &slots[i]);
	if (!s.failed)
		return s.to;
	st_latency__free(s.to);
	return NULL;
}
