/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/batch.h"

#include <errno.h>
#include <stdlib.h>

/* A reset batch keeps this much; one with unusual spans must not hold its size for good. */
#define KEEP_SZ		(512u << 10)
#define RESOURCE_MAX_SZ (64u << 10)

static uint32_t next_serial(void)
{
	static uint32_t serial;

	return __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED);
}

struct st_batch *st_batch__new(uint32_t max_spans)
{
	struct st_batch *bt = calloc(1, sizeof(*bt));

	if (!bt)
		return NULL;
	bt->items = calloc(max_spans, sizeof(*bt->items));
	bt->groups = calloc(max_spans, sizeof(*bt->groups));
	if (!bt->items || !bt->groups) {
		st_batch__free(bt);
		return NULL;
	}
	bt->max = max_spans;
	bt->spans = st_buf__init(ST_BATCH_MAX_SZ);
	bt->resources = st_buf__init(ST_BATCH_MAX_SZ);
	bt->serial = next_serial();
	return bt;
}

void st_batch__free(struct st_batch *bt)
{
	if (!bt)
		return;
	st_buf__free(&bt->spans);
	st_buf__free(&bt->resources);
	free(bt->items);
	free(bt->groups);
	free(bt);
}

static void buf_shrink(struct st_buf *b)
{
	st_buf__reset(b);
	if (b->cap > KEEP_SZ)
		st_buf__free(b);
}

void st_batch__reset(struct st_batch *bt)
{
	buf_shrink(&bt->spans);
	buf_shrink(&bt->resources);
	bt->cnt = bt->group_cnt = 0;
	bt->serial = next_serial();
}

void st_res_cache__free(struct st_res_cache *c)
{
	for (unsigned int i = 0; i < ST_RES_SLOT_CNT; i++)
		st_buf__free(&c->slots[i].bytes);
}

void st_res_cache__forget(struct st_res_cache *c, const struct st_resource *r)
{
	struct st_res_slot *sl = &c->slots[r->index % ST_RES_SLOT_CNT];

	if (sl->r != r)
		return;
	st_buf__free(&sl->bytes);
	*sl = (struct st_res_slot){0};
}

static int slot_encode(struct st_res_slot *sl, struct st_enc *enc, const struct st_resource *r)
{
	sl->r = NULL;
	sl->bytes.max = RESOURCE_MAX_SZ;
	st_buf__reset(&sl->bytes);
	if (!enc->format->resource(enc, &sl->bytes, r))
		return -EMSGSIZE;
	sl->r = r;
	sl->index = r->index;
	sl->generation = r->generation;
	sl->serial = 0;
	return 0;
}

static int group_add(struct st_batch *bt, struct st_res_slot *sl)
{
	struct st_batch_group *g = &bt->groups[bt->group_cnt];

	/* Possible when groups stand empty because their span was too large. */
	if (bt->group_cnt == bt->max)
		return -ENOSPC;
	g->off = (uint32_t)bt->resources.len;
	g->len = (uint32_t)sl->bytes.len;
	g->span_cnt = g->span_sz = 0;
	if (g->len && !st_buf__put(&bt->resources, sl->bytes.p, sl->bytes.len)) {
		bt->resources.failed = false;
		return -ENOSPC;
	}
	sl->serial = bt->serial;
	sl->group = bt->group_cnt++;
	return 0;
}

/* The span's group in this batch, or -errno. */
static int group_of(struct st_batch *bt, struct st_enc *enc, struct st_res_cache *c,
		    const struct st_resource *r)
{
	struct st_res_slot *sl = &c->slots[r->index % ST_RES_SLOT_CNT];
	int err;

	if (sl->r != r || sl->index != r->index || sl->generation != r->generation) {
		err = slot_encode(sl, enc, r);
		if (err)
			return err;
	}
	if (sl->serial != bt->serial) {
		err = group_add(bt, sl);
		if (err)
			return err;
	}
	return (int)sl->group;
}

static void group_append(struct st_batch *bt, struct st_batch_group *g, size_t off)
{
	struct st_batch_item *it = &bt->items[bt->cnt];

	it->off = (uint32_t)off;
	it->len = (uint32_t)(bt->spans.len - off);
	it->next = ST_BATCH_END;
	if (g->span_cnt++)
		bt->items[g->last].next = bt->cnt;
	else
		g->first = bt->cnt;
	g->last = bt->cnt++;
	g->span_sz += it->len;
}

int st_batch__add(struct st_batch *bt, struct st_enc *enc, struct st_res_cache *c,
		  const struct st_span *s)
{
	size_t off = bt->spans.len;
	int group;

	if (bt->cnt == bt->max)
		return -ENOSPC;
	group = group_of(bt, enc, c, s->resource);
	if (group < 0)
		return group;
	if (!enc->format->span(enc, &bt->spans, s)) {
		bt->spans.failed = false;
		bt->spans.len = off;
		return bt->cnt ? -ENOSPC : -EMSGSIZE;
	}
	group_append(bt, &bt->groups[group], off);
	return 0;
}
