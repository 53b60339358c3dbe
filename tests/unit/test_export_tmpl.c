/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is kept of a template gives the same bytes as the span itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "export/batch.h"
#include "export/tmpl.h"
#include "export_spans.h"

#define ROUNDS 2000

static void encode(struct st_enc *enc, struct st_buf *b, const struct st_span *s)
{
	st_buf__reset(b);
	assert_true(enc->format->span(enc, b, s));
}

/* Any span of a template: neither trace state nor events nor links, and times. */
static void gen_tmpl_span(struct span_gen *g, struct st_span *s, uint64_t number)
{
	gen_span(g, s, &shop);
	s->trace_state = (struct st_str){0};
	s->event_cnt = s->link_cnt = 0;
	s->start_ns |= 1;
	s->end_ns |= 1;
	s->tmpl = number;
}

static void other_ids(struct span_gen *g, struct st_span *s)
{
	gen_bytes(g, s->trace_id, 16);
	gen_bytes(g, s->span_id, 8);
	gen_bytes(g, s->parent_id, 8);
	s->has_parent = gen_next(g) & 1;
	s->start_ns = gen_next(g) | 1;
	s->end_ns = gen_next(g) | 1;
}

static void same_bytes(const struct st_format *f)
{
	struct st_limits lim = {.attr_cnt = 128,
				.attr_len = UINT32_MAX,
				.event_cnt = 128,
				.link_cnt = 128,
				.event_attr_cnt = 128,
				.link_attr_cnt = 128};
	struct st_enc *enc = aligned_alloc(64, (sizeof(*enc) + 63) / 64 * 64);
	struct st_buf a = st_buf__init(1u << 20), b = st_buf__init(1u << 20);
	struct span_gen g;
	static struct st_span s;
	uint32_t kept = 0;

	assert_non_null(enc);
	gen_init(&g, 5);
	st_enc__init(enc, f, &lim);
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		gen_tmpl_span(&g, &s, i);
		encode(enc, &a, &s);
		other_ids(&g, &s);
		kept += st_tmpl__find(enc, &s) != NULL;
		encode(enc, &a, &s);
		s.tmpl = 0;
		encode(enc, &b, &s);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.p, b.p, a.len);
	}
	/* Most fit, and some do not. */
	assert_in_range(kept, ROUNDS / 10, ROUNDS - 1);
	st_enc__free(enc);
	free(enc);
	free(g.mem);
	st_buf__free(&a);
	st_buf__free(&b);
}

static void otlp(void **state)
{
	(void)state;
	same_bytes(&st_format_otlp);
}

static void json(void **state)
{
	(void)state;
	same_bytes(&st_format_json);
}

/* A span that says something of its own is none of the template's. */
static void of_its_own(void **state)
{
	struct st_limits lim = {.attr_cnt = 128, .attr_len = UINT32_MAX, .event_cnt = 128};
	struct st_enc *enc = aligned_alloc(64, (sizeof(*enc) + 63) / 64 * 64);
	struct st_buf b = st_buf__init(1u << 20);
	struct span_gen g;
	static struct st_span s;

	(void)state;
	assert_non_null(enc);
	gen_init(&g, 9);
	st_enc__init(enc, &st_format_json, &lim);
	gen_tmpl_span(&g, &s, 7);
	s.attr_cnt = 1;
	s.trace_state = ST_STR("a=b");
	encode(enc, &b, &s);
	assert_null(st_tmpl__find(enc, &s));
	s.trace_state = (struct st_str){0};
	encode(enc, &b, &s);
	assert_non_null(st_tmpl__find(enc, &s));
	s.tmpl += ST_TMPL_SLOTS; /* of the same slot */
	assert_null(st_tmpl__find(enc, &s));
	st_enc__free(enc);
	free(enc);
	free(g.mem);
	st_buf__free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(otlp),
		cmocka_unit_test(json),
		cmocka_unit_test(of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
