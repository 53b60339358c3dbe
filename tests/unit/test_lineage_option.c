/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Ids on the wire: what came by option is the parent, what has left stays as it left. */
#include "lineage_bed.h"

#define PARENT(t, s) "traceparent: 00-" t "-" s "-01\r\n"
#define T32	     "0af7651916cd43dd8448eb211c80319c"
#define S16	     "b7ad6b7169203331"

static const uint8_t T32_BYTES[16] = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
				      0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c};

static struct st_ids ids_of(uint8_t trace, uint8_t span)
{
	struct st_ids ids = {.flags = 1};

	memset(ids.trace_id, trace, sizeof(ids.trace_id));
	memset(ids.span_id, span, sizeof(ids.span_id));
	return ids;
}

static void reads_came(struct stage *g, int in, const char *path, uint8_t trace, const char *fields)
{
	struct st_ids ids = ids_of(trace, trace);

	open_wire(&g->in[in]);
	sim_wire(&g->in[in].s, ST_WIRE_CAME, &ids);
	reads_with(g, in, 7, path, fields);
}

static void asks_left(struct stage *g, int out, uint32_t tid, const char *path,
		      const struct st_ids *ids)
{
	open_wire(&g->out[out]);
	sim_wire(&g->out[out].c, ST_WIRE_LEFT, ids);
	asks(g, out, tid, path);
}

static void assert_trace(const struct bed_span *s, uint8_t trace)
{
	const struct st_ids want = ids_of(trace, 0);

	assert_memory_equal(s->trace_id, want.trace_id, 16);
}

static void assert_linked(const struct bed_span *s, const struct bed_span *to)
{
	assert_root(s);
	assert_int_equal(s->link_cnt, 1);
	assert_memory_equal(s->link_trace_id, to->trace_id, 16);
	assert_memory_equal(s->link_span_id, to->span_id, 8);
}

static void came_script(struct stage *g)
{
	const struct st_ids want = ids_of(0x11, 0x11);
	const struct bed_span *s;

	reads_came(g, 0, "/r", 0x11, NULL);
	answers(g, 0, 7);
	over(&g->b);
	s = span_in(g, "/r");
	assert_string_equal(s->evidence, "option");
	assert_memory_equal(s->parent_id, want.span_id, 8);
	assert_trace(s, 0x11);
	assert_int_equal(s->flags & 0x301, 0x301);
}

/* The peer itself is nearer than what a header names. */
static void came_with_header_script(struct stage *g)
{
	reads_came(g, 0, "/r", 0x11, PARENT(T32, S16));
	answers(g, 0, 7);
	over(&g->b);
	assert_string_equal(span_in(g, "/r")->evidence, "option");
	assert_trace(span_in(g, "/r"), 0x11);
}

/* It was of a request whose bytes begin elsewhere. */
static void came_elsewhere_script(struct stage *g)
{
	struct st_ids ids = ids_of(0x11, 0x11);

	reads(g, 0, 7, "/r1");
	answers(g, 0, 7);
	sim_wire(&g->in[0].s, ST_WIRE_CAME, &ids);
	g->in[0].s.tid = 7;
	sim_puts(&g->in[0].c, "GET /r2 HTTP/1.1\r\n\r\n");
	sim_recv_all(&g->in[0].s);
	answers(g, 0, 7);
	sim_puts(&g->in[0].c, "GET /r3 HTTP/1.1\r\n\r\n");
	sim_recv_all(&g->in[0].s);
	answers(g, 0, 7);
	over(&g->b);
	assert_root(span_in(g, "/r1"));
	assert_string_equal(span_in(g, "/r2")->evidence, "option");
	assert_root(span_in(g, "/r3"));
}

/* Nobody knew the request's trace yet: it takes the call's. */
static void first_call_script(struct stage *g)
{
	const struct st_ids left = ids_of(0x22, 0x23);

	reads(g, 0, 7, "/r");
	asks_left(g, 0, 7, "/call", &left);
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/call", "/r", "thread");
	assert_trace(span_in(g, "/r"), 0x22);
	assert_memory_equal(span_out(g, "/call")->span_id, left.span_id, 8);
}

/* Of two that have left with ids of their own one keeps its own; later ones tend to know more. */
static void second_call_script(struct stage *g)
{
	const struct st_ids one = ids_of(0x22, 0x23), two = ids_of(0x24, 0x25);

	reads(g, 0, 7, "/r");
	asks_left(g, 0, 7, "/one", &one);
	asks_left(g, 1, 7, "/two", &two);
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/two", "/r", "thread");
	assert_trace(span_in(g, "/r"), 0x24);
	assert_trace(span_out(g, "/one"), 0x22);
	assert_linked(span_out(g, "/one"), span_in(g, "/r"));
}

/* A request's trace that is known outside does not change; a call that left with it is of it. */
static void known_trace_script(struct stage *g)
{
	struct st_ids same = ids_of(0x22, 0x23), other = ids_of(0x24, 0x25);

	memcpy(same.trace_id, T32_BYTES, sizeof(same.trace_id));
	reads_with(g, 0, 7, "/r", PARENT(T32, S16));
	asks_left(g, 0, 7, "/same", &same);
	asks_left(g, 1, 7, "/other", &other);
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/same", "/r", "thread");
	assert_memory_equal(span_in(g, "/r")->trace_id, T32_BYTES, 16);
	assert_trace(span_out(g, "/other"), 0x24);
	assert_linked(span_out(g, "/other"), span_in(g, "/r"));
}

/* Nothing is found out about its cause: the trace that it told is its own. */
static void unexplained_script(struct stage *g)
{
	const struct st_ids left = ids_of(0x22, 0x23);

	asks_left(g, 0, 7, "/call", &left);
	over(&g->b);
	assert_root(span_out(g, "/call"));
	assert_trace(span_out(g, "/call"), 0x22);
	assert_int_equal(span_out(g, "/call")->link_cnt, 0);
}

/* What it says is not to be kept is not. */
static void unsampled_script(struct stage *g)
{
	struct st_ids left = ids_of(0x22, 0x23);

	left.flags = 0;
	asks_left(g, 0, 7, "/call", &left);
	over(&g->b);
	assert_int_equal(span_out(g, "/call")->flags & 1, 0);
}

PLAY(came)
PLAY(came_with_header)
PLAY(came_elsewhere)
PLAY(first_call)
PLAY(second_call)
PLAY(known_trace)
PLAY(unexplained)
PLAY(unsampled)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(came),		  cmocka_unit_test(came_with_header),
		cmocka_unit_test(came_elsewhere), cmocka_unit_test(first_call),
		cmocka_unit_test(second_call),	  cmocka_unit_test(known_trace),
		cmocka_unit_test(unexplained),	  cmocka_unit_test(unsampled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
