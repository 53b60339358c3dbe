/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* tests/vectors/meta/service.txt, and what a text file cannot say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meta/otelenv.h"
#include "meta/service.h"
#include "meta/text.h"

#define VECTORS "tests/vectors/meta/service.txt"

struct vec_file {
	char path[128];
	char text[256];
};

struct vec {
	char exe[256], comm[64], cwd[256], args[1024], env[1024];
	size_t exe_len, comm_len, cwd_len, args_len, env_len;
	struct vec_file files[4];
	int file_cnt;
};

/* Decodes "\s", "\xHH"; a plain blank becomes `blank`. Returns the length. */
static size_t unescape(const char *from, char *to, char blank)
{
	size_t n = 0;

	for (; *from; from++) {
		if (from[0] == '\\' && from[1] == 's') {
			to[n++] = ' ';
			from++;
		} else if (from[0] == '\\' && from[1] == 'x') {
			char hex[3] = {from[2], from[3], 0};

			to[n++] = (char)strtol(hex, NULL, 16);
			from += 3;
		} else {
			to[n++] = *from == ' ' ? blank : *from;
		}
	}
	return n;
}

static int read_file(void *ctx, const char *path, char *buf, size_t buf_sz)
{
	const struct vec *v = ctx;

	for (int i = 0; i < v->file_cnt; i++) {
		size_t n = strlen(v->files[i].text);

		if (strcmp(v->files[i].path, path))
			continue;
		assert_true(n <= buf_sz);
		memcpy(buf, v->files[i].text, n);
		return (int)n;
	}
	return -ENOENT;
}

static void put_field(struct vec *v, const char *line)
{
	if (!strncmp(line, "exe ", 4)) {
		v->exe_len = unescape(line + 4, v->exe, ' ');
	} else if (!strncmp(line, "comm ", 5)) {
		v->comm_len = unescape(line + 5, v->comm, ' ');
	} else if (!strncmp(line, "cwd ", 4)) {
		v->cwd_len = unescape(line + 4, v->cwd, ' ');
	} else if (!strncmp(line, "args ", 5)) {
		v->args_len = unescape(line + 5, v->args, '\0');
		v->args[v->args_len++] = '\0';
	} else if (!strncmp(line, "env ", 4)) {
		v->env_len += unescape(line + 4, v->env + v->env_len, ' ');
		v->env[v->env_len++] = '\0';
	} else {
		assert_int_equal(sscanf(line, "file %127s %255[^\n]", v->files[v->file_cnt].path,
					v->files[v->file_cnt].text),
				 2);
		v->file_cnt++;
	}
}

static const char *shown(const char *z, char *buf)
{
	size_t n = 0;

	if (!z || !*z)
		return "-";
	for (; *z; z++) {
		if (*z == ' ') {
			buf[n++] = '\\';
			buf[n++] = 's';
		} else {
			buf[n++] = *z;
		}
	}
	buf[n] = '\0';
	return buf;
}

static void check(struct vec *v, const char *expected, int line)
{
	char got[2048], a[512], b[512];
	struct st_service s;
	/* Exact sizes on the heap, so that a sanitizer sees each byte read beyond a fact. */
	char *exe = malloc(v->exe_len + 1), *args = malloc(v->args_len + 1);
	struct st_facts f = {
		.exe = st_str(memcpy(exe, v->exe, v->exe_len), v->exe_len),
		.comm = st_str(v->comm, v->comm_len),
		.args = st_str(memcpy(args, v->args, v->args_len), v->args_len),
		.env = st_str(v->env, v->env_len),
		.cwd = st_str(v->cwd, v->cwd_len),
		.read = read_file,
		.ctx = v,
	};

	st_service__detect(&f, &s);
	snprintf(got, sizeof(got), "%s %s %s %s %s", shown(s.name, a),
		 shown(st_service__source_name(s.source), b), s.language ? s.language : "-",
		 *s.runtime_version ? s.runtime_version : "-", *s.version ? s.version : "-");
	if (strcmp(got, expected))
		fail_msg("%s:%d: got \"%s\", expected \"%s\"", VECTORS, line, got, expected);
	free(exe);
	free(args);
}

static void test_vectors(void **state)
{
	FILE *f = fopen(VECTORS, "r");
	char line[1024];
	struct vec *v = calloc(1, sizeof(*v));
	int nr = 0, cases = 0;

	(void)state;
	if (!f)
		fail_msg("%s: %s", VECTORS, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		nr++;
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (*line != '=') {
			put_field(v, line);
			continue;
		}
		check(v, line + 2, nr);
		memset(v, 0, sizeof(*v));
		cases++;
	}
	fclose(f);
	free(v);
	assert_true(cases >= 100);
}

/* Whatever the bytes are: nothing is read out of bounds, names are UTF-8 and not too long. */
static void test_noise(void **state)
{
	static const char *const exes[] = {
		"/bin/python3", "/bin/java",   "/bin/node",    "/bin/ruby",   "/bin/php",
		"/bin/perl",	"/bin/deno",   "/bin/bun",     "/bin/dotnet", "/bin/sh",
		"/bin/uwsgi",	"/x/beam.smp", "/bin/php-fpm", "/bin/busybox"};
	static const char bytes[] = "--mcAjarWXeD=:/.[]() \0\0\0app@12\xc3\xa9\xff";
	uint32_t seed = 12345;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = (seed >> 8) % 48;
		char *args = malloc(n + 1);
		const char *exe = exes[(size_t)round % (sizeof(exes) / sizeof(exes[0]))];
		struct st_service s;
		struct st_facts f;

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			args[i] = bytes[(seed >> 16) % (sizeof(bytes) - 1)];
		}
		seed = seed * 1664525 + 1013904223;
		f = (struct st_facts){.exe = st_str_of(exe),
				      .args = st_str(args, n),
				      .env = st_str(args, n),
				      .cwd = ST_STR("/srv/x")};
		st_service__detect(&f, &s);
		assert_true(strlen(s.name) > 0 && strlen(s.name) <= ST_SERVICE_MAX);
		assert_true(st_text__utf8(st_str_of(s.name)));
		free(args);
	}
}

static void test_long(void **state)
{
	size_t n = 1 << 20;
	char *args = malloc(n);
	struct st_service s;
	struct st_facts f = {.exe = ST_STR("/bin/python3"), .args = st_str(args, n)};

	(void)state;
	memset(args, 'a', n);
	memcpy(args, "python3\0-m\0", 11);
	st_service__detect(&f, &s);
	assert_int_equal(strlen(s.name), ST_SERVICE_MAX);
	/* More arguments than are looked at. */
	memset(args, '\0', n);
	for (size_t i = 0; i + 1 < n; i += 2)
		args[i] = 'a';
	st_service__detect(&f, &s);
	assert_string_equal(s.name, "a");
	free(args);
}

static void test_otel_attrs(void **state)
{
	static const struct {
		const char *raw;
		int rc;
		uint32_t cnt;
		const char *key, *value;
	} cases[] = {
		{"a=b", 0, 1, "a", "b"},
		{" a = b , c = d ", 0, 2, "c", "d"},
		{"a=b%2Cc%3Dd", 0, 1, "a", "b,c=d"},
		{"a%3db=c", 0, 1, "a=b", "c"},
		{"a=b=c", 0, 1, "a", "b=c"},
		{"a=", 0, 1, "a", ""},
		{"a=1,a=2", 0, 1, "a", "2"},
		{"a=b,,c=d,", 0, 2, "c", "d"},
		{"app.kubernetes.io/name=x", 0, 1, "app.kubernetes.io/name", "x"},
		{"a=%C3%A9", 0, 1, "a", "\xc3\xa9"},
		{"", 0, 0, NULL, NULL},
		{"a", -EINVAL, 0, NULL, NULL},
		{"=b", -EINVAL, 0, NULL, NULL},
		{"a=%", -EINVAL, 0, NULL, NULL},
		{"a=%4", -EINVAL, 0, NULL, NULL},
		{"a=%4x", -EINVAL, 0, NULL, NULL},
		{"a=%ff", -EINVAL, 0, NULL, NULL},
		{"a=%00", -EINVAL, 0, NULL, NULL},
		{"a b=c", -EINVAL, 0, NULL, NULL},
		{"good=1,bad", -EINVAL, 0, NULL, NULL},
	};
	struct st_otel_attrs a;
	struct st_str v;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* A copy of exact size, for the sanitizer. */
		size_t n = strlen(cases[i].raw);
		char *raw = malloc(n + 1);

		memcpy(raw, cases[i].raw, n);
		raw = realloc(raw, n ? n : 1);
		if (st_otel_attrs__parse(st_str(raw, n), &a) != cases[i].rc)
			fail_msg("\"%s\": wrong result", cases[i].raw);
		if (a.cnt != cases[i].cnt)
			fail_msg("\"%s\": %u attributes", cases[i].raw, a.cnt);
		if (cases[i].key) {
			assert_true(st_otel_attrs__find(&a, cases[i].key, &v));
			assert_int_equal(v.len, strlen(cases[i].value));
			assert_memory_equal(v.p, cases[i].value, v.len);
		}
		free(raw);
	}
}

static void test_otel_attrs_many(void **state)
{
	char raw[4096];
	size_t n = 0;
	struct st_otel_attrs a;

	(void)state;
	for (int i = 0; i < ST_OTEL_ATTR_MAX + 6; i++)
		n += (size_t)snprintf(raw + n, sizeof(raw) - n, "k%d=v,", i);
	assert_int_equal(st_otel_attrs__parse(st_str(raw, n), &a), 0);
	assert_int_equal(a.cnt, ST_OTEL_ATTR_MAX);
	assert_int_equal(a.dropped, 6);
}

static void test_join(void **state)
{
	static const char *const cases[][3] = {
		{"/srv", "app.js", "/srv/app.js"},
		{"/srv/", "./a//b/", "/srv/a/b"},
		{"/srv/x", "../y", "/srv/y"},
		{"/", "..", "/"},
		{"/srv", "/etc/passwd", "/etc/passwd"},
		{"/a", "../../../b", "/b"},
		{"/srv", ".", "/srv"},
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(st_text__join(st_str_of(cases[i][0]), st_str_of(cases[i][1]), out,
					  sizeof(out)));
		assert_string_equal(out, cases[i][2]);
	}
	assert_false(st_text__join(ST_STR("/srv"), ST_STR("0123456789012345678901234567"), out,
				   sizeof(out)));
	assert_true(st_text__join(ST_STR("/srv"), ST_STR("01234567890123456789012345"), out,
				  sizeof(out)));
	assert_int_equal(strlen(out), sizeof(out) - 1);
}

static void test_json(void **state)
{
	static const struct {
		const char *json, *value;
	} cases[] = {
		{"{\"name\":\"a\"}", "a"},
		{"\xef\xbb\xbf { \"x\" : [1,{\"name\":\"no\"}], \"name\" :\n\"a\" }", "a"},
		{"{\"x\":\"name\",\"name\":\"a\"}", "a"},
		{"{\"x\":\"\\\"name\",\"name\":\"a\"", "a"},
		{"{\"name\":\"a\\u0041\"}", NULL},
		{"{\"name\":1}", NULL},
		{"{\"name\":\"a", NULL},
		{"{\"name\"", NULL},
		{"{\"name\":", NULL},
		{"[\"name\",\"a\"]", NULL},
		{"{}{\"name\":\"a\"}", NULL},
		{"", NULL},
	};
	struct st_str v;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool hit = st_text__json(st_str_of(cases[i].json), "name", &v);

		if (hit != !!cases[i].value)
			fail_msg("%s: %d", cases[i].json, hit);
		if (hit)
			assert_true(st_text__is(v, cases[i].value));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_otel_attrs),
		cmocka_unit_test(test_otel_attrs_many),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
