/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* --filter: what matches, what does not, and where an error is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/filter.h"
#include "spantap/keys.h"

static struct st_attr res_attrs[2];
static struct st_resource res;
static struct st_span span;
static struct st_key tags_key = {ST_STR("app.tags"), 200}, load_key = {ST_STR("app.load"), 201},
		     odd_key = {ST_STR("http.request.header.x-tenant/id"), 202};
static const struct st_str tags[] = {ST_STR("red"), ST_STR("green")};

static int setup(void **state)
{
	struct st_attr *a;

	(void)state;
	memset(&span, 0, sizeof(span));
	res_attrs[0] = (struct st_attr){.key = ST_KEY(service_name), .type = ST_V_STR};
	res_attrs[0].s = ST_STR("shop");
	res_attrs[1] = (struct st_attr){.key = ST_KEY(process_pid), .type = ST_V_INT, .i = 4711};
	res = (struct st_resource){.service = ST_STR("shop"), .attrs = res_attrs, .attr_cnt = 2};
	span.resource = &res;
	span.name = ST_STR("GET /orders/{id}");
	span.kind = ST_KIND_SERVER;
	span.status = ST_STATUS_ERROR;
	span.start_ns = 1000000000;
	span.end_ns = 1023410000;
	st_span_int(&span, ST_KEY(http_response_status_code), 502);
	st_span_str(&span, ST_KEY(url_path), ST_STR("/orders/42?a=\"b\""));
	st_span_str(&span, ST_KEY(error_type), ST_STR("502"));
	st_span_bool(&span, ST_KEY(spantap_incomplete), true);
	st_span_str(&span, &odd_key, ST_STR("acme"));
	a = st_span_attr(&span, &tags_key);
	a->type = ST_V_STRS;
	a->strs.v = tags;
	a->strs.cnt = 2;
	a = st_span_attr(&span, &load_key);
	a->type = ST_V_DOUBLE;
	a->d = 0.75;
	return 0;
}

static bool match(const char *expr)
{
	char err[200] = "";
	struct st_filter *f = st_filter__new(expr, err, sizeof(err));
	bool yes;

	if (!f)
		fail_msg("%s: %s", expr, err);
	yes = st_filter__match(f, &span);
	st_filter__free(f);
	return yes;
}

static const char *const yes[] = {
	"duration == 23.41ms",
	"duration>23ms&&duration<0.024s",
	"duration >= 23410us",
	"duration != 0",
	"status == error",
	"status != ok",
	"kind == server",
	"kind != client",
	"name == \"GET /orders/{id}\"",
	"name == 'GET /orders/{id}'",
	"name =~ \"GET /orders/*\"",
	"name =~ *orders*",
	"name =~ ???*}",
	"name =~ *",
	"service == shop",
	"service =~ s?op",
	"service.name == shop",
	"process.pid == 4711",
	"process.pid > 4710",
	"process.pid >= 4711.0",
	"process.pid < 4711.5",
	"http.response.status_code == 502",
	"http.response.status_code >= 500 && http.response.status_code < 600",
	"http.response.status_code =~ 5*",
	"http.response.status_code == \"502\"",
	"http.response.status_code != teapot",
	"error.type == 502",
	"error.type =~ 50?",
	"spantap.incomplete == true",
	"spantap.incomplete != false",
	"spantap.incomplete",
	"app.tags == red",
	"app.tags == green",
	"app.tags != blue",
	"app.tags =~ g*n",
	"app.load > 0.5",
	"app.load == 0.75",
	"app.load < 1",
	"app.load =~ 0.*",
	"http.request.header.x-tenant/id == acme",
	"url.path == \"/orders/42?a=\\\"b\\\"\"",
	"url.path == '/orders/42?a=\"b\"'",
	"url.path > /a && url.path < /z",
	"!(status == ok)",
	"!!status == error",
	"! no.such",
	"!(no.such == 1)",
	"status == ok || status == unset || status == error",
	"status == ok && kind == client || kind == server",
	"kind == server || status == ok && kind == client",
	"(kind == server || status == ok) && !(kind == client)",
	"!(status == ok || kind == client) && (name =~ GET* && (service == shop))",
	"  (\t( status\n== error ) )  ",
};

static const char *const no[] = {
	"duration > 23.41ms",
	"duration < 23410us",
	"duration <= 5ms",
	"status == ok",
	"status != error",
	"kind == client",
	"name == GET",
	"name =~ GET",
	"name =~ *post*",
	"name =~ ???????????????",
	"name =~ \"\"",
	"service == Shop",
	/* an absent attribute makes each comparison false */
	"no.such == 1",
	"no.such != 1",
	"no.such < 1",
	"no.such =~ *",
	"no.such",
	"http.response.status_code == 503",
	"http.response.status_code == teapot",
	"http.response.status_code > 502",
	/* a text is neither more nor less than a number */
	"error.type > 1",
	"error.type <= 999",
	"app.tags != red",
	"app.tags == blue",
	"app.load >= 0.76",
	"app.load == x",
	"!spantap.incomplete",
	"!(status == error)",
	"status == error && kind == client",
	"(status == error || kind == server) && kind == client",
	"status == ok || (kind == server && service == other)",
	"!(status == error || no.such)",
	"status == ok && no.such || no.such",
};

static void matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!match(yes[i]))
			fail_msg("should match: %s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (match(no[i]))
			fail_msg("should not match: %s", no[i]);
}

/* The expression, the start of the message, a word of the cure. */
static const struct {
	const char *expr, *start, *cure;
} bad[] = {
	{"", "column 1: ", "missing"},
	{"   ", "column 4: ", "missing"},
	{"duration", "column 1: ", "compare"},
	{"duration > 50", "column 12: ", "50ms"},
	{"duration > x", "column 12: ", "50ms"},
	{"duration =~ 5*", "column 13: ", "=="},
	{"status == 500", "column 11: ", "http.response.status_code"},
	{"status > ok", "column 10: ", "=="},
	{"kind == web", "column 9: ", "server"},
	{"kind =~ s*", "column 9: ", "=="},
	{"a == ", "column 6: ", "value"},
	{"a = b", "column 3: ", "=="},
	{"a == b c", "column 8: ", "quotes"},
	{"a == b & c", "column 8: ", "&&"},
	{"a == b | c", "column 8: ", "||"},
	{"a == \"b", "column 6: ", "not closed"},
	{"a == 'b\\", "column 6: ", "not closed"},
	{"(a == b", "column 8: ", "column 1"},
	{"a == b)", "column 7: ", "&&"},
	{"a && ", "column 6: ", "missing"},
	{"&& a", "column 1: ", "name"},
	{"a == b=c", "column 7: ", "quotes"},
	{"\"a\" == b", "column 1: ", "name"},
	{"name == \"\xc3\xa9\xe6\xbc\xa2\" x", "column 14: ", "&&"},
	{"name == \"\\\xc3\xa9\\x\" x", "column 16: ", "&&"},
	{"!", "column 2: ", "missing"},
};

static void errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char err[200] = "";

		if (st_filter__new(bad[i].expr, err, sizeof(err)))
			fail_msg("should be refused: %s", bad[i].expr);
		if (strncmp(err, bad[i].start, strlen(bad[i].start)) || !strstr(err, bad[i].cure))
			fail_msg("%s: said %s", bad[i].expr, err);
	}
}

/* text repeated n times between two others. */
static const char *many(const char *first, const char *text, int n, const char *last)
{
	static char out[16384];
	size_t len = (size_t)sprintf(out, "%s", first);

	while (n--)
		len += (size_t)sprintf(out + len, "%s", text);
	sprintf(out + len, "%s", last);
	return out;
}

static void refused(const char *expr, const char *why)
{
	char err[200] = "";

	if (st_filter__new(expr, err, sizeof(err)))
		fail_msg("should be refused: %.40s...", expr);
	if (!strstr(err, why))
		fail_msg("%.40s...: said %s", expr, err);
}

static void bounds(void **state)
{
	char err[8] = "";

	(void)state;
	assert_true(match(many("no.such", " || no.such", 62, " || name =~ G*")));
	refused(many("x", " || x", 64, ""), "conditions");
	assert_true(match(many("", "!", 32, "status == error")));
	refused(many("", "!", 33, "x"), "deep");
	refused(many("", "(", 33, "x"), "deep");
	refused(many("a == ", "x", 4092, ""), "too long");
	assert_true(match(many("name != ", "x", 4000, "")));
	/* A message that does not fit is cut, and ends. */
	assert_null(st_filter__new("a =", err, sizeof(err)));
	assert_string_equal(err, "column ");
	assert_null(st_filter__new("a =", NULL, 0));
	st_filter__free(NULL);
}

/* The worst pattern for one that goes back: bounded by pattern times text. */
static void glob_is_bounded(void **state)
{
	static char text[65536];

	(void)state;
	memset(text, 'a', sizeof(text));
	span.name = st_str(text, sizeof(text));
	assert_false(match("name =~ *a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"));
	assert_true(match("name =~ *a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a"));
	setup(NULL);
}

/* Without a resource, and a clock that went back. */
static void bare_span(void **state)
{
	(void)state;
	span.resource = NULL;
	span.end_ns = 0;
	assert_false(match("service == shop"));
	assert_true(match("service == ''"));
	assert_false(match("process.pid == 4711"));
	assert_true(match("duration == 0"));
	span.end_ns = UINT64_MAX;
	span.start_ns = 0;
	assert_true(match("duration > 99999h"));
	setup(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),   cmocka_unit_test(errors),
		cmocka_unit_test(bounds),    cmocka_unit_test(glob_is_bounded),
		cmocka_unit_test(bare_span),
	};

	return cmocka_run_group_tests_name("filter", tests, setup, NULL);
}
