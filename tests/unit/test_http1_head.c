/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* HTTP/1.x heads: tests/vectors/http1/heads.txt, their prefixes, limits and pieces of random. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "protocols/http1_kept.h"
#include "vectors.h"

#define VECTORS "tests/vectors/http1/heads.txt"

static struct st_http1_capture cap = {
	{ST_STR("traceparent"), ST_STR("tracestate"), ST_STR("x-request-id"), ST_STR("b3"),
	 ST_STR("x_odd-name"), ST_STR("x")},
	6,
	0,
};

static const struct {
	const char *name;
	unsigned bit;
} flags[] = {
	{"chunked", ST_H1_CHUNKED}, {"other", ST_H1_TE_OTHER}, {"length", ST_H1_HAS_LENGTH},
	{"bad", ST_H1_BAD_LENGTH},  {"close", ST_H1_CLOSE},    {"keep-alive", ST_H1_KEEP_ALIVE},
	{"upgrade", ST_H1_UPGRADE}, {"expect", ST_H1_EXPECT},
};

/* What a vector wants; its strings live in `text`. */
struct want {
	struct st_http1_head h;
	size_t rest;
	int refused_at; /* 0: not refused */
	bool more;
	uint8_t text[VEC_INPUT_MAX];
	size_t used;
};

static struct st_str text(struct want *w, const char *z)
{
	size_t n = vec_unescape(z, w->text + w->used, sizeof(w->text) - w->used);
	struct st_str s = st_str((char *)w->text + w->used, n);

	w->used += n;
	return s;
}

static unsigned flag_bits(char *z)
{
	unsigned bits = 0, i;
	char *tok;

	for (tok = strtok(z, ","); tok; tok = strtok(NULL, ",")) {
		for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			if (!strcmp(tok, flags[i].name))
				break;
		assert_true(i < sizeof(flags) / sizeof(flags[0]));
		bits |= flags[i].bit;
	}
	return bits;
}

static void want_capture(struct want *w, char *arg)
{
	char *value = strchr(arg, ' ');
	unsigned i;

	if (value)
		*value++ = 0;
	for (i = 0; i < cap.cnt; i++)
		if (st_str_eq(cap.names[i], st_str_of(arg)))
			break;
	assert_true(i < cap.cnt);
	w->h.captured[i] = text(w, value ? value : "");
}

static void want_carried(struct want *w, char *arg)
{
	char *value = strchr(arg, ' ');
	int field;

	if (value)
		*value++ = 0;
	field = st_carrier_find(arg, strlen(arg));
	assert_in_range(field, 0, ST_CARRIER_CNT - 1);
	assert_true(st_carrier_add(&w->h.carrier, (enum st_carrier_field)field,
				   text(w, value ? value : "")));
}

static void want_one(struct want *w, char *line)
{
	char *arg = strchr(line, ' '), *target;

	if (arg)
		*arg++ = 0;
	else
		arg = line + strlen(line);
	if (!strcmp(line, "request")) {
		target = strchr(arg, ' ');
		assert_non_null(target);
		*target++ = 0;
		w->h.method = text(w, arg);
		w->h.target = text(w, target);
	} else if (!strcmp(line, "response")) {
		w->h.is_response = true;
		w->h.status = (uint16_t)atoi(arg);
	} else if (!strcmp(line, "version")) {
		w->h.version = (uint8_t)atoi(arg);
	} else if (!strcmp(line, "host")) {
		w->h.host = text(w, arg);
	} else if (!strcmp(line, "agent")) {
		w->h.user_agent = text(w, arg);
	} else if (!strcmp(line, "upgrade")) {
		w->h.upgrade = text(w, arg);
	} else if (!strcmp(line, "length")) {
		w->h.content_length = strtoull(arg, NULL, 10);
	} else if (!strcmp(line, "flags")) {
		w->h.flags = (uint16_t)flag_bits(arg);
	} else if (!strcmp(line, "captured")) {
		want_capture(w, arg);
	} else if (!strcmp(line, "carried")) {
		want_carried(w, arg);
	} else if (!strcmp(line, "rest")) {
		w->rest = strtoul(arg, NULL, 10);
	} else if (!strcmp(line, "more")) {
		w->more = true;
	} else if (!strcmp(line, "eproto")) {
		w->refused_at = atoi(arg);
	} else {
		fail_msg("unknown expectation: %s", line);
	}
}

static void want_of(struct vec *v, struct want *w)
{
	unsigned i;

	memset(w, 0, sizeof(*w));
	w->h.version = 11;
	w->h.carrier.base = (char *)w->text;
	for (i = 0; i < v->want_cnt; i++)
		want_one(w, v->want[i]);
	assert_true(v->want_cnt > 0);
}

static bool same(struct st_str got, struct st_str want)
{
	return !got.p == !want.p && st_str_eq(got, want);
}

#define CHECK(ok)                                                                                  \
	do {                                                                                       \
		if (!(ok))                                                                         \
			fail_msg("%s:%u: %s: %s", VECTORS, v.line, v.name, #ok);                   \
	} while (0)

static void check_carrier(const struct vec v, const struct st_carrier *got,
			  const struct st_carrier *want)
{
	unsigned i, k;

	CHECK(got->seen == want->seen);
	CHECK(got->twice == want->twice);
	for (i = 0; i < ST_CARRIER_CNT; i++)
		CHECK(same(st_carrier_get(got, i), st_carrier_get(want, i)));
	for (i = 0; i < ST_CARRIER_LISTS; i++) {
		CHECK(st_carrier_list_cnt(got, i) == st_carrier_list_cnt(want, i));
		for (k = 0; k < st_carrier_list_cnt(want, i) && k < ST_CARRIER_LIST_MAX; k++)
			CHECK(same(st_carrier_list(got, i, k), st_carrier_list(want, i, k)));
	}
}

static void check_head(const struct vec v, const struct st_http1_head *got,
		       const struct st_http1_head *want)
{
	unsigned i;

	CHECK(got->is_response == want->is_response);
	CHECK(got->version == want->version);
	CHECK(got->status == want->status);
	CHECK(got->flags == want->flags);
	CHECK(got->content_length == want->content_length);
	CHECK(same(got->method, want->method));
	CHECK(same(got->target, want->target));
	CHECK(same(got->host, want->host));
	CHECK(same(got->user_agent, want->user_agent));
	CHECK(same(got->upgrade, want->upgrade));
	for (i = 0; i < ST_HTTP1_CAPTURE_MAX; i++)
		CHECK(same(got->captured[i], want->captured[i]));
	check_carrier(v, &got->carrier, &want->carrier);
}

/* Parses a copy that ends at unreadable memory. */
static int parse(const uint8_t *p, size_t len, struct st_http1_head *h)
{
	static uint8_t *room;

	if (!room)
		room = vec_guarded(2 * VEC_INPUT_MAX);
	assert_true(len <= 2 * VEC_INPUT_MAX);
	p = memmove(room + 2 * VEC_INPUT_MAX - len, p, len);
	return st_http1_head__parse(st_bytes(p, len), &cap, h);
}

static int detect(const uint8_t *p, size_t len)
{
	return st_http1_head__detect(st_bytes(p, len));
}

static void vectors_hold(void **state)
{
	struct vec_file f = vec_open(VECTORS);
	struct st_http1_head h;
	unsigned heads = 0;
	struct want w;
	struct vec v;
	int ret;

	(void)state;
	while (vec_next(&f, &v)) {
		want_of(&v, &w);
		ret = parse(v.in, v.len, &h);
		if (w.more || w.refused_at) {
			CHECK(ret == (w.more ? 0 : -EPROTO));
			continue;
		}
		CHECK(ret == (int)(v.len - w.rest));
		check_head(v, &h, &w.h);
		heads++;
	}
	assert_true(heads >= 87);
}

/* A head is undecided up to its last byte; a refusal comes where the vector says and stays. */
static void prefixes_are_monotone(void **state)
{
	struct vec_file f = vec_open(VECTORS);
	struct st_http1_head h;
	struct want w;
	struct vec v;
	size_t n;
	int ret;

	(void)state;
	while (vec_next(&f, &v)) {
		want_of(&v, &w);
		for (n = 0; n <= v.len; n++) {
			ret = parse(v.in, n, &h);
			if (w.refused_at && (int)n >= w.refused_at)
				CHECK(ret == -EPROTO);
			else if (w.refused_at || w.more || n < v.len - w.rest)
				CHECK(ret == 0);
			else
				CHECK(ret == (int)(v.len - w.rest));
		}
	}
}

static void what_follows_does_not_matter(void **state)
{
	static const char *const tails[] = {"\r\n", "\n", " x: y\r\n\r\n", "\x00\x01",
					    "GET / HTTP/1.1\r\n"};
	struct vec_file f = vec_open(VECTORS);
	uint8_t buf[VEC_INPUT_MAX + 64];
	struct st_http1_head h;
	struct want w;
	struct vec v;
	unsigned i;
	int ret;

	(void)state;
	while (vec_next(&f, &v)) {
		want_of(&v, &w);
		for (i = 0; i < sizeof(tails) / sizeof(tails[0]) && !w.more; i++) {
			memcpy(buf, v.in, v.len);
			strcpy((char *)buf + v.len, tails[i]);
			ret = parse(buf, v.len + strlen(tails[i]), &h);
			CHECK(ret == (w.refused_at ? -EPROTO : (int)(v.len - w.rest)));
			if (!w.refused_at)
				check_head(v, &h, &w.h);
		}
	}
}

/* Detection says what the parser will say, no later, and never changes its mind. */
static void detection_agrees(void **state)
{
	struct vec_file f = vec_open(VECTORS);
	struct st_http1_head h;
	int ret, now, before;
	struct want w;
	struct vec v;
	size_t n;

	(void)state;
	while (vec_next(&f, &v)) {
		want_of(&v, &w);
		for (n = 0, before = 0; n <= v.len; n++, before = now) {
			now = detect(v.in, n);
			ret = parse(v.in, n, &h);
			CHECK(before ? now == before : true);
			CHECK((now == -EPROTO) == (ret == -EPROTO));
			if (ret > 0)
				CHECK(now == (h.is_response ? 2 : 1));
		}
	}
}

/* Names with a prepared table of letters are found as without, and the other way round. */
static void preparing_changes_nothing(void **state)
{
	struct vec_file f = vec_open(VECTORS);
	struct st_http1_capture prepared = cap;
	struct st_http1_head a, b;
	struct vec v;
	int ret;

	(void)state;
	st_http1_capture__prepare(&prepared);
	assert_true(prepared.letters != 0);
	while (vec_next(&f, &v)) {
		ret = st_http1_head__parse(st_bytes(v.in, v.len), &cap, &a);
		CHECK(ret == st_http1_head__parse(st_bytes(v.in, v.len), &prepared, &b));
		if (ret > 0)
			check_head(v, &a, &b);
	}
}

static void no_captures_asked(void **state)
{
	static const char in[] = "GET / HTTP/1.1\r\nb3: 1\r\nHost: a\r\n\r\n";
	struct st_http1_capture none = {.cnt = 0};
	struct st_http1_head a, b;

	(void)state;
	memset(&a, 0xff, sizeof(a));
	memset(&b, 0xff, sizeof(b));
	assert_int_equal(st_http1_head__parse(st_bytes(in, sizeof(in) - 1), NULL, &a),
			 sizeof(in) - 1);
	assert_int_equal(st_http1_head__parse(st_bytes(in, sizeof(in) - 1), &none, &b),
			 sizeof(in) - 1);
	assert_null(a.captured[0].p);
	assert_true(st_str_eq(a.host, ST_STR("a")) && st_str_eq(b.host, ST_STR("a")));
}

/* A built-in field may be wanted by name as well; a count that lies is cut. */
static void built_in_fields_can_be_captured(void **state)
{
	static const char in[] =
		"POST / HTTP/1.1\r\nHost: a\r\nCONTENT-LENGTH: 12\r\nX-Z: 1\r\n\r\n";
	struct st_http1_capture c = {.cnt = 99};
	struct st_http1_head h;
	unsigned i;

	(void)state;
	for (i = 0; i < ST_HTTP1_CAPTURE_MAX; i++)
		c.names[i] = ST_STR("x-z");
	c.names[0] = ST_STR("host");
	c.names[1] = ST_STR("content-length");
	c.names[2] = st_str(NULL, 0);
	assert_int_equal(st_http1_head__parse(st_bytes(in, sizeof(in) - 1), &c, &h),
			 sizeof(in) - 1);
	assert_true(st_str_eq(h.host, ST_STR("a")) && st_str_eq(h.captured[0], ST_STR("a")));
	assert_true(st_str_eq(h.captured[1], ST_STR("12")) && h.content_length == 12);
	assert_null(h.captured[2].p);
	for (i = 3; i < ST_HTTP1_CAPTURE_MAX; i++)
		assert_true(st_str_eq(h.captured[i], ST_STR("1")));
}

/* Each length of name, in each case, with one letter wrong at each place. */
static void names_of_every_length(void **state)
{
	static const char name[] = "abcdefghij-klmnopqrstuvwxyz-0123456789-abcdef";
	struct st_http1_capture c = {.cnt = 1};
	struct st_http1_head h;
	char in[128];
	size_t n, i;
	int len;

	(void)state;
	for (n = 1; n < sizeof(name) - 1; n++) {
		c.names[0] = st_str(name, n);
		for (i = 0; i <= n; i++) {
			len = sprintf(in, "GET / HTTP/1.1\r\n%.*s: v\r\n\r\n", (int)n, name);
			in[16 + i] = (char)(i < n ? in[16 + i] + 1 : in[16 + i]);
			assert_int_equal(st_http1_head__parse(st_bytes(in, (size_t)len), &c, &h),
					 len);
			assert_int_equal(h.captured[0].len, i == n);
			in[16 + i] = (char)(i < n ? toupper(name[i]) : in[16 + i]);
			assert_int_equal(st_http1_head__parse(st_bytes(in, (size_t)len), &c, &h),
					 len);
			assert_int_equal(h.captured[0].len, 1);
		}
	}
}

/* A head of exactly the limit is one, a longer one is not, and its first 64 KiB already tell. */
static void the_longest_head(void **state)
{
	const size_t max = ST_HTTP1_HEAD_MAX;
	uint8_t *p = vec_guarded(max + 8);
	struct st_http1_head h;

	(void)state;
	memset(p, 'a', max + 8);
	memcpy(p, "GET / HTTP/1.1\r\nx:", 18);
	memcpy(p + max - 4, "\r\n\r\n", 4);
	assert_int_equal(st_http1_head__parse(st_bytes(p, max + 8), &cap, &h), max);
	assert_int_equal(h.captured[5].len, max - 22);
	assert_int_equal(st_http1_head__parse(st_bytes(p, max), &cap, &h), max);
	assert_int_equal(st_http1_head__parse(st_bytes(p, max - 1), &cap, &h), 0);
	memcpy(p + max - 4, "a\r\n\r\n", 5);
	assert_int_equal(st_http1_head__parse(st_bytes(p, max - 1), &cap, &h), 0);
	assert_int_equal(st_http1_head__parse(st_bytes(p, max), &cap, &h), -E2BIG);
	assert_int_equal(st_http1_head__parse(st_bytes(p, max + 8), &cap, &h), -E2BIG);
}

/* A value that takes nearly all of it, and one at its very end. */
static void the_longest_head_carries(void **state)
{
	const size_t max = ST_HTTP1_HEAD_MAX;
	uint8_t *p = vec_guarded(max);
	struct st_http1_head h;

	(void)state;
	memset(p, 'a', max);
	memcpy(p, "GET / HTTP/1.1\r\nb3:", 19);
	memcpy(p + max - 16, "\r\nBaggage: x\r\n\r\n", 16);
	assert_int_equal(st_http1_head__parse(st_bytes(p, max), NULL, &h), max);
	assert_true(same(st_carrier_get(&h.carrier, ST_CARRIER_B3),
			 st_str((char *)p + 19, max - 16 - 19)));
	assert_true(same(st_carrier_get(&h.carrier, ST_CARRIER_BAGGAGE), ST_STR("x")));
}

/* What is kept of a head does not point into the bytes that it was parsed from. */
static void a_kept_head_stands_alone(void **state)
{
	static const char in[] = "\r\nGET / HTTP/1.1\r\nb3: 0\r\nbaggage: a=1\r\nHost: a\r\n"
				 "X-Request-Id: 7\r\nbaggage: b=2\r\n\r\n";
	const uint32_t len = sizeof(in) - 1;
	struct st_http1_kept *k;
	struct st_http1_head h;
	uint8_t buf[sizeof(in)];

	(void)state;
	memcpy(buf, in, len);
	assert_int_equal(st_http1_head__parse(st_bytes(buf, len), NULL, &h), len);
	k = st_http1_kept__new(buf, len, &h);
	assert_non_null(k);
	memset(buf, 0, sizeof(buf));
	memset(&h, 0, sizeof(h));
	assert_true(st_str_eq(k->head.host, ST_STR("a")));
	assert_true(st_str_eq(st_carrier_get(&k->head.carrier, ST_CARRIER_B3), ST_STR("0")));
	assert_true(
		st_str_eq(st_carrier_get(&k->head.carrier, ST_CARRIER_REQUEST_ID), ST_STR("7")));
	assert_int_equal(st_carrier_list_cnt(&k->head.carrier, ST_CARRIER_BAGGAGE), 2);
	assert_true(
		st_str_eq(st_carrier_list(&k->head.carrier, ST_CARRIER_BAGGAGE, 1), ST_STR("b=2")));
	st_http1_kept__unref(k);
}

static void the_longest_target(void **state)
{
	const size_t max = ST_HTTP1_HEAD_MAX;
	uint8_t *p = vec_guarded(max);
	struct st_http1_head h;

	(void)state;
	memset(p, 'a', max);
	memcpy(p, "GET /", 5);
	assert_int_equal(detect(p, max - 1), 0);
	assert_int_equal(detect(p, max), -EPROTO);
	assert_int_equal(st_http1_head__parse(st_bytes(p, max), NULL, &h), -E2BIG);
	memcpy(p + max - 13, " HTTP/1.1\r\n\r\n", 13);
	assert_int_equal(detect(p, max), 1);
	assert_int_equal(st_http1_head__parse(st_bytes(p, max), NULL, &h), max);
	assert_int_equal(h.target.len, max - 4 - 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_hold),
		cmocka_unit_test(prefixes_are_monotone),
		cmocka_unit_test(what_follows_does_not_matter),
		cmocka_unit_test(detection_agrees),
		cmocka_unit_test(preparing_changes_nothing),
		cmocka_unit_test(no_captures_asked),
		cmocka_unit_test(built_in_fields_can_be_captured),
		cmocka_unit_test(names_of_every_length),
		cmocka_unit_test(the_longest_head),
		cmocka_unit_test(the_longest_head_carries),
		cmocka_unit_test(a_kept_head_stands_alone),
		cmocka_unit_test(the_longest_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
