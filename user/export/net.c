/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/net.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

#define NS_PER_MS	    1000000u
/* A batch of so many bytes leaves before it is full of spans. */
#define BATCH_FULL_SZ	    (2u << 20)
/* Bytes that may wait, for each span that may: long spans must not make memory unbounded. */
#define WAITING_SZ_PER_SPAN 2048u

struct net {
	struct st_enc enc;
	struct st_res_cache cache;
	struct st_output *out;
	struct st_batch *open; /* NULL only after memory ran out */
	uint32_t max_batch, max_queue;
	uint64_t delay_ns;
	uint64_t due_ns; /* when the open batch leaves; of no meaning while it is empty */
	uint64_t max_waiting_sz;
	uint64_t spans, queue_full, failed;
	struct net *next;
};

/* All that are open; the pipeline's thread's. */
static struct net *nets;

static int check_file(const struct st_exporter *e, const char *what, const char *path)
{
	if (!path || !access(path, R_OK))
		return 0;
	st_error("-o %s: cannot read the %s %s: %s", e->spec, what, path, strerror(errno));
	return -EINVAL;
}

int st_net__check_files(const struct st_exporter *e, const struct st_export_config *cfg)
{
	int err = check_file(e, "CA file", cfg->ca_file);

	if (!err)
		err = check_file(e, "client certificate", cfg->cert_file);
	return err ? err : check_file(e, "client key", cfg->key_file);
}

int st_net__open(struct st_exporter *e, const struct st_target *t,
		 const struct st_export_config *cfg)
{
	struct st_limits lim = st_limits__of(cfg);
	struct net *n = aligned_alloc(64, (sizeof(*n) + 63) / 64 * 64);
	int err;

	if (!n) {
		curl_slist_free_all(t->headers);
		free(t->url);
		free(t->shown);
		return -ENOMEM;
	}
	memset(n, 0, sizeof(*n));
	st_enc__init(&n->enc, t->format, &lim);
	n->max_queue = cfg->max_queue ? cfg->max_queue : 1;
	n->max_batch = st_min_u32(cfg->max_batch ? cfg->max_batch : 1, n->max_queue);
	n->max_waiting_sz = (uint64_t)n->max_queue * WAITING_SZ_PER_SPAN + BATCH_FULL_SZ;
	n->delay_ns = cfg->schedule_delay_ms * NS_PER_MS;
	err = st_sender__add(t, n->max_batch, &n->out);
	if (!err) {
		n->open = st_sender__batch(n->out);
		err = n->open ? 0 : -ENOMEM;
	}
	e->priv = n;
	n->next = nets;
	nets = n;
	if (err) {
		st_error("-o %s: cannot start sending: %s", e->spec, strerror(-err));
		st_net__close(e);
	}
	return err;
}

static void submit(struct net *n)
{
	n->open = st_sender__submit(n->out, n->open);
}

/* Whether one span more is too many for the queue. */
static bool is_full(const struct net *n)
{
	return st_sender__waiting(n->out) + n->open->cnt >= n->max_queue ||
	       st_sender__waiting_sz(n->out) >= n->max_waiting_sz;
}

static void count_lost(struct net *n, int err)
{
	if (err == -ENOSPC || err == -EMSGSIZE)
		n->failed++;
	else
		n->queue_full++;
}

static void add(struct net *n, const struct st_span *s)
{
	int err = st_batch__add(n->open, &n->enc, &n->cache, s);

	if (err == -ENOSPC && n->open->cnt) {
		submit(n);
		err = n->open ? st_batch__add(n->open, &n->enc, &n->cache, s) : -ENOMEM;
	}
	if (err) {
		count_lost(n, err);
		if (n->open && !n->open->cnt)
			st_batch__reset(n->open);
		return;
	}
	if (n->open->cnt == 1)
		n->due_ns = st_export__now_ns() + n->delay_ns;
	if (n->open->cnt >= n->max_batch || st_batch__size(n->open) >= BATCH_FULL_SZ)
		submit(n);
}

void st_net__span(struct st_exporter *e, const struct st_span *s)
{
	struct net *n = e->priv;

	n->spans++;
	if (!n->open)
		n->open = st_sender__batch(n->out);
	if (!n->open || is_full(n))
		n->queue_full++;
	else
		add(n, s);
}

void st_net__forget(struct st_exporter *e, const struct st_resource *r)
{
	struct net *n = e->priv;

	st_res_cache__forget(&n->cache, r);
}

uint64_t st_net__tick(struct st_exporter *e, uint64_t now_ns)
{
	struct net *n = e->priv;

	if (!n->open || !n->open->cnt)
		return UINT64_MAX;
	if (now_ns < n->due_ns)
		return n->due_ns;
	/* Behind batches that wait it would only wait too: better it grows. */
	if (st_sender__waiting(n->out)) {
		n->due_ns = now_ns + n->delay_ns;
		return n->due_ns;
	}
	submit(n);
	return UINT64_MAX;
}

void st_net__flush(struct st_exporter *e, uint64_t deadline_ns)
{
	struct net *n = e->priv;

	/* The others send meanwhile, or this one's slow receiver would cost them their time. */
	for (struct net *o = nets; o; o = o->next)
		if (o->open && o->open->cnt)
			submit(o);
	st_sender__flush(n->out, deadline_ns);
}

void st_net__stats(const struct st_exporter *e, struct st_export_stats *out)
{
	const struct net *n = e->priv;

	st_sender__stats(n->out, out);
	out->spans = n->spans;
	out->queue_full += n->queue_full;
	out->failed += n->failed;
	out->queued = out->spans - out->exported - out->queue_full - out->rejected - out->failed;
}

uint32_t st_net__room(const struct st_exporter *e)
{
	const struct net *n = e->priv;
	uint32_t used = st_sender__waiting(n->out) + (n->open ? n->open->cnt : 0);

	if (st_sender__waiting_sz(n->out) >= n->max_waiting_sz)
		return 0;
	return used < n->max_queue ? n->max_queue - used : 0;
}

void st_net__close(struct st_exporter *e)
{
	struct net *n = e->priv;

	if (!n)
		return;
	for (struct net **at = &nets; *at; at = &(*at)->next) {
		if (*at != n)
			continue;
		*at = n->next;
		break;
	}
	st_sender__remove(n->out);
	st_batch__free(n->open);
	st_enc__free(&n->enc);
	st_res_cache__free(&n->cache);
	free(n);
	e->priv = NULL;
}
