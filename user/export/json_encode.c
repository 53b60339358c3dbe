/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Spans as OTLP/JSON: protobuf's JSON mapping with OTLP's exceptions (opentelemetry-proto,
 * "JSON Protobuf Encoding"): ids in hexadecimal, enums as numbers, 64-bit integers as strings.
 * Fields stand in protobuf's order and are left out when they have their default.
 */
#include "export/batch.h"
#include "export/json_write.h"
#include "export/tmpl.h"

static void put_key(struct st_buf *b, struct st_enc *enc, const struct st_key *key)
{
	const struct st_piece *k = st_enc__key(enc, key);

	if (k)
		st_buf__put(b, k->p, k->len);
	else
		b->failed = true;
}

static void put_strs(struct st_buf *b, const struct st_attr *a, uint32_t max_chars)
{
	st_json__lit(b, "\"arrayValue\":{\"values\":[");
	for (uint32_t i = 0; i < a->strs.cnt; i++) {
		if (i)
			st_buf__putc(b, ',');
		st_json__lit(b, "{\"stringValue\":");
		st_json__str(b, a->strs.v[i], max_chars);
		st_buf__putc(b, '}');
	}
	st_json__lit(b, "]}");
}

static void put_value(struct st_buf *b, const struct st_attr *a, uint32_t max_chars)
{
	if (a->type == ST_V_STR) {
		st_json__lit(b, "\"stringValue\":");
		st_json__str(b, a->s, max_chars);
	} else if (a->type == ST_V_INT) {
		st_json__lit(b, "\"intValue\":\"");
		st_json__int(b, a->i);
		st_buf__putc(b, '"');
	} else if (a->type == ST_V_BOOL) {
		st_buf__puts(b, a->b ? "\"boolValue\":true" : "\"boolValue\":false");
	} else if (a->type == ST_V_DOUBLE) {
		st_json__lit(b, "\"doubleValue\":");
		st_json__double(b, a->d);
	} else {
		put_strs(b, a, max_chars);
	}
}

/* The elements of an array of KeyValue. */
static void put_attrs(struct st_buf *b, struct st_enc *enc, const struct st_attr *a, uint32_t cnt,
		      uint32_t max_chars)
{
	for (uint32_t i = 0; i < cnt; i++) {
		if (i)
			st_buf__putc(b, ',');
		put_key(b, enc, a[i].key);
		put_value(b, &a[i], max_chars);
		st_json__lit(b, "}}");
	}
}

static void put_attr_list(struct st_buf *b, struct st_enc *enc, const struct st_attr *a,
			  uint32_t cnt)
{
	if (!cnt)
		return;
	st_json__lit(b, ",\"attributes\":[");
	put_attrs(b, enc, a, cnt, enc->lim.attr_len);
	st_buf__putc(b, ']');
}

/* `name` has the comma before it and the colon behind. */
static void put_count(struct st_buf *b, const char *name, uint32_t v)
{
	if (!v)
		return;
	st_buf__puts(b, name);
	st_json__uint(b, v);
}

static void put_text(struct st_buf *b, const char *name, struct st_str s)
{
	if (!s.len)
		return;
	st_buf__puts(b, name);
	st_json__str(b, s, UINT32_MAX);
}

static void put_time(struct st_buf *b, uint64_t ns)
{
	st_buf__putc(b, '"');
	st_json__uint(b, ns);
	st_buf__putc(b, '"');
}

static void put_event(struct st_buf *b, struct st_enc *enc, const struct st_event *ev)
{
	uint32_t cnt = st_min_u32(ev->attr_cnt, enc->lim.event_attr_cnt);

	st_json__lit(b, "{\"timeUnixNano\":");
	put_time(b, ev->time_ns);
	put_text(b, ",\"name\":", ev->name);
	put_attr_list(b, enc, ev->attrs, cnt);
	put_count(b, ",\"droppedAttributesCount\":", ev->dropped_attr_cnt + (ev->attr_cnt - cnt));
	st_buf__putc(b, '}');
}

static void put_events(struct st_buf *b, struct st_enc *enc, const struct st_span *s)
{
	uint32_t cnt = st_min_u32(s->event_cnt, enc->lim.event_cnt);

	for (uint32_t i = 0; i < cnt; i++) {
		st_buf__puts(b, i ? "," : ",\"events\":[");
		put_event(b, enc, &s->events[i]);
	}
	if (cnt)
		st_buf__putc(b, ']');
	put_count(b, ",\"droppedEventsCount\":", s->dropped_event_cnt + (s->event_cnt - cnt));
}

static void put_link(struct st_buf *b, struct st_enc *enc, const struct st_link *l)
{
	uint32_t cnt = st_min_u32(l->attr_cnt, enc->lim.link_attr_cnt);

	st_json__lit(b, "{\"traceId\":");
	st_json__hex(b, l->trace_id, 16);
	st_json__lit(b, ",\"spanId\":");
	st_json__hex(b, l->span_id, 8);
	put_text(b, ",\"traceState\":", l->trace_state);
	put_attr_list(b, enc, l->attrs, cnt);
	put_count(b, ",\"droppedAttributesCount\":", l->dropped_attr_cnt + (l->attr_cnt - cnt));
	put_count(b, ",\"flags\":", l->flags);
	st_buf__putc(b, '}');
}

static void put_links(struct st_buf *b, struct st_enc *enc, const struct st_span *s)
{
	uint32_t cnt = st_min_u32(s->link_cnt, enc->lim.link_cnt);

	for (uint32_t i = 0; i < cnt; i++) {
		st_buf__puts(b, i ? "," : ",\"links\":[");
		put_link(b, enc, &s->links[i]);
	}
	if (cnt)
		st_buf__putc(b, ']');
	put_count(b, ",\"droppedLinksCount\":", s->dropped_link_cnt + (s->link_cnt - cnt));
}

static void put_status(struct st_buf *b, const struct st_span *s)
{
	if (!s->status && !s->status_message.len)
		return;
	st_json__lit(b, ",\"status\":{");
	if (s->status_message.len) {
		put_text(b, "\"message\":", s->status_message);
		put_count(b, ",\"code\":", s->status);
	} else {
		put_count(b, "\"code\":", s->status);
	}
	st_buf__putc(b, '}');
}

/* Text of a span that its template's kept text stands between. */
#define OPEN	 "{\"traceId\":"
#define SPAN_ID	 ",\"spanId\":"
#define END_TIME ",\"endTimeUnixNano\":"
#define TMPL_SZ	 1536u

static void put_ids(struct st_buf *b, const struct st_span *s)
{
	st_json__lit(b, OPEN);
	st_json__hex(b, s->trace_id, 16);
	st_json__lit(b, SPAN_ID);
	st_json__hex(b, s->span_id, 8);
	if (s->has_parent) {
		st_json__lit(b, ",\"parentSpanId\":");
		st_json__hex(b, s->parent_id, 8);
	}
}

/* From the ids to the times. */
static void put_mid(struct st_buf *b, const struct st_span *s)
{
	put_text(b, ",\"traceState\":", s->trace_state);
	put_text(b, ",\"name\":", s->name);
	put_count(b, ",\"kind\":", s->kind);
	st_json__lit(b, ",\"startTimeUnixNano\":");
}

static void put_times(struct st_buf *b, const struct st_span *s)
{
	put_time(b, s->start_ns);
	st_json__lit(b, END_TIME);
	put_time(b, s->end_ns);
}

static void put_tail(struct st_buf *b, struct st_enc *enc, const struct st_span *s)
{
	uint32_t cnt = st_min_u32(s->attr_cnt, enc->lim.attr_cnt);

	put_attr_list(b, enc, s->attrs, cnt);
	put_count(b, ",\"droppedAttributesCount\":", s->dropped_attr_cnt + (s->attr_cnt - cnt));
	put_events(b, enc, s);
	put_links(b, enc, s);
	put_status(b, s);
	put_count(b, ",\"flags\":", s->flags);
	st_buf__putc(b, '}');
}

static bool json_span(struct st_enc *enc, struct st_buf *b, const struct st_span *s)
{
	const struct st_tmpl *t = st_tmpl__find(enc, s);
	size_t mid, times, tail;

	put_ids(b, s);
	mid = b->len;
	if (t)
		st_buf__put(b, t->bytes, t->mid);
	else
		put_mid(b, s);
	times = b->len;
	put_times(b, s);
	tail = b->len;
	if (t)
		st_buf__put(b, t->bytes + t->mid, t->tail);
	else
		put_tail(b, enc, s);
	if (!t && !b->failed)
		st_tmpl__keep(enc, s, b->p + mid, times - mid, b->p + tail, b->len - tail);
	return !b->failed;
}

static bool json_key(struct st_buf *b, struct st_str name)
{
	st_json__lit(b, "{\"key\":");
	st_json__str(b, name, UINT32_MAX);
	st_json__lit(b, ",\"value\":{");
	return !b->failed;
}

static bool json_resource(struct st_enc *enc, struct st_buf *b, const struct st_resource *r)
{
	put_attrs(b, enc, r->attrs, r->attr_cnt, UINT32_MAX);
	return !b->failed;
}

static void group_join(const struct st_batch *bt, const struct st_batch_group *g, struct st_buf *b)
{
	st_json__lit(b, "{\"resource\":{\"attributes\":[");
	st_buf__put(b, bt->resources.p + g->off, g->len);
	st_json__lit(b, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"" ST_SCOPE_NAME
			"\",\"version\":\"" ST_VERSION "\"},\"spans\":[");
	for (uint32_t i = g->first; i != ST_BATCH_END; i = bt->items[i].next) {
		if (i != g->first)
			st_buf__putc(b, ',');
		st_buf__put(b, bt->spans.p + bt->items[i].off, bt->items[i].len);
	}
	st_json__lit(b, "],\"schemaUrl\":\"" ST_SCHEMA_URL "\"}],\"schemaUrl\":\"" ST_SCHEMA_URL
			"\"}");
}

static bool json_join(const struct st_batch *bt, struct st_buf *body)
{
	bool first = true;

	st_json__lit(body, "{\"resourceSpans\":[");
	for (uint32_t i = 0; i < bt->group_cnt; i++) {
		if (!bt->groups[i].span_cnt)
			continue;
		if (!first)
			st_buf__putc(body, ',');
		first = false;
		group_join(bt, &bt->groups[i], body);
	}
	st_json__lit(body, "]}");
	return !body->failed;
}

const struct st_format st_format_json = {
	.content_type = "application/json",
	.tmpl_sz = TMPL_SZ,
	.key = json_key,
	.span = json_span,
	.resource = json_resource,
	.join = json_join,
};
