/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Latency buckets: they cover every time once, their bounds are close, quantiles lie in theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/hist.h"

static void bounds_and_buckets_agree(void **state)
{
	(void)state;
	assert_int_equal(st_hist__bucket(0), 0);
	assert_int_equal(st_hist__bucket(1023), 0);
	for (uint32_t b = 1; b < ST_HIST_BUCKETS; b++) {
		uint64_t low = st_hist__low_ns(b), next = st_hist__low_ns(b + 1);

		assert_true(low < next);
		assert_int_equal(st_hist__bucket(low), b);
		assert_int_equal(st_hist__bucket(low - 1), b - 1);
		if (b + 1 < ST_HIST_BUCKETS)
			assert_int_equal(st_hist__bucket(next - 1), b);
		/* Four an octave: none is wider than a quarter of its lower bound. */
		assert_true((next - low) * 4 <= low);
	}
	assert_int_equal(st_hist__bucket(UINT64_MAX), ST_HIST_BUCKETS - 1);
	/* Over an hour, as the header says. */
	assert_true(st_hist__low_ns(ST_HIST_BUCKETS) >= 3600ULL * 1000000000ULL);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void quantiles_are_near(void **state)
{
	static uint64_t v[10000];
	static const double qs[] = {0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
	struct st_hist h = {0};
	uint64_t x = 88172645463325252ULL;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* 1 us to some seconds, evenly in octaves */
		v[i] = 1024 + (x >> 20) % (1ULL << (10 + x % 22));
		h.bucket[st_hist__bucket(v[i])]++;
		h.cnt++;
		h.sum_ns += v[i];
	}
	qsort(v, 10000, sizeof(v[0]), by_size);
	for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++) {
		uint64_t at = (uint64_t)(qs[i] * 10000), got = st_hist__quantile_ns(&h, qs[i]);
		uint64_t want = v[at < 10000 ? at : 9999];

		assert_int_equal(st_hist__bucket(got), st_hist__bucket(want));
	}
}

static void few_values(void **state)
{
	struct st_hist h = {0};

	(void)state;
	assert_int_equal(st_hist__quantile_ns(&h, 0.5), 0);
	h.bucket[st_hist__bucket(5000)] = 1;
	h.cnt = 1;
	for (double q = 0; q <= 1; q += 0.125)
		assert_int_equal(st_hist__bucket(st_hist__quantile_ns(&h, q)),
				 st_hist__bucket(5000));
	h.bucket[0] = 1;
	h.cnt = 2;
	assert_int_equal(st_hist__bucket(st_hist__quantile_ns(&h, 0.25)), 0);
	assert_int_equal(st_hist__bucket(st_hist__quantile_ns(&h, 0.75)), st_hist__bucket(5000));
	/* Buckets that do not add up to the count: a reader that came in between. */
	h.cnt = 10;
	assert_int_equal(st_hist__quantile_ns(&h, 0.99), st_hist__low_ns(ST_HIST_BUCKETS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_and_buckets_agree),
		cmocka_unit_test(quantiles_are_near),
		cmocka_unit_test(few_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
