/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "outputs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/filter.h"
#include "core/sample.h"
#include "export/export.h"
#include "lib/log.h"

struct st_outputs {
	const struct st_config *cfg;
	struct st_filter *filter;
	struct st_sampler sampler;
	struct st_outputs_stats stats;
	int cnt;
	struct st_exporter exp[ST_CFG_LIST_MAX];
};

static int open_all(struct st_outputs *o)
{
	for (int i = 0; i < o->cfg->output_cnt; i++) {
		int err = st_export__open(&o->exp[i], o->cfg->outputs[i], &o->cfg->exp);

		if (err == -ENOENT)
			st_error("-o %s: no such output; 'spantap --help' lists them",
				 o->cfg->outputs[i]);
		if (err)
			return err == -ENOENT ? -EINVAL : err;
		o->cnt++;
	}
	return 0;
}

int st_outputs__new(const struct st_config *cfg, struct st_outputs **out)
{
	struct st_outputs *o = calloc(1, sizeof(*o));
	char why[160] = "";
	int err;

	if (!o)
		return -ENOMEM;
	o->cfg = cfg;
	o->sampler = st_sampler__of(cfg->sampler, cfg->sample_ratio);
	if (cfg->filter) {
		o->filter = st_filter__new(cfg->filter, why, sizeof(why));
		if (!o->filter) {
			st_error("--filter: %s", why);
			free(o);
			return -EINVAL;
		}
	}
	err = open_all(o);
	if (err) {
		st_outputs__free(o);
		return err;
	}
	*out = o;
	return 0;
}

void st_outputs__span(struct st_outputs *o, const struct st_span *s)
{
	o->stats.spans++;
	if (!st_sampler__keeps(&o->sampler, s)) {
		o->stats.sampled_out++;
		return;
	}
	if (s->end_ns - s->start_ns < o->cfg->min_ns ||
	    (o->filter && !st_filter__match(o->filter, s))) {
		o->stats.filtered++;
		return;
	}
	o->stats.given++;
	for (int i = 0; i < o->cnt; i++)
		o->exp[i].ops->span(&o->exp[i], s);
}

void st_outputs__forget(struct st_outputs *o, const struct st_resource *r)
{
	for (int i = 0; i < o->cnt; i++)
		if (o->exp[i].ops->forget)
			o->exp[i].ops->forget(&o->exp[i], r);
}

uint64_t st_outputs__tick(struct st_outputs *o, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < o->cnt; i++) {
		uint64_t t = UINT64_MAX;

		if (o->exp[i].ops->tick)
			t = o->exp[i].ops->tick(&o->exp[i], now_ns);
		if (t < next)
			next = t;
	}
	return next;
}

uint32_t st_outputs__room(const struct st_outputs *o)
{
	uint32_t room = UINT32_MAX;

	for (int i = 0; i < o->cnt; i++) {
		uint32_t r = st_export__room(&o->exp[i]);

		if (r < room)
			room = r;
	}
	return room;
}

bool st_outputs__gone(const struct st_outputs *o)
{
	for (int i = 0; i < o->cnt; i++)
		if (!o->exp[i].ops->gone || !o->exp[i].ops->gone(&o->exp[i]))
			return false;
	return o->cnt;
}

void st_outputs__flush(struct st_outputs *o, uint64_t deadline_ns)
{
	for (int i = 0; i < o->cnt; i++)
		if (o->exp[i].ops->flush)
			o->exp[i].ops->flush(&o->exp[i], deadline_ns);
}

static uint64_t undelivered(const struct st_export_stats *s)
{
	return s->queue_full + s->rejected + s->failed;
}

void st_outputs__stats(const struct st_outputs *o, struct st_outputs_stats *out)
{
	*out = o->stats;
	for (int i = 0; i < o->cnt; i++) {
		struct st_export_stats s = {0};

		o->exp[i].ops->stats(&o->exp[i], &s);
		if (undelivered(&s) > out->not_exported)
			out->not_exported = undelivered(&s);
	}
}

void st_outputs__report(const struct st_outputs *o)
{
	for (int i = 0; i < o->cnt; i++) {
		struct st_export_stats s = {0};

		o->exp[i].ops->stats(&o->exp[i], &s);
		if (undelivered(&s) || s.queued)
			st_warn("%s: %" PRIu64 " spans not delivered (queue full %" PRIu64
				", rejected %" PRIu64 ", failed %" PRIu64 ", still queued %" PRIu64
				") of %" PRIu64,
				o->exp[i].spec, undelivered(&s) + s.queued, s.queue_full,
				s.rejected, s.failed, s.queued, s.spans);
	}
}

void st_outputs__describe(const struct st_outputs *o, char *buf, size_t sz)
{
	size_t n = 0;

	buf[0] = 0;
	for (int i = 0; i < o->cnt && n < sz; i++) {
		const char *spec = o->exp[i].spec;

		if (!strcmp(spec, "tree"))
			spec = "this terminal";
		n += (size_t)snprintf(buf + n, sz - n, "%s%s", i ? ", " : "", spec);
	}
}

void st_outputs__free(struct st_outputs *o)
{
	if (!o)
		return;
	for (int i = 0; i < o->cnt; i++)
		o->exp[i].ops->close(&o->exp[i]);
	st_filter__free(o->filter);
	free(o);
}
