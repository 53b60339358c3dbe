/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Spans with one st_span.tmpl differ in ids and times alone: what a format wrote of the rest is
 * kept from the first one and copied. `mid` stands between ids (the parent's is one of them) and
 * times, `tail` behind the times.
 */
#ifndef ST_EXPORT_TMPL_H
#define ST_EXPORT_TMPL_H

#include <stdlib.h>

#include "export/encode.h"

#define ST_TMPL_SLOTS 512u

struct st_tmpl {
	uint64_t id; /* 0: none */
	uint32_t mid;
	uint32_t tail;
	uint8_t bytes[]; /* mid, then tail: st_format.tmpl_sz at most */
};

static inline struct st_tmpl *st_tmpl__slot(const struct st_enc *enc, uint64_t id)
{
	size_t stride = sizeof(struct st_tmpl) + enc->format->tmpl_sz;

	return (struct st_tmpl *)(enc->tmpls + id % ST_TMPL_SLOTS * stride);
}

/* What is kept of this span's template, or NULL. */
static inline const struct st_tmpl *st_tmpl__find(const struct st_enc *enc, const struct st_span *s)
{
	const struct st_tmpl *t;

	if (!s->tmpl || !enc->tmpls)
		return NULL;
	t = st_tmpl__slot(enc, s->tmpl);
	return t->id == s->tmpl ? t : NULL;
}

/* Keeps what was written of a span, if the span is one of a template; too much is not kept. */
static inline void st_tmpl__keep(struct st_enc *enc, const struct st_span *s, const uint8_t *mid,
				 size_t mid_len, const uint8_t *tail, size_t tail_len)
{
	struct st_tmpl *t;

	if (!s->tmpl || s->trace_state.len || s->event_cnt || s->link_cnt || !s->start_ns ||
	    !s->end_ns || mid_len + tail_len > enc->format->tmpl_sz)
		return;
	if (!enc->tmpls)
		enc->tmpls = calloc(ST_TMPL_SLOTS, sizeof(*t) + enc->format->tmpl_sz);
	if (!enc->tmpls)
		return;
	t = st_tmpl__slot(enc, s->tmpl);
	t->id = s->tmpl;
	t->mid = (uint32_t)mid_len;
	t->tail = (uint32_t)tail_len;
	memcpy(t->bytes, mid, mid_len);
	memcpy(t->bytes + mid_len, tail, tail_len);
}

#endif
