/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Goroutines read and branch; threads are nobody. */
#include "lineage_bed.h"

#define GO ST_TASK_GOROUTINE

/* The goroutine calls, what it made calls, and what that made; all on threads of others. */
static void branches_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	reads(g, 0, 7, "/r");
	asks(g, 0, 7, "/self");
	born(g, 7, 2, GO, 1);
	runs(g, 8, 2, GO);
	asks(g, 1, 8, "/child");
	born(g, 8, 3, GO, 2);
	runs(g, 9, 3, GO);
	calls(g, 2, 9, "/grandchild");
	runs(g, 9, 0, GO);
	runs(g, 10, 3, GO);
	gets(g, 2, 10);
	runs(g, 11, 1, GO);
	answers(g, 0, 11);
	over(&g->b);
	below(g, "/self", "/r", "goroutine");
	below(g, "/child", "/r", "goroutine");
	below(g, "/grandchild", "/r", "goroutine");
}
PLAY(branches)

/* Request after request on a kept connection: each call is the one's of its time. */
static void one_by_one_script(struct stage *g)
{
	char in[24], out[24];

	runs(g, 7, 1, GO);
	for (uint64_t i = 0; i < 10; i++) {
		snprintf(in, sizeof(in), "/r%d", (int)i);
		snprintf(out, sizeof(out), "/c%d", (int)i);
		runs(g, 7, 1, GO);
		reads(g, 0, 7, in);
		born(g, 7, 10 + i, GO, 1);
		runs(g, 7, 10 + i, GO);
		asks(g, 0, 7, out);
		runs(g, 7, 1, GO);
		answers(g, 0, 7);
	}
	over(&g->b);
	for (int i = 0; i < 10; i++) {
		snprintf(in, sizeof(in), "/r%d", i);
		snprintf(out, sizeof(out), "/c%d", i);
		below(g, out, in, "goroutine");
	}
}
PLAY(one_by_one)

/* Fire and forget: a branch goes on when the next request is there. */
static void forgotten_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	reads(g, 0, 7, "/r1");
	born(g, 7, 2, GO, 1);
	answers(g, 0, 7);
	reads(g, 0, 7, "/r2");
	runs(g, 8, 2, GO);
	asks(g, 0, 8, "/of-r1");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/of-r1");
}
PLAY(forgotten)

/* A worker, a pool, a ping: made before the request. */
static void worker_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	born(g, 7, 2, GO, 1);
	reads(g, 0, 7, "/r");
	runs(g, 8, 2, GO);
	asks(g, 0, 8, "/worker");
	born(g, 8, 3, GO, 2);
	runs(g, 9, 3, GO);
	asks(g, 1, 9, "/workers");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/worker");
	alone(g, "/workers");
}
PLAY(worker)

/* Nobody saw it made. */
static void of_before_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	reads(g, 0, 7, "/r");
	runs(g, 8, 2, GO);
	asks(g, 0, 8, "/old");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/old");
}
PLAY(of_before)

/* The thread reads another one's request while it works for the first one's goroutine. */
static void two_in_hand_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	reads(g, 0, 7, "/r1");
	reads(g, 1, 7, "/r2");
	born(g, 7, 2, GO, 1);
	runs(g, 8, 2, GO);
	asks(g, 0, 8, "/a");
	answers(g, 0, 7);
	asks(g, 1, 8, "/b"); /* /r2 alone is in hand, but the branch is older than that */
	answers(g, 1, 7);
	over(&g->b);
	alone(g, "/a");
	alone(g, "/b");
}
PLAY(two_in_hand)

/* It may be the one's that the goroutine read first, not that of who made the goroutine. */
static void second_answered_first_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	reads(g, 0, 7, "/r");
	born(g, 7, 2, GO, 1);
	runs(g, 8, 2, GO);
	reads(g, 1, 8, "/a");
	reads(g, 2, 8, "/b");
	answers(g, 2, 8);
	asks(g, 0, 8, "/of-a");
	answers(g, 1, 8);
	runs(g, 7, 1, GO);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/of-a");
}
PLAY(second_answered_first)

static void two_pipelined_script(struct stage *g)
{
	born(g, 7, 1, GO, 0);
	runs(g, 7, 1, GO);
	reads_two(g, 0, 7, GET("/r1") GET("/r2"));
	asks(g, 0, 7, "/a");
	born(g, 7, 2, GO, 1);
	answers(g, 0, 7);
	runs(g, 8, 2, GO);
	asks(g, 1, 8, "/b");
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/a", "/r1", "goroutine"); /* answers come in order */
	alone(g, "/b");
}
PLAY(two_pipelined)

/* The same of a goroutine that was there before: if it is anybody's, it is not the second one's. */
static void two_pipelined_old_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	reads_two(g, 0, 7, GET("/r1") GET("/r2"));
	asks(g, 0, 7, "/a");
	answers(g, 0, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/a");
}
PLAY(two_pipelined_old)

/* A handler that has begun to answer goes on; the next request was read along with its own. */
static void after_a_pipelined_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	reads_two(g, 0, 7, GET("/r1") GET("/r2"));
	answers(g, 0, 7);
	asks(g, 0, 7, "/rest-of-r1");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/rest-of-r1");
}
PLAY(after_a_pipelined)

/* The thread's record says whose work it does; another process's thread of that number is nobody. */
static void other_process_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	reads(g, 0, 7, "/r");
	g->out[0].c.tgid = APP + 1;
	asks(g, 0, 7, "/theirs");
	sim_task_born(g->b.sim, APP + 1, 9, 2, GO, 1);
	sim_task_runs(g->b.sim, APP + 1, 9, 2, GO);
	g->out[1].c.tgid = APP + 1;
	asks(g, 1, 9, "/of-the-same-number");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/theirs");
	alone(g, "/of-the-same-number");
}
PLAY(other_process)

/* A connection pool's goroutine writes; who asked for it was told. */
static void told_caller_script(struct stage *g)
{
	runs(g, 7, 1, GO);
	runs(g, 8, 90, GO); /* writes for all */
	reads(g, 0, 7, "/r1");
	runs(g, 9, 2, GO);
	reads(g, 1, 9, "/r2");
	open_wire(&g->out[0]);
	sim_task_calls(&g->out[0].c, 1);
	calls(g, 0, 8, "/a");
	gets(g, 0, 8);
	sim_task_calls(&g->out[0].c, 2);
	calls(g, 0, 8, "/b");
	gets(g, 0, 8);
	calls(g, 0, 8, "/untold"); /* it holds for one request */
	answers(g, 0, 7);
	answers(g, 1, 9);
	over(&g->b);
	below(g, "/a", "/r1", "goroutine");
	below(g, "/b", "/r2", "goroutine");
	alone(g, "/untold");
}
PLAY(told_caller)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(branches),
		cmocka_unit_test(one_by_one),
		cmocka_unit_test(forgotten),
		cmocka_unit_test(worker),
		cmocka_unit_test(of_before),
		cmocka_unit_test(two_in_hand),
		cmocka_unit_test(second_answered_first),
		cmocka_unit_test(two_pipelined),
		cmocka_unit_test(two_pipelined_old),
		cmocka_unit_test(after_a_pipelined),
		cmocka_unit_test(other_process),
		cmocka_unit_test(told_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
