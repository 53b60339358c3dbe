/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Exchanges of every shape that HTTP/1.x has, seen from both ends: names, kinds, status, sizes and
 * durations, whenever the reader comes.
 */
#include "core_bed.h"

/* The server thinks for 5 ms; 1 ms back. */
static void think_and_answer(struct bed *b, const char *z)
{
	sim_sleep(b->sim, 5 * MS);
	answer(b, z);
}

static void one(struct bed *b)
{
	ask(b, GET("/orders/17?id=3"));
	think_and_answer(b, OK("5") "hello");
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/orders/17", "GET /orders/{id}", NULL, 200, 0, 5, 1 * MS,
		 6 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/orders/17?id=REDACTED", "GET /orders/{id}", NULL, 200, 0, 5,
		 0, 7 * MS, false);
}

static void one_exchange(void **state)
{
	(void)state;
	each_reader(one);
}

/* The bytes of both directions move, time after time; every time is right. */
static void keep_alive_run(struct bed *b)
{
	char path[32], req[128], resp[128];

	for (int i = 0; i < 20; i++) {
		snprintf(req, sizeof(req), "GET /k%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
		snprintf(resp, sizeof(resp), "HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%.*s",
			 200 + i, i, i == 4 ? 0 : i, "abcdefghijklmnopqrstuvwxyz");
		ask(b, req);
		think_and_answer(b, resp);
		sim_sleep(b->sim, 3 * MS);
	}
	bed_end(b);
	assert_int_equal(b->cnt, 40);
	for (uint64_t i = 0; i < 20; i++) {
		/* 204 has no body, whatever it says (RFC 9112 6.3). */
		int64_t sz = i == 4 ? 0 : (int64_t)i;
		uint64_t t = i * 10 * MS;

		snprintf(path, sizeof(path), "/k%d", (int)i);
		bed_must(b, ST_KIND_SERVER, path, NULL, NULL, 200 + (int)i, 0, sz, t + MS,
			 t + 6 * MS, false);
		bed_must(b, ST_KIND_CLIENT, path, NULL, NULL, 200 + (int)i, 0, sz, t, t + 7 * MS,
			 false);
	}
}

static void keep_alive(void **state)
{
	(void)state;
	each_reader(keep_alive_run);
}

static void pipelined_in_one_call_run(struct bed *b)
{
	ask(b, GET("/p1") GET("/p2") GET("/p3"));
	sim_sleep(b->sim, MS);
	sim_puts(&b->s, OK("1") "a" OK("2") "bb" OK("3") "ccc");
	bed_step(b, MS);
	sim_recv_all(&b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	for (int i = 1; i <= 3; i++) {
		char path[16];

		snprintf(path, sizeof(path), "/p%d", i);
		bed_must(b, ST_KIND_SERVER, path, NULL, NULL, 200, 0, i, MS, 2 * MS, false);
		bed_must(b, ST_KIND_CLIENT, path, NULL, NULL, 200, 0, i, 0, 3 * MS, false);
	}
}

static void pipelined_in_one_call(void **state)
{
	(void)state;
	each_reader(pipelined_in_one_call_run);
}

static void pipelined_in_several_run(struct bed *b)
{
	ask(b, GET("/q1"));
	ask(b, GET("/q2"));
	think_and_answer(b, "HTTP/1.1 201 A\r\nContent-Length: 1\r\n\r\na");
	ask(b, GET("/q3"));
	think_and_answer(b, "HTTP/1.1 202 B\r\nContent-Length: 1\r\n\r\nb");
	think_and_answer(b, "HTTP/1.1 203 C\r\nContent-Length: 1\r\n\r\nc");
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	bed_must(b, ST_KIND_SERVER, "/q1", NULL, NULL, 201, 0, 1, MS, 7 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/q2", NULL, NULL, 202, 0, 1, 2 * MS, 14 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/q3", NULL, NULL, 203, 0, 1, 9 * MS, 20 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/q1", NULL, NULL, 201, 0, 1, 0, 8 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/q2", NULL, NULL, 202, 0, 1, MS, 15 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/q3", NULL, NULL, 203, 0, 1, 8 * MS, 21 * MS, false);
}

static void pipelined_in_several(void **state)
{
	(void)state;
	each_reader(pipelined_in_several_run);
}

/*
 * A client that asks for several at once and reads all answers in one call: until the reader has
 * seen that, what lies behind the first answer's head is not copied. What answers what is told
 * again when the counts have agreed often enough, and what was not told is counted.
 */
static void burst_after_a_hole_run(struct bed *b)
{
	static const char pad[] =
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	char reqs[1024], resps[4096];
	int told = 0;

	for (int i = 0; i < 30; i++) {
		int n = 0, m = 0;

		for (int k = 0; k < 4; k++) {
			n += snprintf(reqs + n, sizeof(reqs) - (size_t)n,
				      "GET /b%d/%d HTTP/1.1\r\nHost: a\r\n\r\n", i, k);
			m += snprintf(resps + m, sizeof(resps) - (size_t)m,
				      "HTTP/1.1 %d X\r\nContent-Length: 448\r\n\r\n%s%s%s%s%s%s%s",
				      210 + (i * 4 + k) % 80, pad, pad, pad, pad, pad, pad, pad);
		}
		ask(b, reqs);
		think_and_answer(b, resps);
	}
	bed_end(b);
	for (uint32_t i = 0; i < b->cnt; i++) {
		const struct bed_span *s = &b->spans[i];
		int burst, k;

		assert_int_equal(sscanf(s->path, "/b%d/%d", &burst, &k), 2);
		assert_true(s->incomplete || s->code == 210 + (burst * 4 + k) % 80);
		told += !s->incomplete;
	}
	assert_int_equal(bed_stats(b).requests, 240);
	/* All but a dozen bursts at each end, if the reader is in time at all. */
	if (b->reader != BED_LAZY)
		assert_in_range(told, 240 - 2 * 12 * 4, 240);
}

static void burst_after_a_hole(void **state)
{
	(void)state;
	each_reader(burst_after_a_hole_run);
}

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void chunked_whole_run(struct bed *b)
{
	ask(b, GET("/c"));
	think_and_answer(b, CHUNKED "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: v\r\n\r\n");
	ask(b, GET("/d"));
	think_and_answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_CLIENT, "/c", NULL, NULL, 200, 0, 11, 0, 7 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/c", NULL, NULL, 200, 0, 11, MS, 6 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/d", NULL, NULL, 200, 0, 0, 8 * MS, 13 * MS, false);
}

static void chunked_whole(void **state)
{
	(void)state;
	each_reader(chunked_whole_run);
}

/* The head is seen, the chunks of later calls are not; the next request tells the end. */
static void chunked_blind_run(struct bed *b)
{
	static const char data[4001] = {[0 ... 3999] = 'x'};
	char buf[4096];
	int n = snprintf(buf, sizeof(buf), "fa0\r\n%.4000s\r\n", data);

	ask(b, GET("/stream"));
	think_and_answer(b, CHUNKED);
	for (int i = 0; i < 5; i++) {
		sim_sleep(b->sim, 10 * MS);
		sim_send(&b->s, buf, (size_t)n);
		bed_step(b, MS);
		sim_recv_all(&b->c);
		bed_step(b, 0);
	}
	think_and_answer(b, "0\r\n\r\n");
	sim_sleep(b->sim, 30 * MS);
	ask(b, GET("/next"));
	think_and_answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_SERVER, "/next", NULL, NULL, 200, 0, 0, 99 * MS, 104 * MS, false);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/stream")->end_ns - SIM_T0, 67 * MS);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/stream")->end_ns - SIM_T0, 68 * MS);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/stream")->code, 200);
	assert_false(bed_find(b, ST_KIND_CLIENT, "/stream")->incomplete);
}

static void chunked_blind(void **state)
{
	(void)state;
	each_reader(chunked_blind_run);
}

static void chunked_request_run(struct bed *b)
{
	ask(b, "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n");
	ask(b, "3\r\nabc\r\n0\r\n\r\n");
	think_and_answer(b, OK("2") "ok");
	ask(b, GET("/after"));
	think_and_answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/up")->code, 200);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/up")->code, 200);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/up")->end_ns - SIM_T0, 7 * MS);
	bed_must(b, ST_KIND_SERVER, "/after", NULL, NULL, 200, 0, 0, 9 * MS, 14 * MS, false);
}

static void chunked_request(void **state)
{
	(void)state;
	each_reader(chunked_request_run);
}

static void no_bodies_run(struct bed *b)
{
	ask(b, "HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n");
	think_and_answer(b, OK("12345"));
	ask(b, GET("/n"));
	think_and_answer(b, "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n");
	ask(b, GET("/m"));
	think_and_answer(b, "HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n");
	ask(b, GET("/z"));
	think_and_answer(b, OK("1") "z");
	bed_end(b);
	assert_int_equal(b->cnt, 8);
	bed_must(b, ST_KIND_CLIENT, "/h", "HEAD /h", NULL, 200, 0, 0, 0, 7 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/n", NULL, NULL, 204, 0, 0, 7 * MS, 14 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/m", NULL, NULL, 304, 0, 0, 15 * MS, 20 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/z", NULL, NULL, 200, 0, 1, 22 * MS, 27 * MS, false);
}

static void no_bodies(void **state)
{
	(void)state;
	each_reader(no_bodies_run);
}

static void continued_run(struct bed *b)
{
	ask(b, "PUT /f HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	think_and_answer(b, "HTTP/1.1 100 Continue\r\n\r\n");
	ask(b, "xyz");
	think_and_answer(b, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
	ask(b, GET("/g"));
	think_and_answer(b, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK("1") "g");
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_SERVER, "/f", "PUT /f", NULL, 201, 3, 0, MS, 13 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/f", "PUT /f", NULL, 201, 3, 0, 0, 14 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/g", NULL, NULL, 200, 0, 1, 14 * MS, 21 * MS, false);
}

static void continued(void **state)
{
	(void)state;
	each_reader(continued_run);
}

static void upgraded_run(struct bed *b)
{
	ask(b, "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	think_and_answer(b, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n");
	for (int i = 0; i < 5; i++) {
		ask(b, "GET /not-http HTTP/1.1\r\n\r\n");
		think_and_answer(b, "\x81\x05hello");
	}
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/ws", NULL, NULL, 101, 0, 0, MS, 6 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/ws", NULL, NULL, 101, 0, 0, 0, 7 * MS, false);
}

static void upgraded(void **state)
{
	(void)state;
	each_reader(upgraded_run);
}

static void tunnelled_run(struct bed *b)
{
	ask(b, "CONNECT db.example:443 HTTP/1.1\r\nHost: db.example:443\r\n\r\n");
	think_and_answer(b, "HTTP/1.1 200 Connection established\r\n\r\n");
	ask(b, "\x16\x03\x01 hello");
	think_and_answer(b, "\x16\x03\x03 hello");
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	assert_string_equal(b->spans[0].name, "CONNECT");
	assert_int_equal(b->spans[0].code, 200);
	assert_int_equal(b->spans[1].code, 200);
}

static void tunnelled(void **state)
{
	(void)state;
	each_reader(tunnelled_run);
}

/* A refused tunnel is an answer like any other. */
static void tunnel_refused_run(struct bed *b)
{
	ask(b, "CONNECT db.example:443 HTTP/1.1\r\nHost: db.example:443\r\n\r\n");
	think_and_answer(b, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
	ask(b, GET("/still"));
	think_and_answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_SERVER, "/still", NULL, NULL, 200, 0, 0, 8 * MS, 13 * MS, false);
}

static void tunnel_refused(void **state)
{
	(void)state;
	each_reader(tunnel_refused_run);
}

static void forms_run(struct bed *b)
{
	ask(b, "PROPFIND /dav HTTP/1.1\r\nHost: a\r\n\r\n");
	think_and_answer(b, "HTTP/1.1 207 Multi-Status\r\nContent-Length: 0\r\n\r\n");
	ask(b, "m-search! /odd HTTP/1.1\r\nHost: a\r\n\r\n");
	think_and_answer(b, OK("0"));
	ask(b, "GET http://up.example:81/abs?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
	think_and_answer(b, OK("0"));
	ask(b, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
	think_and_answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 8);
	assert_string_equal(bed_find(b, ST_KIND_SERVER, "/dav")->name, "HTTP /dav");
	assert_string_equal(bed_find(b, ST_KIND_SERVER, "/odd")->name, "HTTP /odd");
	assert_string_equal(bed_find(b, ST_KIND_SERVER, "/abs")->name, "GET /abs");
	bed_find(b, ST_KIND_CLIENT, "/abs?x=REDACTED");
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "*")->code, 200);
}

static void forms(void **state)
{
	(void)state;
	each_reader(forms_run);
}

static void http10_run(struct bed *b)
{
	ask(b, "GET /old HTTP/1.0\r\n\r\n");
	think_and_answer(b, "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nsome bytes");
	sim_sleep(b->sim, 2 * MS);
	sim_puts(&b->s, " and more");
	bed_step(b, MS);
	sim_recv_all(&b->c);
	bed_step(b, MS);
	sim_close(&b->s);
	bed_step(b, MS);
	sim_close(&b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/old", NULL, NULL, 200, 0, 19, MS, 9 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/old", NULL, NULL, 200, 0, 19, 0, 10 * MS, false);
}

static void http10(void **state)
{
	(void)state;
	each_reader(http10_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_exchange),
		cmocka_unit_test(keep_alive),
		cmocka_unit_test(pipelined_in_one_call),
		cmocka_unit_test(pipelined_in_several),
		cmocka_unit_test(burst_after_a_hole),
		cmocka_unit_test(chunked_whole),
		cmocka_unit_test(chunked_blind),
		cmocka_unit_test(chunked_request),
		cmocka_unit_test(no_bodies),
		cmocka_unit_test(continued),
		cmocka_unit_test(upgraded),
		cmocka_unit_test(tunnelled),
		cmocka_unit_test(tunnel_refused),
		cmocka_unit_test(forms),
		cmocka_unit_test(http10),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
