/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Threads that read requests and leave them to others: what they do themselves is their own. */
#include "lineage_bed.h"

/* An acceptor reads and leaves; workers answer. What it does itself in between is its own. */
static void leave_one(struct stage *g, int i, uint32_t by)
{
	char path[24];

	snprintf(path, sizeof(path), "/left%d", i);
	reads(g, 1, 7, path);
	snprintf(path, sizeof(path), "/own%d", i);
	reads(g, 2, 7, path);
	answers(g, 2, 7);
	answers(g, 1, by);
}

static void own_while_left(struct stage *g, const char *call)
{
	reads(g, 1, 7, "/left");
	reads(g, 2, 7, "/own");
	asks(g, 0, 7, call);
	answers(g, 2, 7);
	answers(g, 1, 9);
	over(&g->b);
}

static void leaves_to_others_script(struct stage *g)
{
	for (int i = 0; i < 4; i++)
		leave_one(g, i, 9);
	own_while_left(g, "/c");
	below(g, "/c", "/own", "thread");
}
PLAY(leaves_to_others)

/* It has not been seen to leave any to others: not known. */
static void leaves_first_script(struct stage *g)
{
	own_while_left(g, "/c");
	alone(g, "/c");
}
PLAY(leaves_first)

/* It keeps as many as it leaves: one that is left may be what it works on. */
static void keeps_some_script(struct stage *g)
{
	for (int i = 0; i < 8; i++)
		leave_one(g, i, i % 2 ? 9 : 7);
	own_while_left(g, "/c");
	alone(g, "/c");
}
PLAY(keeps_some)

static bool refusing;

static bool refuse(void *ctx, const struct sim_sock *k, uint8_t kind)
{
	(void)ctx;
	(void)k;
	return refusing && kind == ST_REC_DATA;
}

static void turn_of(struct stage *g, int in, const char *request, const char *call)
{
	reads(g, in, 7, request);
	asks(g, 0, 7, call);
	answers(g, in, 7);
}

/* What it had read before got lost: until that is answered, for sure, its calls may be that one's. */
static void left_unseen_script(struct stage *g)
{
	g->b.sim->refuse = refuse;
	turn_of(g, 1, "/r0", "/c0");
	refusing = true;
	reads(g, 1, 7, "/lost");
	refusing = false;
	turn_of(g, 2, "/r1", "/of-lost");
	answers(g, 1, 7);
	turn_of(g, 2, "/r2", "/c2");
	turn_of(g, 1, "/r3", "/c3");
	turn_of(g, 2, "/r4", "/c4");
	reads(g, 3, 8, "/r5");
	asks(g, 1, 8, "/c5"); /* another thread misses nothing */
	answers(g, 3, 8);
	over(&g->b);
	below(g, "/c0", "/r0", "thread");
	alone(g, "/of-lost");
	alone(g, "/c2"); /* it may have been an interim one: a body follows, and then the answer */
	alone(g, "/c3");
	below(g, "/c4", "/r4", "thread");
	below(g, "/c5", "/r5", "thread");
}
PLAY(left_unseen)

/* ... or its connection is gone. */
static void left_unseen_gone_script(struct stage *g)
{
	g->b.sim->refuse = refuse;
	turn_of(g, 1, "/r0", "/c0");
	refusing = true;
	reads(g, 1, 7, "/lost");
	refusing = false;
	turn_of(g, 2, "/r1", "/of-lost");
	sim_reset(&g->in[1].c);
	bed_step(&g->b, MS);
	turn_of(g, 2, "/r2", "/c2");
	over(&g->b);
	alone(g, "/of-lost");
	below(g, "/c2", "/r2", "thread");
}
PLAY(left_unseen_gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_to_others), cmocka_unit_test(leaves_first),
		cmocka_unit_test(keeps_some),	    cmocka_unit_test(left_unseen),
		cmocka_unit_test(left_unseen_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
