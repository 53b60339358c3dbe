/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Spans wait for their place in a trace: how long, for what, and what becomes of those below. */
#include "core/lineage.h"

#include "lineage_bed.h"

#define SEC 1000000000ULL

/* Nothing tells whose a call of this thread is, as long as the request is in hand. */
static void reads_unsure(struct stage *g, const char *path)
{
	g->in[0].s.flags = 0;
	reads(g, 0, 7, path);
}

static uint32_t shown(struct stage *g)
{
	bed_read(&g->b);
	bed_read(&g->b); /* an end that the slot told */
	return g->b.cnt;
}

/* The call waits for its thread's answer, and what it set off elsewhere for the call. */
static void waits_script(struct stage *g)
{
	g->out[0].s.traced = true;
	reads(g, 0, 7, "/r");
	asks(g, 0, 7, "/c");
	if (g->b.reader == BED_EAGER) {
		assert_int_equal(shown(g), 0);
		assert_int_equal(bed_stats(&g->b).open, 3);
	}
	answers(g, 0, 7);
	assert_int_equal(shown(g), 3);
	over(&g->b);
	below(g, "/c", "/r", "thread");
	assert_below(span_in(g, "/c"), span_out(g, "/c"), "seq");
}
PLAY(waits)

/* Known to be nobody's when all requests that were in hand are answered. */
static void gives_up_script(struct stage *g)
{
	g->out[0].s.traced = true;
	reads_unsure(g, "/r1");
	asks(g, 0, 7, "/c");
	reads(g, 1, 8, "/r2"); /* came later: it is not waited for */
	answers(g, 0, 7);
	if (g->b.reader == BED_EAGER)
		assert_int_equal(shown(g), 3);
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/c");
	assert_below(span_in(g, "/c"), span_out(g, "/c"), "seq");
}
PLAY(gives_up)

/* No request in hand: nothing to wait for. */
static void at_once_script(struct stage *g)
{
	asks(g, 0, 7, "/c");
	if (g->b.reader == BED_EAGER)
		assert_int_equal(shown(g), 1);
	over(&g->b);
	alone(g, "/c");
}
PLAY(at_once)

static void init_eager(struct stage *g)
{
	stage_init(g, BED_EAGER);
	g->out[0].s.traced = true;
}

/* A request that lasts does not hold its process's spans back. */
static void bounded_wait(void **state)
{
	static struct stage g;

	(void)state;
	init_eager(&g);
	reads_unsure(&g, "/long");
	assert_int_equal(st_core__due(g.b.core), UINT64_MAX);
	asks(&g, 0, 7, "/c");
	bed_tick(&g.b, ST_LINEAGE_WAIT_NS - 2 * MS);
	assert_int_equal(g.b.cnt, 0);
	assert_true(st_core__due(g.b.core) > g.b.sim->now_ns);
	bed_tick(&g.b, 2 * MS);
	assert_int_equal(g.b.cnt, 2);
	alone(&g, "/c");
	assert_below(span_in(&g, "/c"), span_out(&g, "/c"), "seq");
	assert_int_equal(st_core__due(g.b.core), UINT64_MAX);
	assert_int_equal(bed_stats(&g.b).forced, 0);
	answers(&g, 0, 7);
	over(&g.b);
	assert_int_equal(g.b.cnt, 3);
	stage_free(&g);
}

/* A thread that works long on a request: its answer will tell, however late. */
static void promising(void **state)
{
	static struct stage g;

	(void)state;
	init_eager(&g);
	reads(&g, 0, 7, "/long");
	asks(&g, 0, 7, "/c");
	for (int i = 0; i < 20; i++) {
		bed_tick(&g.b, 3 * SEC);
		assert_int_equal(g.b.cnt, 0);
	}
	answers(&g, 0, 7);
	over(&g.b);
	assert_int_equal(g.b.cnt, 3);
	below(&g, "/c", "/long", "thread");
	assert_below(span_in(&g, "/c"), span_out(&g, "/c"), "seq");
	stage_free(&g);
}

/* ... or it will not: it waits no longer when the thread turns out to be two things' at once. */
static void promised_in_vain(void **state)
{
	static struct stage g;

	(void)state;
	init_eager(&g);
	reads(&g, 0, 7, "/long");
	asks(&g, 0, 7, "/c");
	bed_tick(&g.b, 3 * SEC);
	sim_reset(&g.in[0].c);
	bed_read(&g.b);
	bed_read(&g.b);
	assert_int_equal(g.b.cnt, 3);
	alone(&g, "/c");
	over(&g.b);
	stage_free(&g);
}

/* The records end while calls wait. */
static void ends(void **state)
{
	static struct stage g;

	(void)state;
	init_eager(&g);
	reads_unsure(&g, "/r");
	asks(&g, 0, 7, "/c1");
	g.in[1].s.flags = ST_F_BLOCKS;
	reads(&g, 1, 8, "/r2");
	asks(&g, 1, 8, "/c2");
	calls(&g, 2, 8, "/open");
	over(&g.b);
	assert_int_equal(g.b.cnt, 6);
	alone(&g, "/c1");
	alone(&g, "/c2");
	alone(&g, "/open");
	assert_below(span_in(&g, "/c1"), span_out(&g, "/c1"), "seq");
	assert_true(span_out(&g, "/open")->incomplete);
	stage_free(&g);
}

/* A core that is given up in the middle leaves nothing behind (run under the sanitizers). */
static void given_up(void **state)
{
	static struct stage g;

	(void)state;
	init_eager(&g);
	reads(&g, 0, 7, "/r1");
	asks(&g, 0, 7, "/c1");
	runs(&g, 9, 1, ST_TASK_SCOPE);
	reads(&g, 1, 9, "/r2");
	calls(&g, 1, 9, "/c2");
	sim_drain(g.b.sim, bed_rec, &g.b);
	assert_int_equal(g.b.cnt, 0);
	stage_free(&g);
}

/* Too many wait: the oldest becomes a root, and is counted. */
static void too_many(void **state)
{
	static struct stage g;
	char path[24];

	(void)state;
	stage_init(&g, BED_EAGER);
	reads_unsure(&g, "/long");
	for (uint32_t i = 0; i < ST_LINEAGE_HELD_MAX + 10; i++) {
		snprintf(path, sizeof(path), "/c%u", i);
		sim_sleep(g.b.sim, US);
		open_wire(&g.out[0]);
		g.out[0].c.tid = 7;
		sim_puts(&g.out[0].c, "GET ");
		sim_puts(&g.out[0].c, path);
		sim_puts(&g.out[0].c, " HTTP/1.1\r\nHost: a\r\n\r\n");
		sim_recv_all(&g.out[0].s);
		sim_puts(&g.out[0].s, OK("0"));
		sim_recv_all(&g.out[0].c);
		bed_read(&g.b);
	}
	assert_int_equal(bed_stats(&g.b).forced, 10);
	assert_int_equal(g.b.cnt, 10);
	assert_string_equal(g.b.spans[0].path, "/c0");
	assert_string_equal(g.b.spans[9].path, "/c9");
	answers(&g, 0, 7);
	over(&g.b);
	assert_int_equal(g.b.cnt, ST_LINEAGE_HELD_MAX + 11);
	stage_free(&g);
}

/* The clocks' offset changes between a parent and its child: all of a trace keep the first one. */
static void clock_steps(void **state)
{
	static struct stage g;

	(void)state;
	for (int i = 0; i < 2; i++) {
		int64_t step = i ? -3600 * (int64_t)SEC : 3600 * (int64_t)SEC;
		const struct bed_span *r, *c, *far;

		init_eager(&g);
		reads(&g, 0, 7, "/r");
		st_core__set_epoch_off(g.b.core, step);
		calls(&g, 0, 7, "/c");
		st_core__set_epoch_off(g.b.core, 2 * step);
		gets(&g, 0, 7);
		answers(&g, 0, 7);
		over(&g.b);
		r = span_in(&g, "/r");
		c = span_out(&g, "/c");
		far = span_in(&g, "/c");
		below(&g, "/c", "/r", "thread");
		assert_below(far, c, "seq");
		assert_true(c->end_ns <= r->end_ns);
		assert_true(r->end_ns - r->start_ns < SEC);
		stage_free(&g);
	}
}

/* Of another trace the new offset counts. */
static void clock_has_stepped(void **state)
{
	static struct stage g;

	(void)state;
	init_eager(&g);
	reads(&g, 0, 7, "/r1");
	answers(&g, 0, 7);
	st_core__set_epoch_off(g.b.core, 3600 * (int64_t)SEC);
	reads(&g, 0, 7, "/r2");
	answers(&g, 0, 7);
	over(&g.b);
	assert_true(span_in(&g, "/r2")->start_ns - span_in(&g, "/r1")->start_ns > 3600 * SEC);
	stage_free(&g);
}

/* Only so many are handed over as there is room for. */
static uint32_t room_left;

static uint32_t one_at_a_time(void *ctx)
{
	(void)ctx;
	return room_left;
}

static void little_room(void **state)
{
	static struct stage g;
	struct st_core_config cfg = {
		.ops = {.span = bed_on_span,
			.resource = bed_on_resource,
			.expect = bed_on_expect,
			.room = one_at_a_time},
		.ctx = &g.b,
		.max_conns = SLOTS,
	};

	(void)state;
	init_eager(&g);
	st_core__free(g.b.core);
	g.b.core = must(st_core__new(&cfg));
	reads(&g, 0, 7, "/r");
	asks(&g, 0, 7, "/c1");
	asks(&g, 0, 7, "/c2");
	answers(&g, 0, 7); /* /r goes at once, all others wait for room */
	assert_int_equal(g.b.cnt, 1);
	assert_int_equal(st_core__ready(g.b.core), 4);
	room_left = 1;
	for (uint32_t i = 2; i < 6; i++) {
		st_core__settle(g.b.core);
		assert_int_equal(g.b.cnt, i);
	}
	over(&g.b);
	assert_int_equal(g.b.cnt, 5);
	stage_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits),       cmocka_unit_test(gives_up),
		cmocka_unit_test(at_once),     cmocka_unit_test(bounded_wait),
		cmocka_unit_test(promising),   cmocka_unit_test(promised_in_vain),
		cmocka_unit_test(ends),	       cmocka_unit_test(given_up),
		cmocka_unit_test(too_many),    cmocka_unit_test(clock_steps),
		cmocka_unit_test(little_room), cmocka_unit_test(clock_has_stepped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
