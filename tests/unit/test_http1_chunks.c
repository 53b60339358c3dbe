/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The chunked coding: tests/vectors/http1/chunks.txt in any pieces, and the bounds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "protocols/http1_head.h"
#include "vectors.h"

#define VECTORS "tests/vectors/http1/chunks.txt"

struct result {
	int64_t used; /* or -EPROTO */
	uint64_t body_len;
	bool done;
};

#define CHECK(ok)                                                                                  \
	do {                                                                                       \
		if (!(ok))                                                                         \
			fail_msg("%s:%u: %s: %s", VECTORS, v.line, v.name, #ok);                   \
	} while (0)

static struct result want_of(const struct vec *v)
{
	struct result r = {.used = (int64_t)v->len};
	unsigned i;

	for (i = 0; i < v->want_cnt; i++) {
		const char *w = v->want[i];

		if (sscanf(w, "body %lu", &r.body_len) == 1)
			r.done = true;
		else if (!strncmp(w, "rest ", 5))
			r.used -= atoi(w + 5);
		else if (!strcmp(w, "eproto"))
			r.used = -EPROTO;
		else if (sscanf(w, "more %lu", &r.body_len) != 1)
			fail_msg("unknown expectation: %s", w);
	}
	assert_true(v->want_cnt > 0);
	return r;
}

/* Feeds one piece behind those before; what is behind the end is not fed. */
static void feed(struct st_http1_chunks *c, struct result *r, const uint8_t *p, size_t len)
{
	int64_t ret;

	if (r->done || r->used < 0)
		return;
	ret = st_http1_chunks__feed(c, st_bytes(p, len), &r->done);
	assert_true(ret < 0 || ret <= (int64_t)len);
	assert_true(ret < 0 || r->done || ret == (int64_t)len);
	r->used = ret < 0 ? ret : r->used + ret;
	r->body_len = c->body_len;
}

static struct result in_two(const struct vec *v, size_t at)
{
	struct st_http1_chunks c = {0};
	struct result r = {0};

	feed(&c, &r, v->in, at);
	feed(&c, &r, v->in + at, v->len - at);
	return r;
}

static struct result in_bytes(const struct vec *v, size_t step)
{
	struct st_http1_chunks c = {0};
	struct result r = {0};
	size_t i;

	for (i = 0; i < v->len; i += step)
		feed(&c, &r, v->in + i, v->len - i < step ? v->len - i : step);
	return r;
}

static bool same(struct result a, struct result b)
{
	return a.used == b.used && a.done == b.done && (a.used < 0 || a.body_len == b.body_len);
}

static void vectors_hold_in_any_pieces(void **state)
{
	struct vec_file f = vec_open(VECTORS);
	struct result want, whole;
	unsigned cnt = 0;
	struct vec v;
	size_t i;

	(void)state;
	for (; vec_next(&f, &v); cnt++) {
		want = want_of(&v);
		whole = in_two(&v, 0);
		CHECK(same(whole, want));
		for (i = 0; i <= v.len; i++) {
			CHECK(same(in_two(&v, i), want));
			CHECK(in_two(&v, i).body_len == whole.body_len);
		}
		for (i = 1; i < 5; i++)
			CHECK(same(in_bytes(&v, i), want));
	}
	assert_true(cnt >= 40);
}

static void the_end_is_final(void **state)
{
	struct st_http1_chunks c = {0};
	bool done;

	(void)state;
	assert_int_equal(st_http1_chunks__feed(&c, st_bytes("0\r\n\r\n0", 6), &done), 5);
	assert_true(done);
	assert_int_equal(st_http1_chunks__feed(&c, st_bytes("0", 1), &done), 0);
	assert_true(done);
}

static void an_error_is_final(void **state)
{
	struct st_http1_chunks c = {0};
	bool done = true;

	(void)state;
	assert_int_equal(st_http1_chunks__feed(&c, st_bytes("x", 1), &done), -EPROTO);
	assert_false(done);
	assert_int_equal(st_http1_chunks__feed(&c, st_bytes("0\r\n\r\n", 5), &done), -EPROTO);
	assert_int_equal(st_http1_chunks__feed(&c, st_bytes(NULL, 0), &done), -EPROTO);
}

/* head, then n bytes 'a', then tail, in pieces of `step`: 0 when all of it was taken. */
static int bounded(const char *head, size_t n, const char *tail, size_t step)
{
	size_t len = strlen(head) + n + strlen(tail), i, m;
	struct st_http1_chunks c = {0};
	uint8_t *p = malloc(len + 1);
	int64_t ret = 0;
	bool done;

	memset(p, 'a', len);
	memcpy(p, head, strlen(head));
	strcpy((char *)p + strlen(head) + n, tail);
	for (i = 0; i < len && ret >= 0; i += m) {
		m = len - i < step ? len - i : step;
		ret = st_http1_chunks__feed(&c, st_bytes(p + i, m), &done);
	}
	free(p);
	return ret < 0 ? (int)ret : 0;
}

static void size_lines_are_bounded(void **state)
{
	static const size_t steps[] = {1, 7, 4095, 4096, 4097, 100000};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		/* "1;" and CRLF make the 4,096 bytes that a size line may have */
		assert_int_equal(bounded("1;", 4092, "\r\na\r\n", steps[i]), 0);
		assert_int_equal(bounded("1;", 4093, "\r\na\r\n", steps[i]), -EPROTO);
		assert_int_equal(bounded("1;", 90000, "", steps[i]), -EPROTO);
		/* the bound is each line's */
		assert_int_equal(bounded("1;x\r\na\r\n0;", 4092, "\r\n\r\n", steps[i]), 0);
		assert_int_equal(bounded("1;x\r\na\r\n0;", 4093, "\r\n\r\n", steps[i]), -EPROTO);
	}
}

static void padding_is_bounded(void **state)
{
	struct st_http1_chunks c = {0};
	int64_t ret = 0;
	unsigned i;
	bool done;

	(void)state;
	assert_int_equal(st_http1_chunks__feed(&c, st_bytes("1", 1), &done), 1);
	for (i = 0; i < 5000 && ret >= 0; i++)
		ret = st_http1_chunks__feed(&c, st_bytes(" ", 1), &done);
	assert_int_equal(ret, -EPROTO);
	assert_int_equal(i, 4096);
}

static void trailers_are_bounded(void **state)
{
	static const size_t steps[] = {1, 4096, 65535, 65536, 200000};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(bounded("0\r\n", 65532, "\r\n\r\n", steps[i]), 0);
		assert_int_equal(bounded("0\r\n", 65533, "\r\n\r\n", steps[i]), -EPROTO);
		assert_int_equal(bounded("0\r\nb: c\r\n", 65526, "\r\n\r\n", steps[i]), 0);
		assert_int_equal(bounded("0\r\nb: c\r\n", 65527, "\r\n\r\n", steps[i]), -EPROTO);
		assert_int_equal(bounded("0\r\n", 150000, "", steps[i]), -EPROTO);
	}
}

static void looks_like_the_end(void **state)
{
	static const struct {
		const char *z;
		bool ends;
	} all[] = {
		{"0\r\n\r\n", true},
		{"abc\r\n0\r\n\r\n", true},
		{"abc\r\n000;ext=1\r\nX-Sum: 12\r\nY: z\r\n\r\n", true},
		{"abc\r\n0\r\nX-Sum: 12\r\n", false},
		{"abc\r\n10\r\n\r\n", false},
		{"abc\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"X-Sum: 12\r\n\r\n", false},
		{": 12\r\n\r\n", false},
		{"\r\n\r\n", false},
		{"\n0\n\n", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (st_http1_chunks__ends(st_bytes(all[i].z, strlen(all[i].z))) != all[i].ends)
			fail_msg("%zu: %s", i, all[i].z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_hold_in_any_pieces),
		cmocka_unit_test(the_end_is_final),
		cmocka_unit_test(an_error_is_final),
		cmocka_unit_test(size_lines_are_bounded),
		cmocka_unit_test(padding_is_bounded),
		cmocka_unit_test(trailers_are_bounded),
		cmocka_unit_test(looks_like_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
