/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tasks of runtimes: goroutines read and branch, asyncio's contexts answer; threads are nobody. */
#include "lineage_bed.h"

#define GO  ST_TASK_GOROUTINE
#define ANY ST_TASK_ANY

/* ---- the reader's branches ---- */

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

/* ---- the answerer's branches: an event loop reads for all ---- */

static void reads_loop(struct stage *g, int in, const char *path)
{
	runs(g, 7, 0, ANY);
	g->in[in].s.flags = ST_F_WATCHED | ST_F_WAITED;
	reads(g, in, 7, path);
	g->in[in].s.flags = ST_F_WATCHED;
}

static void task_answers(struct stage *g, int in, uint64_t task)
{
	runs(g, 7, task, ANY);
	answers(g, in, 7);
}

static void task_calls(struct stage *g, int out, uint64_t task, const char *path)
{
	runs(g, 7, task, ANY);
	calls(g, out, 7, path);
	runs(g, 7, 0, ANY);
	gets(g, out, 7);
}

static void contexts_script(struct stage *g)
{
	reads_loop(g, 0, "/r1");
	born(g, 7, 1, ANY, 0);
	reads_loop(g, 1, "/r2");
	born(g, 7, 2, ANY, 0);
	task_calls(g, 0, 1, "/c1");
	task_calls(g, 1, 2, "/c2");
	born(g, 7, 3, ANY, 1); /* gather */
	task_calls(g, 2, 3, "/c1-branch");
	task_answers(g, 1, 2);
	task_answers(g, 0, 1);
	over(&g->b);
	below(g, "/c1", "/r1", "task");
	below(g, "/c1-branch", "/r1", "task");
	below(g, "/c2", "/r2", "task");
}
PLAY(contexts)

/* A connection's own context answers one after the other; what was forgotten is not the next one's. */
static void kept_context_script(struct stage *g)
{
	born(g, 7, 1, ANY, 0);
	reads_loop(g, 0, "/r1");
	task_calls(g, 0, 1, "/c1");
	born(g, 7, 2, ANY, 1);
	task_answers(g, 0, 1);
	reads_loop(g, 0, "/r2");
	task_calls(g, 1, 2, "/forgotten");
	task_calls(g, 0, 1, "/c2");
	task_answers(g, 0, 1);
	over(&g->b);
	below(g, "/c1", "/r1", "task");
	below(g, "/c2", "/r2", "task");
	alone(g, "/forgotten");
}
PLAY(kept_context)

/* One context answers for several connections: it says nothing. */
static void answers_many_script(struct stage *g)
{
	born(g, 7, 1, ANY, 0);
	reads_loop(g, 0, "/r0");
	task_answers(g, 0, 1);
	reads_loop(g, 1, "/r1");
	task_answers(g, 1, 1);
	reads_loop(g, 0, "/ra");
	reads_loop(g, 1, "/rb");
	task_calls(g, 0, 1, "/b");
	task_calls(g, 1, 1, "/a");
	task_answers(g, 0, 1);
	task_answers(g, 1, 1);
	over(&g->b);
	alone(g, "/a");
	alone(g, "/b");
}
PLAY(answers_many)

/* ... and not the first time either: it works for two before it has answered any. */
static void first_of_many_script(struct stage *g)
{
	born(g, 7, 1, ANY, 0);
	reads_loop(g, 0, "/ra");
	reads_loop(g, 1, "/rb");
	task_calls(g, 0, 1, "/b");
	task_answers(g, 0, 1);
	task_answers(g, 1, 1);
	over(&g->b);
	alone(g, "/b");
}
PLAY(first_of_many)

/* Its birth was not seen: whether it answered for others before is not known the first time. */
static void context_of_before_script(struct stage *g)
{
	reads_loop(g, 0, "/r1");
	task_calls(g, 0, 1, "/c1");
	task_answers(g, 0, 1);
	reads_loop(g, 0, "/r2");
	task_calls(g, 0, 1, "/c2");
	task_answers(g, 0, 1);
	over(&g->b);
	alone(g, "/c1");
	below(g, "/c2", "/r2", "task");
}
PLAY(context_of_before)

/* Both were read at once; the branch that was made before the first answer is the first one's. */
static void pipelined_context_script(struct stage *g)
{
	born(g, 7, 1, ANY, 0);
	runs(g, 7, 0, ANY);
	g->in[0].s.flags = 0;
	reads_two(g, 0, 7, GET("/r1") GET("/r2"));
	task_calls(g, 1, 1, "/c1");
	born(g, 7, 2, ANY, 1);
	task_answers(g, 0, 1);
	task_calls(g, 0, 2, "/forgotten");
	task_calls(g, 1, 1, "/c2");
	task_answers(g, 0, 1);
	over(&g->b);
	below(g, "/c1", "/r1", "task");
	alone(g, "/c2");
	alone(g, "/forgotten");
}
PLAY(pipelined_context)

/* Calls of contexts that answer nobody: timers, pings, work for others. */
static void strangers_script(struct stage *g)
{
	born(g, 7, 9, ANY, 0);
	reads_loop(g, 0, "/r");
	born(g, 7, 1, ANY, 0);
	task_calls(g, 0, 9, "/ping");
	born(g, 7, 10, ANY, 9);
	task_calls(g, 1, 10, "/pings");
	runs(g, 7, 0, ANY);
	g->out[2].c.flags = ST_F_WAITED; /* loops do, before a timer's turn */
	asks(g, 2, 7, "/loop");
	task_calls(g, 3, 1, "/own");
	task_answers(g, 0, 1);
	over(&g->b);
	alone(g, "/ping");
	alone(g, "/pings");
	alone(g, "/loop");
	below(g, "/own", "/r", "task");
}
PLAY(strangers)

int main(void)
{
	/* Defects that are known and not cured: only when asked for, they fail. */
	const struct CMUnitTest known[] = {cmocka_unit_test(first_of_many)};
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
		cmocka_unit_test(contexts),
		cmocka_unit_test(kept_context),
		cmocka_unit_test(answers_many),
		cmocka_unit_test(context_of_before),
		cmocka_unit_test(pipelined_context),
		cmocka_unit_test(strangers),
	};

	if (getenv("SPANTAP_DEFECTS"))
		return cmocka_run_group_tests(known, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
