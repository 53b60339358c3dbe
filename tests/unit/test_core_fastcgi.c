/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* FastCGI exchanges of every shape, seen from both ends, whenever the reader comes. */
#include "core_bed.h"
#include "fcgi_bytes.h"

static struct fcgi out; /* what the next call sends */

static void send_out(struct bed *b, struct sim_sock *from, struct sim_sock *to)
{
	sim_send(from, out.b, out.n);
	out.n = 0;
	bed_step(b, MS);
	sim_recv_all(to);
	bed_step(b, 0);
}

static void ask_out(struct bed *b)
{
	send_out(b, &b->c, &b->s);
}

/* The server thinks for 5 ms; 1 ms back. */
static void answer_out(struct bed *b)
{
	sim_sleep(b->sim, 5 * MS);
	send_out(b, &b->s, &b->c);
}

static void one_run(struct bed *b)
{
	fcgi_get(&out, 1, 0, "/orders/17?id=3");
	ask_out(b);
	fcgi_answer(&out, 1, FCGI_OK, 5);
	answer_out(b);
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
	each_reader(one_run);
}

/* Status and Location say what happened; bodies of either side are counted. */
static void kept_run(struct bed *b)
{
	char path[32], head[128];

	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/k%d", i);
		fcgi_ask(&out, 1, 1, i % 2 ? "POST" : "GET", path, i % 2 ? (size_t)i : 0);
		ask_out(b);
		fcgi_answer(&out, 1, fcgi_status(head, sizeof(head), 200 + i), (size_t)i);
		answer_out(b);
		sim_sleep(b->sim, 3 * MS);
	}
	bed_end(b);
	assert_int_equal(b->cnt, 40);
	for (uint64_t i = 0; i < 20; i++) {
		uint64_t t = i * 10 * MS;

		snprintf(path, sizeof(path), "/k%d", (int)i);
		bed_must(b, ST_KIND_SERVER, path, NULL, NULL, 200 + (int)i, i % 2 ? (int)i : 0,
			 (int64_t)i, t + MS, t + 6 * MS, false);
		bed_must(b, ST_KIND_CLIENT, path, NULL, NULL, 200 + (int)i, i % 2 ? (int)i : 0,
			 (int64_t)i, t, t + 7 * MS, false);
	}
}

static void kept(void **state)
{
	(void)state;
	each_reader(kept_run);
}

/*
 * PHP-FPM reads header by header, leaves the empty end of STDIN until the next request, and writes
 * what it has in pieces of up to 8 KiB.
 */
static void php_read(struct bed *b, size_t total)
{
	static const size_t steps[] = {8, 8, 8, SIZE_MAX, 8};
	size_t left = total - 8;

	for (size_t i = 0; i < 5; i++) {
		size_t n = steps[i] == SIZE_MAX ? left - 8 : steps[i];

		sim_recv(&b->s, n);
		left -= n;
		bed_step(b, 10 * US);
	}
}

static void php_kept_run(struct bed *b)
{
	char path[32];

	for (int i = 0; i < 6; i++) {
		size_t n;

		snprintf(path, sizeof(path), "/p%d", i);
		fcgi_get(&out, 1, 1, path);
		n = out.n;
		sim_send(&b->c, out.b, out.n);
		out.n = 0;
		bed_step(b, MS);
		if (i)
			sim_recv(&b->s, 8);
		php_read(b, n);
		fcgi_answer(&out, 1, FCGI_OK, (size_t)i);
		answer_out(b);
	}
	bed_end(b);
	assert_int_equal(b->cnt, 12);
	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof(path), "/p%d", i);
		assert_int_equal(bed_find(b, ST_KIND_SERVER, path)->code, 200);
		assert_int_equal(bed_find(b, ST_KIND_SERVER, path)->resp_sz, i);
		assert_false(bed_find(b, ST_KIND_SERVER, path)->incomplete);
	}
}

static void php_kept(void **state)
{
	(void)state;
	each_reader(php_kept_run);
}

/* The connection is for one request: what is left of it is read behind the answer. */
static void php_fresh_run(struct bed *b)
{
	size_t n;

	fcgi_get(&out, 1, 0, "/fresh");
	n = out.n;
	sim_send(&b->c, out.b, out.n);
	out.n = 0;
	bed_step(b, MS);
	php_read(b, n);
	fcgi_answer(&out, 1, FCGI_OK, 3000);
	answer_out(b);
	sim_shutdown(&b->s);
	sim_recv_all(&b->s);
	bed_step(b, MS);
	sim_close(&b->c);
	sim_close(&b->s);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	assert_int_equal(bed_stats(b).lost_requests, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(b->spans[i].code, 200);
		assert_false(b->spans[i].incomplete);
		assert_string_equal(b->spans[i].error, "");
	}
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/fresh")->end_ns - SIM_T0, 7 * MS + 50 * US);
}

static void php_fresh(void **state)
{
	(void)state;
	each_reader(php_fresh_run);
}

/* A Unix connection, whose end nobody tells, with an answer of which the kernel copied the head. */
static void unix_long_run(struct bed *b)
{
	for (int i = 0; i < 3; i++) {
		char path[16];

		snprintf(path, sizeof(path), "/u%d", i);
		fcgi_get(&out, 1, 0, path);
		ask_out(b);
		fcgi_answer(&out, 1, FCGI_OK, 6000);
		answer_out(b);
		assert_int_equal(b->reader == BED_EAGER ? bed_stats(b).open : 0, 0);
		if (i < 2) {
			sim_sock_free(&b->c);
			sim_sock_free(&b->s);
			sim_pair(b->sim, &b->c, &b->s);
			b->c.tcp = b->s.tcp = false;
			sim_connect(&b->c);
		}
	}
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	for (uint32_t i = 0; i < b->cnt; i++)
		assert_int_equal(b->spans[i].code, 200);
}

static void unix_long(void **state)
{
	struct bed b;

	(void)state;
	for (int r = 0; r < 2; r++) {
		bed_init(&b, 8, (enum bed_reader)r);
		b.c.tcp = b.s.tcp = false;
		sim_connect(&b.c);
		unix_long_run(&b);
		bed_free(&b);
	}
}

/* Heads in several records, and without what most of them have. */
static void heads_run(struct bed *b)
{
	char head[6000];
	int n = snprintf(head, sizeof(head), "X-Long: %05000d\r\nStatus: 404 Not Found\r\n\r\n", 7);

	fcgi_get(&out, 1, 1, "/long");
	ask_out(b);
	fcgi_rec(&out, STDOUT, 1, head, 100);
	fcgi_rec(&out, STDERR, 1, "PHP message: no such thing", 26);
	fcgi_rec(&out, STDOUT, 1, head + 100, (size_t)n - 100);
	fcgi_rec(&out, STDOUT, 1, NULL, 9);
	fcgi_rec(&out, STDOUT, 1, NULL, 0);
	fcgi_end(&out, 1, 0);
	answer_out(b);
	fcgi_get(&out, 1, 1, "/moved");
	ask_out(b);
	fcgi_answer(&out, 1, "Location: http://other/\r\n\r\n", 0);
	answer_out(b);
	fcgi_get(&out, 1, 1, "/bare");
	ask_out(b);
	fcgi_answer(&out, 1, "\n", 2);
	answer_out(b);
	fcgi_get(&out, 1, 1, "/none");
	ask_out(b);
	fcgi_end(&out, 1, 0);
	answer_out(b);
	fcgi_get(&out, 1, 1, "/busy");
	ask_out(b);
	fcgi_end(&out, 1, 2);
	answer_out(b);
	bed_end(b);
	assert_int_equal(b->cnt, 10);
	bed_must(b, ST_KIND_SERVER, "/long", NULL, NULL, 404, 0, 9, MS, 6 * MS, false);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/long")->status, ST_STATUS_ERROR);
	bed_must(b, ST_KIND_CLIENT, "/moved", NULL, NULL, 302, 0, 0, 7 * MS, 14 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/bare", NULL, NULL, 200, 0, 2, 15 * MS, 20 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/none", NULL, "no_response", 0, 0, -1, 22 * MS, 27 * MS,
		 false);
	bed_must(b, ST_KIND_CLIENT, "/busy", NULL, "overloaded", 0, 0, -1, 28 * MS, 35 * MS, false);
}

static void heads(void **state)
{
	(void)state;
	each_reader(heads_run);
}

/* Bodies of which the kernel copies a part at most. */
static void long_bodies_run(struct bed *b)
{
	char path[16];

	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/b%d", i);
		fcgi_ask(&out, 1, 1, "POST", path, 150000);
		ask_out(b);
		for (int k = 0; k < 20; k++) {
			if (k)
				fcgi_rec(&out, STDOUT, 1, NULL, 8000);
			else
				fcgi_rec(&out, STDOUT, 1, FCGI_OK, strlen(FCGI_OK));
			if (k == 19)
				fcgi_end(&out, 1, 0);
			send_out(b, &b->s, &b->c);
		}
		sim_sleep(b->sim, 30 * MS);
	}
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	assert_int_equal(bed_stats(b).lost_requests, 0);
	for (uint64_t i = 0; i < 3; i++) {
		const struct bed_span *s, *c;

		snprintf(path, sizeof(path), "/b%d", (int)i);
		s = bed_find(b, ST_KIND_SERVER, path);
		c = bed_find(b, ST_KIND_CLIENT, path);
		assert_int_equal(s->code, 200);
		assert_int_equal(c->code, 200);
		assert_string_equal(s->error, "");
		/* Where nothing comes behind it, its end has to be seen. */
		if (i == 2)
			continue;
		assert_false(s->incomplete);
		assert_false(c->incomplete);
		assert_int_equal(s->end_ns - SIM_T0, (i * 51 + 20) * MS);
		assert_int_equal(c->end_ns - SIM_T0, (i * 51 + 21) * MS);
		assert_true(c->resp_sz == -1 || c->resp_sz == 19 * 8000);
	}
}

static void long_bodies(void **state)
{
	(void)state;
	each_reader(long_bodies_run);
}

static void mixed_run(struct bed *b)
{
	char head[128];

	fcgi_ask_head(&out, 1, 1, "POST", "/m1");
	fcgi_ask_head(&out, 2, 1, "GET", "/m2");
	fcgi_rec(&out, STDIN, 1, NULL, 7);
	fcgi_rec(&out, STDIN, 2, NULL, 0);
	fcgi_rec(&out, GET_VALUES, 0, "\x0e\0FCGI_MAX_CONNS", 16);
	fcgi_rec(&out, STDIN, 1, NULL, 0);
	ask_out(b);
	fcgi_rec(&out, VALUES, 0,
		 "\x0e\x01"
		 "FCGI_MAX_CONNS9",
		 17);
	fcgi_rec(&out, STDOUT, 2, "Status: 20", 10);
	fcgi_status(head, sizeof(head), 201);
	fcgi_rec(&out, STDOUT, 1, head, strlen(head));
	fcgi_rec(&out, STDOUT, 2, "2 B\r\n\r\nx", 8);
	fcgi_end(&out, 2, 0);
	answer_out(b);
	fcgi_get(&out, 2, 1, "/m3");
	ask_out(b);
	fcgi_answer(&out, 2, fcgi_status(head, sizeof(head), 203), 3);
	answer_out(b);
	fcgi_rec(&out, STDOUT, 1, NULL, 4);
	fcgi_end(&out, 1, 0);
	answer_out(b);
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	bed_must(b, ST_KIND_SERVER, "/m1", NULL, NULL, 201, 7, 4, MS, 19 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/m2", NULL, NULL, 202, 0, 1, MS, 6 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/m3", NULL, NULL, 203, 0, 3, 8 * MS, 13 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/m1", NULL, NULL, 201, 7, 4, 0, 20 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/m3", NULL, NULL, 203, 0, 3, 7 * MS, 14 * MS, false);
	for (uint32_t i = 0; i < b->cnt; i++)
		for (uint32_t k = 0; k < i; k++)
			assert_memory_not_equal(b->spans[i].span_id, b->spans[k].span_id, 8);
}

static void mixed(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, 8, BED_EAGER);
	sim_connect(&b.c);
	mixed_run(&b);
	bed_free(&b);
}

static void aborted_run(struct bed *b)
{
	fcgi_get(&out, 1, 1, "/a");
	ask_out(b);
	fcgi_rec(&out, ABORT, 1, NULL, 0);
	ask_out(b);
	fcgi_end(&out, 1, 0);
	answer_out(b);
	fcgi_get(&out, 1, 1, "/cut");
	ask_out(b);
	fcgi_header(&out, STDOUT, 1, 1000, 0);
	fcgi_put(&out, FCGI_OK "some", strlen(FCGI_OK) + 4);
	answer_out(b);
	sim_close(&b->s);
	bed_step(b, MS);
	sim_close(&b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_SERVER, "/a", NULL, "aborted", 0, 0, -1, MS, 7 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/a", NULL, "aborted", 0, 0, -1, 0, 8 * MS, false);
	assert_string_equal(bed_find(b, ST_KIND_SERVER, "/cut")->error, "connection_closed");
	assert_string_equal(bed_find(b, ST_KIND_CLIENT, "/cut")->error, "connection_closed");
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/cut")->code, 200);
}

static void aborted(void **state)
{
	(void)state;
	each_reader(aborted_run);
}

/* The application dies, or the web server goes, before anything was answered. */
static void unanswered_run(struct bed *b)
{
	fcgi_get(&out, 1, 0, "/dies");
	ask_out(b);
	sim_sleep(b->sim, 5 * MS);
	sim_reset(&b->s);
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	assert_string_equal(bed_find(b, ST_KIND_CLIENT, "/dies")->error, "ECONNRESET");
	assert_string_equal(bed_find(b, ST_KIND_SERVER, "/dies")->error, "connection_closed");
}

static void unanswered(void **state)
{
	(void)state;
	each_reader(unanswered_run);
}

/* A request that never became whole is none. */
static void half_asked_run(struct bed *b)
{
	fcgi_ask_head(&out, 1, 0, "GET", "/half");
	out.n -= 8;
	ask_out(b);
	sim_reset(&b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 0);
	assert_int_equal(bed_stats(b).requests, 0);
}

static void half_asked(void **state)
{
	(void)state;
	each_reader(half_asked_run);
}

/* ---- any pieces ---- */

static void in_pieces(struct bed *b, struct sim_sock *from, struct sim_sock *to, size_t first,
		      size_t each)
{
	size_t n = first;

	for (size_t at = 0; at < out.n; at += n, n = each) {
		if (n > out.n - at)
			n = out.n - at;
		if (n)
			sim_send(from, out.b + at, n);
		bed_step(b, 0);
		sim_recv_all(to);
		bed_step(b, 0);
	}
	out.n = 0;
}

static void pieces_of(struct bed *b, size_t first, size_t each)
{
	char head[128];

	for (int i = 0; i < 2; i++) {
		fcgi_ask(&out, 1, 1, "POST", i ? "/two" : "/one", 21);
		in_pieces(b, &b->c, &b->s, first < out.n ? first : out.n, each);
		sim_sleep(b->sim, MS);
		fcgi_answer(&out, 1, fcgi_status(head, sizeof(head), 210 + i), 13);
		in_pieces(b, &b->s, &b->c, first < out.n ? first : out.n, each);
		sim_sleep(b->sim, MS);
	}
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	for (int i = 0; i < 2; i++)
		for (int kind = ST_KIND_SERVER; kind <= ST_KIND_CLIENT; kind++) {
			const struct bed_span *s =
				bed_find(b, (enum st_kind)kind, i ? "/two" : "/one");

			assert_int_equal(s->code, 210 + i);
			assert_int_equal(s->req_sz, 21);
			assert_int_equal(s->resp_sz, 13);
			assert_false(s->incomplete);
		}
}

/* Cut in two at each byte, and into pieces of every small size. */
static void pieces(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < 360; cut++) {
		struct bed b;

		bed_init(&b, 8, BED_EAGER);
		sim_connect(&b.c);
		pieces_of(&b, cut, SIZE_MAX);
		bed_free(&b);
	}
	for (size_t each = 1; each < 40; each++) {
		struct bed b;

		bed_init(&b, 8, BED_EAGER);
		sim_connect(&b.c);
		pieces_of(&b, each, each);
		bed_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_exchange), cmocka_unit_test(kept),
		cmocka_unit_test(php_kept),	cmocka_unit_test(php_fresh),
		cmocka_unit_test(unix_long),	cmocka_unit_test(heads),
		cmocka_unit_test(long_bodies),	cmocka_unit_test(mixed),
		cmocka_unit_test(aborted),	cmocka_unit_test(unanswered),
		cmocka_unit_test(half_asked),	cmocka_unit_test(pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
