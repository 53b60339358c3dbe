/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* asyncio's contexts: an event loop reads for all, the one who answers tells whose calls they are. */
#include "lineage_bed.h"

#define ANY	 ST_TASK_ANY

#define LOOP	 900	       /* whose task it is that accepts */
#define CONN(in) (1000 + (in)) /* made for a connection: what reads there */

static void accepts(struct stage *g, int in)
{
	open_wire(&g->in[in]);
	born(g, 7, CONN(in), ANY, LOOP);
}

static void reads_in(struct stage *g, int in, uint64_t task, const char *path)
{
	runs(g, 7, task, ANY);
	g->in[in].s.flags = ST_F_WATCHED | ST_F_WAITED;
	reads(g, in, 7, path);
	g->in[in].s.flags = ST_F_WATCHED;
}

static void reads_loop(struct stage *g, int in, const char *path)
{
	reads_in(g, in, CONN(in), path);
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

/* The loop is known for what it is: it has made readers of two connections. */
static void begins(struct stage *g)
{
	for (int in = WIRES - 2; in < WIRES; in++) {
		accepts(g, in);
		reads_loop(g, in, "/hello");
		task_answers(g, in, CONN(in));
	}
}

static void contexts_script(struct stage *g)
{
	begins(g);
	accepts(g, 0);
	born(g, 7, 1, ANY, CONN(0));
	reads_loop(g, 0, "/r1");
	accepts(g, 1);
	reads_loop(g, 1, "/r2");
	born(g, 7, 2, ANY, CONN(1));
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
	begins(g);
	accepts(g, 0);
	born(g, 7, 1, ANY, CONN(0));
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

/* One connection alone: what is above its context may be there for others, too. */
static void only_one_script(struct stage *g)
{
	accepts(g, 0);
	born(g, 7, 1, ANY, CONN(0));
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
PLAY(only_one)

/* One context answers for several connections: it says nothing. */
static void answers_many_script(struct stage *g)
{
	begins(g);
	accepts(g, 0);
	accepts(g, 1);
	born(g, 7, 1, ANY, CONN(0));
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
static void first_of_many_by(struct stage *g, uint64_t parent)
{
	born(g, 7, 1, ANY, parent);
	reads_loop(g, 0, "/ra");
	reads_loop(g, 1, "/rb");
	task_calls(g, 0, 1, "/b");
	task_answers(g, 0, 1);
	task_answers(g, 1, 1);
	over(&g->b);
	alone(g, "/b");
}

static void first_of_many_script(struct stage *g)
{
	accepts(g, 0);
	accepts(g, 1);
	first_of_many_by(g, 0);
}
PLAY(first_of_many)

/* The loop's own, made when both connections were there. */
static void first_of_loop_script(struct stage *g)
{
	begins(g);
	accepts(g, 0);
	accepts(g, 1);
	first_of_many_by(g, LOOP);
}
PLAY(first_of_loop)

/* A context of one connection answers what waits on another one, again and again: a publisher. */
static void answers_anothers_script(struct stage *g)
{
	begins(g);
	accepts(g, 0);
	accepts(g, 1);
	born(g, 7, 1, ANY, CONN(1));
	reads_loop(g, 0, "/poll1");
	reads_loop(g, 1, "/publish");
	task_calls(g, 0, 1, "/a");
	task_answers(g, 0, 1);
	reads_loop(g, 0, "/poll2");
	task_calls(g, 0, 1, "/b");
	task_answers(g, 0, 1);
	task_answers(g, 1, 1);
	over(&g->b);
	alone(g, "/a");
	alone(g, "/b");
}
PLAY(answers_anothers)

/* The loop reads in a context of its own, or none (uvloop): what it makes then is for that request. */
static void made_by_reader_script(struct stage *g)
{
	for (int in = 0; in < 2; in++) {
		reads_in(g, in, 0, in ? "/r2" : "/r1");
		sim_task_born_for(&g->in[in].s, 1 + (uint64_t)in, ANY, LOOP);
	}
	task_calls(g, 0, 1, "/c1");
	task_calls(g, 1, 2, "/c2");
	task_answers(g, 1, 2);
	task_answers(g, 0, 1);
	over(&g->b);
	below(g, "/c1", "/r1", "task");
	below(g, "/c2", "/r2", "task");
}
PLAY(made_by_reader)

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

/* The same where it makes one for each request. */
static void made_by_one_of_before_script(struct stage *g)
{
	char in[24], out[24];

	for (uint64_t i = 1; i <= 3; i++) {
		snprintf(in, sizeof(in), "/r%d", (int)i);
		snprintf(out, sizeof(out), "/c%d", (int)i);
		reads_loop(g, 0, in);
		born(g, 7, 50 + i, ANY, 1);
		task_calls(g, 0, 50 + i, out);
		task_answers(g, 0, 50 + i);
	}
	over(&g->b);
	alone(g, "/c1");
	below(g, "/c2", "/r2", "task");
	below(g, "/c3", "/r3", "task");
}
PLAY(made_by_one_of_before)

/* Both were read at once; the branch that was made before the first answer is the first one's. */
static void pipelined_context_script(struct stage *g)
{
	begins(g);
	accepts(g, 0);
	born(g, 7, 1, ANY, CONN(0));
	runs(g, 7, CONN(0), ANY);
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
	begins(g);
	accepts(g, 0);
	born(g, 7, 9, ANY, LOOP);
	reads_loop(g, 0, "/r");
	born(g, 7, 1, ANY, CONN(0));
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
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contexts),	     cmocka_unit_test(kept_context),
		cmocka_unit_test(only_one),	     cmocka_unit_test(answers_many),
		cmocka_unit_test(first_of_many),     cmocka_unit_test(first_of_loop),
		cmocka_unit_test(answers_anothers),  cmocka_unit_test(made_by_reader),
		cmocka_unit_test(context_of_before), cmocka_unit_test(made_by_one_of_before),
		cmocka_unit_test(pipelined_context), cmocka_unit_test(strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
