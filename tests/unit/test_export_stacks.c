/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Folded stacks: self time, names, the window. */
#include "export_spans.h"

#include "export/stacks.h"

#define US 1000u

static struct st_stacks *st;

static void span(uint8_t trace, uint8_t id, uint8_t parent, const struct st_resource *r,
		 const char *name, uint64_t from_us, uint64_t to_us)
{
	static struct st_span s;

	s = (struct st_span){
		.trace_id = {trace},
		.span_id = {id},
		.parent_id = {parent},
		.has_parent = parent != 0,
		.start_ns = 1000000 + from_us * US,
		.end_ns = 1000000 + to_us * US,
		.name = st_str_of(name),
		.resource = r,
	};
	st_stacks__span(st, &s);
}

static void assert_written(const char *want)
{
	struct st_buf b = st_buf__init(1u << 20);

	assert_true(st_stacks__write(st, &b));
	assert_true(st_buf__putc(&b, 0));
	assert_string_equal((char *)b.p, want);
	st_buf__free(&b);
	st_stacks__free(st);
}

/* Children overlap each other, reach over the end, and lie in another service. */
static void test_self_time(void **state)
{
	(void)state;
	st = st_stacks__new(16);
	span(1, 2, 1, &shop, "SELECT", 10, 30);
	span(1, 3, 1, &shop, "SELECT", 20, 40);
	span(1, 5, 4, &stock, "GET /stock", 55, 65);
	span(1, 4, 1, &shop, "GET", 50, 70);
	span(1, 6, 1, &shop, "late", 90, 130);
	span(1, 1, 0, &shop, "GET /o;x", 0, 100);
	assert_written("shop;GET /o:x 40\n"
		       "shop;GET /o:x;SELECT 40\n"
		       "shop;GET /o:x;GET 10\n"
		       "shop;GET /o:x;GET;stock;GET /stock 10\n"
		       "shop;GET /o:x;late 40\n");
}

/* The same stack of many traces is one line; a parent that never comes makes a root. */
static void test_sums(void **state)
{
	(void)state;
	st = st_stacks__new(4);
	for (uint8_t i = 1; i < 100; i++)
		span(i, 1, i % 2 ? 0 : 9, &shop, "a\nb", 0, 7);
	assert_written("shop;a_b 693\n");
}

/* A child is known when its parent comes within the window. */
static void test_window(void **state)
{
	(void)state;
	st = st_stacks__new(4);
	span(1, 2, 1, &shop, "child", 0, 60);
	for (uint8_t i = 0; i < 2; i++)
		span(2, (uint8_t)(i + 1), 0, &shop, "other", 0, 1);
	span(1, 1, 0, &shop, "root", 0, 100);
	/* This one pushes trace 1 out, whole. */
	span(3, 1, 0, &shop, "other", 0, 1);
	assert_written("shop;root 40\nshop;root;child 60\nshop;other 3\n");
}

/* Forged ids: a circle, and a span that is its own parent. */
static void test_circle(void **state)
{
	(void)state;
	st = st_stacks__new(8);
	span(1, 1, 2, &shop, "a", 0, 10);
	span(1, 2, 1, &shop, "b", 0, 10);
	span(2, 1, 1, &shop, "self", 0, 10);
	assert_written("shop;self 10\n");
}

static void test_random(void **state)
{
	struct st_buf b = st_buf__init(64u << 20);
	static struct st_span s;
	struct span_gen g;
	uint64_t sum = 0;

	(void)state;
	st = st_stacks__new(64);
	gen_init(&g, 9);
	for (int i = 0; i < 30000; i++) {
		gen_span(&g, &s, &shop);
		memset(s.trace_id, 0, 16);
		s.trace_id[0] = (uint8_t)gen_below(&g, 20);
		memset(s.span_id, 0, 8);
		s.span_id[0] = (uint8_t)gen_below(&g, 30);
		memset(s.parent_id, 0, 8);
		s.parent_id[0] = (uint8_t)gen_below(&g, 30);
		s.start_ns = gen_below(&g, 1000000);
		s.end_ns = s.start_ns + gen_below(&g, 1000000);
		sum += s.end_ns - s.start_ns;
		st_stacks__span(st, &s);
	}
	assert_true(st_stacks__write(st, &b));
	assert_true(sum > 0 && b.len > 0);
	st_buf__free(&b);
	st_stacks__free(st);
	free(g.mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self_time), cmocka_unit_test(test_sums),
		cmocka_unit_test(test_window),	  cmocka_unit_test(test_circle),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
