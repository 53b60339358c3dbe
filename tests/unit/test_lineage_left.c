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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_to_others),
		cmocka_unit_test(leaves_first),
		cmocka_unit_test(keeps_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
