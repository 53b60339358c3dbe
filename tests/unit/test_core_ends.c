/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How exchanges end when nothing ends well: clients that go, resets, processes that die, answers
 * that come early or never, connects that fail.
 */
#include "core_bed.h"

static void close_both(struct bed *b, struct sim_sock *first)
{
	sim_close(first);
	bed_step(b, MS);
	sim_close(first->peer);
	bed_step(b, 0);
}

/* The client gives up while the server thinks: both know when and that it failed. */
static void client_gone_run(struct bed *b)
{
	ask(b, GET("/slow"));
	sim_sleep(b->sim, 9 * MS);
	close_both(b, &b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/slow", NULL, "connection_closed", 0, 0, -1, MS, 11 * MS,
		 false);
	bed_must(b, ST_KIND_CLIENT, "/slow", NULL, "connection_closed", 0, 0, -1, 0, 11 * MS,
		 false);
}

static void client_gone(void **state)
{
	(void)state;
	each_reader(client_gone_run);
}

/* The server closes without an answer. */
static void server_hangs_up_run(struct bed *b)
{
	ask(b, GET("/drop"));
	sim_sleep(b->sim, 4 * MS);
	close_both(b, &b->s);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	assert_string_equal(bed_find(b, ST_KIND_CLIENT, "/drop")->error, "connection_closed");
	assert_string_equal(bed_find(b, ST_KIND_SERVER, "/drop")->error, "connection_closed");
}

static void server_hangs_up(void **state)
{
	(void)state;
	each_reader(server_hangs_up_run);
}

static void cut_body_run(struct bed *b)
{
	ask(b, GET("/part"));
	sim_sleep(b->sim, MS);
	sim_puts(&b->s, OK("100") "only this");
	bed_step(b, MS);
	sim_recv_all(&b->c);
	bed_step(b, MS);
	close_both(b, &b->s);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/part", NULL, "connection_closed", 200, 0, -1, MS, 2 * MS,
		 false);
	bed_must(b, ST_KIND_CLIENT, "/part", NULL, "connection_closed", 200, 0, -1, 0, 4 * MS,
		 false);
}

static void cut_body(void **state)
{
	(void)state;
	each_reader(cut_body_run);
}

/* One byte less than was promised: the FIN must not pass for it. */
static void cut_by_one_run(struct bed *b)
{
	ask(b, GET("/one"));
	sim_puts(&b->s, OK("6") "hello");
	bed_step(b, MS);
	sim_recv_all(&b->c);
	close_both(b, &b->s);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	assert_string_equal(bed_find(b, ST_KIND_SERVER, "/one")->error, "connection_closed");
	assert_string_equal(bed_find(b, ST_KIND_CLIENT, "/one")->error, "connection_closed");
}

static void cut_by_one(void **state)
{
	(void)state;
	each_reader(cut_by_one_run);
}

/* The server has sent all and closed before the slow client has read half. */
static void fin_before_reading_run(struct bed *b)
{
	static char body[30000];
	char head[128];
	int n = snprintf(head, sizeof(head), OK("%d"), (int)sizeof(body));

	memset(body, 'b', sizeof(body));
	ask(b, GET("/big"));
	sim_send(&b->s, head, (size_t)n);
	bed_step(b, MS);
	sim_send(&b->s, body, sizeof(body));
	sim_recv(&b->c, 4096);
	bed_step(b, MS);
	sim_close(&b->s);
	bed_step(b, MS);
	while (sim_recv(&b->c, 4096))
		bed_step(b, MS);
	close_both(b, &b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/big", NULL, NULL, 200, 0, 30000, MS, 2 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/big", NULL, NULL, 200, 0, 30000, 0, 10 * MS, false);
}

static void fin_before_reading(void **state)
{
	(void)state;
	each_reader(fin_before_reading_run);
}

/* The same where the end of the connection is the body's end. */
static void until_fin_before_reading_run(struct bed *b)
{
	static char body[30000];

	memset(body, 'b', sizeof(body));
	ask(b, "GET /until HTTP/1.0\r\n\r\n");
	sim_puts(&b->s, "HTTP/1.0 200 OK\r\n\r\n");
	bed_step(b, MS);
	sim_send(&b->s, body, sizeof(body));
	sim_recv(&b->c, 4096);
	bed_step(b, MS);
	sim_close(&b->s);
	bed_step(b, MS);
	while (sim_recv(&b->c, 4096))
		bed_step(b, MS);
	close_both(b, &b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/until", NULL, NULL, 200, 0, 30000, MS, 2 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/until", NULL, NULL, 200, 0, 30000, 0, 10 * MS, false);
	assert_int_equal(bed_stats(b).stray, 0);
}

static void until_fin_before_reading(void **state)
{
	(void)state;
	each_reader(until_fin_before_reading_run);
}

/* shutdown(SHUT_WR) behind the request is no end of the exchange. */
static void half_closed_run(struct bed *b)
{
	sim_puts(&b->c, GET("/half"));
	sim_shutdown(&b->c);
	bed_step(b, MS);
	sim_recv_all(&b->s);
	bed_step(b, 5 * MS);
	sim_puts(&b->s, OK("2") "ok");
	bed_step(b, MS);
	sim_recv_all(&b->c);
	bed_step(b, 0);
	sim_close(&b->s);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/half", NULL, NULL, 200, 0, 2, MS, 6 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/half", NULL, NULL, 200, 0, 2, 0, 7 * MS, false);
}

static void half_closed(void **state)
{
	(void)state;
	each_reader(half_closed_run);
}

static void reset_run(struct bed *b)
{
	ask(b, GET("/rst"));
	sim_sleep(b->sim, 2 * MS);
	sim_reset(&b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/rst", NULL, "ECONNRESET", 0, 0, -1, MS, 3 * MS, false);
	assert_string_equal(bed_find(b, ST_KIND_CLIENT, "/rst")->error, "connection_closed");
}

static void reset_by_peer_shows(void **state)
{
	(void)state;
	each_reader(reset_run);
}

/* The process dies while it answers: its sockets are closed for it. */
static void process_exit_run(struct bed *b)
{
	ask(b, GET("/die"));
	sim_sleep(b->sim, 2 * MS);
	b->s.exiting = true;
	sim_close(&b->s);
	b->s.exiting = false; /* what follows runs in whatever task takes the segment */
	sim_exit(b->sim, b->s.tgid);
	bed_step(b, MS);
	sim_close(&b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	assert_string_equal(bed_find(b, ST_KIND_SERVER, "/die")->error, "process_exited");
	assert_string_equal(bed_find(b, ST_KIND_CLIENT, "/die")->error, "connection_closed");
}

static void process_exit(void **state)
{
	(void)state;
	each_reader(process_exit_run);
}

static void no_answer_run(struct bed *b)
{
	ask(b, GET("/never"));
	sim_sleep(b->sim, 70000 * MS);
	bed_read(b);
	st_core__end(b->core, b->sim->now_ns);
	bed_balance(b);
	assert_int_equal(b->cnt, 2);
	bed_must(b, ST_KIND_SERVER, "/never", NULL, NULL, 0, 0, -1, MS, 70001 * MS, true);
	bed_must(b, ST_KIND_CLIENT, "/never", NULL, NULL, 0, 0, -1, 0, 70001 * MS, true);
}

static void no_answer(void **state)
{
	(void)state;
	each_reader(no_answer_run);
}

struct shown {
	uint32_t cnt;
	char path[64];
	uint64_t start_ns;
};

static void on_open_request(void *ctx, const struct st_open_request *r)
{
	struct shown *s = ctx;

	s->cnt++;
	s->start_ns = r->start_ns;
	bed_text(s->path, sizeof(s->path), r->path);
}

static void open_requests_are_told_once_run(struct bed *b)
{
	struct shown s = {0};

	ask(b, GET("/hang/17"));
	sim_sleep(b->sim, 60000 * MS);
	bed_read(b);
	assert_int_equal(st_core__each_open(b->core, SIM_T0, true, on_open_request, &s), 0);
	assert_int_equal(st_core__each_open(b->core, b->sim->now_ns, true, on_open_request, &s), 2);
	assert_int_equal(st_core__each_open(b->core, b->sim->now_ns, true, on_open_request, &s), 0);
	assert_int_equal(st_core__each_open(b->core, b->sim->now_ns, false, on_open_request, &s),
			 2);
	assert_int_equal(s.cnt, 4);
	assert_string_equal(s.path, "/hang/17");
	bed_end(b);
}

static void open_requests_are_told_once(void **state)
{
	(void)state;
	each_reader(open_requests_are_told_once_run);
}

/* The answer comes while the upload goes on; the rest of the body is no request. */
static void early_answer_run(struct bed *b)
{
	static char part[3000];

	memset(part, 'A', sizeof(part)); /* looks like a method */
	ask(b, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 15000\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		sim_send(&b->c, part, sizeof(part));
		bed_step(b, MS);
		sim_recv_all(&b->s);
		bed_step(b, 0);
	}
	sim_puts(&b->s, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
	bed_step(b, MS);
	sim_recv_all(&b->c);
	bed_step(b, 0);
	for (int i = 0; i < 3; i++) {
		sim_send(&b->c, part, sizeof(part));
		bed_step(b, MS);
		sim_recv_all(&b->s);
		bed_step(b, 0);
	}
	ask(b, GET("/then"));
	sim_puts(&b->s, OK("0"));
	bed_step(b, MS);
	sim_recv_all(&b->c);
	bed_step(b, 0);
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/up")->code, 413);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/up")->code, 413);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/up")->end_ns - SIM_T0, 3 * MS);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/then")->code, 200);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/then")->code, 200);
}

static void early_answer(void **state)
{
	(void)state;
	each_reader(early_answer_run);
}

static void connect_fails(void **state)
{
	static const struct {
		uint16_t err, local_port;
		const char *type;
	} rows[] = {
		{ECONNREFUSED, 40000, "ECONNREFUSED"},
		{ETIMEDOUT, 40000, "ETIMEDOUT"},
		{EHOSTDOWN, 40000, "EHOSTDOWN"},
		{EACCES, 40000, "EACCES"},
		{ENETDOWN, 40000, "ENETDOWN"},
		{ELOOP, 40000, "connect_failed"}, /* no connect fails so */
		{0, 40000, "connect_aborted"},	  /* closed before it was answered */
		{0, 0, "EADDRNOTAVAIL"},	  /* all local ports were taken */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bed b;

		bed_init(&b, 8, BED_EAGER);
		b.c.addr.local_port = rows[i].local_port;
		sim_connect_fail(&b.c, rows[i].err);
		bed_end(&b);
		assert_int_equal(b.cnt, 1);
		assert_string_equal(b.spans[0].name, "connect");
		assert_string_equal(b.spans[0].error, rows[i].type);
		assert_int_equal(b.spans[0].kind, ST_KIND_CLIENT);
		assert_int_equal(b.spans[0].status, ST_STATUS_ERROR);
		assert_int_equal(b.spans[0].end_ns - b.spans[0].start_ns, 1000);
		assert_int_equal(bed_stats(&b).conns, 0);
		bed_free(&b);
	}
}

/* Errors by status: 5xx at a server, 4xx too at a client. */
static void status_errors_run(struct bed *b)
{
	static const int codes[] = {200, 302, 400, 404, 499, 500, 503, 599};

	for (size_t i = 0; i < 8; i++) {
		char req[64], resp[64];

		snprintf(req, sizeof(req), "GET /s%d HTTP/1.1\r\nHost: a\r\n\r\n", codes[i]);
		snprintf(resp, sizeof(resp), "HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n",
			 codes[i]);
		ask(b, req);
		sim_puts(&b->s, resp);
		bed_step(b, MS);
		sim_recv_all(&b->c);
		bed_step(b, 0);
	}
	bed_end(b);
	for (uint64_t i = 0; i < 8; i++) {
		char path[16], code[16];

		snprintf(path, sizeof(path), "/s%d", codes[i]);
		snprintf(code, sizeof(code), "%d", codes[i]);
		bed_must(b, ST_KIND_SERVER, path, NULL, codes[i] >= 500 ? code : NULL, codes[i], 0,
			 0, (2 * i + 1) * MS, (2 * i + 1) * MS, false);
		bed_must(b, ST_KIND_CLIENT, path, NULL, codes[i] >= 400 ? code : NULL, codes[i], 0,
			 0, 2 * i * MS, (2 * i + 2) * MS, false);
	}
}

static void status_errors(void **state)
{
	(void)state;
	each_reader(status_errors_run);
}

#define BAD_REQUEST "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

/* A connection's first turn is no request, and is answered all the same: one of no known method. */
static void garbled_run(struct bed *b)
{
	ask(b, "\x16\x03\x01\x02 no HTTP");
	answer(b, BAD_REQUEST);
	ask(b, GET("/then"));
	answer(b, OK("0"));
	ask(b, "\x16\x03\x01\x02 in the middle");
	answer(b, BAD_REQUEST);
	close_both(b, &b->s);
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_SERVER, "", "HTTP", NULL, 400, 0, 0, MS, MS, false);
	bed_must(b, ST_KIND_CLIENT, "", "HTTP", "400", 400, 0, 0, 0, 2 * MS, false);
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/then")->code, 200);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/then")->code, 200);
	/* Later on it may be the rest of something else: counted at each end. */
	assert_int_equal(bed_stats(b).lost_requests, 2);
}

static void garbled(void **state)
{
	(void)state;
	each_reader(garbled_run);
}

/* The same bytes where the connection's beginning was not seen: anything's rest. */
static void garbled_midway(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, 8, BED_EAGER);
	b.c.traced = b.s.traced = false;
	sim_connect(&b.c);
	ask(&b, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n");
	b.c.traced = b.s.traced = true;
	ask(&b, "the rest of the body");
	answer(&b, OK("0"));
	close_both(&b, &b.s);
	bed_end(&b);
	assert_int_equal(b.cnt, 0);
	assert_int_equal(bed_stats(&b).lost_requests, 0);
	bed_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_gone),
		cmocka_unit_test(server_hangs_up),
		cmocka_unit_test(cut_body),
		cmocka_unit_test(cut_by_one),
		cmocka_unit_test(fin_before_reading),
		cmocka_unit_test(until_fin_before_reading),
		cmocka_unit_test(half_closed),
		cmocka_unit_test(reset_by_peer_shows),
		cmocka_unit_test(process_exit),
		cmocka_unit_test(no_answer),
		cmocka_unit_test(open_requests_are_told_once),
		cmocka_unit_test(early_answer),
		cmocka_unit_test(connect_fails),
		cmocka_unit_test(status_errors),
		cmocka_unit_test(garbled),
		cmocka_unit_test(garbled_midway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
