/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Destinations of --propagate-to, and the header that the kernel fills in. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "core/propagate.h"
#include "lib/wire_rule.h"

static const struct {
	const char *text;
	const char *addr; /* NULL: any */
	uint32_t bits;
	uint16_t port;
	uint8_t allow;
} good[] = {
	{"10.0.0.0/8", "::ffff:10.0.0.0", 104, 0, 1},
	{"10.1.2.3", "::ffff:10.1.2.3", 128, 0, 1},
	{"!10.1.2.3:8080", "::ffff:10.1.2.3", 128, 8080, 0},
	{"10.1.0.0/16:80", "::ffff:10.1.0.0", 112, 80, 1},
	{"0.0.0.0/0", "::ffff:0.0.0.0", 96, 0, 1},
	{"fd00::/8", "fd00::", 8, 0, 1},
	{"::/0", "::", 0, 0, 1},
	{"[fd00::1]", "fd00::1", 128, 0, 1},
	{"[fd00::1]:443", "fd00::1", 128, 443, 1},
	{"![fd00::/8]:443", "fd00::", 8, 443, 0},
	{":5432", NULL, 0, 5432, 1},
	{"!:5432", NULL, 0, 5432, 0},
};

static const char *const bad[] = {
	"",
	"!",
	"a",
	"10.0.0",
	"10.0.0.0/33",
	"10.0.0.0/",
	"10.0.0.0:",
	":0",
	":65536",
	"[fd00::1",
	"[fd00::1]a",
	"fd00::/129",
	"10.0.0.0/8/8",
	"[]:1",
	"1.2.3.4 ",
	"!!1.2.3.4",
	"1.2.3.4:80:80",
};

static void rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct st_wire_rule r, want = {.used = 1};

		assert_int_equal(st_wire_rule__parse(st_str_of(good[i].text), &r), 0);
		if (good[i].addr)
			assert_int_equal(inet_pton(AF_INET6, good[i].addr, want.addr), 1);
		want.bits = good[i].bits;
		want.port = good[i].port;
		want.allow = good[i].allow;
		assert_memory_equal(&r, &want, sizeof(r));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct st_wire_rule r;

		if (st_wire_rule__parse(st_str_of(bad[i]), &r) != -EINVAL)
			fail_msg("\"%s\" is taken", bad[i]);
	}
}

/* What the kernel makes of it (bpf/header.h). */
static size_t fill(const struct st_wire_header *h, const struct st_remote *r, char *buf)
{
	for (uint32_t i = 0; i < h->len; i++) {
		uint32_t digit = h->text[i] & 0x3f, v;

		if (!(h->text[i] & ST_HEADER_DIGIT)) {
			buf[i] = (char)h->text[i];
			continue;
		}
		if (digit >= ST_HEADER_SAMPLED) {
			buf[i] = (char)('0' + (r->flags & ST_TRACE_SAMPLED));
			continue;
		}
		v = digit < ST_HEADER_SPAN ? r->trace_id[digit / 2]
					   : r->span_id[(digit - ST_HEADER_SPAN) / 2];
		buf[i] = "0123456789abcdef"[digit & 1 ? v & 15 : v >> 4];
	}
	return h->len;
}

static void check_template(const struct st_propagators *order)
{
	struct st_wire_header h = {0};
	char want[1024], got[ST_HEADER_MAX];

	assert_int_equal(st_propagate__template(order, &h), 0);
	for (int sampled = 0; sampled < 2; sampled++) {
		struct st_remote r = {.sampled_known = true, .flags = (uint8_t)sampled};
		size_t len;

		for (uint8_t i = 0; i < 16; i++)
			r.trace_id[i] = (uint8_t)(0x0f + i * 0x1d);
		for (uint8_t i = 0; i < 8; i++)
			r.span_id[i] = (uint8_t)(0xf1 - i * 0x13);
		len = st_propagate__inject(order, &r, want, sizeof(want));
		assert_int_equal(fill(&h, &r, got), len);
		assert_memory_equal(got, want, len);
	}
}

static void templates(void **state)
{
	struct st_propagators none = {0}, one = {.given = true, .cnt = 1}, all = {.given = true};
	struct st_wire_header h = {0};

	(void)state;
	for (uint8_t i = 1; i < ST_PROPAGATOR_CNT; i++) {
		all.v[all.cnt++] = i;
		one.v[0] = i;
		if (i == ST_PROPAGATOR_BAGGAGE)
			assert_int_equal(st_propagate__template(&one, &h), -1);
		else
			check_template(&one);
	}
	check_template(&all);
	/* What is not given is W3C's alone. */
	one.v[0] = ST_PROPAGATOR_TRACECONTEXT;
	assert_int_equal(st_propagate__template(&none, &h), 0);
	assert_int_equal(h.len, 70);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(templates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
