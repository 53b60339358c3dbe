/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* UTF-8 repair, JSON's pieces, URLs and headers. */
#include <math.h>

#include "export_spans.h"

#include "export/endpoint.h"
#include "export/json_write.h"
#include "export/utf8.h"

static uint32_t unhex(uint8_t *to, const char *p)
{
	uint32_t n = 0;
	unsigned int v;

	for (; sscanf(p, "%2x", &v) == 1; p += 2)
		to[n++] = (uint8_t)v;
	return n;
}

static void test_utf8_vectors(void **state)
{
	FILE *f = fopen("tests/vectors/export/utf8.txt", "r");
	char line[1024], in[512], want[512];
	uint8_t a[256], b[256], got[1024];
	unsigned int cnt = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		uint32_t a_len, b_len;

		if (line[0] == '#' || sscanf(line, "%511s %511s", in, want) != 2)
			continue;
		a_len = unhex(a, in);
		b_len = unhex(b, want);
		assert_int_equal(st_utf8__size((char *)a, a_len, UINT32_MAX), b_len);
		assert_ptr_equal(st_utf8__write(got, (char *)a, a_len, UINT32_MAX), got + b_len);
		assert_memory_equal(got, b, b_len);
		cnt++;
	}
	fclose(f);
	assert_true(cnt > 80);
}

/* Characters, not bytes, are counted; an ill-formed part is one. */
static void test_utf8_limit(void **state)
{
	const char *s = "a\xc3\xa4\xe2\x82\xf0\x9f\x98\x80z";
	static const uint32_t sizes[] = {0, 1, 3, 6, 10, 11, 11};

	(void)state;
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(st_utf8__size(s, (uint32_t)strlen(s), i), sizes[i]);
}

static void test_copy(void **state)
{
	char from[64];
	uint8_t to[66];

	(void)state;
	for (size_t len = 0; len <= 64; len++) {
		memset(from, 'a', sizeof(from));
		memset(to, 0x55, sizeof(to));
		assert_true(st_ascii(st_copy_or(to + 1, from, len)));
		assert_memory_equal(to + 1, from, len);
		assert_int_equal(to[0], 0x55);
		assert_int_equal(to[len + 1], 0x55);
		for (size_t i = 0; i < len; i++) {
			from[i] = (char)0x80;
			assert_false(st_ascii(st_copy_or(to + 1, from, len)));
			assert_memory_equal(to + 1, from, len);
			from[i] = 'a';
		}
	}
}

static void assert_text(const struct st_buf *b, const char *want)
{
	assert_int_equal(b->len, strlen(want));
	assert_memory_equal(b->p, want, b->len);
}

static void test_json_str(void **state)
{
	static const struct {
		struct st_str in;
		const char *want;
	} t[] = {
		{{"", 0}, "\"\""},
		{{"plain text, long enough for words", 33},
		 "\"plain text, long enough for words\""},
		{{"a\"b\\c/d", 7}, "\"a\\\"b\\\\c/d\""},
		{{"\b\t\n\v\f\r\x1f\x7f", 8}, "\"\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\""},
		{{"a\0b", 3}, "\"a\\u0000b\""},
		{{"12345678\"", 9}, "\"12345678\\\"\""},
		{{"1234567\x01", 8}, "\"1234567\\u0001\""},
		{{"\xc3\xa4\xff", 3}, "\"\xc3\xa4\xef\xbf\xbd\""},
	};
	struct st_buf b = st_buf__init(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		st_buf__reset(&b);
		st_json__str(&b, t[i].in, UINT32_MAX);
		assert_text(&b, t[i].want);
	}
	st_buf__reset(&b);
	st_json__str(&b,
		     ST_STR("\xc3\xa4\xc3\xa4"
			    "0123456789"),
		     11);
	assert_text(&b, "\"\xc3\xa4\xc3\xa4"
			"012345678\"");
	st_buf__free(&b);
}

static void test_json_numbers(void **state)
{
	static const struct {
		double v;
		const char *want;
	} t[] = {
		{0, "0"},
		{1.5, "1.5"},
		{0.1, "0.1"},
		{-1e300, "-1e+300"},
		{1.0 / 3, "0.3333333333333333"},
		{5e-324, "4.94065645841247e-324"},
		{NAN, "\"NaN\""},
		{INFINITY, "\"Infinity\""},
		{-INFINITY, "\"-Infinity\""},
	};
	struct st_buf b = st_buf__init(4096);

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		st_buf__reset(&b);
		st_json__double(&b, t[i].v);
		assert_text(&b, t[i].want);
	}
	st_buf__reset(&b);
	st_json__int(&b, INT64_MIN);
	st_buf__putc(&b, ' ');
	st_json__int(&b, 0);
	st_buf__putc(&b, ' ');
	st_json__uint(&b, UINT64_MAX);
	assert_text(&b, "-9223372036854775808 0 18446744073709551615");
	st_buf__free(&b);
}

static void test_pretty(void **state)
{
	static const char in[] = "{\"a\":[],\"b\":{\"c\":\"x,{\\\"}\",\"d\":[1,{\"e\":2}]}}";
	struct st_buf b = st_buf__init(4096);

	(void)state;
	assert_true(st_json__pretty(&b, in, sizeof(in) - 1));
	assert_text(
		&b,
		"{\n  \"a\": [],\n  \"b\": {\n    \"c\": \"x,{\\\"}\",\n    \"d\": [\n      1,\n"
		"      {\n        \"e\": 2\n      }\n    ]\n  }\n}");
	st_buf__free(&b);
}

static void test_urls(void **state)
{
	static const struct {
		struct st_endpoint_ask ask;
		const char *url, *shown; /* NULL: refused */
	} t[] = {
		{{.fallback = "http://localhost:4318", .path = "/v1/traces"},
		 "http://localhost:4318/v1/traces",
		 "http://localhost:4318/v1/traces"},
		{{.given = "http://h:1", .path = "/v1/traces"},
		 "http://h:1/v1/traces",
		 "http://h:1/v1/traces"},
		{{.given = "http://h:1/", .path = "/v1/traces"},
		 "http://h:1/v1/traces",
		 "http://h:1/v1/traces"},
		{{.given = "http://h/own", .path = "/v1/traces"}, "http://h/own", "http://h/own"},
		{{.given = "http://h/own/", .path = "/v1/traces", .append = true},
		 "http://h/own/v1/traces",
		 "http://h/own/v1/traces"},
		{{.given = "http://h/own", .path = "/v1/traces", .as_is = true},
		 "http://h/own",
		 "http://h/own"},
		{{.given = "http://h", .path = "/v1/traces", .as_is = true},
		 "http://h/",
		 "http://h/"},
		{{.given = "h:4318", .path = "/v1/traces"},
		 "http://h:4318/v1/traces",
		 "http://h:4318/v1/traces"},
		{{.given = "h:4317", .path = "/S/E", .replace = true, .tls = true},
		 "https://h:4317/S/E",
		 "https://h:4317/"},
		{{.given = "localhost:4317", .path = "/S/E", .replace = true, .tls = true},
		 "http://localhost:4317/S/E",
		 "http://localhost:4317/"},
		{{.given = "localhost.example:4317", .path = "/S/E", .replace = true, .tls = true},
		 "https://localhost.example:4317/S/E",
		 "https://localhost.example:4317/"},
		{{.given = "http://h:1/x?y", .path = "/S/E", .replace = true},
		 "http://h:1/S/E?y",
		 "http://h:1/?y"},
		{{.given = "https://u:pw@h/", .path = "/v1/traces"},
		 "https://u:pw@h/v1/traces",
		 "https://h/v1/traces"},
		{{.given = "http://[::1]:9", .path = "/v1/traces"},
		 "http://[::1]:9/v1/traces",
		 "http://[::1]:9/v1/traces"},
		{{.given = "ftp://h", .path = "/v1/traces"}, NULL, NULL},
		{{.given = "http://h:99999", .path = "/v1/traces"}, NULL, NULL},
		{{.given = "http://", .path = "/v1/traces"}, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char *url, *shown;
		int err = st_endpoint__url(&t[i].ask, &url, &shown);

		if (!t[i].url) {
			assert_int_equal(err, -EINVAL);
			assert_null(url);
			continue;
		}
		assert_int_equal(err, 0);
		assert_string_equal(url, t[i].url);
		assert_string_equal(shown, t[i].shown);
		free(url);
		free(shown);
	}
}

static void test_headers(void **state)
{
	static const char *const want[] = {"api-key: a=b c", "x-empty;", "y: \xc3\xa4"};
	struct curl_slist *list = NULL, *at;
	unsigned int n = 0;

	(void)state;
	assert_int_equal(st_endpoint__headers("otlp",
					      " Api-Key = a%3Db%20c ,,x-empty=,no,=v,"
					      "bad=%0d%0aInjected:1,b d=1,Y=%c3%a4",
					      &list),
			 0);
	for (at = list; at; at = at->next)
		assert_string_equal(at->data, want[n++]);
	assert_int_equal(n, 3);
	curl_slist_free_all(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8_vectors), cmocka_unit_test(test_utf8_limit),
		cmocka_unit_test(test_copy),	     cmocka_unit_test(test_json_str),
		cmocka_unit_test(test_json_numbers), cmocka_unit_test(test_pretty),
		cmocka_unit_test(test_urls),	     cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
