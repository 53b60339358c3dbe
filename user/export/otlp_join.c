/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/batch.h"
#include "export/otlp_encode.h"
#include "export/pb.h"

/* Tag and length of anything but its content: at most this. */
#define HEAD_MAX (1 + 5)

/* The scope in ScopeSpans, whole. */
static uint8_t *put_scope(uint8_t *p)
{
	const uint32_t name = sizeof(ST_SCOPE_NAME) - 1, version = sizeof(ST_VERSION) - 1;

	*p++ = ST_PB_TAG(1, ST_PB_LEN);
	p = st_pb_varint(p, st_pb_field_sz(name) + st_pb_field_sz(version));
	p = st_pb_bytes(p, ST_PB_TAG(1, ST_PB_LEN), ST_SCOPE_NAME, name);
	return st_pb_bytes(p, ST_PB_TAG(2, ST_PB_LEN), ST_VERSION, version);
}

static bool group_spans(const struct st_batch *bt, const struct st_batch_group *g,
			struct st_buf *body)
{
	if (g->span_cnt == bt->cnt)
		return st_buf__put(body, bt->spans.p, bt->spans.len);
	for (uint32_t i = g->first; i != ST_BATCH_END; i = bt->items[i].next)
		if (!st_buf__put(body, bt->spans.p + bt->items[i].off, bt->items[i].len))
			return false;
	return true;
}

static bool group_join(const struct st_batch *bt, const struct st_batch_group *g,
		       struct st_buf *body)
{
	const uint32_t url_len = sizeof(ST_SCHEMA_URL) - 1;
	uint8_t scope[64 + sizeof(ST_VERSION)], url[sizeof(ST_SCHEMA_URL) + 2], head[4 * HEAD_MAX];
	size_t scope_sz = (size_t)(put_scope(scope) - scope);
	size_t url_sz =
		(size_t)(st_pb_bytes(url, ST_PB_TAG(3, ST_PB_LEN), ST_SCHEMA_URL, url_len) - url);
	size_t spans_sz = scope_sz + g->span_sz + url_sz;
	uint8_t *p = head;

	*p++ = ST_PB_TAG(1, ST_PB_LEN); /* ExportTraceServiceRequest.resource_spans */
	p = st_pb_varint(p, st_pb_field_sz(g->len) + st_pb_field_sz(spans_sz) + url_sz);
	*p++ = ST_PB_TAG(1, ST_PB_LEN); /* ResourceSpans.resource */
	p = st_pb_varint(p, g->len);
	if (!st_buf__put(body, head, (size_t)(p - head)) ||
	    !st_buf__put(body, bt->resources.p + g->off, g->len))
		return false;
	p = head;
	*p++ = ST_PB_TAG(2, ST_PB_LEN); /* ResourceSpans.scope_spans */
	p = st_pb_varint(p, spans_sz);
	return st_buf__put(body, head, (size_t)(p - head)) && st_buf__put(body, scope, scope_sz) &&
	       group_spans(bt, g, body) && st_buf__put(body, url, url_sz) &&
	       st_buf__put(body, url, url_sz);
}

bool st_otlp__join(const struct st_batch *bt, struct st_buf *body)
{
	for (uint32_t i = 0; i < bt->group_cnt; i++)
		if (bt->groups[i].span_cnt && !group_join(bt, &bt->groups[i], body))
			return false;
	return true;
}
