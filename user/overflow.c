/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "overflow.h"

#include <stdlib.h>
#include <unistd.h>

#include "kern/listenq.h"
#include "lib/clock.h"

struct st_overflow {
	const struct st_config *cfg;
	struct st_listenq *queues;
	struct st_pipeline *pipe;
	struct st_who *who;
	struct st_tracer *tracer;
	uint64_t looked_ns;
	uint64_t now_ns;
	uint32_t told;
};

struct st_overflow *st_overflow__new(const struct st_config *cfg)
{
	struct st_overflow *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->cfg = cfg;
	o->queues = st_listenq__new();
	if (!o->queues) {
		free(o);
		return NULL;
	}
	/* What was dropped before the start is no news. */
	st_listenq__overflows(o->queues);
	o->looked_ns = st_clock__mono_ns();
	return o;
}

void st_overflow__free(struct st_overflow *o)
{
	if (!o)
		return;
	st_listenq__free(o->queues);
	free(o);
}

static bool is_traced(void *ctx, uint32_t tgid)
{
	struct st_overflow *o = ctx;

	return tgid != (uint32_t)getpid() && st_who__traces(o->who, o->tracer, tgid);
}

static bool is_our_port(const struct st_config *cfg, uint16_t port)
{
	for (int i = 0; i < cfg->port_cnt; i++)
		if (cfg->ports[i] == port)
			return true;
	return !cfg->port_cnt;
}

static void tell(void *ctx, uint32_t tgid, uint32_t inode, const struct st_open *at)
{
	struct st_overflow *o = ctx;
	struct {
		struct st_rec rec;
		struct st_open at;
	} told = {
		.rec = {.time_ns = o->now_ns,
			/* Out of the kernel's numbers; ids derive from it and the turn. */
			.conn_id = 1ULL << 63 | inode,
			.slot = UINT32_MAX,
			.tgid = tgid,
			.tid = tgid,
			.turn = ++o->told,
			.len = sizeof(*at),
			.payload_sz = sizeof(*at),
			.kind = ST_REC_OVERFLOW},
		.at = *at,
	};

	if (is_our_port(o->cfg, at->local_port))
		st_pipeline__record(o->pipe, &told.rec);
}

uint64_t st_overflow__run(struct st_overflow *o, struct st_pipeline *p, struct st_who *w,
			  struct st_tracer *t, uint64_t now_ns, uint64_t every_ns)
{
	if (now_ns - o->looked_ns < every_ns)
		return o->looked_ns + every_ns;
	o->looked_ns = o->now_ns = now_ns;
	o->pipe = p;
	o->who = w;
	o->tracer = t;
	if (st_listenq__overflows(o->queues))
		st_listenq__each_full(o->queues, is_traced, tell, o);
	return now_ns + every_ns;
}
