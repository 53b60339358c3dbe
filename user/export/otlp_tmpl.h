/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Spans with one st_span.tmpl differ in ids and times alone: their other bytes are kept from the
 * first one and copied.
 */
#ifndef ST_EXPORT_OTLP_TMPL_H
#define ST_EXPORT_OTLP_TMPL_H

#include <stdlib.h>

#include "export/encode.h"
#include "export/pb.h"

#define ST_OTLP_TMPL_SLOTS 512u
#define ST_OTLP_TMPL_SZ	   720u

/* Bytes of fields 1 and 2 (trace_id, span_id), and of 7 and 8 (the times). */
#define ST_OTLP_IDS_SZ	   (2 + 16 + 2 + 8)
#define ST_OTLP_TIMES_SZ   (2 * 9)

struct st_otlp_tmpl {
	uint64_t id;			/* 0: none */
	uint16_t mid;			/* bytes of name and kind */
	uint16_t tail;			/* bytes behind the times */
	uint8_t bytes[ST_OTLP_TMPL_SZ]; /* mid, then tail */
};

struct st_otlp_tmpls {
	struct st_otlp_tmpl slots[ST_OTLP_TMPL_SLOTS];
};

/* Writes the span from its template; NULL when there is none. Room: 3 + all of the span. */
static inline uint8_t *st_otlp_tmpl__write(const struct st_enc *enc, uint8_t *p,
					   const struct st_span *s)
{
	const struct st_otlp_tmpl *t;
	size_t len;

	if (!s->tmpl || !enc->tmpls)
		return NULL;
	t = &enc->tmpls->slots[s->tmpl % ST_OTLP_TMPL_SLOTS];
	if (t->id != s->tmpl)
		return NULL;
	len = ST_OTLP_IDS_SZ + ST_OTLP_TIMES_SZ + t->mid + (size_t)t->tail;
	*p++ = ST_PB_TAG(2, ST_PB_LEN);
	p = st_pb_varint(p, len);
	p = st_pb_bytes(p, ST_PB_TAG(1, ST_PB_LEN), s->trace_id, 16);
	p = st_pb_bytes(p, ST_PB_TAG(2, ST_PB_LEN), s->span_id, 8);
	memcpy(p, t->bytes, t->mid);
	p = st_pb_fixed64(p + t->mid, ST_PB_TAG(7, ST_PB_I64), s->start_ns);
	p = st_pb_fixed64(p, ST_PB_TAG(8, ST_PB_I64), s->end_ns);
	memcpy(p, t->bytes + t->mid, t->tail);
	return p + t->tail;
}

/* Keeps what was written of a span: its content of len bytes, `head` of them up to the times. */
static inline void st_otlp_tmpl__keep(struct st_enc *enc, const struct st_span *s,
				      const uint8_t *content, size_t len, size_t head)
{
	size_t mid = head - ST_OTLP_IDS_SZ - ST_OTLP_TIMES_SZ, tail = len - head;
	struct st_otlp_tmpl *t;

	if (s->has_parent || s->trace_state.len || s->event_cnt || s->link_cnt || !s->start_ns ||
	    !s->end_ns || mid + tail > ST_OTLP_TMPL_SZ)
		return;
	if (!enc->tmpls)
		enc->tmpls = calloc(1, sizeof(*enc->tmpls));
	if (!enc->tmpls)
		return;
	t = &enc->tmpls->slots[s->tmpl % ST_OTLP_TMPL_SLOTS];
	t->id = s->tmpl;
	t->mid = (uint16_t)mid;
	t->tail = (uint16_t)tail;
	memcpy(t->bytes, content + ST_OTLP_IDS_SZ, mid);
	memcpy(t->bytes + mid, content + head, tail);
}

#endif
