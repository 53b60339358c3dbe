/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Contexts in header fields: tests/vectors/propagate/, whole, and with each byte changed; what is
 * written is read again.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "core/propagate.h"
#include "lib/hex.h"
#include "protocols/http1_head.h"
#include "vectors.h"

#define DIR "tests/vectors/propagate/"

static const char *const files[] = {DIR "w3c.txt",    DIR "tracestate.txt", DIR "b3.txt",
				    DIR "jaeger.txt", DIR "xray.txt",	    DIR "order.txt"};

/* What a vector wants. */
struct want {
	struct st_propagators order;
	int ret;
	struct st_remote r;
	char state[VEC_LINE_MAX];
};

static void add_order(struct st_propagators *p, const char *name)
{
	int which = st_propagate__named(st_str_of(name));

	assert_in_range(which, ST_PROPAGATOR_TRACECONTEXT, ST_PROPAGATOR_CNT - 1);
	p->v[p->cnt++] = (uint8_t)which;
}

static void want_order(struct want *w, char *arg)
{
	w->order.cnt = 0;
	for (char *name = strtok(arg, ","); name; name = strtok(NULL, ","))
		add_order(&w->order, name);
}

static void want_malformed(struct want *w, char *arg)
{
	for (char *name = strtok(arg, ","); name; name = strtok(NULL, ","))
		w->r.malformed |= (uint8_t)(1u << st_propagate__named(st_str_of(name)));
}

static void want_flag(struct want *w, const char *word)
{
	w->r.sampled_known |= !strcmp(word, "sampled") || !strcmp(word, "denied");
	w->r.flags |= !strcmp(word, "sampled") ? ST_TRACE_SAMPLED : 0;
	w->r.flags |= !strcmp(word, "random") ? ST_TRACE_RANDOM : 0;
	w->r.debug |= !strcmp(word, "debug");
	w->r.state_bad |= !strcmp(word, "state_bad");
	w->r.state_cut |= !strcmp(word, "state_cut");
	if (!strstr(" sampled denied random debug state_bad state_cut ", word))
		fail_msg("unknown expectation: %s", word);
}

static void want_one(struct want *w, char *line)
{
	char *arg = strchr(line, ' ');

	if (arg)
		*arg++ = 0;
	if (!strcmp(line, "order")) {
		want_order(w, arg);
	} else if (!strcmp(line, "malformed")) {
		want_malformed(w, arg);
	} else if (!strcmp(line, "format")) {
		w->r.format = (uint8_t)st_propagate__named(st_str_of(arg));
	} else if (!strcmp(line, "ids")) {
		w->ret = 1;
		assert_int_equal(strlen(arg), 32 + 1 + 16);
		assert_true(st_hex_decode(w->r.trace_id, arg, 16));
		assert_true(st_hex_decode(w->r.span_id, arg + 33, 8));
	} else if (!strcmp(line, "state")) {
		strcpy(w->state, arg);
	} else if (strcmp(line, "none")) {
		want_flag(w, line);
	}
}

static void want_of(struct vec *v, struct want *w)
{
	memset(w, 0, sizeof(*w));
	st_propagate__defaults(&w->order);
	for (unsigned i = 0; i < v->want_cnt; i++)
		want_one(w, v->want[i]);
	if (!w->ret && w->r.malformed)
		w->ret = -EPROTO;
}

#define CHECK(ok)                                                                                  \
	do {                                                                                       \
		if (!(ok))                                                                         \
			fail_msg("%s:%u: %s: %s", path, v->line, v->name, #ok);                    \
	} while (0)

static void check(const char *path, const struct vec *v, const struct want *w, int ret,
		  const struct st_remote *r)
{
	CHECK(ret == w->ret);
	CHECK(!memcmp(r->trace_id, w->r.trace_id, 16) && !memcmp(r->span_id, w->r.span_id, 8));
	CHECK(r->format == w->r.format);
	CHECK(r->malformed == w->r.malformed);
	CHECK(r->sampled_known == w->r.sampled_known);
	CHECK(r->flags == w->r.flags);
	CHECK(r->debug == w->r.debug);
	CHECK(r->state_bad == w->r.state_bad);
	CHECK(r->state_cut == w->r.state_cut);
	CHECK(st_str_eq(r->trace_state, st_str_of(w->state)));
}

/* The head of a request with those fields, parsed; it ends at unreadable memory. */
static void parse(const uint8_t *fields, size_t len, struct st_http1_head *h)
{
	static uint8_t *room;
	static const char line[] = "GET / HTTP/1.1\r\n";
	size_t n = sizeof(line) - 1 + len + 2;
	uint8_t *p;

	if (!room)
		room = vec_guarded(2 * VEC_INPUT_MAX);
	p = room + 2 * VEC_INPUT_MAX - n;
	memmove(p + sizeof(line) - 1, fields, len);
	memcpy(p, line, sizeof(line) - 1);
	memcpy(p + n - 2, "\r\n", 2);
	assert_int_equal(st_http1_head__parse(st_bytes(p, n), NULL, h), n);
}

static void vectors_hold(void **state)
{
	unsigned cnt = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct vec_file f = vec_open(files[i]);
		struct st_http1_head h;
		struct st_remote r;
		struct want w;
		struct vec v;

		while (vec_next(&f, &v)) {
			want_of(&v, &w);
			parse(v.in, v.len, &h);
			memset(&r, 0xff, sizeof(r));
			check(files[i], &v, &w, st_propagate__extract(&w.order, &h.carrier, &r),
			      &r);
			cnt++;
		}
	}
	assert_true(cnt >= 320);
}

/* What holds of any result. */
static void is_sound(const struct st_propagators *order, int ret, const struct st_remote *r)
{
	static const uint8_t zero[16];
	bool has_trace = memcmp(r->trace_id, zero, 16), has_span = memcmp(r->span_id, zero, 8);

	assert_true(ret == 1 || ret == 0 || ret == -EPROTO);
	assert_int_equal(has_trace, ret == 1);
	assert_int_equal(has_span, ret == 1);
	assert_true(ret != -EPROTO || r->malformed);
	assert_true(!r->format || st_propagators_has(order, r->format));
	assert_true(r->sampled_known || !(r->flags & ST_TRACE_SAMPLED));
	assert_true(!r->debug || (r->flags & ST_TRACE_SAMPLED));
	assert_true(!(r->flags & ~(ST_TRACE_SAMPLED | ST_TRACE_RANDOM)));
}

/* Each byte made another, in turn: a context of these bytes or none, and never a crash. */
static void damaged_vectors_are_read_or_refused(void **state)
{
	static const uint8_t others[] = {0, ' ', '-', 'A', 'g', '0', ',', 0xff};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct vec_file f = vec_open(files[i]);
		struct st_http1_head h;
		struct st_remote r;
		struct want w;
		struct vec v;

		while (vec_next(&f, &v)) {
			want_of(&v, &w);
			for (size_t k = 0; k < v.len; k++) {
				uint8_t was = v.in[k];

				if (was == '\r' || was == '\n')
					continue;
				v.in[k] = others[(k + v.line) % sizeof(others)];
				parse(v.in, v.len, &h);
				is_sound(&w.order, st_propagate__extract(&w.order, &h.carrier, &r),
					 &r);
				v.in[k] = was;
			}
		}
	}
}

static const struct st_remote some = {
	.trace_id = {0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e,
		     0x0e, 0x47, 0x36},
	.span_id = {0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7},
	.flags = ST_TRACE_SAMPLED | ST_TRACE_RANDOM,
	.sampled_known = true,
	.trace_state = {"congo=t61,rojo=00f067", 21},
};

static struct st_propagators one_of(const char *name)
{
	struct st_propagators p = {.cnt = 0};

	add_order(&p, name);
	return p;
}

static void want_written(const char *name, const struct st_remote *r, const char *want)
{
	struct st_propagators order = one_of(name);
	char buf[ST_PROPAGATE_ROOM];
	size_t n = st_propagate__inject(&order, r, buf, sizeof(buf));

	if (n != strlen(want) || memcmp(buf, want, n))
		fail_msg("%s: %.*s", name, (int)n, buf);
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

static void what_is_written(void **state)
{
	struct st_remote r = some;

	(void)state;
	want_written("tracecontext", &r,
		     "traceparent: 00-" TRACE "-" SPAN "-03\r\n"
		     "tracestate: congo=t61,rojo=00f067\r\n");
	want_written("b3", &r, "b3: " TRACE "-" SPAN "-1\r\n");
	want_written("b3multi", &r,
		     "X-B3-TraceId: " TRACE "\r\nX-B3-SpanId: " SPAN "\r\nX-B3-Sampled: 1\r\n");
	want_written("jaeger", &r, "uber-trace-id: " TRACE ":" SPAN ":0:1\r\n");
	want_written("xray", &r,
		     "X-Amzn-Trace-Id: Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=" SPAN
		     ";Sampled=1\r\n");
	want_written("baggage", &r, "");
	r.flags = 0xf8;
	r.trace_state.len = 0;
	want_written("tracecontext", &r, "traceparent: 00-" TRACE "-" SPAN "-00\r\n");
	want_written("b3", &r, "b3: " TRACE "-" SPAN "-0\r\n");
	want_written("b3multi", &r,
		     "X-B3-TraceId: " TRACE "\r\nX-B3-SpanId: " SPAN "\r\nX-B3-Sampled: 0\r\n");
	want_written("jaeger", &r, "uber-trace-id: " TRACE ":" SPAN ":0:0\r\n");
	r.flags = 0;
	r.sampled_known = false;
	want_written("b3", &r, "b3: " TRACE "-" SPAN "\r\n");
	want_written("b3multi", &r, "X-B3-TraceId: " TRACE "\r\nX-B3-SpanId: " SPAN "\r\n");
	want_written("xray", &r,
		     "X-Amzn-Trace-Id: Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=" SPAN
		     ";Sampled=?\r\n");
	r.flags = ST_TRACE_SAMPLED;
	r.debug = true;
	want_written("b3", &r, "b3: " TRACE "-" SPAN "-d\r\n");
	want_written("b3multi", &r,
		     "X-B3-TraceId: " TRACE "\r\nX-B3-SpanId: " SPAN "\r\nX-B3-Flags: 1\r\n");
	want_written("jaeger", &r, "uber-trace-id: " TRACE ":" SPAN ":0:3\r\n");
}

/* No id, no field; a state that would end the line, or is no state, stays behind. */
static void what_is_not_written(void **state)
{
	static const char *const bad[] = {
		"a=1\r\nX-Evil: 1", "a=1,\r\n b=2", "=", "A=1", " ", ",", "a=\x7f"};
	struct st_remote r = some;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		r.trace_state = st_str_of(bad[i]);
		want_written("tracecontext", &r, "traceparent: 00-" TRACE "-" SPAN "-03\r\n");
	}
	memset(r.span_id, 0, 8);
	want_written("b3", &r, "");
	r = some;
	memset(r.trace_id, 0, 16);
	want_written("b3", &r, "");
}

/* All formats at once, and each length of buffer that is too short. */
static void buffers_are_kept_to(void **state)
{
	struct st_propagators all = {.cnt = 0};
	char *end = (char *)vec_guarded(2 * ST_PROPAGATE_ROOM) + 2 * ST_PROPAGATE_ROOM;
	size_t n, size;

	(void)state;
	for (uint8_t i = ST_PROPAGATOR_TRACECONTEXT; i < ST_PROPAGATOR_CNT; i++)
		all.v[all.cnt++] = i;
	n = st_propagate__inject(&all, &some, end - ST_PROPAGATE_ROOM, ST_PROPAGATE_ROOM);
	assert_true(n > 300 && n <= ST_PROPAGATE_ROOM);
	for (size = 0; size < n; size++)
		assert_int_equal(st_propagate__inject(&all, &some, end - size, size), 0);
	assert_int_equal(st_propagate__inject(&all, &some, end - n, n), n);
	assert_memory_equal(end - 2, "\r\n", 2);
}

static uint64_t random_state = 1;

static uint8_t random_byte(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint8_t)(random_state >> 56);
}

/* What a format writes it reads again, as far as it can say it. */
static void written_is_read(void **state)
{
	static const char *const names[] = {"tracecontext", "b3", "b3multi", "jaeger", "xray"};
	struct st_http1_head h;
	struct st_remote r, got;
	char buf[ST_PROPAGATE_ROOM];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct st_propagators order = one_of(names[i % 5]);
		size_t n;

		memset(&r, 0, offsetof(struct st_remote, room));
		for (unsigned k = 0; k < 24; k++)
			(k < 16 ? r.trace_id : r.span_id)[k % 16] = random_byte();
		r.sampled_known = i % 5 != 2 || random_byte() & 1;
		r.flags = r.sampled_known && random_byte() & 1;
		n = st_propagate__inject(&order, &r, buf, sizeof(buf));
		assert_true(n > 0);
		parse((uint8_t *)buf, n, &h);
		assert_int_equal(st_propagate__extract(&order, &h.carrier, &got), 1);
		r.format = order.v[0];
		assert_memory_equal(&got, &r, offsetof(struct st_remote, trace_state));
	}
}

static void names(void **state)
{
	(void)state;
	assert_int_equal(st_propagate__named(ST_STR("TraceContext")), ST_PROPAGATOR_TRACECONTEXT);
	assert_int_equal(st_propagate__named(ST_STR("none")), ST_PROPAGATOR_NONE);
	assert_int_equal(st_propagate__named(ST_STR("b3")), ST_PROPAGATOR_B3);
	assert_int_equal(st_propagate__named(ST_STR("b3m")), -1);
	assert_int_equal(st_propagate__named(ST_STR("b")), -1);
	assert_int_equal(st_propagate__named(st_str(NULL, 0)), -1);
}

/* Every value of every byte, alone and among sixteen. */
static void digits(void **state)
{
	uint8_t got, eight[8];
	char text[16];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool lower = c && strchr("0123456789abcdef", (int)c);

		text[0] = (char)c;
		text[1] = '7';
		assert_int_equal(st_hex_byte(&got, text), lower);
		assert_true(!lower || got == (vec_hex((char)c) << 4 | 7));
		for (unsigned at = 0; at < 16; at++) {
			memcpy(text, "0123456789abcdef", 16);
			text[at] = (char)c;
			assert_int_equal(st_hex_bytes8(eight, text), lower);
			for (unsigned k = 0; k < 8 && lower; k++)
				assert_int_equal(eight[k], vec_hex(text[2 * k]) << 4 |
								   vec_hex(text[2 * k + 1]));
		}
	}
}

/* A name with one letter wrong, too much or too little is another's. */
static void names_of_fields(void **state)
{
	static const char *const all[] = {
		"tracestate",	   "baggage",	    "traceparent",	 "b3",
		"x-b3-traceid",	   "x-b3-spanid",   "x-b3-parentspanid", "x-b3-sampled",
		"x-b3-flags",	   "uber-trace-id", "x-amzn-trace-id",	 "x-request-id",
		"x-correlation-id"};
	char name[32];

	(void)state;
	for (int i = 0; i < ST_CARRIER_CNT; i++) {
		size_t len = strlen(all[i]);

		for (size_t k = 0; k < len; k++) {
			strcpy(name, all[i]);
			name[k] = (char)toupper(name[k]);
			assert_int_equal(st_carrier_find(name, len), i);
			name[k] = '.';
			assert_int_equal(st_carrier_find(name, len), -1);
		}
		assert_int_equal(st_carrier_find(all[i], len), i);
		assert_int_equal(st_carrier_find(all[i], len - 1), -1);
		sprintf(name, "%ss", all[i]);
		assert_int_equal(st_carrier_find(name, len + 1), -1);
	}
}

static void a_list_that_never_ends(void **state)
{
	struct st_carrier c = {.base = "a=1,b=2"};

	(void)state;
	for (unsigned i = 0; i < 70000; i++)
		assert_true(st_carrier_add(&c, ST_CARRIER_BAGGAGE, st_str(c.base, 3)));
	assert_int_equal(st_carrier_list_cnt(&c, ST_CARRIER_BAGGAGE), 65535);
	assert_int_equal(st_carrier_list_cnt(&c, ST_CARRIER_TRACESTATE), 0);
	assert_false(st_carrier_add(&c, ST_CARRIER_B3, st_str(c.base, 65536)));
	assert_false(st_carrier_add(&c, ST_CARRIER_B3, st_str(c.base - 1, 1)));
	assert_null(st_carrier_get(&c, ST_CARRIER_B3).p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_hold),
		cmocka_unit_test(damaged_vectors_are_read_or_refused),
		cmocka_unit_test(what_is_written),
		cmocka_unit_test(what_is_not_written),
		cmocka_unit_test(buffers_are_kept_to),
		cmocka_unit_test(written_is_read),
		cmocka_unit_test(names),
		cmocka_unit_test(digits),
		cmocka_unit_test(names_of_fields),
		cmocka_unit_test(a_list_that_never_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
