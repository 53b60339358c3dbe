/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which slots are taken back because nobody told of their connection's end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sweep.h"

#define NOW   (100 * 1000000000ull)
#define ROUND 7u

static struct st_slot slot(uint64_t moved_ns, uint32_t seen)
{
	struct st_slot s = {.conn_id = 4711, .seen = seen};

	s.dir[ST_TX].time_ns = moved_ns;
	return s;
}

static void test_dead_sockets_go(void **state)
{
	struct st_slot s = slot(NOW / 2, ROUND - 1);

	(void)state;
	assert_true(st_sweep__unix_is_gone(&s, ROUND, NOW));
	s.seen = 0;
	assert_true(st_sweep__unix_is_gone(&s, ROUND, NOW));
	/* Where no walk can be made the kernel has to say it. */
	assert_false(st_sweep__unix_is_gone(&s, 0, NOW));
	s.flags = ST_SLOT_CLOSED;
	assert_true(st_sweep__unix_is_gone(&s, 0, NOW));
}

static void test_others_stay(void **state)
{
	struct st_slot s = slot(NOW / 2, ROUND);

	(void)state;
	assert_false(st_sweep__unix_is_gone(&s, ROUND, NOW));
	/* TCP connections tell their end themselves. */
	s = slot(NOW / 2, 0);
	s.tcp = 1;
	assert_false(st_sweep__unix_is_gone(&s, ROUND, NOW));
	s = slot(NOW / 2, 0);
	s.conn_id = 0;
	assert_false(st_sweep__unix_is_gone(&s, ROUND, NOW));
	/* Its last records may still be in a ring. */
	s = slot(NOW - 1000000, 0);
	assert_false(st_sweep__unix_is_gone(&s, ROUND, NOW));
	s.flags = ST_SLOT_CLOSED;
	assert_false(st_sweep__unix_is_gone(&s, ROUND, NOW));
}

/* The kernel has given it away and not yet written when its first bytes moved. */
static void test_just_made_stays(void **state)
{
	struct st_slot s = slot(0, 0);

	(void)state;
	assert_false(st_sweep__unix_is_gone(&s, ROUND, NOW));
	s.turn = 1;
	assert_false(st_sweep__unix_is_gone(&s, ROUND, NOW));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead_sockets_go),
		cmocka_unit_test(test_others_stay),
		cmocka_unit_test(test_just_made_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
