/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The protobuf encoder against protobuf-c: the same bytes for the same spans. */
#include "export_spans.h"

#include "export/utf8.h"
#include "otlp.pb-c.h"

/* Memory of one expected message, freed at once. */
static struct {
	char *p;
	size_t used;
} arena;

#define ARENA_SZ (64u << 20)

static void *take(size_t n)
{
	size_t at = (arena.used + 15) & ~(size_t)15;

	assert_true(at + n <= ARENA_SZ);
	arena.used = at + n;
	return memset(arena.p + at, 0, n);
}

static char *text(struct st_str s, uint32_t max_chars)
{
	char *p = take((size_t)s.len * ST_UTF8_WORST + 1);

	*st_utf8__write((uint8_t *)p, s.p, s.len, max_chars) = '\0';
	return p;
}

static ProtobufCBinaryData bytes(const uint8_t *p, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = memcpy(take(len + 1), p, len)};
}

static Otlp__AnyValue *any_str(struct st_str s, uint32_t max_chars)
{
	Otlp__AnyValue *v = take(sizeof(*v));

	otlp__any_value__init(v);
	v->value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	v->string_value = text(s, max_chars);
	return v;
}

static Otlp__AnyValue *any_strs(const struct st_attr *a, uint32_t max_chars)
{
	Otlp__AnyValue *v = take(sizeof(*v));
	Otlp__ArrayValue *arr = take(sizeof(*arr));

	otlp__any_value__init(v);
	otlp__array_value__init(arr);
	v->value_case = OTLP__ANY_VALUE__VALUE_ARRAY_VALUE;
	v->array_value = arr;
	arr->n_values = a->strs.cnt;
	arr->values = take(a->strs.cnt * sizeof(*arr->values));
	for (uint32_t i = 0; i < a->strs.cnt; i++)
		arr->values[i] = any_str(a->strs.v[i], max_chars);
	return v;
}

static Otlp__AnyValue *any_of(const struct st_attr *a, uint32_t max_chars)
{
	Otlp__AnyValue *v;

	if (a->type == ST_V_STR)
		return any_str(a->s, max_chars);
	if (a->type == ST_V_STRS)
		return any_strs(a, max_chars);
	v = take(sizeof(*v));
	otlp__any_value__init(v);
	if (a->type == ST_V_INT) {
		v->value_case = OTLP__ANY_VALUE__VALUE_INT_VALUE;
		v->int_value = a->i;
	} else if (a->type == ST_V_BOOL) {
		v->value_case = OTLP__ANY_VALUE__VALUE_BOOL_VALUE;
		v->bool_value = a->b;
	} else {
		v->value_case = OTLP__ANY_VALUE__VALUE_DOUBLE_VALUE;
		v->double_value = a->d;
	}
	return v;
}

static Otlp__KeyValue **kvs_of(const struct st_attr *a, size_t cnt, uint32_t max_chars)
{
	Otlp__KeyValue **v = take(cnt * sizeof(*v));

	for (size_t i = 0; i < cnt; i++) {
		v[i] = take(sizeof(**v));
		otlp__key_value__init(v[i]);
		v[i]->key = text(a[i].key->name, UINT32_MAX);
		v[i]->value = any_of(&a[i], max_chars);
	}
	return v;
}

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

static Otlp__Event *event_of(const struct st_event *ev, const struct st_limits *lim)
{
	Otlp__Event *m = take(sizeof(*m));

	otlp__event__init(m);
	m->time_unix_nano = ev->time_ns;
	m->name = text(ev->name, UINT32_MAX);
	m->n_attributes = min_of(ev->attr_cnt, lim->event_attr_cnt);
	m->attributes = kvs_of(ev->attrs, m->n_attributes, lim->attr_len);
	m->dropped_attributes_count =
		ev->dropped_attr_cnt + (uint32_t)(ev->attr_cnt - m->n_attributes);
	return m;
}

static Otlp__Link *link_of(const struct st_link *l, const struct st_limits *lim)
{
	Otlp__Link *m = take(sizeof(*m));

	otlp__link__init(m);
	m->trace_id = bytes(l->trace_id, 16);
	m->span_id = bytes(l->span_id, 8);
	m->trace_state = text(l->trace_state, UINT32_MAX);
	m->n_attributes = min_of(l->attr_cnt, lim->link_attr_cnt);
	m->attributes = kvs_of(l->attrs, m->n_attributes, lim->attr_len);
	m->dropped_attributes_count =
		l->dropped_attr_cnt + (uint32_t)(l->attr_cnt - m->n_attributes);
	m->flags = l->flags;
	return m;
}

static Otlp__Status *status_of(const struct st_span *s)
{
	Otlp__Status *m = take(sizeof(*m));

	otlp__status__init(m);
	m->code = s->status;
	m->message = text(s->status_message, UINT32_MAX);
	return m;
}

static void lists_of(Otlp__Span *m, const struct st_span *s, const struct st_limits *lim)
{
	m->n_attributes = min_of(s->attr_cnt, lim->attr_cnt);
	m->attributes = kvs_of(s->attrs, m->n_attributes, lim->attr_len);
	m->dropped_attributes_count =
		s->dropped_attr_cnt + (uint32_t)(s->attr_cnt - m->n_attributes);
	m->n_events = min_of(s->event_cnt, lim->event_cnt);
	m->events = take(m->n_events * sizeof(*m->events));
	for (size_t i = 0; i < m->n_events; i++)
		m->events[i] = event_of(&s->events[i], lim);
	m->dropped_events_count = s->dropped_event_cnt + (uint32_t)(s->event_cnt - m->n_events);
	m->n_links = min_of(s->link_cnt, lim->link_cnt);
	m->links = take(m->n_links * sizeof(*m->links));
	for (size_t i = 0; i < m->n_links; i++)
		m->links[i] = link_of(&s->links[i], lim);
	m->dropped_links_count = s->dropped_link_cnt + (uint32_t)(s->link_cnt - m->n_links);
}

static Otlp__Span *span_of(const struct st_span *s, const struct st_limits *lim)
{
	Otlp__Span *m = take(sizeof(*m));

	otlp__span__init(m);
	m->trace_id = bytes(s->trace_id, 16);
	m->span_id = bytes(s->span_id, 8);
	m->parent_span_id = bytes(s->parent_id, s->has_parent ? 8 : 0);
	m->trace_state = text(s->trace_state, UINT32_MAX);
	m->name = text(s->name, UINT32_MAX);
	m->kind = s->kind;
	m->start_time_unix_nano = s->start_ns;
	m->end_time_unix_nano = s->end_ns;
	lists_of(m, s, lim);
	if (s->status || s->status_message.len)
		m->status = status_of(s);
	m->flags = s->flags;
	return m;
}

static Otlp__ResourceSpans *resource_spans(const struct st_resource *r, Otlp__Span **spans,
					   size_t cnt)
{
	static Otlp__InstrumentationScope scope;
	Otlp__ResourceSpans *rs = take(sizeof(*rs));
	Otlp__ScopeSpans *ss = take(sizeof(*ss));

	otlp__instrumentation_scope__init(&scope);
	scope.name = ST_SCOPE_NAME;
	scope.version = ST_VERSION;
	otlp__resource_spans__init(rs);
	otlp__scope_spans__init(ss);
	rs->resource = take(sizeof(*rs->resource));
	otlp__resource__init(rs->resource);
	rs->resource->n_attributes = r->attr_cnt;
	rs->resource->attributes = kvs_of(r->attrs, r->attr_cnt, UINT32_MAX);
	rs->schema_url = ss->schema_url = ST_SCHEMA_URL;
	ss->scope = &scope;
	ss->n_spans = cnt;
	ss->spans = spans;
	rs->n_scope_spans = 1;
	rs->scope_spans = take(sizeof(*rs->scope_spans));
	rs->scope_spans[0] = ss;
	return rs;
}

/* The expected request: spans by resource, in the order in which resources first came. */
static void check_body(const struct st_buf *body, Otlp__ResourceSpans **rs, size_t cnt)
{
	Otlp__ExportTraceServiceRequest req = OTLP__EXPORT_TRACE_SERVICE_REQUEST__INIT;
	uint8_t *want;
	size_t len;

	req.n_resource_spans = cnt;
	req.resource_spans = rs;
	len = otlp__export_trace_service_request__get_packed_size(&req);
	want = malloc(len + 1);
	assert_non_null(want);
	otlp__export_trace_service_request__pack(&req, want);
	assert_int_equal(body->len, len);
	assert_memory_equal(body->p, want, len);
	free(want);
}

static struct st_enc enc;
static struct st_res_cache cache;

static void one_round(struct span_gen *g, const struct st_limits *lim)
{
	static const struct st_resource *const res[] = {&shop, &stock};
	struct st_batch *bt = st_batch__new(8);
	struct st_buf body = st_buf__init(64u << 20);
	Otlp__ResourceSpans *rs[2];
	Otlp__Span *spans[2][8];
	size_t cnt[2] = {0}, order[2] = {2, 2}, orders = 0;
	static struct st_span s;

	arena.used = 0;
	for (uint32_t i = 0, n = 1 + gen_below(g, 4); i < n; i++) {
		size_t r = gen_below(g, 2);

		gen_span(g, &s, res[r]);
		assert_int_equal(st_batch__add(bt, &enc, &cache, &s), 0);
		spans[r][cnt[r]++] = span_of(&s, lim);
		if (order[0] != r && order[1] != r)
			order[orders++] = r;
	}
	for (size_t i = 0; i < orders; i++)
		rs[i] = resource_spans(res[order[i]], spans[order[i]], cnt[order[i]]);
	assert_true(st_format_otlp.join(bt, &body));
	check_body(&body, rs, orders);
	st_buf__free(&body);
	st_batch__free(bt);
}

static void rounds(const struct st_limits *lim, uint64_t seed, int n)
{
	struct span_gen g;

	gen_init(&g, seed);
	st_enc__init(&enc, &st_format_otlp, lim);
	while (n--)
		one_round(&g, lim);
	st_enc__free(&enc);
	st_res_cache__free(&cache);
	memset(&cache, 0, sizeof(cache));
	free(g.mem);
}

static void test_random(void **state)
{
	(void)state;
	rounds(&no_limits, 1, 1500);
}

static void test_random_limits(void **state)
{
	struct st_limits lim = {10, 7, 2, 1, 3, 2};

	(void)state;
	rounds(&lim, 2, 800);
	lim = (struct st_limits){0, 0, 0, 0, 0, 0};
	rounds(&lim, 3, 200);
}

static void test_http(void **state)
{
	struct st_batch *bt = st_batch__new(8);
	struct st_buf body = st_buf__init(1u << 20);
	Otlp__ResourceSpans *rs;
	Otlp__Span *m;
	static struct st_span s;

	(void)state;
	arena.used = 0;
	st_enc__init(&enc, &st_format_otlp, &no_limits);
	span_http(&s, &shop);
	assert_int_equal(s.attr_cnt, 16);
	m = span_of(&s, &no_limits);
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), 0);
	assert_true(st_format_otlp.join(bt, &body));
	rs = resource_spans(&shop, &m, 1);
	check_body(&body, &rs, 1);
	st_buf__free(&body);
	st_batch__free(bt);
	st_enc__free(&enc);
	st_res_cache__free(&cache);
	memset(&cache, 0, sizeof(cache));
}

/* NUL and other bytes of no text go through; protobuf-c cannot say them, so lengths are read. */
static void test_nul(void **state)
{
	struct st_buf b = st_buf__init(1u << 20);
	Otlp__Span *m;
	static struct st_span s;

	(void)state;
	st_enc__init(&enc, &st_format_otlp, &no_limits);
	span_http(&s, &shop);
	s.attr_cnt = 0;
	st_span_str(&s, ST_KEY(url_path), st_str("a\0b", 3));
	assert_true(st_format_otlp.span(&enc, &b, &s));
	/* Below 128 bytes the span stands behind two bytes, its tag and its length. */
	assert_true(b.len - 2 == b.p[1]);
	m = otlp__span__unpack(NULL, b.len - 2, b.p + 2);
	assert_non_null(m);
	assert_int_equal(m->n_attributes, 1);
	assert_int_equal(m->flags, s.flags);
	assert_memory_equal(b.p + b.len - 11,
			    "\x0a\x03"
			    "a\0b",
			    5);
	otlp__span__free_unpacked(m, NULL);
	st_buf__free(&b);
	st_enc__free(&enc);
}

static void test_full(void **state)
{
	struct st_batch *bt = st_batch__new(2);
	static struct st_span s;
	char *big = calloc(1, ST_BATCH_MAX_SZ);

	(void)state;
	assert_non_null(big);
	st_enc__init(&enc, &st_format_otlp, &no_limits);
	span_http(&s, &shop);
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), 0);
	s.name = st_str(big, ST_BATCH_MAX_SZ);
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), -ENOSPC);
	assert_int_equal(bt->cnt, 1);
	st_batch__reset(bt);
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), -EMSGSIZE);
	span_http(&s, &shop);
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), 0);
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), 0);
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), -ENOSPC);
	free(big);
	st_batch__free(bt);
	st_enc__free(&enc);
	st_res_cache__free(&cache);
	memset(&cache, 0, sizeof(cache));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http),	      cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_limits), cmocka_unit_test(test_nul),
		cmocka_unit_test(test_full),
	};

	arena.p = malloc(ARENA_SZ);
	if (!arena.p)
		return 1;
	/* Keys made at start, one longer than a piece's padding. */
	st_key__intern(
		ST_STR("http.request.header.x-a-header-with-a-rather-long-name-that-goes-on"));
	st_key__intern(ST_STR("x"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
