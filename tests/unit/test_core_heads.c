/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Heads in pieces and whole, bodies without end, calls that were accepted in part, connections
 * whose beginning nobody saw, Unix sockets, bytes that no hook can read.
 */
#include "core_bed.h"

#include <sys/socket.h>

static void byte_by_byte_run(struct bed *b)
{
	static const char req[] = GET("/slowly?a=b"), resp[] = OK("3") "abc";
	uint64_t n = sizeof(req) - 1, m = sizeof(resp) - 1;

	for (int round = 0; round < 2; round++) {
		for (const char *p = req; *p; p++) {
			sim_send(&b->c, p, 1);
			bed_step(b, MS);
			sim_recv_all(&b->s);
			bed_step(b, 0);
		}
		for (const char *p = resp; *p; p++) {
			sim_send(&b->s, p, 1);
			bed_step(b, MS);
			sim_recv_all(&b->c);
			bed_step(b, 0);
		}
	}
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	for (uint32_t i = 0; i < b->cnt; i++) {
		assert_int_equal(b->spans[i].code, 200);
		assert_int_equal(b->spans[i].resp_sz, 3);
		assert_false(b->spans[i].incomplete);
		/* The server's begins with the first byte read, ends with the last one sent. */
		if (b->spans[i].kind == ST_KIND_SERVER)
			assert_int_equal(b->spans[i].end_ns - b->spans[i].start_ns,
					 (n + m - 2) * MS);
		else
			assert_int_equal(b->spans[i].end_ns - b->spans[i].start_ns, (n + m) * MS);
	}
}

static void byte_by_byte(void **state)
{
	(void)state;
	each_reader(byte_by_byte_run);
}

/* A head of `len` bytes, read in pieces of `piece` bytes. */
static void long_head(struct bed *b, size_t len, size_t piece)
{
	static char head[80000];
	const char *start = "GET /long HTTP/1.1\r\nHost: a\r\nCookie: ";
	size_t n = strlen(start);

	memcpy(head, start, n);
	memset(head + n, 'c', len - n - 4);
	memcpy(head + len - 4, "\r\n\r\n", 4);
	sim_send(&b->c, head, len);
	bed_step(b, MS);
	while (sim_recv(&b->s, piece))
		bed_step(b, 0);
	answer(b, OK("1") "x");
	ask(b, GET("/next"));
	answer(b, OK("0"));
	bed_end(b);
}

static void long_heads(void **state)
{
	static const size_t lens[] = {100,  127,  128,	129,  511,   512,   513,   516,	 4096,
				      4608, 4609, 8192, 9000, 16384, 32768, 65000, 65536};
	static const size_t pieces[] = {100000, 16384, 4096, 1000, 100};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++) {
			for (int r = 0; r < BED_READERS; r++) {
				struct bed b;

				bed_init(&b, 8, (enum bed_reader)r);
				sim_connect(&b.c);
				long_head(&b, lens[i], pieces[k]);
				if (b.cnt != 4)
					fail_msg("%zu by %zu (%d): %u spans", lens[i], pieces[k], r,
						 b.cnt);
				assert_int_equal(bed_find(&b, ST_KIND_SERVER, "/long")->code, 200);
				assert_int_equal(bed_find(&b, ST_KIND_CLIENT, "/long")->code, 200);
				assert_int_equal(bed_find(&b, ST_KIND_SERVER, "/next")->code, 200);
				bed_free(&b);
			}
		}
	}
}

/* What lies beyond the cap is not understood, but counted, and the next exchange is right again. */
static void head_beyond_the_cap(void **state)
{
	(void)state;
	for (int r = 0; r < BED_READERS; r++) {
		struct bed b;

		bed_init(&b, 8, (enum bed_reader)r);
		sim_connect(&b.c);
		ask(&b, GET("/first"));
		answer(&b, OK("0"));
		long_head(&b, 70000, 5000);
		assert_int_equal(bed_find(&b, ST_KIND_SERVER, "/next")->code, 200);
		assert_int_equal(bed_find(&b, ST_KIND_CLIENT, "/next")->code, 200);
		assert_int_equal(bed_find(&b, ST_KIND_SERVER, "/first")->code, 200);
		/* Three requests at each end: as spans, or counted. */
		assert_int_equal(bed_stats(&b).requests, 6);
		bed_free(&b);
	}
}

/* Three GiB go by; records do not. */
static void huge_body_run(struct bed *b)
{
	static char block[1 << 20];
	uint64_t before, blocks = 3 << 10;

	ask(b, GET("/iso"));
	sim_puts(&b->s, "HTTP/1.1 200 OK\r\nContent-Length: 3221225472\r\n\r\n");
	bed_read(b);
	sim_recv_all(&b->c);
	bed_read(b);
	before = bed_stats(b).records;
	for (uint64_t i = 0; i < blocks; i++) {
		sim_send(&b->s, block, sizeof(block));
		sim_sleep(b->sim, MS);
		sim_recv_all(&b->c);
		if (i % 64 == 0)
			bed_read(b);
	}
	bed_read(b);
	assert_in_range(bed_stats(b).records - before, 0, 8);
	ask(b, GET("/more"));
	answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_SERVER, "/iso", NULL, NULL, 200, 0, 3221225472, MS, 3072 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/iso", NULL, NULL, 200, 0, 3221225472, 0, 3073 * MS, false);
}

static void huge_body(void **state)
{
	(void)state;
	each_reader(huge_body_run);
}

static void huge_upload_run(struct bed *b)
{
	static char block[1 << 20];
	uint64_t before;

	memset(block, 'P', sizeof(block)); /* capitals: looks like a method at each call */
	ask(b, "PUT /iso HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n");
	bed_read(b);
	before = bed_stats(b).records;
	for (int i = 0; i < 100; i++) {
		sim_send(&b->c, block, sizeof(block));
		sim_sleep(b->sim, MS);
		sim_recv_all(&b->s);
	}
	bed_read(b);
	assert_in_range(bed_stats(b).records - before, 0, 8);
	answer(b, OK("2") "ok");
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/iso", NULL, NULL, 200, 104857600, 2, MS, 101 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/iso", NULL, NULL, 200, 104857600, 2, 0, 102 * MS, false);
}

static void huge_upload(void **state)
{
	(void)state;
	each_reader(huge_upload_run);
}

/* A full socket buffer takes a part of each send; the rest is sent again, from where it stands. */
static void partial_sends_run(struct bed *b)
{
	static char resp[9000];
	int head = snprintf(resp, sizeof(resp), OK("%d"), 8000);
	size_t len = (size_t)head + 8000, off = 0;

	memset(resp + head, 'r', 8000);
	ask(b, GET("/partial"));
	while (off < len) {
		size_t n = off < 40 ? 13 : 1777;

		if (n > len - off)
			n = len - off;
		sim_send_begin(&b->s, resp + off, len - off);
		sim_send_end(&b->s, n);
		off += n;
		bed_step(b, MS);
		sim_recv_all(&b->c);
		bed_step(b, 0);
	}
	ask(b, GET("/then"));
	answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_SERVER, "/partial", NULL, NULL, 200, 0, 8000, MS, 9 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/partial", NULL, NULL, 200, 0, 8000, 0, 10 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/then", NULL, NULL, 200, 0, 0, 11 * MS, 11 * MS, false);
}

static void partial_sends(void **state)
{
	(void)state;
	each_reader(partial_sends_run);
}

/* EAGAIN with nothing accepted: the same head comes again, and again. */
static void refused_sends_run(struct bed *b)
{
	static const char resp[] = OK("2") "ok";

	ask(b, GET("/again"));
	for (int i = 0; i < 3; i++) {
		sim_send_begin(&b->s, resp, sizeof(resp) - 1);
		sim_send_end(&b->s, 0);
		bed_step(b, MS);
	}
	answer(b, resp);
	ask(b, GET("/then"));
	answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_SERVER, "/again", NULL, NULL, 200, 0, 2, MS, 4 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/again", NULL, NULL, 200, 0, 2, 0, 5 * MS, false);
}

static void refused_sends(void **state)
{
	(void)state;
	each_reader(refused_sends_run);
}

/* A blocking send that takes long: the span ends when its last byte was accepted. */
static void slow_send_run(struct bed *b)
{
	static char resp[100100];
	int head = snprintf(resp, sizeof(resp), OK("%d"), 100000);
	size_t len = (size_t)head + 100000;

	ask(b, GET("/sent"));
	sim_send_begin(&b->s, resp, len);
	bed_step(b, 50 * MS);
	sim_send_end(&b->s, len);
	bed_step(b, MS);
	sim_recv_all(&b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	/* The hooks see the last fragment, not the call's return: the time may be the begin's. */
	assert_in_range(bed_find(b, ST_KIND_SERVER, "/sent")->end_ns - SIM_T0, MS, 51 * MS);
	bed_must(b, ST_KIND_CLIENT, "/sent", NULL, NULL, 200, 0, 100000, 0, 52 * MS, false);
}

static void slow_send(void **state)
{
	(void)state;
	each_reader(slow_send_run);
}

static void gathered_run(struct bed *b)
{
	const struct st_str req[] = {ST_STR("GET /vec HTTP/1.1\r\n"), ST_STR("Host: a\r\n"),
				     ST_STR("X: y\r\n"), ST_STR("\r\n")};
	const struct st_str resp[] = {ST_STR("HTTP/1.1 200 OK\r\n"),
				      ST_STR("Content-Length: 5\r\n\r\n"), ST_STR("he"),
				      ST_STR("llo")};

	for (int i = 0; i < 3; i++) {
		sim_sendv(&b->c, req, 4);
		bed_step(b, MS);
		sim_recv_all(&b->s);
		bed_step(b, 0);
		sim_sendv(&b->s, resp, 4);
		bed_step(b, MS);
		sim_recv_all(&b->c);
		bed_step(b, 0);
	}
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	for (uint32_t i = 0; i < b->cnt; i++) {
		assert_string_equal(b->spans[i].path, "/vec");
		assert_int_equal(b->spans[i].code, 200);
		assert_int_equal(b->spans[i].resp_sz, 5);
		assert_false(b->spans[i].incomplete);
	}
}

static void gathered(void **state)
{
	(void)state;
	each_reader(gathered_run);
}

/* nginx: the head by writev, the body by sendfile, whose bytes no hook can read. */
static void sent_file_run(struct bed *b)
{
	for (int i = 0; i < 3; i++) {
		ask(b, GET("/file"));
		sim_puts(&b->s, OK("5000"));
		bed_step(b, 0);
		sim_send(&b->s, NULL, 5000);
		bed_step(b, MS);
		sim_recv_all(&b->c);
		bed_step(b, 0);
	}
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	for (uint32_t i = 0; i < b->cnt; i++) {
		assert_int_equal(b->spans[i].code, 200);
		assert_int_equal(b->spans[i].resp_sz, 5000);
		assert_false(b->spans[i].incomplete);
		assert_int_equal(b->spans[i].end_ns - b->spans[i].start_ns,
				 b->spans[i].kind == ST_KIND_SERVER ? 0 : 2 * MS);
	}
}

static void sent_file(void **state)
{
	(void)state;
	each_reader(sent_file_run);
}

/* A head that no hook can read is a loss that counts; the exchange after it is right. */
static void blind_request_run(struct bed *b)
{
	ask(b, GET("/seen"));
	answer(b, OK("0"));
	sim_puts(&b->c, GET("/blind"));
	bed_step(b, MS);
	sim_recv_blind(&b->s, 1000);
	bed_step(b, 0);
	answer(b, "HTTP/1.1 201 Blind\r\nContent-Length: 0\r\n\r\n");
	ask(b, GET("/later"));
	answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/blind")->code, 201);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/seen")->code, 200);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/later")->code, 200);
	assert_int_equal(b->cnt, 5);
	assert_int_equal(bed_stats(b).requests, 6);
	assert_int_equal(bed_stats(b).lost_requests, 1);
}

static void blind_request(void **state)
{
	(void)state;
	each_reader(blind_request_run);
}

/* The response's head was not seen: the request is a span that says so. */
static void blind_response_run(struct bed *b)
{
	ask(b, GET("/q"));
	sim_send(&b->s, NULL, 100);
	bed_step(b, MS);
	sim_recv_blind(&b->c, 1000);
	bed_step(b, 0);
	ask(b, GET("/later"));
	answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	assert_true(bed_find(b, ST_KIND_SERVER, "/q")->incomplete);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/q")->code, 0);
	assert_true(bed_find(b, ST_KIND_CLIENT, "/q")->incomplete);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/later")->code, 200);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/later")->code, 200);
}

static void blind_response(void **state)
{
	(void)state;
	each_reader(blind_response_run);
}

/*
 * The tracer comes at every point of a connection's life: what it then sees whole is right, what
 * it sees in part is never taken for another.
 */
static void joined(enum bed_reader reader, int from, bool tcp)
{
	struct bed b;
	int at = 0;

	bed_init(&b, 8, reader);
	b.c.tcp = b.s.tcp = tcp;
	b.c.traced = b.s.traced = false;
	sim_connect(&b.c);
	for (int i = 0; i < 6; i++) {
		char req[96], head[96];

		snprintf(req, sizeof(req), "GET /j%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
		snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n", 210 + i);
		for (int step = 0; step < 6; step++) {
			if (at++ == from)
				b.c.traced = b.s.traced = true;
			if (step == 0)
				sim_puts(&b.c, req);
			else if (step == 1)
				sim_recv_all(&b.s);
			else if (step == 2)
				sim_puts(&b.s, head);
			else if (step == 4)
				sim_puts(&b.s, "GET /");
			else
				sim_recv_all(&b.c);
			bed_step(&b, MS);
		}
	}
	bed_end(&b);
	for (uint32_t i = 0; i < b.cnt; i++) {
		const struct bed_span *s = &b.spans[i];
		int n = s->path[2] - '0';

		if (s->code != 210 + n && (s->code || !s->incomplete))
			fail_msg("joined at %d, reader %d: kind %d %s has %d", from, (int)reader,
				 s->kind, s->path, s->code);
	}
	/* Whole exchanges behind the joint, at each end. */
	for (int n = from / 6 + 1; n < 6; n++) {
		char path[16];

		snprintf(path, sizeof(path), "/j%d", n);
		if (bed_find(&b, ST_KIND_SERVER, path)->incomplete ||
		    bed_find(&b, ST_KIND_CLIENT, path)->incomplete)
			fail_msg("joined at %d, reader %d: %s is incomplete (%d %d)", from,
				 (int)reader, path, bed_find(&b, ST_KIND_SERVER, path)->incomplete,
				 bed_find(&b, ST_KIND_CLIENT, path)->incomplete);
	}
	bed_free(&b);
}

static void joined_anywhere(void **state)
{
	(void)state;
	for (int r = 0; r < BED_READERS; r++)
		for (int from = 0; from < 36; from++)
			joined((enum bed_reader)r, from, true);
}

static void joined_unix(void **state)
{
	(void)state;
	for (int from = 0; from < 36; from++) {
		joined(BED_EAGER, from, false);
		joined(BED_LAZY, from, false);
	}
}

static void unix_sockets(void **state)
{
	(void)state;
	for (int r = 0; r <= BED_LAZY; r++) {
		struct bed b;

		bed_init(&b, 8, (enum bed_reader)r);
		b.c.tcp = b.s.tcp = false;
		for (int i = 0; i < 2; i++) {
			struct st_open *o = i ? &b.s.addr : &b.c.addr;

			memset(o, 0, sizeof(*o));
			o->family = AF_UNIX;
			strcpy((char *)o->path, "/run/shop.sock");
		}
		sim_connect(&b.c);
		ask(&b, GET("/unix/1"));
		answer(&b, OK("4") "abcd");
		ask(&b, GET("/unix/2"));
		/* A send that was accepted in part: only that part is there to be seen. */
		sim_send_begin(&b.s, OK("9") "123456789", sizeof(OK("9")) - 1 + 9);
		sim_send_end(&b.s, sizeof(OK("9")) - 1);
		bed_step(&b, MS);
		sim_puts(&b.s, "123456789");
		bed_step(&b, 0);
		sim_recv_all(&b.c);
		bed_end(&b);
		assert_int_equal(b.cnt, 4);
		bed_must(&b, ST_KIND_SERVER, "/unix/1", "GET /unix/{id}", NULL, 200, 0, 4, MS, MS,
			 false);
		bed_must(&b, ST_KIND_CLIENT, "/unix/1", "GET /unix/{id}", NULL, 200, 0, 4, 0,
			 2 * MS, false);
		bed_must(&b, ST_KIND_SERVER, "/unix/2", NULL, NULL, 200, 0, 9, 3 * MS, 4 * MS,
			 false);
		bed_must(&b, ST_KIND_CLIENT, "/unix/2", NULL, NULL, 200, 0, 9, 2 * MS, 4 * MS,
			 false);
		bed_free(&b);
	}
}

/*
 * What was copied of a call ends in the middle of a chunk, in bytes that look like the last chunk:
 * the body goes on all the same.
 */
static void false_end_run(struct bed *b)
{
	static char resp[2000];
	int n = snprintf(resp, sizeof(resp),
			 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5dc\r\n");

	memset(resp + n, 'd', sizeof(resp) - (size_t)n);
	memcpy(resp + ST_PAYLOAD_M - 7, "\r\n0\r\n\r\n", 7);
	ask(b, GET("/trap"));
	sim_send(&b->s, resp, (size_t)n + 1000);
	bed_step(b, 10 * MS);
	sim_recv_all(&b->c);
	bed_step(b, 0);
	sim_send(&b->s, resp + n + 1000, 500);
	bed_step(b, 0);
	answer(b, "\r\n0\r\n\r\n");
	sim_sleep(b->sim, 10 * MS);
	ask(b, GET("/next"));
	answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/trap")->end_ns - SIM_T0, 11 * MS);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/trap")->end_ns - SIM_T0, 12 * MS);
}

static void false_end(void **state)
{
	(void)state;
	each_reader(false_end_run);
}

/* Bytes where none belong do not spoil what comes behind them. */
static void junk_behind_run(struct bed *b)
{
	ask(b, GET("/one"));
	sim_puts(&b->s, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n");
	bed_step(b, 0);
	answer(b, "GET /");
	ask(b, GET("/two") "\r\n");
	answer(b, OK("2") "ok");
	sim_puts(&b->c, "\r\n");
	bed_step(b, MS);
	sim_recv_all(&b->s);
	bed_step(b, 0);
	ask(b, GET("/three"));
	answer(b, OK("3") "yes");
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	bed_must(b, ST_KIND_SERVER, "/one", NULL, NULL, 304, 0, 0, MS, MS, false);
	bed_must(b, ST_KIND_CLIENT, "/one", NULL, NULL, 304, 0, 0, 0, 2 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/two", NULL, NULL, 200, 0, 2, 3 * MS, 3 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/two", NULL, NULL, 200, 0, 2, 2 * MS, 4 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/three", NULL, NULL, 200, 0, 3, 6 * MS, 6 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/three", NULL, NULL, 200, 0, 3, 5 * MS, 7 * MS, false);
	assert_int_equal(bed_stats(b).lost_requests, 0);
}

static void junk_behind(void **state)
{
	(void)state;
	each_reader(junk_behind_run);
}

/* What is not HTTP is left alone soon. */
static void not_http_run(struct bed *b)
{
	for (int i = 0; i < 20; i++) {
		ask(b, "\x01\x02*3\r\n$3\r\nSET\r\n");
		answer(b, "+OK\r\n");
	}
	bed_end(b);
	assert_int_equal(b->cnt, 0);
	assert_int_equal(bed_stats(b).unknown_conns, 2);
	assert_int_equal(bed_stats(b).requests, 0);
}

static void not_http(void **state)
{
	(void)state;
	each_reader(not_http_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(byte_by_byte),
		cmocka_unit_test(long_heads),
		cmocka_unit_test(head_beyond_the_cap),
		cmocka_unit_test(huge_body),
		cmocka_unit_test(huge_upload),
		cmocka_unit_test(partial_sends),
		cmocka_unit_test(refused_sends),
		cmocka_unit_test(slow_send),
		cmocka_unit_test(gathered),
		cmocka_unit_test(sent_file),
		cmocka_unit_test(blind_request),
		cmocka_unit_test(blind_response),
		cmocka_unit_test(joined_anywhere),
		cmocka_unit_test(joined_unix),
		cmocka_unit_test(unix_sockets),
		cmocka_unit_test(not_http),
		cmocka_unit_test(junk_behind),
		cmocka_unit_test(false_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
