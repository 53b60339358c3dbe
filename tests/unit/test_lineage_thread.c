/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One thread reads, calls and answers: the call is the request's. Whatever else it does: nobody's. */
#include "lineage_bed.h"

static void one_script(struct stage *g)
{
	reads(g, 0, 7, "/r");
	asks(g, 0, 7, "/a");
	asks(g, 0, 7, "/b");
	asks(g, 1, 7, "/c");
	answers(g, 0, 7);
	over(&g->b);
	assert_int_equal(g->b.cnt, 4);
	below(g, "/a", "/r", "thread");
	below(g, "/b", "/r", "thread");
	below(g, "/c", "/r", "thread");
	/* A parent in the same process is not remote. */
	assert_int_equal(span_out(g, "/a")->flags, 0x101);
}
PLAY(one)

/* Threads of one process, request after request, on kept connections. */
static void many_script(struct stage *g)
{
	char in[24], out[24];

	for (int i = 0; i < 40; i++) {
		int n = i % 4;

		snprintf(in, sizeof(in), "/r%d", i);
		snprintf(out, sizeof(out), "/c%d", i);
		if (i >= 4) {
			gets(g, n, 10 + (uint32_t)n);
			answers(g, n, 10 + (uint32_t)n);
		}
		reads(g, n, 10 + (uint32_t)n, in);
		calls(g, n, 10 + (uint32_t)n, out);
	}
	for (int n = 0; n < 4; n++)
		answers(g, n, 10 + (uint32_t)n);
	over(&g->b);
	for (int i = 0; i < 40; i++) {
		snprintf(in, sizeof(in), "/r%d", i);
		snprintf(out, sizeof(out), "/c%d", i);
		below(g, out, in, "thread");
	}
}
PLAY(many)

/* The response comes after the answer, or never: the call was made before. */
static void unfinished_script(struct stage *g)
{
	reads(g, 0, 7, "/r");
	calls(g, 0, 7, "/late");
	calls(g, 1, 7, "/never");
	answers(g, 0, 7);
	gets(g, 0, 7);
	over(&g->b);
	below(g, "/late", "/r", "thread");
	below(g, "/never", "/r", "thread");
}
PLAY(unfinished)

static void other_answers_script(struct stage *g)
{
	reads(g, 0, 7, "/r");
	asks(g, 0, 7, "/a");
	answers(g, 0, 8);
	over(&g->b);
	alone(g, "/a");
}
PLAY(other_answers)

static void other_calls_script(struct stage *g)
{
	reads(g, 0, 7, "/r");
	asks(g, 0, 8, "/a");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/a");
}
PLAY(other_calls)

static void two_in_hand_script(struct stage *g)
{
	reads(g, 0, 7, "/r1");
	reads(g, 1, 7, "/r2");
	asks(g, 0, 7, "/a");
	answers(g, 1, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/a");
}
PLAY(two_in_hand)

static void two_pipelined_script(struct stage *g)
{
	reads_two(g, 0, 7, GET("/r1") GET("/r2"));
	asks(g, 0, 7, "/a");
	answers(g, 0, 7);
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/a");
}
PLAY(two_pipelined)

/* What it does after the first one's answer may still be for that one: both were read at once. */
static void after_a_pipelined_script(struct stage *g)
{
	reads_two(g, 0, 7, GET("/r1") GET("/r2"));
	answers(g, 0, 7);
	asks(g, 0, 7, "/rest-of-r1");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/rest-of-r1");
}
PLAY(after_a_pipelined)

/* A read, B read, A answered, call: it may still be A's work. */
static void by_turns_script(struct stage *g)
{
	reads(g, 0, 7, "/ra");
	reads(g, 1, 7, "/rb");
	answers(g, 0, 7);
	asks(g, 0, 7, "/c");
	answers(g, 1, 7);
	over(&g->b);
	alone(g, "/c");
}
PLAY(by_turns)

/* Who went to and fro is not heard again, even when it has one in hand alone. */
static void heard_no_more_script(struct stage *g)
{
	reads(g, 0, 7, "/ra");
	reads(g, 1, 7, "/rb");
	answers(g, 0, 7);
	answers(g, 1, 7);
	reads(g, 2, 7, "/rc");
	asks(g, 0, 7, "/c");
	answers(g, 2, 7);
	reads(g, 3, 8, "/rd");
	asks(g, 1, 8, "/d");
	answers(g, 3, 8);
	over(&g->b);
	alone(g, "/c");
	below(g, "/d", "/rd", "thread");
}
PLAY(heard_no_more)

static void after_the_answer_script(struct stage *g)
{
	reads(g, 0, 7, "/r1");
	answers(g, 0, 7);
	asks(g, 0, 7, "/idle");
	reads(g, 1, 8, "/r2");
	reads(g, 0, 7, "/r3");
	answers(g, 0, 7);
	asks(g, 0, 7, "/busy"); /* another thread has one in hand */
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/idle");
	alone(g, "/busy");
}
PLAY(after_the_answer)

static void before_the_request_script(struct stage *g)
{
	reads(g, 1, 8, "/other");
	calls(g, 0, 7, "/early");
	reads(g, 0, 7, "/r");
	gets(g, 0, 7);
	answers(g, 0, 7);
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/early");
}
PLAY(before_the_request)

/* It waited for many things: before the call, or between the call and the answer. */
static void waited_script(struct stage *g)
{
	reads(g, 0, 7, "/r1");
	g->out[0].c.flags = ST_F_WAITED | ST_F_WATCHED;
	calls(g, 0, 7, "/before");
	g->out[0].c.flags = 0;
	gets(g, 0, 7);
	answers(g, 0, 7);
	reads(g, 0, 7, "/r2");
	calls(g, 0, 7, "/between");
	g->out[0].c.flags = ST_F_WAITED | ST_F_WATCHED;
	gets(g, 0, 7);
	g->out[0].c.flags = 0;
	answers(g, 0, 7);
	reads(g, 0, 7, "/r3");
	asks(g, 0, 7, "/last");
	g->in[0].s.flags |= ST_F_WAITED;
	answers(g, 0, 7);
	g->in[0].s.flags = ST_F_BLOCKS;
	reads(g, 0, 7, "/r4");
	asks(g, 0, 7, "/quiet");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/before");
	alone(g, "/between");
	alone(g, "/last");
	below(g, "/quiet", "/r4", "thread");
}
PLAY(waited)

/* Who waits for clients with many and then for one of them alone has begun to serve that one. */
static void waited_for_it_script(struct stage *g)
{
	g->in[0].s.flags = ST_F_BLOCKS | ST_F_WATCHED | ST_F_WAITED;
	reads(g, 0, 7, "/r");
	g->in[0].s.flags = ST_F_WATCHED;
	asks(g, 0, 7, "/a");
	answers(g, 0, 7);
	g->in[0].s.flags = ST_F_BLOCKS | ST_F_WATCHED | ST_F_WAITED;
	reads(g, 0, 7, "/r2");
	g->in[0].s.flags = ST_F_WATCHED;
	asks(g, 0, 7, "/b");
	answers(g, 0, 7);
	over(&g->b);
	below(g, "/a", "/r", "thread");
	below(g, "/b", "/r2", "thread");
}
PLAY(waited_for_it)

/* One wait told of a request and of a timer: between the read and the answer the timer had its turn. */
static void one_wait_for_both_script(struct stage *g)
{
	g->in[0].s.flags = ST_F_WATCHED | ST_F_WAITED;
	reads(g, 0, 7, "/r");
	g->in[0].s.flags = ST_F_WATCHED;
	calls(g, 0, 7, "/timer");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/timer");
}
PLAY(one_wait_for_both)

/* An event loop that is busy does not sleep before each request, or reads a head in pieces. */
static void busy_loop_script(struct stage *g)
{
	g->in[0].s.flags = ST_F_WATCHED | ST_F_WAITED;
	open_wire(&g->in[0]);
	sim_puts(&g->in[0].c, "GET /r1 HTTP/1.1\r\nHo");
	g->in[0].s.tid = 7;
	sim_recv_all(&g->in[0].s);
	bed_step(&g->b, MS);
	g->in[0].s.flags = ST_F_WATCHED;
	sim_puts(&g->in[0].c, "st: a\r\n\r\n");
	sim_recv_all(&g->in[0].s);
	bed_step(&g->b, MS);
	asks(g, 0, 7, "/timer1");
	answers(g, 0, 7);
	reads(g, 0, 7, "/r2");
	asks(g, 0, 7, "/timer2");
	answers(g, 0, 7);
	g->in[1].s.flags = ST_F_WATCHED;
	reads(g, 1, 8, "/r3"); /* a worker's thread has no such wait */
	asks(g, 1, 8, "/c3");
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/timer1");
	alone(g, "/timer2");
	below(g, "/c3", "/r3", "thread");
}
PLAY(busy_loop)

/* A worker that waits for several answers of its own is no event loop. */
static void worker_waits_script(struct stage *g)
{
	g->in[0].s.flags = ST_F_WATCHED;
	reads(g, 0, 7, "/r1");
	calls(g, 0, 7, "/a");
	g->out[0].c.flags = ST_F_WATCHED | ST_F_WAITED;
	gets(g, 0, 7);
	g->out[0].c.flags = ST_F_WATCHED;
	answers(g, 0, 7);
	reads(g, 0, 7, "/r2");
	asks(g, 0, 7, "/b");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/a");
	below(g, "/b", "/r2", "thread");
}
PLAY(worker_waits)

static void waits_and_asks(struct stage *g)
{
	g->in[0].s.flags = ST_F_WATCHED | ST_F_WAITED;
	reads(g, 0, 7, "/r");
	g->in[0].s.flags = ST_F_WATCHED;
	asks(g, 0, 7, "/a");
	answers(g, 0, 7);
	over(&g->b);
}

/* Whatever it waits for, this program does nothing else in between. */
static void serial_script(struct stage *g)
{
	runs_program(g, "php-fpm8.2");
	waits_and_asks(g);
	below(g, "/a", "/r", "thread");
}
PLAY(serial)

static void serial_server_script(struct stage *g)
{
	runs_program_by(g, "php8.2", "cli-server");
	waits_and_asks(g);
	below(g, "/a", "/r", "thread");
}
PLAY(serial_server)

/* Of the same language, but with a loop of its own. */
static void script_that_serves_script(struct stage *g)
{
	runs_program_by(g, "php8.2", "cli");
	waits_and_asks(g);
	alone(g, "/a");
}
PLAY(script_that_serves)

/* Read without blocking while such waits are not seen: they are asked for, nothing is said. */
static void unwatched_script(struct stage *g)
{
	g->in[0].s.flags = 0;
	reads(g, 0, 7, "/r");
	asks(g, 0, 7, "/a");
	answers(g, 0, 7);
	over(&g->b);
	alone(g, "/a");
	assert_true(g->b.watch_asked > 0);
}
PLAY(unwatched)

static void io_worker_script(struct stage *g)
{
	reads(g, 0, 7, "/r1");
	g->out[0].c.flags = ST_F_IO_WORKER;
	calls(g, 0, 7, "/a");
	answers(g, 0, 7);
	g->in[1].s.flags |= ST_F_IO_WORKER;
	reads(g, 1, 8, "/r2");
	asks(g, 1, 8, "/b");
	answers(g, 1, 8);
	reads(g, 2, 9, "/r3");
	asks(g, 2, 9, "/c");
	g->in[2].s.flags |= ST_F_IO_WORKER;
	answers(g, 2, 9);
	over(&g->b);
	alone(g, "/a");
	alone(g, "/b");
	alone(g, "/c");
}
PLAY(io_worker)

/* The request's head came in two reads of two threads. */
static void two_readers_script(struct stage *g)
{
	struct wire *w = &g->in[0];

	open_wire(w);
	sim_puts(&w->c, "GET /r HTTP/1.1\r\nHo");
	w->s.tid = 7;
	sim_recv_all(&w->s);
	bed_step(&g->b, MS);
	sim_puts(&w->c, "st: a\r\n\r\n");
	w->s.tid = 8;
	sim_recv_all(&w->s);
	bed_step(&g->b, MS);
	asks(g, 0, 8, "/a");
	asks(g, 1, 7, "/b");
	answers(g, 0, 8);
	over(&g->b);
	alone(g, "/a");
	alone(g, "/b");
}
PLAY(two_readers)

/* The same thread id in another process: a connection that was handed over, and a reused number. */
static void other_process_script(struct stage *g)
{
	reads(g, 0, 7, "/r1");
	reads(g, 1, 8, "/r2");
	g->out[0].c.tgid = APP + 1;
	asks(g, 0, 7, "/theirs");
	answers(g, 0, 7);
	answers(g, 1, 8);
	over(&g->b);
	alone(g, "/theirs");
}
PLAY(other_process)

static void number_again_script(struct stage *g)
{
	g->in[1].s.tgid = g->out[1].c.tgid = APP + 1;
	reads(g, 0, 7, "/r1");
	sim_exit(g->b.sim, APP);
	reads(g, 1, 7, "/r2");
	asks(g, 1, 7, "/c2");
	answers(g, 1, 7);
	over(&g->b);
	if (span_out(g, "/c2")->has_parent)
		below(g, "/c2", "/r2", "thread");
}
PLAY(number_again)

/* The call began before the client left: nobody answered, nobody can tell. */
static void left_script(struct stage *g)
{
	reads(g, 0, 7, "/r");
	asks(g, 0, 7, "/a");
	sim_reset(&g->in[0].c);
	bed_step(&g->b, MS);
	asks(g, 0, 7, "/b");
	over(&g->b);
	alone(g, "/a");
	alone(g, "/b");
}
PLAY(left)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one),
		cmocka_unit_test(many),
		cmocka_unit_test(unfinished),
		cmocka_unit_test(other_answers),
		cmocka_unit_test(other_calls),
		cmocka_unit_test(two_in_hand),
		cmocka_unit_test(two_pipelined),
		cmocka_unit_test(after_a_pipelined),
		cmocka_unit_test(by_turns),
		cmocka_unit_test(heard_no_more),
		cmocka_unit_test(after_the_answer),
		cmocka_unit_test(before_the_request),
		cmocka_unit_test(waited),
		cmocka_unit_test(waited_for_it),
		cmocka_unit_test(one_wait_for_both),
		cmocka_unit_test(busy_loop),
		cmocka_unit_test(worker_waits),
		cmocka_unit_test(serial),
		cmocka_unit_test(serial_server),
		cmocka_unit_test(script_that_serves),
		cmocka_unit_test(unwatched),
		cmocka_unit_test(io_worker),
		cmocka_unit_test(two_readers),
		cmocka_unit_test(other_process),
		cmocka_unit_test(number_again),
		cmocka_unit_test(left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
