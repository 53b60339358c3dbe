/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* FastCGI's bytes: the vectors of tests/vectors/fastcgi, whole and cut at every byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "protocols/fastcgi.h"
#include "vectors.h"

static const char *word(const struct vec *v, unsigned i, const char *name)
{
	size_t n = strlen(name);

	if (i >= v->want_cnt || strncmp(v->want[i], name, n) || v->want[i][n] != ' ')
		fail_msg("line %u: %s: '%s' is missing", v->line, v->name, name);
	return v->want[i] + n + 1;
}

/* The bytes where reading on would fault. */
static const uint8_t *guarded(const struct vec *v, size_t len)
{
	uint8_t *p = vec_guarded(len ? len : 1) + !len;

	memcpy(p, v->in, len);
	return p;
}

static void free_guarded(const uint8_t *p, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = len ? len : 1;
	uint8_t *end = (uint8_t *)p + len;

	munmap(end - (n + page - 1) / page * page, (n + page - 1) / page * page + page);
}

static int detect(const struct vec *v, size_t len)
{
	const uint8_t *p = guarded(v, len);
	int rc = st_fcgi__detect(st_bytes(p, len));

	free_guarded(p, len);
	return rc;
}

static void detection(void **state)
{
	struct vec_file f = vec_open("tests/vectors/fastcgi/records.txt");
	struct vec v;

	(void)state;
	while (vec_next(&f, &v)) {
		const char *want = word(&v, 0, "detect");
		int rc = detect(&v, v.len), before = 0;

		if (rc != (*want == '-' ? -EPROTO : atoi(want)))
			fail_msg("line %u: %s: %d", v.line, v.name, rc);
		/* What was decided stays decided. */
		for (size_t n = 0; n <= v.len; n++) {
			int now = detect(&v, n);

			if (before && now != before)
				fail_msg("line %u: %s: %d after %zu bytes", v.line, v.name, now, n);
			before = now;
		}
	}
}

static uint32_t feed(struct st_fcgi_head *h, const struct vec *v, size_t from, size_t to)
{
	return st_fcgi_head__feed(h, v->in + from, (uint32_t)(to - from));
}

static void head_is(const struct vec *v, const struct st_fcgi_head *h, size_t used)
{
	const char *want = word(v, 0, "head");
	unsigned status, len;

	if (*want == '-') {
		if (h->done || used != v->len)
			fail_msg("line %u: %s: it ends", v->line, v->name);
		return;
	}
	assert_int_equal(sscanf(want, "%u %u", &status, &len), 2);
	if (!h->done || used != len || st_fcgi_head__status(h) != status)
		fail_msg("line %u: %s: done %d, %zu bytes, status %u", v->line, v->name, h->done,
			 used, st_fcgi_head__status(h));
}

static void response_heads(void **state)
{
	struct vec_file f = vec_open("tests/vectors/fastcgi/heads.txt");
	struct vec v;

	(void)state;
	while (vec_next(&f, &v)) {
		struct st_fcgi_head bytes = {0};
		size_t used = 0;

		for (size_t cut = 0; cut <= v.len; cut++) {
			struct st_fcgi_head h = {0};
			size_t n = feed(&h, &v, 0, cut);

			head_is(&v, &h, n + (h.done ? 0 : feed(&h, &v, cut, v.len)));
		}
		for (size_t i = 0; i < v.len && !bytes.done; i++)
			used += feed(&bytes, &v, i, i + 1);
		head_is(&v, &bytes, used);
	}
}

static void pairs(void **state)
{
	struct vec_file f = vec_open("tests/vectors/fastcgi/params.txt");
	struct vec v;

	(void)state;
	while (vec_next(&f, &v)) {
		const uint8_t *p = guarded(&v, v.len);
		struct st_bytes b = st_bytes(p, v.len);
		struct st_str name, value;
		unsigned i = 0;

		while (st_fcgi__pair(&b, &name, &value)) {
			char got[256];

			snprintf(got, sizeof(got), "%.*s=%.*s", (int)name.len, name.p,
				 (int)value.len, value.p);
			assert_string_equal(got, word(&v, i++, "pair"));
		}
		assert_int_equal(st_bytes_left(&b), atoi(word(&v, i, "end")));
		free_guarded(p, v.len);
	}
}

static void put_pair(struct st_fcgi_req *r, const char *name, const char *value)
{
	const uint8_t len[2] = {(uint8_t)strlen(name), (uint8_t)strlen(value)};

	st_buf__put(&r->params, len, 2);
	st_buf__puts(&r->params, name);
	st_buf__puts(&r->params, value);
}

static void str_is(struct st_str s, const char *z)
{
	assert_int_equal(s.len, strlen(z));
	assert_memory_equal(s.p, z, s.len);
}

/* What --capture asks for, and what carries a context, by the names that CGI gives them. */
static void variables(void **state)
{
	static const struct st_str names[] = {{"x-tenant", 8}, {"content-type", 12}, {"nope", 4}};
	static const struct st_key *const keys[3];
	const struct st_fcgi_header h = {.type = ST_FCGI_BEGIN, .id = 3};
	const struct st_chunk c = {.pos = 9};
	struct st_fcgi_req *r = st_fcgi_req__new(&h, ST_FCGI_KEEP_CONN, &c);

	(void)state;
	st_fcgi__capture(names, keys, 3);
	put_pair(r, "REQUEST_METHOD", "PUT");
	put_pair(r, "REQUEST_URI", "/a");
	put_pair(r, "REQUEST_URI", "/b?c");
	put_pair(r, "HTTP_HOST", "shop");
	put_pair(r, "HTTP_TRACEPARENT", "00-1-2-3");
	put_pair(r, "HTTP_X_B3_TRACEID", "77");
	put_pair(r, "HTTP_X_REQUEST_ID", "id-1");
	put_pair(r, "HTTP_X_REQUEST_IDS", "id-2");
	put_pair(r, "HTTP_X_TENANT", "blue");
	put_pair(r, "CONTENT_TYPE", "text/plain");
	put_pair(r, "X_TENANT", "red");
	put_pair(r, "HTTP_", "none");
	st_fcgi_req__read(r);
	str_is(r->method, "PUT");
	str_is(r->uri, "/b?c");
	str_is(r->host, "shop");
	str_is(st_carrier_get(&r->carrier, ST_CARRIER_TRACEPARENT), "00-1-2-3");
	str_is(st_carrier_get(&r->carrier, ST_CARRIER_B3_TRACE_ID), "77");
	str_is(st_carrier_get(&r->carrier, ST_CARRIER_REQUEST_ID), "id-1");
	str_is(r->captured[0], "blue");
	str_is(r->captured[1], "text/plain");
	assert_int_equal(r->captured[2].len, 0);
	st_fcgi__capture(NULL, NULL, 0);
	st_fcgi_req__free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(detection),
		cmocka_unit_test(response_heads),
		cmocka_unit_test(pairs),
		cmocka_unit_test(variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
