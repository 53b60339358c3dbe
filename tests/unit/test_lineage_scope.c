/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Node.js: the scope that a call is made in and the answer that its response sets off must agree. */
#include "lineage_bed.h"

#define SCOPE ST_TASK_SCOPE
/* So often must they have, before the scope is believed alone (ev_scope.c). */
#define TRUST 32

static uint64_t task; /* the last one made */

/* The loop's thread is in a new scope that `up` made. Returns it. */
static uint64_t scope(struct stage *g, uint64_t up)
{
	born(g, 7, ++task, ST_TASK_ANY, up);
	runs(g, 7, task, SCOPE);
	return task;
}

static void leave(struct stage *g)
{
	runs(g, 7, 0, SCOPE);
}

static uint64_t node_reads(struct stage *g, int in, const char *path)
{
	uint64_t t = scope(g, 0);

	g->in[in].s.flags = 0;
	reads(g, in, 7, path);
	leave(g);
	return t;
}

static void node_calls(struct stage *g, int out, uint64_t up, const char *path)
{
	scope(g, up);
	calls(g, out, 7, path);
	leave(g);
}

/* The response is a task of its own, made by whose call it was. */
static uint64_t node_gets(struct stage *g, int out, uint64_t up)
{
	uint64_t t = scope(g, up);

	gets(g, out, 7);
	leave(g);
	return t;
}

static void node_answers(struct stage *g, int in, uint64_t up)
{
	scope(g, up);
	answers(g, in, 7);
	leave(g);
}

/* A request with one call that is awaited; n: the number in its paths. */
static void agree(struct stage *g, int n)
{
	char path[24];
	uint64_t r;

	snprintf(path, sizeof(path), "/r%d", n);
	r = node_reads(g, 0, path);
	snprintf(path, sizeof(path), "/c%d", n);
	node_calls(g, 0, r, path);
	node_answers(g, 0, node_gets(g, 0, r));
}

static void agreement_script(struct stage *g)
{
	for (int i = 0; i < 5; i++)
		agree(g, i);
	over(&g->b);
	below(g, "/c0", "/r0", "task");
	below(g, "/c4", "/r4", "task");
}
PLAY(agreement)

/* Two requests at once, each with calls one after the other; answers the other way round. */
static void side_by_side_script(struct stage *g)
{
	uint64_t r1 = node_reads(g, 0, "/r1"), r2 = node_reads(g, 1, "/r2"), a, b;

	node_calls(g, 0, r1, "/a1");
	node_calls(g, 1, r2, "/b1");
	b = node_gets(g, 1, r2);
	node_calls(g, 1, b, "/b2");
	a = node_gets(g, 0, r1);
	node_calls(g, 0, a, "/a2");
	b = node_gets(g, 1, b);
	a = node_gets(g, 0, a);
	node_answers(g, 1, b);
	node_answers(g, 0, a);
	over(&g->b);
	below(g, "/a1", "/r1", "task");
	below(g, "/a2", "/r1", "task");
	below(g, "/b1", "/r2", "task");
	below(g, "/b2", "/r2", "task");
}
PLAY(side_by_side)

/* Made in one's scope, and its response sets off the other one's answer. */
static void contradiction_script(struct stage *g)
{
	uint64_t r1 = node_reads(g, 0, "/r1"), done;

	node_reads(g, 1, "/r2");
	node_calls(g, 0, r1, "/c");
	done = node_gets(g, 0, r1);
	node_answers(g, 1, done);
	node_answers(g, 0, r1);
	over(&g->b);
	alone(g, "/c");
}
PLAY(contradiction)

/* Not awaited: still under way when its request is answered. */
static void forgotten_script(struct stage *g)
{
	uint64_t r;

	for (int i = 0; i < TRUST + 1; i++)
		agree(g, i);
	r = node_reads(g, 1, "/r");
	node_calls(g, 1, r, "/forgotten");
	node_answers(g, 1, r);
	node_gets(g, 1, r);
	over(&g->b);
	alone(g, "/forgotten");
}
PLAY(forgotten)

static void two_at_once(struct stage *g)
{
	uint64_t r = node_reads(g, 1, "/r");

	node_calls(g, 1, r, "/first");
	node_calls(g, 2, r, "/last");
	node_gets(g, 1, r);
	node_answers(g, 1, node_gets(g, 2, r));
}

/* Several are awaited together: the last response alone sets off the answer. */
static void together_script(struct stage *g)
{
	two_at_once(g);
	over(&g->b);
	below(g, "/last", "/r", "task");
	alone(g, "/first");
}
PLAY(together)

static void together_trusted_script(struct stage *g)
{
	for (int i = 0; i < TRUST; i++)
		agree(g, i);
	two_at_once(g);
	over(&g->b);
	below(g, "/last", "/r", "task");
	below(g, "/first", "/r", "task");
}
PLAY(together_trusted)

static void together_after_difference_script(struct stage *g)
{
	uint64_t r1, r2, done;

	for (int i = 0; i < TRUST; i++)
		agree(g, i);
	r1 = node_reads(g, 2, "/r1");
	r2 = node_reads(g, 3, "/r2");
	node_calls(g, 0, r1, "/swapped");
	done = node_gets(g, 0, r1);
	node_answers(g, 3, done);
	node_answers(g, 2, r2);
	two_at_once(g);
	over(&g->b);
	alone(g, "/swapped");
	below(g, "/last", "/r", "task");
	alone(g, "/first");
}
PLAY(together_after_difference)

/*
 * A limited agent: one call at a time, the next one is sent by who gets the response of the former.
 * Each request's call is made in the scope of the request before it.
 */
#define QUEUED 12

static void queue_script(struct stage *g)
{
	char path[24];
	uint64_t r[QUEUED], at;

	for (int i = 0; i < QUEUED; i++) {
		snprintf(path, sizeof(path), "/r%d", i);
		r[i] = node_reads(g, i, path);
	}
	at = r[0];
	for (int i = 0; i < QUEUED; i++) {
		snprintf(path, sizeof(path), "/c%d", i);
		node_calls(g, 0, at, path);
		at = node_gets(g, 0, at);
		node_answers(g, i, at);
	}
	over(&g->b);
	for (int i = 0; i < QUEUED; i++) {
		char up[24];

		snprintf(path, sizeof(path), "/c%d", i);
		snprintf(up, sizeof(up), "/r%d", i);
		if (span_out(g, path)->has_parent)
			below(g, path, up, "task");
	}
}
PLAY(queue)

/* The same, but the response is handed back before the next one is sent: the former is still in hand. */
static void queue_in_hand_script(struct stage *g)
{
	char path[24], up[24];
	uint64_t r[QUEUED], at, done;

	for (int i = 0; i < TRUST; i++)
		agree(g, 100 + i);
	for (int i = 0; i < QUEUED; i++) {
		snprintf(path, sizeof(path), "/r%d", i);
		r[i] = node_reads(g, i, path);
	}
	node_calls(g, 0, r[0], "/c0");
	at = r[0];
	for (int i = 0; i < QUEUED; i++) {
		done = node_gets(g, 0, at);
		snprintf(path, sizeof(path), "/c%d", i + 1);
		if (i + 1 < QUEUED)
			node_calls(g, 0, done, path); /* for i + 1, where i is in hand */
		at = done;
		node_answers(g, i, done);
	}
	over(&g->b);
	for (int i = 0; i < QUEUED; i++) {
		snprintf(path, sizeof(path), "/c%d", i);
		snprintf(up, sizeof(up), "/r%d", i);
		if (span_out(g, path)->has_parent)
			below(g, path, up, "task");
	}
}
PLAY(queue_in_hand)

/*
 * Trusted for long, then for the first time a continuation is handed over, and what is called there is
 * awaited together with something else: no word contradicts the scope's.
 */
static void handed_over_once_script(struct stage *g)
{
	uint64_t r1, r2, done;

	for (int i = 0; i < TRUST; i++)
		agree(g, 100 + i);
	r1 = node_reads(g, 0, "/r1");
	r2 = node_reads(g, 1, "/r2");
	node_calls(g, 0, r1, "/c1");
	node_calls(g, 1, r2, "/c2");
	done = node_gets(g, 0, r1); /* r1's lock is given to r2 */
	node_calls(g, 2, done, "/of-r2");
	node_gets(g, 2, done);
	node_answers(g, 1, node_gets(g, 1, r2)); /* r2 waited for both */
	node_answers(g, 0, done);
	over(&g->b);
	below(g, "/c1", "/r1", "task");
	if (span_out(g, "/of-r2")->has_parent)
		below(g, "/of-r2", "/r2", "task");
}
PLAY(handed_over_once)

/* The same where the request whose scope it is goes on there as well: both words fit either of them. */
static void handed_over_beside_script(struct stage *g)
{
	uint64_t r1, r2, done;

	for (int i = 0; i < TRUST; i++)
		agree(g, 100 + i);
	r1 = node_reads(g, 0, "/r1");
	r2 = node_reads(g, 1, "/r2");
	node_calls(g, 0, r1, "/c1");
	node_calls(g, 1, r2, "/c2");
	done = scope(g, r1);
	gets(g, 0, 7);
	calls(g, 2, 7, "/of-r2");
	calls(g, 3, 7, "/next");
	leave(g);
	node_gets(g, 2, done);
	node_answers(g, 1, node_gets(g, 1, r2));
	node_answers(g, 0, node_gets(g, 3, done));
	over(&g->b);
	below(g, "/next", "/r1", "task");
	if (span_out(g, "/of-r2")->has_parent)
		below(g, "/of-r2", "/r2", "task");
}
PLAY(handed_over_beside)

/* Nobody's scope: timers, and what was begun before the request. */
static void strangers_script(struct stage *g)
{
	uint64_t timer = scope(g, 0), r;

	leave(g);
	r = node_reads(g, 0, "/r");
	node_calls(g, 0, timer, "/timer");
	node_gets(g, 0, timer);
	node_calls(g, 1, r, "/c");
	node_answers(g, 0, node_gets(g, 1, r));
	over(&g->b);
	alone(g, "/timer");
	below(g, "/c", "/r", "task");
}
PLAY(strangers)

/* A request's span has gone before its calls are decided: another one was in hand all the while. */
static void gone_before_script(struct stage *g)
{
	uint64_t other = node_reads(g, 1, "/other"), r = node_reads(g, 0, "/r");

	node_calls(g, 0, r, "/c");
	node_answers(g, 0, node_gets(g, 0, r));
	bed_read(&g->b);
	if (g->b.reader == BED_EAGER)
		assert_int_equal(g->b.cnt, 1);
	node_answers(g, 1, other);
	over(&g->b);
	assert_int_equal(g->b.cnt, 3);
	below(g, "/c", "/r", "task");
}
PLAY(gone_before)

int main(void)
{
	/* Defects that are known and not cured: only when asked for, they fail. */
	const struct CMUnitTest known[] = {cmocka_unit_test(handed_over_beside)};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agreement),
		cmocka_unit_test(side_by_side),
		cmocka_unit_test(contradiction),
		cmocka_unit_test(forgotten),
		cmocka_unit_test(together),
		cmocka_unit_test(together_trusted),
		cmocka_unit_test(together_after_difference),
		cmocka_unit_test(queue),
		cmocka_unit_test(queue_in_hand),
		cmocka_unit_test(handed_over_once),
		cmocka_unit_test(strangers),
		cmocka_unit_test(gone_before),
	};

	if (getenv("SPANTAP_DEFECTS"))
		return cmocka_run_group_tests(known, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
