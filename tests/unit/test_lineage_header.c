/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What heads say: traceparent (W3C Trace Context), X-Request-ID and X-Correlation-ID. */
#include "lineage_bed.h"

#define TRACE			   "4bf92f3577b34da6a3ce929d0e0e4736"
#define TRACE2			   "0af7651916cd43dd8448eb211c80319c"
#define SPAN			   "00f067aa0ba902b7"
#define SPAN2			   "b7ad6b7169203331"

#define PARENT(trace, span, flags) "traceparent: 00-" trace "-" span "-" flags "\r\n"

static void assert_id(const uint8_t *id, const char *hex)
{
	for (size_t i = 0; hex[2 * i]; i++) {
		unsigned v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		assert_int_equal(id[i], v);
	}
}

static void below_id(const struct bed_span *s, const char *trace, const char *span)
{
	assert_true(s->has_parent);
	assert_string_equal(s->evidence, "header");
	assert_id(s->trace_id, trace);
	assert_id(s->parent_id, span);
}

static void remote_parent_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r", PARENT(TRACE, SPAN, "01") "tracestate: a=1,b=2\r\n");
	asks(g, 0, 7, "/c");
	answers(g, 0, 7);
	over(&g->b);
	below_id(span_in(g, "/r"), TRACE, SPAN);
	assert_int_equal(span_in(g, "/r")->flags, 0x301);
	assert_string_equal(span_in(g, "/r")->trace_state, "a=1,b=2");
	below(g, "/c", "/r", "thread");
	assert_int_equal(span_out(g, "/c")->flags, 0x101);
	assert_string_equal(span_out(g, "/c")->trace_state, "a=1,b=2");
}
PLAY(remote_parent)

static void not_sampled_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r", PARENT(TRACE, SPAN, "00"));
	asks(g, 0, 7, "/c");
	answers(g, 0, 7);
	over(&g->b);
	below_id(span_in(g, "/r"), TRACE, SPAN);
	assert_int_equal(span_in(g, "/r")->flags, 0x300);
	assert_int_equal(span_out(g, "/c")->flags, 0x100);
}
PLAY(not_sampled)

/* B3 without ids: the trace is not to be kept, whoever makes it (b3: 0). */
static void denied_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r", "b3: 0\r\n");
	asks(g, 0, 7, "/c");
	answers(g, 0, 7);
	over(&g->b);
	assert_root(span_in(g, "/r"));
	assert_int_equal(span_in(g, "/r")->flags, 0x100);
	below(g, "/c", "/r", "thread");
	assert_int_equal(span_out(g, "/c")->flags, 0x100);
}
PLAY(denied)

/* Where the caller is seen as well, it stands between. */
static void both_ends_script(struct stage *g)
{
	g->in[0].c.traced = true;
	reads_with(g, 0, 7, "/r", PARENT(TRACE, SPAN, "01"));
	answers(g, 0, 7);
	over(&g->b);
	below_id(span_out(g, "/r"), TRACE, SPAN);
	assert_below(span_in(g, "/r"), span_out(g, "/r"), "seq");
}
PLAY(both_ends)

/* The inbound header itself is sent on, by whatever thread. */
static void passed_on_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r1", PARENT(TRACE, SPAN, "01"));
	reads_with(g, 1, 7, "/r2", PARENT(TRACE2, SPAN2, "01"));
	calls_with(g, 0, 9, "/c2", PARENT(TRACE2, SPAN2, "01"));
	calls_with(g, 1, 9, "/c1", PARENT(TRACE, SPAN, "01"));
	answers(g, 0, 8);
	answers(g, 1, 8);
	over(&g->b);
	below(g, "/c1", "/r1", "header");
	below(g, "/c2", "/r2", "header");
}
PLAY(passed_on)

/* A client that sends one header with everything. */
static void same_header_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r1", PARENT(TRACE, SPAN, "01"));
	reads_with(g, 1, 7, "/r2", PARENT(TRACE, SPAN, "01"));
	calls_with(g, 0, 9, "/c", PARENT(TRACE, SPAN, "01"));
	answers(g, 0, 8);
	answers(g, 1, 8);
	over(&g->b);
	below_id(span_in(g, "/r1"), TRACE, SPAN);
	below_id(span_in(g, "/r2"), TRACE, SPAN);
	alone(g, "/c");
}
PLAY(same_header)

/*
 * The header of a request that was answered, while another one with it is in hand: what goes on with the
 * first one's is not the second's.
 */
static void same_header_later_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r1", PARENT(TRACE, SPAN, "01"));
	answers(g, 0, 7);
	reads_with(g, 1, 8, "/r2", PARENT(TRACE, SPAN, "01"));
	calls_with(g, 0, 7, "/rest-of-r1", PARENT(TRACE, SPAN, "01"));
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/rest-of-r1");
}
PLAY(same_header_later)

/* The process has spans of its own: the call is below that one, and in its trace. */
static void own_sdk_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r", PARENT(TRACE, SPAN, "01"));
	calls_with(g, 0, 7, "/c", PARENT(TRACE, SPAN2, "01"));
	gets(g, 0, 7);
	answers(g, 0, 7);
	over(&g->b);
	below_id(span_out(g, "/c"), TRACE, SPAN2);
	assert_int_equal(span_out(g, "/c")->flags, 0x101); /* in this process */
}
PLAY(own_sdk)

static void takes_its_id(const struct stage *g)
{
	below_id(span_out(g, "/c1"), TRACE, SPAN2);
	assert_root(span_in(g, "/r"));
	assert_id(span_in(g, "/r")->trace_id, TRACE);
	assert_int_equal(span_in(g, "/r")->flags, 0x100);
}

/* It began a trace for a request without one: what stands above takes its id. */
static void adopted_script(struct stage *g)
{
	runs(g, 7, 1, ST_TASK_GOROUTINE);
	reads(g, 0, 7, "/r");
	calls_with(g, 0, 7, "/c1", PARENT(TRACE, SPAN2, "00"));
	gets(g, 0, 7);
	asks(g, 0, 7, "/c2");
	answers(g, 0, 7);
	over(&g->b);
	takes_its_id(g);
	below(g, "/c2", "/r", "goroutine");
}
PLAY(adopted)

/* The same where the thread tells, when it answers; the call is still under way. */
static void adopted_late_script(struct stage *g)
{
	reads(g, 0, 7, "/r");
	calls_with(g, 0, 7, "/c1", PARENT(TRACE, SPAN2, "00"));
	answers(g, 0, 7);
	over(&g->b);
	takes_its_id(g);
}
PLAY(adopted_late)

/* ... or has ended. */
static void adopted_ended_script(struct stage *g)
{
	reads(g, 0, 7, "/r");
	calls_with(g, 0, 7, "/c1", PARENT(TRACE, SPAN2, "00"));
	gets(g, 0, 7);
	answers(g, 0, 7);
	over(&g->b);
	takes_its_id(g);
}
PLAY(adopted_ended)

/* Not sure whose call it is: it gives its id to nobody. */
static void not_adopted_script(struct stage *g)
{
	reads(g, 0, 7, "/r1");
	reads(g, 1, 7, "/r2");
	calls_with(g, 0, 7, "/c", PARENT(TRACE, SPAN2, "01"));
	gets(g, 0, 7);
	answers(g, 0, 7);
	answers(g, 1, 7);
	over(&g->b);
	below_id(span_out(g, "/c"), TRACE, SPAN2);
	assert_memory_not_equal(span_in(g, "/r1")->trace_id, span_out(g, "/c")->trace_id, 16);
	assert_memory_not_equal(span_in(g, "/r2")->trace_id, span_out(g, "/c")->trace_id, 16);
}
PLAY(not_adopted)

/* Its trace is known outside already: it keeps it. */
static void adopted_once_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r1", PARENT(TRACE, SPAN, "01"));
	calls_with(g, 0, 7, "/c1", PARENT(TRACE2, SPAN2, "01"));
	gets(g, 0, 7);
	answers(g, 0, 7);
	over(&g->b);
	below_id(span_in(g, "/r1"), TRACE, SPAN);
	below_id(span_out(g, "/c1"), TRACE2, SPAN2);
}
PLAY(adopted_once)

static void malformed_script(struct stage *g)
{
	static const char *const bad[] = {
		"traceparent: 00-" TRACE "-" SPAN "\r\n",
		"traceparent: 00-00000000000000000000000000000000-" SPAN "-01\r\n",
		"traceparent: 00-" TRACE "-0000000000000000-01\r\n",
		"traceparent: ff-" TRACE "-" SPAN "-01\r\n",
		"traceparent: 00-" TRACE "-" SPAN "-01\r\ntraceparent: 00-" TRACE "-" SPAN
		"-01\r\n",
	};
	char path[24];

	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "/r%d", i);
		reads_with(g, 0, 7, path, bad[i]);
		answers(g, 0, 7);
	}
	over(&g->b);
	for (int i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "/r%d", i);
		assert_root(span_in(g, path));
	}
	assert_int_equal(bed_stats(&g->b).bad_contexts, 5);
}
PLAY(malformed)

/* ---- ids of requests ---- */

static void unique_id_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r1", "X-Request-ID: 11111111-aaaa\r\n");
	reads_with(g, 1, 7, "/r2", "X-Request-ID: 22222222-aaaa\r\n");
	reads_with(g, 2, 7, "/r3", "X-Correlation-ID: 33333333-aaaa\r\n");
	calls_with(g, 0, 9, "/c2", "x-request-id: 22222222-aaaa\r\n");
	calls_with(g, 1, 9, "/c1", "x-request-id: 11111111-aaaa\r\n");
	calls_with(g, 2, 9, "/c3", "x-correlation-id: 33333333-aaaa\r\n");
	calls_with(g, 3, 9, "/mixed", "x-correlation-id: 11111111-aaaa\r\n");
	for (int i = 0; i < 3; i++)
		answers(g, i, 8);
	over(&g->b);
	below(g, "/c1", "/r1", "request_id");
	below(g, "/c2", "/r2", "request_id");
	below(g, "/c3", "/r3", "request_id");
	alone(g, "/mixed");
}
PLAY(unique_id)

static void repeated_id_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r1", "X-Request-ID: 11111111-aaaa\r\n");
	reads_with(g, 1, 7, "/r2", "X-Request-ID: 11111111-aaaa\r\n");
	reads_with(g, 2, 7, "/r3",
		   "X-Request-ID: 33333333-aaaa\r\nX-Request-ID: 44444444-aaaa\r\n");
	calls_with(g, 0, 9, "/c1", "X-Request-ID: 11111111-aaaa\r\n");
	calls_with(g, 1, 9, "/c3", "X-Request-ID: 33333333-aaaa\r\n");
	calls_with(g, 2, 9, "/empty", "X-Request-ID: \r\n");
	for (int i = 0; i < 3; i++)
		answers(g, i, 8);
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c3");
	alone(g, "/empty");
}
PLAY(repeated_id)

static void short_id_script(struct stage *g)
{
	reads_with(g, 0, 7, "/r1", "X-Request-ID: 1234567\r\n");
	reads_with(g, 1, 7, "/r2", "X-Request-ID: 12345678\r\n");
	calls_with(g, 0, 9, "/seven", "X-Request-ID: 1234567\r\n");
	calls_with(g, 1, 9, "/eight", "X-Request-ID: 12345678\r\n");
	answers(g, 0, 8);
	answers(g, 1, 8);
	calls_with(g, 1, 9, "/after", "X-Request-ID: 12345678\r\n");
	over(&g->b);
	alone(g, "/seven");
	below(g, "/eight", "/r2", "request_id");
	alone(g, "/after");
}
PLAY(short_id)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remote_parent),
		cmocka_unit_test(not_sampled),
		cmocka_unit_test(denied),
		cmocka_unit_test(both_ends),
		cmocka_unit_test(passed_on),
		cmocka_unit_test(same_header),
		cmocka_unit_test(same_header_later),
		cmocka_unit_test(own_sdk),
		cmocka_unit_test(adopted),
		cmocka_unit_test(adopted_late),
		cmocka_unit_test(adopted_ended),
		cmocka_unit_test(not_adopted),
		cmocka_unit_test(adopted_once),
		cmocka_unit_test(malformed),
		cmocka_unit_test(unique_id),
		cmocka_unit_test(repeated_id),
		cmocka_unit_test(short_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
