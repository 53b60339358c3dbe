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

enum { CNT = 4 };

static void note(void *ctx, uint32_t i)
{
	((int *)ctx)[i]++;
}

static struct st_slot closed(uint64_t id)
{
	return (struct st_slot){.conn_id = id, .flags = ST_SLOT_CLOSED};
}

/* A connection that has just closed: its record lies in a ring, where it is found in time. */
static void test_closed_waits_for_the_rings(void **state)
{
	struct st_slot slots[CNT] = {closed(1), {.conn_id = 2}, {0}, closed(4)};
	uint64_t id[CNT] = {0};
	struct st_sweep_marks m = {.id = id};
	int told[CNT] = {0};

	(void)state;
	st_sweep__closed(slots, CNT, &m, 900, 1000, note, told);
	assert_int_equal(m.cnt, 2);
	/* Not all of before 1000 was read: a reader that is behind. */
	st_sweep__closed(slots, CNT, &m, 950, 2000, note, told);
	assert_int_equal(told[0] + told[1] + told[2] + told[3], 0);
	/* One record came, and another connection has the slot and is closed again. */
	slots[3] = closed(5);
	st_sweep__closed(slots, CNT, &m, 2001, 3000, note, told);
	assert_int_equal(told[0], 1);
	assert_int_equal(told[1] + told[2] + told[3], 0);
	assert_int_equal(m.cnt, 1);
	slots[0].conn_id = 0;
	st_sweep__closed(slots, CNT, &m, 3001, 4000, note, told);
	assert_int_equal(told[3], 1);
	assert_int_equal(told[0], 1);
	assert_int_equal(m.cnt, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dead_sockets_go),
		cmocka_unit_test(test_others_stay),
		cmocka_unit_test(test_just_made_stays),
		cmocka_unit_test(test_closed_waits_for_the_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
