/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Baggage: tests/vectors/propagate/baggage.txt, limits, and values decoded into too little room. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/baggage.h"
#include "protocols/http1_head.h"
#include "vectors.h"

#define VECTORS "tests/vectors/propagate/baggage.txt"

static void parse(const uint8_t *fields, size_t len, struct st_http1_head *h)
{
	static char text[16 * VEC_INPUT_MAX];
	int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n");

	assert_true((size_t)n + len + 2 <= sizeof(text));
	memcpy(text + n, fields, len);
	memcpy(text + n + len, "\r\n", 2);
	n += (int)len + 2;
	assert_int_equal(st_http1_head__parse(st_bytes(text, (size_t)n), NULL, h), n);
}

/* What was read, as the vectors write it. */
struct lines {
	char line[VEC_WANT_MAX][VEC_LINE_MAX];
	unsigned cnt;
};

static void add(struct lines *l, const char *what, struct st_str key, struct st_str value)
{
	char *to = l->line[l->cnt++];

	assert_true(l->cnt <= VEC_WANT_MAX);
	sprintf(to, "%s %.*s%s%.*s", what, (int)key.len, key.p, value.p ? "=" : "", (int)value.len,
		value.p ? value.p : "");
}

static void add_member(struct lines *l, const struct st_baggage_member *m)
{
	struct st_str props = m->props;
	struct st_baggage_property p;
	char value[VEC_LINE_MAX];
	int n = st_baggage__decode(m->value, value, sizeof(value));

	if (n < 0)
		add(l, n == -EPROTO ? "undecodable" : "long", m->key, m->value);
	else
		add(l, "member", m->key, st_str(value, (size_t)n));
	while (st_baggage__property(&props, &p))
		add(l, "property", p.key, p.value);
}

static void read_all(const struct st_carrier *c, struct lines *l)
{
	struct st_baggage_member m;
	struct st_baggage b;

	l->cnt = 0;
	st_baggage__init(&b, c);
	while (st_baggage__next(&b, &m))
		add_member(l, &m);
	if (b.malformed)
		sprintf(l->line[l->cnt++], "malformed %u", b.malformed);
	if (b.dropped)
		sprintf(l->line[l->cnt++], "dropped %u", b.dropped);
}

static void vectors_hold(void **state)
{
	struct vec_file f = vec_open(VECTORS);
	uint8_t want[VEC_LINE_MAX];
	struct st_http1_head h;
	static struct lines got;
	unsigned cnt = 0;
	struct vec v;

	(void)state;
	for (; vec_next(&f, &v); cnt++) {
		parse(v.in, v.len, &h);
		read_all(&h.carrier, &got);
		if (got.cnt != v.want_cnt)
			fail_msg("%s:%u: %s: %u lines", VECTORS, v.line, v.name, got.cnt);
		for (unsigned i = 0; i < got.cnt; i++) {
			size_t n = vec_unescape(v.want[i], want, sizeof(want) - 1);

			want[n] = 0;
			if (strcmp((char *)want, got.line[i]))
				fail_msg("%s:%u: %s: %s", VECTORS, v.line, v.name, got.line[i]);
		}
	}
	assert_true(cnt >= 35);
}

/* cnt members of sz bytes each, "kkk=v...", in one field. */
static void many(unsigned cnt, unsigned sz, unsigned want, unsigned dropped)
{
	static char text[16 * VEC_INPUT_MAX];
	struct st_baggage_member m;
	struct st_http1_head h;
	struct st_baggage b;
	unsigned got = 0;
	int n = sprintf(text, "baggage: ");

	for (unsigned i = 0; i < cnt; i++) {
		n += sprintf(text + n, "%s%03u=", i ? "," : "", i);
		memset(text + n, 'v', sz - 4);
		n += (int)sz - 4;
	}
	n += sprintf(text + n, "\r\n");
	parse((uint8_t *)text, (size_t)n, &h);
	st_baggage__init(&b, &h.carrier);
	for (; st_baggage__next(&b, &m); got++)
		assert_int_equal(strtoul(m.key.p, NULL, 10), got);
	assert_int_equal(got, want);
	assert_int_equal(b.dropped, dropped);
	assert_int_equal(b.malformed, 0);
	assert_false(st_baggage__next(&b, &m));
}

static void limits(void **state)
{
	(void)state;
	many(64, 5, 64, 0);
	many(65, 5, 64, 1);
	many(180, 5, 64, 116);
	many(1, 8192, 1, 0);
	many(1, 8193, 0, 1);
	many(2, 8000, 1, 1);
	/* 63 commas and 64 members of 127 bytes: 8191; of 128: 62 commas and 63 members are 8126 */
	many(64, 127, 64, 0);
	many(64, 128, 63, 1);
	many(10, 1000, 8, 2);
}

static void decoding_keeps_to_the_room(void **state)
{
	char *end = (char *)vec_guarded(16) + 16;

	(void)state;
	assert_int_equal(st_baggage__decode(ST_STR("a%20b"), end - 3, 3), 3);
	assert_memory_equal(end - 3, "a b", 3);
	assert_int_equal(st_baggage__decode(ST_STR("a%20b"), end - 2, 2), -ENOSPC);
	assert_int_equal(st_baggage__decode(ST_STR("a"), end, 0), -ENOSPC);
	assert_int_equal(st_baggage__decode(ST_STR(""), end, 0), 0);
	assert_int_equal(st_baggage__decode(st_str(NULL, 0), NULL, 0), 0);
	assert_int_equal(st_baggage__decode(ST_STR("%00"), end - 1, 1), 1);
	assert_int_equal(st_baggage__decode(ST_STR("%"), end - 1, 1), -EPROTO);
	assert_int_equal(st_baggage__decode(ST_STR("%4"), end - 1, 1), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_hold),
		cmocka_unit_test(limits),
		cmocka_unit_test(decoding_keeps_to_the_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
