/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A thread hands work to another one and answers itself: the item's calls are the request's. */
#include "lineage_bed.h"

static void item_script(struct stage *g)
{
	reads(g, 0, 7, "/r");
	born(g, 7, 5, ST_TASK_ITEM, 0);
	runs(g, 8, 5, ST_TASK_ITEM);
	asks(g, 0, 8, "/c");
	runs(g, 8, 0, ST_TASK_ITEM);
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/c", "/r", "thread");
}
PLAY(item)

/* The thread has gone on to the next request when the item is worked on. */
static void item_too_late_script(struct stage *g)
{
	reads(g, 0, 7, "/r1");
	born(g, 7, 5, ST_TASK_ITEM, 0);
	answers(g, 0, 7);
	reads(g, 0, 7, "/r2");
	runs(g, 8, 5, ST_TASK_ITEM);
	asks(g, 0, 8, "/of-r1");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/of-r1");
}
PLAY(item_too_late)

/* The thread is not the one who answers, or it waited for many: what it had in hand is not sure. */
static void item_not_sure_script(struct stage *g)
{
	reads(g, 0, 7, "/r1");
	born(g, 7, 5, ST_TASK_ITEM, 0);
	runs(g, 8, 5, ST_TASK_ITEM);
	asks(g, 0, 8, "/a");
	answers(g, 0, 9);
	reads(g, 0, 7, "/r2");
	born(g, 7, 6, ST_TASK_ITEM, 0);
	runs(g, 8, 6, ST_TASK_ITEM);
	asks(g, 0, 8, "/b");
	g->in[0].s.flags |= ST_F_WAITED;
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/a");
	alone(g, "/b");
}
PLAY(item_not_sure)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(item),
		cmocka_unit_test(item_too_late),
		cmocka_unit_test(item_not_sure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
