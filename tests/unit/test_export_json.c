/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * OTLP/JSON and Zipkin JSON against golden files; SPANTAP_GOLDEN=write makes them anew. They are
 * indented, so that a change shows as one.
 */
#include "export_spans.h"

#include <math.h>

#include "export/json_write.h"

static const struct st_str strs[] = {{"a", 1}, {"b\"\xff", 3}};
static const struct st_attr event_attrs[] = {
	STR_ATTR(error_type, "timeout"),
	{.key = ST_KEY(thread_id), .type = ST_V_BOOL, .b = true},
	INT_ATTR(process_pid, 3),
};
static const struct st_event events[] = {
	{.time_ns = 1763724201507001000, .name = {"connect", 7}},
	{.time_ns = 1763724201507002000,
	 .name = {"retry", 5},
	 .attrs = event_attrs,
	 .attr_cnt = 3,
	 .dropped_attr_cnt = 2},
	{.time_ns = 1, .name = {"third", 5}},
};
static const struct st_link links[] = {
	{.trace_id = {0xff, 1}, .span_id = {2}, .trace_state = {"k=v", 3}, .flags = 0x101},
	{.trace_id = {3}, .span_id = {4}, .attrs = event_attrs, .attr_cnt = 2},
};

/* Everything that a span can have and HTTP's do not. */
static void span_rare(struct st_span *s)
{
	struct st_attr *a;

	span_http(s, &stock);
	s->attr_cnt = 0;
	s->has_parent = false;
	s->kind = ST_KIND_CLIENT;
	s->status = ST_STATUS_ERROR;
	s->status_message = ST_STR("no \"answer\"\n");
	s->trace_state = ST_STR("vendor=1,other=2");
	s->name = ST_STR("na\xc3\xafve \x01\xf0\x9f");
	s->end_ns = s->start_ns + 100;
	s->flags = 0;
	s->dropped_attr_cnt = 1;
	s->events = events;
	s->event_cnt = 3;
	s->dropped_event_cnt = 4;
	s->links = links;
	s->link_cnt = 2;
	st_span_str(s, ST_KEY(server_address), ST_STR("db.example"));
	st_span_str(s, ST_KEY(network_peer_address), ST_STR("2001:db8::1"));
	st_span_int(s, ST_KEY(network_peer_port), 5432);
	st_span_int(s, ST_KEY(http_request_body_size), INT64_MIN);
	st_span_bool(s, ST_KEY(spantap_incomplete), true);
	a = st_span_attr(s, ST_KEY(http_request_resend_count));
	a->type = ST_V_DOUBLE;
	a->d = 0.25;
	a = st_span_attr(s, ST_KEY(user_agent_original));
	a->type = ST_V_STRS;
	a->strs.v = strs;
	a->strs.cnt = 2;
	st_span_str(s, ST_KEY(url_path), ST_STR("/\xc3\xa4\xc3\xb6\xc3\xbc/long"));
	st_span_str(s, ST_KEY(error_type), ST_STR("one too many"));
}

static void compare(const char *path, const struct st_buf *got)
{
	const char *mode = getenv("SPANTAP_GOLDEN");
	static char want[64 << 10];
	FILE *f = fopen(path, mode ? "w" : "r");
	size_t len;

	assert_non_null(f);
	if (mode) {
		assert_int_equal(fwrite(got->p, 1, got->len, f), got->len);
		fclose(f);
		return;
	}
	len = fread(want, 1, sizeof(want), f);
	fclose(f);
	if (len != got->len || memcmp(want, got->p, len))
		print_error("%s differs from:\n%.*s\n", path, (int)got->len, (const char *)got->p);
	assert_int_equal(len, got->len);
	assert_memory_equal(want, got->p, len);
}

/* The version is the build's: "V" stands for it. */
static void mask_version(struct st_buf *b)
{
	static const char version[] = "\"" ST_VERSION "\"";
	size_t len = sizeof(version) - 1;

	for (size_t i = 0; i + len <= b->len; i++) {
		if (memcmp(b->p + i, version, len))
			continue;
		memmove(b->p + i + 3, b->p + i + len, b->len - i - len);
		memcpy(b->p + i, "\"V\"", 3);
		b->len -= len - 3;
	}
}

static void golden(const struct st_format *f, const char *path)
{
	struct st_limits lim = {8, 7, 2, 2, 2, 1};
	struct st_batch *bt = st_batch__new(8);
	struct st_buf body = st_buf__init(1u << 20), text = st_buf__init(1u << 20);
	static struct st_res_cache cache;
	static struct st_enc enc;
	static struct st_span s;

	st_enc__init(&enc, f, &no_limits);
	span_http(&s, &shop);
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), 0);
	enc.lim = lim;
	span_rare(&s);
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), 0);
	span_http(&s, &shop);
	s.attr_cnt = 0;
	s.status = ST_STATUS_OK;
	s.kind = ST_KIND_INTERNAL;
	assert_int_equal(st_batch__add(bt, &enc, &cache, &s), 0);
	assert_true(f->join(bt, &body));
	assert_true(st_json__pretty(&text, (const char *)body.p, body.len));
	st_buf__putc(&text, '\n');
	mask_version(&text);
	compare(path, &text);
	st_buf__free(&body);
	st_buf__free(&text);
	st_batch__free(bt);
	st_enc__free(&enc);
	st_res_cache__free(&cache);
	memset(&cache, 0, sizeof(cache));
}

static void test_otlp(void **state)
{
	(void)state;
	golden(&st_format_json, "tests/vectors/export/otlp.json");
}

static void test_zipkin(void **state)
{
	(void)state;
	golden(&st_format_zipkin, "tests/vectors/export/zipkin.json");
}

/* Whatever the bytes: quotes and brackets close, and nothing is a control character. */
static void assert_closed(const struct st_buf *b)
{
	char stack[64];
	int depth = 0;

	for (size_t i = 0; i < b->len; i++) {
		char c = (char)b->p[i];

		assert_true((unsigned char)c >= ' ');
		if (c == '"') {
			for (i++; i < b->len && b->p[i] != '"'; i++) {
				assert_true(b->p[i] >= ' ');
				if (b->p[i] == '\\')
					i++;
			}
			assert_true(i < b->len);
		} else if (c == '{' || c == '[') {
			assert_true(depth < 64);
			stack[depth++] = c == '{' ? '}' : ']';
		} else if (c == '}' || c == ']') {
			assert_true(depth > 0 && stack[--depth] == c);
		}
	}
	assert_int_equal(depth, 0);
}

static void random_spans(const struct st_format *f)
{
	struct st_buf body = st_buf__init(16u << 20);
	struct st_batch *bt = st_batch__new(4);
	static struct st_res_cache cache;
	static struct st_enc enc;
	static struct st_span s;
	struct span_gen g;

	gen_init(&g, 5);
	g.nul_bytes = true;
	st_enc__init(&enc, f, &no_limits);
	for (int i = 0; i < 300; i++) {
		st_batch__reset(bt);
		st_buf__reset(&body);
		for (int k = 0; k < 3; k++) {
			int err;

			gen_span(&g, &s, k == 1 ? &stock : &shop);
			err = st_batch__add(bt, &enc, &cache, &s);
			assert_true(!err || (err == -ENOSPC && k));
		}
		assert_true(f->join(bt, &body));
		assert_closed(&body);
	}
	st_buf__free(&body);
	st_batch__free(bt);
	st_enc__free(&enc);
	st_res_cache__free(&cache);
	memset(&cache, 0, sizeof(cache));
	free(g.mem);
}

static void test_random(void **state)
{
	(void)state;
	random_spans(&st_format_json);
	random_spans(&st_format_zipkin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_otlp),
		cmocka_unit_test(test_zipkin),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
