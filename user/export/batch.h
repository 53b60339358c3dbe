/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A batch: encoded spans that leave in one request, each with the resource that it belongs to.
 * Spans are encoded one after the other as they come; a format's join() puts them in order of
 * their resources. It owns all its bytes, so it outlives spans and resources.
 */
#ifndef ST_EXPORT_BATCH_H
#define ST_EXPORT_BATCH_H

#include "export/encode.h"

/* A collector takes 4 MiB in a gRPC message by default; what is near it leaves at once. */
#define ST_BATCH_MAX_SZ (3u << 20)

#define ST_BATCH_END	UINT32_MAX

struct st_batch_item {
	uint32_t off, len; /* in spans */
	uint32_t next;	   /* item of the same group, ST_BATCH_END */
};

struct st_batch_group {
	uint32_t off, len;    /* in resources */
	uint32_t first, last; /* items; valid when span_cnt is not 0 */
	uint32_t span_cnt;
	uint32_t span_sz;
};

struct st_batch {
	struct st_batch *next; /* for its owner's lists */
	struct st_buf spans;
	struct st_buf resources;
	struct st_batch_item *items;
	struct st_batch_group *groups;
	uint32_t cnt, max; /* items */
	uint32_t group_cnt;
	uint32_t serial; /* differs between two uses of a batch */
};

/* Room for max_spans spans; NULL when memory ran out. */
struct st_batch *st_batch__new(uint32_t max_spans);
void st_batch__free(struct st_batch *bt);

/* Empty again; the memory stays unless it is much. */
void st_batch__reset(struct st_batch *bt);

/* Bytes that it holds. */
static inline size_t st_batch__size(const struct st_batch *bt)
{
	return bt->spans.len + bt->resources.len;
}

/*
 * Resources as a format writes them, kept from batch to batch: encoded once per generation.
 * A slot serves all indices that are equal modulo its number; two that meet in one slot only
 * cost a new encoding and one more group.
 */
#define ST_RES_SLOT_CNT 256

struct st_res_slot {
	const struct st_resource *r;
	uint32_t index, generation;
	uint32_t serial, group; /* the group in the batch with that serial */
	struct st_buf bytes;
};

struct st_res_cache {
	struct st_res_slot slots[ST_RES_SLOT_CNT];
};

void st_res_cache__free(struct st_res_cache *c);
void st_res_cache__forget(struct st_res_cache *c, const struct st_resource *r);

/*
 * One more span.
 * Returns 0, -ENOSPC when the batch is full (send it, begin another), -EMSGSIZE when the span
 * alone is too large for any, -ENOMEM.
 */
int st_batch__add(struct st_batch *bt, struct st_enc *enc, struct st_res_cache *c,
		  const struct st_span *s);

#endif
