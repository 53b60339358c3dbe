/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A thread reads, a pool's worker calls, one of the two answers. Threads 7 to 9 read, 20 and up work. */
#include "lineage_bed.h"

#define QUEUE	0x1000u			/* where the workers wait */
#define DONE(t) (0x2000u + 0x40u * (t)) /* where a reader does */
#define LOCK	0x9000u

static void sleeps(struct stage *g, uint32_t tid, uint64_t addr)
{
	sim_wait(g->b.sim, ST_WAIT_SLEEPS, APP, tid, 0, addr, 0, NULL);
	bed_step(&g->b, MS);
}

static void wakes(struct stage *g, uint32_t by, uint32_t tid, uint64_t addr)
{
	sim_wait(g->b.sim, by ? ST_WAIT_WOKEN : ST_WAIT_ENDS, APP, tid, by, addr, 0, NULL);
	bed_step(&g->b, MS);
}

/* Workers that have worked, and wait. */
static void workers(struct stage *g, uint32_t cnt)
{
	for (int i = 0; i < WIRES; i++)
		g->out[i].c.flags = ST_F_BLOCKS;
	for (uint32_t tid = 20; tid < 20 + cnt; tid++) {
		sleeps(g, tid, QUEUE);
		wakes(g, 0, tid, QUEUE);
		asks(g, 20, tid, "/warm");
		sleeps(g, tid, QUEUE + 4);
		wakes(g, 0, tid, QUEUE + 4);
		sleeps(g, tid, QUEUE);
	}
}

/* A worker is done: it wakes the reader, which has waited, and waits itself. */
static void ends(struct stage *g, uint32_t tid, uint32_t reader)
{
	wakes(g, tid, reader, DONE(reader));
	sleeps(g, tid, QUEUE);
}

static void future_script(struct stage *g)
{
	workers(g, 3);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/c");
	asks(g, 0, 20, "/d");
	ends(g, 20, 7);
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/c", "/r", "pool");
	below(g, "/d", "/r", "pool");
}
PLAY(future)

/* The reader waits a little later than the worker begins. */
static void slow_to_wait_script(struct stage *g)
{
	workers(g, 2);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	calls(g, 0, 20, "/c");
	sleeps(g, 7, DONE(7));
	gets(g, 0, 20);
	ends(g, 20, 7);
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/c", "/r", "pool");
}
PLAY(slow_to_wait)

static void fan_script(struct stage *g)
{
	workers(g, 4);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	wakes(g, 7, 21, QUEUE);
	sleeps(g, 7, DONE(7));
	calls(g, 0, 20, "/c");
	calls(g, 1, 21, "/d");
	gets(g, 0, 20);
	ends(g, 20, 7);
	sleeps(g, 7, DONE(7));
	gets(g, 1, 21);
	ends(g, 21, 7);
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/c", "/r", "pool");
	below(g, "/d", "/r", "pool");
}
PLAY(fan)

/* The worker answers; who read has gone on to wait, or reads another one. */
static void worker_answers_script(struct stage *g)
{
	workers(g, 3);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/c");
	answers(g, 0, 20);
	sleeps(g, 20, QUEUE);
	over(&g->b);
	below(g, "/c", "/r", "pool");
}
PLAY(worker_answers)

/* No other worker waits: what the queue had is not known. */
static void never_empty_script(struct stage *g)
{
	workers(g, 1);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/c");
	ends(g, 20, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/c");
}
PLAY(never_empty)

/* Nobody was seen to call it: it went on from one thing to the next. */
static void not_called_script(struct stage *g)
{
	workers(g, 3);
	reads(g, 0, 7, "/r1");
	reads(g, 1, 8, "/r2");
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	sleeps(g, 8, DONE(8));
	asks(g, 0, 20, "/c1");
	wakes(g, 20, 7, DONE(7));
	asks(g, 0, 20, "/c2");
	ends(g, 20, 8);
	answers(g, 0, 7);
	answers(g, 1, 8);
	over(&g->b);
	below(g, "/c1", "/r1", "pool");
	alone(g, "/c2");
}
PLAY(not_called)

/* Called by one, it took what another one had put. */
static void took_another_script(struct stage *g)
{
	workers(g, 4);
	reads(g, 0, 7, "/r1");
	reads(g, 1, 8, "/r2");
	wakes(g, 7, 20, QUEUE);
	wakes(g, 8, 21, QUEUE);
	sleeps(g, 7, DONE(7));
	sleeps(g, 8, DONE(8));
	calls(g, 0, 21, "/c1");
	calls(g, 1, 20, "/c2");
	gets(g, 0, 21);
	gets(g, 1, 20);
	ends(g, 21, 7);
	ends(g, 20, 8);
	answers(g, 0, 7);
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(took_another)

/*
 * The same, nobody waited for what it took first, and what it was called for was still there then: the
 * one who was to take it had not come yet.
 */
static void took_both_script(struct stage *g)
{
	workers(g, 4);
	reads(g, 0, 7, "/r1");
	reads(g, 1, 8, "/r2");
	wakes(g, 7, 21, QUEUE);
	wakes(g, 8, 20, QUEUE);
	sleeps(g, 8, DONE(8));
	asks(g, 0, 20, "/of-r1");
	ends(g, 20, 8);
	answers(g, 1, 8);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/of-r1");
}
PLAY(took_both)

/* It lets go of what the reader waits for, and ends what it does for another one. */
static void let_go_script(struct stage *g)
{
	workers(g, 4);
	reads(g, 0, 7, "/r1");
	reads(g, 1, 8, "/r2");
	wakes(g, 8, 20, QUEUE);
	sleeps(g, 8, DONE(8));
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/of-r1");
	wakes(g, 20, 8, DONE(8));
	ends(g, 20, 7);
	answers(g, 1, 8);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/of-r1");
}
PLAY(let_go)

/* ... and the reader, which waited for a connection, makes a call of its own. */
static void own_call_script(struct stage *g)
{
	workers(g, 4);
	reads(g, 1, 8, "/r2");
	wakes(g, 8, 20, QUEUE);
	sleeps(g, 8, DONE(8));
	asks(g, 0, 20, "/of-nobody");
	ends(g, 20, 8);
	asks(g, 1, 8, "/own");
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/of-nobody");
	below(g, "/own", "/r2", "thread");
}
PLAY(own_call)

/*
 * A worker waits for a lock in the middle of its work; who holds it gives it to him, wants it again
 * and waits. The worker began to wait behind the request.
 */
static void lock_script(struct stage *g)
{
	workers(g, 3);
	reads(g, 0, 7, "/r");
	wakes(g, 0, 20, QUEUE);
	sleeps(g, 20, QUEUE);
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/refresh");
	ends(g, 20, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/refresh");
}
PLAY(lock)

/* Locks have places of their own. */
static void other_place_script(struct stage *g)
{
	workers(g, 3);
	wakes(g, 0, 20, QUEUE);
	sleeps(g, 20, LOCK);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, LOCK);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/refresh");
	ends(g, 20, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/refresh");
}
PLAY(other_place)

/* A timer came between, so that the run is another one. */
static void slept_between_script(struct stage *g)
{
	workers(g, 3);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	sleeps(g, 20, QUEUE);
	wakes(g, 0, 20, QUEUE);
	asks(g, 0, 20, "/timer");
	ends(g, 20, 7);
	reads(g, 1, 8, "/r2");
	wakes(g, 8, 21, QUEUE);
	sleeps(g, 8, DONE(8));
	calls(g, 1, 21, "/late");
	sleeps(g, 21, LOCK);
	wakes(g, 0, 21, LOCK);
	gets(g, 1, 21);
	ends(g, 21, 8);
	answers(g, 0, 7);
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/timer");
	alone(g, "/late");
}
PLAY(slept_between)

/* A timer ended the reader's wait; and one was answered by another thread. */
static void not_back_script(struct stage *g)
{
	workers(g, 4);
	reads(g, 0, 7, "/r1");
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/c1");
	wakes(g, 0, 7, DONE(7));
	sleeps(g, 20, QUEUE);
	answers(g, 0, 7);
	reads(g, 1, 8, "/r2");
	wakes(g, 8, 21, QUEUE);
	sleeps(g, 8, DONE(8));
	asks(g, 1, 21, "/c2");
	ends(g, 21, 8);
	answers(g, 1, 22);
	over(&g->b);
	alone(g, "/c1");
	alone(g, "/c2");
}
PLAY(not_back)

/* A worker that waits for many responses at once makes calls of several requests. */
static void waits_for_many_script(struct stage *g)
{
	static const uint16_t flags[] = {ST_F_WATCHED | ST_F_WAITED, 0, ST_F_WATCHED};
	static const char *const paths[] = {"/many", "/unseen", "/one"};

	workers(g, 3);
	for (int i = 0; i < 3; i++) {
		char path[8];

		snprintf(path, sizeof(path), "/r%d", i);
		reads(g, 0, 7, path);
		wakes(g, 7, 20, QUEUE);
		sleeps(g, 7, DONE(7));
		calls(g, 0, 20, paths[i]);
		g->out[0].c.flags = flags[i];
		gets(g, 0, 20);
		g->out[0].c.flags = ST_F_BLOCKS;
		ends(g, 20, 7);
		answers(g, 0, 7);
	}
	over(&g->b);
	alone(g, "/many");
	alone(g, "/unseen");
	below(g, "/one", "/r2", "pool");
	assert_true(g->b.watch_asked > 0);
}
PLAY(waits_for_many)

/* Two requests in the reader's hands: it may have called for either. */
static void two_in_hand_script(struct stage *g)
{
	workers(g, 3);
	reads(g, 0, 7, "/r1");
	reads(g, 1, 7, "/r2");
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/c");
	ends(g, 20, 7);
	answers(g, 1, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/c");
}
PLAY(two_in_hand)

/* An event loop reads, workers answer: it leaves each request to them. */
static void hands_on(struct stage *g, int cnt)
{
	for (int i = 0; i < cnt; i++) {
		reads(g, 4, 7, "/left");
		wakes(g, 7, 20, QUEUE);
		reads(g, 5, 7, "/next");
		answers(g, 4, 20);
		sleeps(g, 20, QUEUE);
		answers(g, 5, 21);
	}
}

/* It reads and hands on by turns: what it read last is what it calls for. */
static void loop_script(struct stage *g)
{
	workers(g, 4);
	hands_on(g, 4);
	reads(g, 0, 7, "/r1");
	wakes(g, 7, 22, QUEUE);
	reads(g, 1, 7, "/r2");
	wakes(g, 7, 20, QUEUE);
	calls(g, 0, 22, "/c1");
	calls(g, 1, 20, "/c2");
	gets(g, 0, 22);
	answers(g, 0, 22);
	gets(g, 1, 20);
	answers(g, 1, 20);
	over(&g->b);
	below(g, "/c1", "/r1", "pool");
	below(g, "/c2", "/r2", "pool");
}
PLAY(loop)

/* It reads all that is there before it hands anything on. */
static void loop_in_two_steps_script(struct stage *g)
{
	workers(g, 4);
	hands_on(g, 4);
	reads(g, 0, 7, "/r1");
	reads(g, 1, 7, "/r2");
	wakes(g, 7, 20, QUEUE);
	calls(g, 1, 20, "/c");
	gets(g, 1, 20);
	answers(g, 1, 20);
	answers(g, 0, 21);
	over(&g->b);
	alone(g, "/c");
}
PLAY(loop_in_two_steps)

/* It goes on to put things after the queue was seen empty. */
static void waits_late_script(struct stage *g)
{
	workers(g, 4);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	asks(g, 0, 20, "/c");
	sleeps(g, 7, DONE(7));
	ends(g, 20, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/c");
}
PLAY(waits_late)

/* The worker answers, but somebody put something else into the queue before. */
static void put_since_script(struct stage *g)
{
	workers(g, 4);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	asks(g, 0, 20, "/c");
	wakes(g, 7, 21, QUEUE);
	answers(g, 0, 20);
	over(&g->b);
	alone(g, "/c");
}
PLAY(put_since)

/* The number of a thread that has ended is another one's. */
static void number_again_script(struct stage *g)
{
	workers(g, 3);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	sim_wait(g->b.sim, ST_WAIT_GONE, APP, 20, 0, 0, 0, NULL);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/c");
	ends(g, 20, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/c");
}
PLAY(number_again)

/* Woken before it had left the processor: the record of that sleep comes late. */
static void early_script(struct stage *g)
{
	workers(g, 2);
	wakes(g, 0, 21, QUEUE);
	sim_wait(g->b.sim, ST_WAIT_WOKEN, APP, 21, 7, QUEUE, ST_F_EARLY, NULL);
	sleeps(g, 21, QUEUE);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/c");
	ends(g, 20, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/c");
}
PLAY(early)

static int wait_cnt;

static bool refuse_one(void *ctx, const struct sim_sock *k, uint8_t kind)
{
	(void)ctx, (void)k;
	return kind == ST_REC_WAIT && wait_cnt++ == 0;
}

/* A record was lost between: nothing that was known counts. */
static void lost_script(struct stage *g)
{
	workers(g, 3);
	reads(g, 0, 7, "/r");
	wakes(g, 7, 20, QUEUE);
	sleeps(g, 7, DONE(7));
	asks(g, 0, 20, "/c");
	wait_cnt = 0;
	g->b.sim->refuse = refuse_one;
	sleeps(g, 21, QUEUE);
	g->b.sim->refuse = NULL;
	ends(g, 20, 7);
	answers(g, 0, 7);
	reads(g, 1, 8, "/r2");
	wakes(g, 8, 20, QUEUE);
	sleeps(g, 8, DONE(8));
	asks(g, 1, 20, "/d");
	ends(g, 20, 8);
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/c");
	alone(g, "/d");
}
PLAY(lost)

static void named(struct stage *g, uint8_t what, uint32_t tid, uint32_t by, const char *name)
{
	sim_wait(g->b.sim, what, APP, tid, by, 0x10000u + 0x100u * tid, 0, name);
	bed_step(&g->b, MS);
}

/* Java's threads wait each at its own place; the pool is in the name that they have unless told. */
static void by_name(struct stage *g, const char *first, const char *second, bool found)
{
	const char *name[] = {first, second};

	g->out[0].c.flags = ST_F_BLOCKS;
	for (uint32_t i = 0; i < 2; i++) {
		named(g, ST_WAIT_SLEEPS, 20 + i, 0, name[i]);
		named(g, ST_WAIT_ENDS, 20 + i, 0, name[i]);
		asks(g, 20, 20 + i, "/warm");
		named(g, ST_WAIT_SLEEPS, 20 + i, 0, name[i]);
	}
	reads(g, 0, 7, "/r");
	named(g, ST_WAIT_WOKEN, 20, 7, name[0]);
	named(g, ST_WAIT_SLEEPS, 7, 0, "pool-9-thread-1");
	asks(g, 0, 20, "/c");
	named(g, ST_WAIT_WOKEN, 7, 20, "pool-9-thread-1");
	answers(g, 0, 7);
	over(&g->b);
	if (found)
		below(g, "/c", "/r", "pool");
	else
		alone(g, "/c");
}

static void java_script(struct stage *g)
{
	by_name(g, "pool-1-thread-1", "pool-1-thread-2", true);
}
PLAY(java)

static void java_long_script(struct stage *g)
{
	by_name(g, "pool-12-thread-", "pool-12-thread-", true);
}
PLAY(java_long)

static void java_two_pools_script(struct stage *g)
{
	by_name(g, "pool-1-thread-1", "pool-2-thread-1", false);
}
PLAY(java_two_pools)

/* A queue each, for all that is known. */
static void shards_script(struct stage *g)
{
	by_name(g, "shard-1", "shard-2", false);
}
PLAY(shards)

/* Who makes a call with nothing in hand while others have asks for the watch, once; who reads does not. */
static void asked_script(struct stage *g)
{
	reads(g, 0, 7, "/r1");
	asks(g, 0, 7, "/own");
	answers(g, 0, 7);
	asks(g, 1, 20, "/idle");
	assert_int_equal(g->b.pool_asked, 0);
	reads(g, 0, 7, "/r2");
	asks(g, 1, 20, "/a");
	asks(g, 1, 21, "/b");
	answers(g, 0, 7);
	over(&g->b);
	assert_int_equal(g->b.pool_asked, 1);
	alone(g, "/a");
	alone(g, "/b");
}
PLAY(asked)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(future),	 cmocka_unit_test(slow_to_wait),
		cmocka_unit_test(fan),		 cmocka_unit_test(worker_answers),
		cmocka_unit_test(never_empty),	 cmocka_unit_test(not_called),
		cmocka_unit_test(took_another),	 cmocka_unit_test(took_both),
		cmocka_unit_test(let_go),	 cmocka_unit_test(own_call),
		cmocka_unit_test(lock),		 cmocka_unit_test(other_place),
		cmocka_unit_test(slept_between), cmocka_unit_test(not_back),
		cmocka_unit_test(two_in_hand),	 cmocka_unit_test(waits_for_many),
		cmocka_unit_test(loop),		 cmocka_unit_test(loop_in_two_steps),
		cmocka_unit_test(waits_late),	 cmocka_unit_test(put_since),
		cmocka_unit_test(number_again),	 cmocka_unit_test(early),
		cmocka_unit_test(lost),		 cmocka_unit_test(java),
		cmocka_unit_test(java_long),	 cmocka_unit_test(java_two_pools),
		cmocka_unit_test(shards),	 cmocka_unit_test(asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
