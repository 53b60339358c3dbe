/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Spans as Zipkin v2 JSON, by OpenTelemetry's mapping (specification, "OpenTelemetry to Zipkin
 * Transformation"). A span is kept open inside its tags: join() closes it with the resource's.
 */
#include <arpa/inet.h>

#include "export/batch.h"
#include "export/json_write.h"

#define ANNOTATION_MAX_SZ ST_BATCH_MAX_SZ

/* A value as text that stands in quotes already. */
static void put_plain(struct st_buf *b, const struct st_attr *a, uint32_t max_chars)
{
	if (a->type == ST_V_STR)
		st_json__text(b, a->s, max_chars);
	else if (a->type == ST_V_INT)
		st_json__int(b, a->i);
	else if (a->type == ST_V_BOOL)
		st_buf__puts(b, a->b ? "true" : "false");
}

/* Arrays and doubles are JSON of their own, which stands in a string. */
static void put_nested(struct st_buf *b, const struct st_attr *a, uint32_t max_chars)
{
	struct st_buf tmp = st_buf__init(ANNOTATION_MAX_SZ);

	if (a->type == ST_V_DOUBLE)
		st_json__double(&tmp, a->d);
	for (uint32_t i = 0; a->type == ST_V_STRS && i < a->strs.cnt; i++) {
		st_buf__putc(&tmp, i ? ',' : '[');
		st_json__str(&tmp, a->strs.v[i], max_chars);
	}
	if (a->type == ST_V_STRS)
		st_buf__puts(&tmp, a->strs.cnt ? "]" : "[]");
	st_json__text(b, st_str((const char *)tmp.p, tmp.len), UINT32_MAX);
	b->failed |= tmp.failed;
	st_buf__free(&tmp);
}

static void put_value(struct st_buf *b, const struct st_attr *a, uint32_t max_chars)
{
	st_buf__putc(b, '"');
	if (a->type == ST_V_DOUBLE || a->type == ST_V_STRS)
		put_nested(b, a, max_chars);
	else
		put_plain(b, a, max_chars);
	st_buf__putc(b, '"');
}

static void put_tag(struct st_buf *b, struct st_enc *enc, const struct st_attr *a,
		    uint32_t max_chars)
{
	const struct st_piece *k = st_enc__key(enc, a->key);

	if (!k) {
		b->failed = true;
		return;
	}
	st_buf__put(b, k->p, k->len);
	put_value(b, a, max_chars);
}

static void put_dropped(struct st_buf *b, const char *name, uint32_t cnt)
{
	if (!cnt)
		return;
	st_buf__puts(b, name);
	st_json__uint(b, cnt);
	st_buf__putc(b, '"');
}

static void put_status(struct st_buf *b, const struct st_span *s)
{
	if (s->status == ST_STATUS_OK)
		st_json__lit(b, ",\"otel.status_code\":\"OK\"");
	if (s->status != ST_STATUS_ERROR)
		return;
	st_json__lit(b, ",\"otel.status_code\":\"ERROR\",\"error\":");
	st_json__str(b, s->status_message, UINT32_MAX);
}

static void put_tags(struct st_buf *b, struct st_enc *enc, const struct st_span *s)
{
	uint32_t cnt = st_min_u32(s->attr_cnt, enc->lim.attr_cnt);
	uint32_t events = st_min_u32(s->event_cnt, enc->lim.event_cnt);

	st_json__lit(b, ",\"tags\":{\"otel.scope.name\":\"" ST_SCOPE_NAME
			"\",\"otel.scope.version\":\"" ST_VERSION "\"");
	for (uint32_t i = 0; i < cnt; i++)
		put_tag(b, enc, &s->attrs[i], enc->lim.attr_len);
	put_status(b, s);
	put_dropped(b, ",\"otel.dropped_attributes_count\":\"",
		    s->dropped_attr_cnt + (s->attr_cnt - cnt));
	put_dropped(b, ",\"otel.dropped_events_count\":\"",
		    s->dropped_event_cnt + (s->event_cnt - events));
	put_dropped(b, ",\"otel.dropped_links_count\":\"", s->dropped_link_cnt + s->link_cnt);
}

/* "name":{"key":"value",...} */
static void annotation_text(struct st_buf *b, struct st_enc *enc, const struct st_event *ev,
			    uint32_t cnt)
{
	st_json__str(b, ev->name, UINT32_MAX);
	for (uint32_t i = 0; i < cnt; i++) {
		st_buf__puts(b, i ? "," : ":{");
		st_json__str(b, ev->attrs[i].key->name, UINT32_MAX);
		st_buf__putc(b, ':');
		put_value(b, &ev->attrs[i], enc->lim.attr_len);
	}
	st_buf__putc(b, '}');
}

static void put_annotation(struct st_buf *b, struct st_enc *enc, const struct st_event *ev)
{
	uint32_t cnt = st_min_u32(ev->attr_cnt, enc->lim.event_attr_cnt);
	struct st_buf tmp = st_buf__init(ANNOTATION_MAX_SZ);

	st_json__lit(b, "{\"timestamp\":");
	st_json__uint(b, ev->time_ns / 1000);
	st_json__lit(b, ",\"value\":");
	if (cnt) {
		annotation_text(&tmp, enc, ev, cnt);
		st_json__str(b, st_str((const char *)tmp.p, tmp.len), UINT32_MAX);
	} else {
		st_json__str(b, ev->name, UINT32_MAX);
	}
	st_buf__putc(b, '}');
	b->failed |= tmp.failed;
	st_buf__free(&tmp);
}

static void put_annotations(struct st_buf *b, struct st_enc *enc, const struct st_span *s)
{
	uint32_t cnt = st_min_u32(s->event_cnt, enc->lim.event_cnt);

	for (uint32_t i = 0; i < cnt; i++) {
		st_buf__puts(b, i ? "," : ",\"annotations\":[");
		put_annotation(b, enc, &s->events[i]);
	}
	if (cnt)
		st_buf__putc(b, ']');
}

static const struct st_attr *str_attr(const struct st_span *s, const struct st_key *key)
{
	const struct st_attr *a = st_span_find(s, key);

	return a && a->type == ST_V_STR && a->s.len ? a : NULL;
}

/* Zipkin refuses a whole request for one malformed address or port. */
static void put_address(struct st_buf *b, struct st_str addr)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t raw[16];
	bool v6;

	if (addr.len >= sizeof(text))
		return;
	memcpy(text, addr.p, addr.len);
	text[addr.len] = '\0';
	v6 = inet_pton(AF_INET6, text, raw) == 1;
	if (!v6 && inet_pton(AF_INET, text, raw) != 1)
		return;
	st_buf__puts(b, v6 ? ",\"ipv6\":" : ",\"ipv4\":");
	st_json__str(b, addr, UINT32_MAX);
}

/* Whom a CLIENT or PRODUCER called: the best name, and the peer's address and port. */
static void put_remote(struct st_buf *b, const struct st_span *s)
{
	const struct st_attr *name = str_attr(s, ST_KEY(server_address));
	const struct st_attr *addr = str_attr(s, ST_KEY(network_peer_address));
	const struct st_attr *port = st_span_find(s, ST_KEY(network_peer_port));

	if (s->kind != ST_KIND_CLIENT && s->kind != ST_KIND_PRODUCER)
		return;
	if (!name)
		name = addr;
	if (!name)
		return;
	st_json__lit(b, ",\"remoteEndpoint\":{\"serviceName\":");
	st_json__str(b, name->s, UINT32_MAX);
	if (addr)
		put_address(b, addr->s);
	if (port && port->type == ST_V_INT && port->i > 0 && port->i <= UINT16_MAX) {
		st_json__lit(b, ",\"port\":");
		st_json__int(b, port->i);
	}
	st_buf__putc(b, '}');
}

static const char *kind_text(uint8_t kind)
{
	static const char *const texts[] = {
		[ST_KIND_SERVER] = ",\"kind\":\"SERVER\"",
		[ST_KIND_CLIENT] = ",\"kind\":\"CLIENT\"",
		[ST_KIND_PRODUCER] = ",\"kind\":\"PRODUCER\"",
		[ST_KIND_CONSUMER] = ",\"kind\":\"CONSUMER\"",
	};

	return kind <= ST_KIND_CONSUMER && texts[kind] ? texts[kind] : "";
}

static bool zipkin_span(struct st_enc *enc, struct st_buf *b, const struct st_span *s)
{
	uint64_t us = s->end_ns > s->start_ns ? (s->end_ns - s->start_ns) / 1000 : 0;

	st_json__lit(b, "{\"traceId\":");
	st_json__hex(b, s->trace_id, 16);
	st_json__lit(b, ",\"id\":");
	st_json__hex(b, s->span_id, 8);
	if (s->has_parent) {
		st_json__lit(b, ",\"parentId\":");
		st_json__hex(b, s->parent_id, 8);
	}
	st_buf__puts(b, kind_text(s->kind));
	st_json__lit(b, ",\"name\":");
	st_json__str(b, s->name, UINT32_MAX);
	st_json__lit(b, ",\"timestamp\":");
	st_json__uint(b, s->start_ns / 1000);
	/* Zipkin takes a duration of 0 for a missing one. */
	st_json__lit(b, ",\"duration\":");
	st_json__uint(b, us ? us : 1);
	put_remote(b, s);
	put_annotations(b, enc, s);
	put_tags(b, enc, s);
	return !b->failed;
}

static bool zipkin_key(struct st_buf *b, struct st_str name)
{
	st_buf__putc(b, ',');
	st_json__str(b, name, UINT32_MAX);
	st_buf__putc(b, ':');
	return !b->failed;
}

static bool zipkin_resource(struct st_enc *enc, struct st_buf *b, const struct st_resource *r)
{
	for (uint16_t i = 0; i < r->attr_cnt; i++)
		if (r->attrs[i].key != ST_KEY(service_name))
			put_tag(b, enc, &r->attrs[i], UINT32_MAX);
	st_json__lit(b, "},\"localEndpoint\":{\"serviceName\":");
	st_json__str(b, r->service, UINT32_MAX);
	st_json__lit(b, "}}");
	return !b->failed;
}

static bool zipkin_join(const struct st_batch *bt, struct st_buf *body)
{
	bool first = true;

	st_buf__putc(body, '[');
	for (uint32_t g = 0; g < bt->group_cnt; g++) {
		const struct st_batch_group *gr = &bt->groups[g];

		for (uint32_t i = gr->span_cnt ? gr->first : ST_BATCH_END; i != ST_BATCH_END;
		     i = bt->items[i].next) {
			if (!first)
				st_buf__putc(body, ',');
			first = false;
			st_buf__put(body, bt->spans.p + bt->items[i].off, bt->items[i].len);
			st_buf__put(body, bt->resources.p + gr->off, gr->len);
		}
	}
	st_buf__putc(body, ']');
	return !body->failed;
}

const struct st_format st_format_zipkin = {
	.content_type = "application/json",
	.key = zipkin_key,
	.span = zipkin_span,
	.resource = zipkin_resource,
	.join = zipkin_join,
};
