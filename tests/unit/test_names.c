/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The limiter of names: limit, growth, collisions of content, and no allocation for known names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <malloc.h>
#include <cmocka.h>

#include "lib/route.h"

static struct st_str name(char *buf, unsigned i)
{
	return st_str(buf, (size_t)sprintf(buf, "GET /route/%u/%x", i, i * 2654435761u));
}

static void known_names_stay_known(void **state)
{
	struct st_names *n = st_names__new(1000);
	char buf[64];
	unsigned i;

	(void)state;
	assert_non_null(n);
	for (i = 0; i < 1000; i++) {
		assert_true(st_names__admit(n, name(buf, i)));
		assert_true(st_names__admit(n, name(buf, i / 2)));
	}
	for (i = 0; i < 1000; i++)
		assert_true(st_names__admit(n, name(buf, i)));
	assert_int_equal(st_names__overflow(n), 0);
	st_names__free(n);
}

static void the_limit_counts(void **state)
{
	struct st_names *n = st_names__new(1000);
	char buf[64];
	unsigned i;

	(void)state;
	for (i = 0; i < 5000; i++)
		assert_int_equal(st_names__admit(n, name(buf, i)), i < 1000);
	assert_int_equal(st_names__overflow(n), 4000);
	for (i = 0; i < 2000; i++)
		assert_int_equal(st_names__admit(n, name(buf, i)), i < 1000);
	assert_int_equal(st_names__overflow(n), 5000);
	st_names__free(n);
}

static void lengths_are_told_apart(void **state)
{
	struct st_names *n = st_names__new(2000);
	char buf[513];
	unsigned i;

	(void)state;
	memset(buf, 'a', sizeof(buf));
	for (i = 0; i <= 512; i++)
		assert_true(st_names__admit(n, st_str(buf, i)));
	assert_false(st_names__admit(n, st_str(buf, 513)));
	assert_int_equal(st_names__overflow(n), 1);
	for (i = 0; i < 512; i++) {
		buf[i] = 'b';
		assert_true(st_names__admit(n, st_str(buf, 512)));
		buf[i] = 'a';
	}
	/* 513 lengths and 512 variants make 1,025 names: one more fits 975 times */
	for (i = 0; i < 1000; i++)
		assert_int_equal(st_names__admit(n, name(buf, i)), i < 975);
	st_names__free(n);
}

static void content_is_copied(void **state)
{
	struct st_names *n = st_names__new(1);
	char buf[] = "GET /a";

	(void)state;
	assert_true(st_names__admit(n, st_str(buf, 6)));
	buf[5] = 'b';
	assert_false(st_names__admit(n, st_str(buf, 6)));
	assert_true(st_names__admit(n, ST_STR("GET /a")));
	assert_false(st_names__admit(n, ST_STR("GET /")));
	assert_false(st_names__admit(n, ST_STR("GET /a\0")));
	assert_false(st_names__admit(n, st_str(NULL, 0)));
	st_names__free(n);
}

static void edges(void **state)
{
	struct st_names *n = st_names__new(0);

	(void)state;
	st_names__free(NULL);
	assert_false(st_names__admit(n, ST_STR("x")));
	assert_false(st_names__admit(n, st_str(NULL, 0)));
	assert_int_equal(st_names__overflow(n), 2);
	st_names__free(n);
	n = st_names__new(2);
	assert_true(st_names__admit(n, st_str(NULL, 0)));
	assert_true(st_names__admit(n, st_str(NULL, 0)));
	assert_true(st_names__admit(n, ST_STR("\0\0")));
	assert_false(st_names__admit(n, ST_STR("\0\0\0")));
	st_names__free(n);
}

/* Memory in use by the heap, as the C library counts it. */
static size_t heap(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void memory_is_bounded(void **state)
{
	struct st_names *n;
	size_t before = heap(), full;
	char buf[600];
	unsigned i;

	(void)state;
	n = st_names__new(1000);
	assert_true(heap() - before < 4096);
	memset(buf, 'x', sizeof(buf));
	for (i = 0; i < 1000; i++) {
		memcpy(buf, &i, sizeof(i));
		assert_true(st_names__admit(n, st_str(buf, 512)));
	}
	full = heap();
	assert_true(full - before < 1100000);
	for (i = 0; i < 100000; i++) {
		memcpy(buf, &i, sizeof(i));
		assert_int_equal(st_names__admit(n, st_str(buf, 512)), i < 1000);
	}
	assert_int_equal(heap(), full);
	st_names__free(n);
	assert_true(heap() - before < 8192); /* the C library keeps small pieces at hand */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_names_stay_known),
		cmocka_unit_test(the_limit_counts),
		cmocka_unit_test(lengths_are_told_apart),
		cmocka_unit_test(content_is_copied),
		cmocka_unit_test(edges),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
