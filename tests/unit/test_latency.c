/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Latencies by service: processes are added up, nothing is left out, rows are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latency.h"

static struct st_hist_key key(uint32_t tgid, uint16_t port, uint8_t role, uint16_t status)
{
	return (struct st_hist_key){
		.tgid = tgid, .port = port, .proto = 1, .role = role, .status = status};
}

static void add(struct st_latency *l, const char *service, struct st_hist_key k, uint64_t cnt)
{
	struct st_hist h = {.cnt = cnt, .sum_ns = cnt * 5000};

	h.bucket[7] = (uint32_t)cnt;
	assert_int_equal(st_latency__add(l, st_str(service, strlen(service)), &k, &h), 0);
}

static void test_processes_are_one_row(void **state)
{
	struct st_latency *l = st_latency__new();
	const char *service;
	struct st_hist_key k;
	struct st_hist h;

	(void)state;
	for (uint32_t tgid = 1; tgid <= 1000; tgid++)
		add(l, "client", key(tgid, 80, ST_ROLE_CLIENT, 2), tgid);
	assert_true(st_latency__row(l, 0, &service, &k, &h));
	assert_false(st_latency__row(l, 1, &service, &k, &h));
	assert_string_equal(service, "client");
	assert_int_equal(k.port, 80);
	assert_int_equal(h.cnt, 500500);
	assert_int_equal(h.sum_ns, 500500 * 5000ull);
	assert_int_equal(h.bucket[7], 500500);
	st_latency__free(l);
}

static void test_what_differs_stays_apart(void **state)
{
	struct st_latency *l = st_latency__new();
	const char *service;
	struct st_hist_key k;
	struct st_hist h;

	(void)state;
	add(l, "a", key(1, 80, ST_ROLE_CLIENT, 2), 1);
	add(l, "a", key(1, 80, ST_ROLE_SERVER, 2), 1);
	add(l, "a", key(1, 81, ST_ROLE_CLIENT, 2), 1);
	add(l, "a", key(1, 80, ST_ROLE_CLIENT, 5), 1);
	add(l, "b", key(1, 80, ST_ROLE_CLIENT, 2), 1);
	add(l, "b\x1b[2J", key(1, 80, ST_ROLE_CLIENT, 2), 1);
	assert_true(st_latency__row(l, 5, &service, &k, &h));
	assert_false(st_latency__row(l, 6, &service, &k, &h));
	assert_string_equal(service, "b?[2J");
	assert_int_equal(st_latency__total(l), 6);
	st_latency__free(l);
}

/* As many ports as one likes: the rows are bounded, the count is whole. */
static void test_others(void **state)
{
	struct st_latency *l = st_latency__new();
	const char *service;
	struct st_hist_key k;
	struct st_hist h;
	uint64_t others = 0;
	uint32_t n;

	(void)state;
	for (uint32_t port = 1; port <= 5000; port++)
		add(l, "proxy", key(7, (uint16_t)port, ST_ROLE_CLIENT, port % 2 ? 2 : 5), 3);
	assert_int_equal(st_latency__total(l), 15000);
	for (n = 0; st_latency__row(l, n, &service, &k, &h); n++)
		if (!strcmp(service, ST_LATENCY_OTHERS))
			others += h.cnt;
	assert_int_equal(n, ST_LATENCY_MAX + 2);
	assert_int_equal(others, 15000 - 3 * ST_LATENCY_MAX);
	st_latency__free(l);
}

static void test_join(void **state)
{
	struct st_latency *a = st_latency__new(), *b = st_latency__new();
	const char *service;
	struct st_hist_key k;
	struct st_hist h;

	(void)state;
	add(a, "ended", key(1, 80, ST_ROLE_SERVER, 2), 10);
	add(b, "ended", key(2, 80, ST_ROLE_SERVER, 2), 5);
	add(b, "living", key(3, 80, ST_ROLE_SERVER, 2), 1);
	assert_int_equal(st_latency__join(a, b), 0);
	assert_int_equal(st_latency__total(a), 16);
	assert_int_equal(st_latency__total(b), 6);
	assert_true(st_latency__row(a, 0, &service, &k, &h));
	assert_int_equal(h.cnt, 15);
	st_latency__free(a);
	st_latency__free(b);
	st_latency__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_processes_are_one_row),
		cmocka_unit_test(test_what_differs_stays_apart),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
