/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Adversaries without losses: requests and answers cut into calls anywhere, several in one call,
 * bodies that come late, answers that come before them. The truth stands in the path, as in
 * test_core_loss.c: the exchange's number and the status of its answer.
 */
#include "random.h"

/* One call carries the end of a body and the next request. */
static void body_and_next_head_run(struct bed *b)
{
	static const char post[] = "POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

	sim_puts(&b->c, post);
	bed_step(b, MS);
	sim_recv_all(&b->s);
	bed_step(b, MS);
	sim_puts(&b->c, "01234");
	sim_recv_all(&b->s);
	bed_step(b, MS);
	sim_puts(&b->c, "56789" GET("/next"));
	sim_recv_all(&b->s);
	bed_step(b, MS);
	sim_puts(&b->s, OK("0"));
	bed_step(b, MS);
	sim_puts(&b->s, OK("1") "x");
	bed_step(b, MS);
	sim_recv_all(&b->c);
	bed_end(b);
	assert_int_equal(b->cnt, 4);
	bed_must(b, ST_KIND_SERVER, "/first", NULL, NULL, 200, 10, 0, MS, 4 * MS, false);
	bed_must(b, ST_KIND_SERVER, "/next", NULL, NULL, 200, 0, 1, 3 * MS, 5 * MS, false);
	bed_must(b, ST_KIND_CLIENT, "/next", NULL, NULL, 200, 0, 1, 3 * MS, 6 * MS, false);
}

static void body_and_next_head(void **state)
{
	(void)state;
	each_reader(body_and_next_head_run);
}

/* A record that took its number when another CPU had begun the next turn. */
static void tap_number_taken_late(struct bed *b, const struct st_rec *r)
{
	struct {
		struct st_rec r;
		uint8_t payload[ST_PAYLOAD_L];
	} copy;

	memcpy(&copy, r, sizeof(*r) + r->len);
	if (r->kind == ST_REC_DATA && r->conn_id == b->c.conn_id && r->dir == ST_RX)
		copy.r.turn++;
	assert_int_equal(st_core__feed(b->core, &copy.r), 0);
}

/* The client sends the rest of a body while it reads the answer, on two CPUs. */
static void both_at_once_run(struct bed *b)
{
	static const char post[] = "POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

	b->tap = tap_number_taken_late;
	for (int i = 0; i < 3; i++) {
		sim_puts(&b->c, i ? GET("/again") : post);
		bed_step(b, MS);
		sim_recv_all(&b->s);
		sim_puts(&b->s, OK("4"));
		bed_step(b, MS);
		sim_recv_all(&b->c);
		bed_step(b, MS);
		sim_puts(&b->s, "abcd");
		bed_step(b, MS);
		if (!i)
			sim_puts(&b->c, "0123456789");
		sim_recv_all(&b->c);
		bed_step(b, MS);
		sim_recv_all(&b->s);
		bed_step(b, MS);
	}
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	assert_int_equal(bed_stats(b).lost_requests, 0);
	for (uint32_t i = 0; i < b->cnt; i++)
		assert_true(b->spans[i].code == 200 && !b->spans[i].incomplete);
}

static void both_at_once(void **state)
{
	(void)state;
	each_reader(both_at_once_run);
}

/* ---- at random ---- */

#define REQS_MAX 40
#define TALKS	 600

/* What a connection's two sides say, whole, and where each message ends in it. */
struct talk {
	struct bed b;
	uint32_t cnt;
	struct st_buf req, resp;
	size_t head_end[REQS_MAX], req_end[REQS_MAX], resp_end[REQS_MAX];
	size_t asked, read, told, heard; /* bytes */
	uint32_t window;		 /* requests on their way at once, at most */
	bool early;			 /* answers may come before the body */
	bool trailers;
	bool cut;  /* somebody goes at any moment */
	bool late; /* the tracer comes at any moment */
	bool over;
	bool head_only[REQS_MAX];
};

/* How talks are led. */
struct style {
	const char *name;
	uint32_t window;
	bool early, trailers, cut, late;
};

static int status_of(uint32_t n)
{
	return n % 9 == 4 ? 204 : (int)(300 + n * 13 % 99);
}

static bool tame; /* bodies hold no messages: who comes in the middle of one cannot tell */

static void put_body(struct st_buf *o, uint32_t len)
{
	static const char *const what[] = {
		"x",
		"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
		"\r\n\r\n",
		"HTTP/1.1 299 Evil\r\n\r\n",
	};
	const char *one = what[tame ? 0 : rnd(4)];

	for (uint32_t i = 0; i < len; i++)
		st_buf__put(o, one + i % strlen(one), 1);
}

static void put_chunks(struct st_buf *o, bool trailers)
{
	for (uint32_t i = rnd(4); i; i--) {
		uint32_t len = 1 + rnd(rnd(4) ? 40 : 3000);

		st_buf__printf(o, rnd(3) ? "%x\r\n" : "%X;ext=1\r\n", len);
		put_body(o, len);
		st_buf__puts(o, "\r\n");
	}
	st_buf__puts(o, !trailers || rnd(3) ? "0\r\n\r\n" : "0\r\nX-Trailer: GET\r\n\r\n");
}

static void put_request(struct talk *t, uint32_t n)
{
	struct st_buf *o = &t->req;
	uint32_t kind = rnd(8), len = rnd(rnd(4) ? 40 : 6000);

	/* Line ends in front are no message (RFC 9112 2.2). */
	if (n && !rnd(20))
		st_buf__puts(o, "\r\n");
	t->head_only[n] = kind == 4;
	st_buf__printf(o, "%s /r%u/s%d HTTP/1.1\r\nHost: a\r\n",
		       kind < 4	   ? "GET"
		       : kind == 4 ? "HEAD"
				   : "POST",
		       n, status_of(n));
	if (!rnd(5))
		st_buf__printf(o, "Cookie: %0*d\r\n", 1 + (int)rnd(rnd(3) ? 900 : 6000), 0);
	/* Both: the coding counts (RFC 9112 6.3). */
	if (kind == 7)
		st_buf__puts(o, rnd(4) ? "Transfer-Encoding: chunked\r\n"
				       : "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n");
	else if (kind >= 5)
		st_buf__printf(o, "Content-Length: %u\r\n", len);
	st_buf__puts(o, "\r\n");
	t->head_end[n] = o->len;
	if (kind == 7)
		put_chunks(o, t->trailers);
	else if (kind >= 5)
		put_body(o, len);
	t->req_end[n] = o->len;
}

static void put_response(struct talk *t, uint32_t n)
{
	struct st_buf *o = &t->resp;
	uint32_t len = rnd(rnd(4) ? 100 : 6000);

	while (!rnd(6))
		st_buf__puts(o, rnd(2) ? "HTTP/1.1 102 Processing\r\n\r\n"
				       : "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	st_buf__printf(o, "HTTP/1.1 %d X\r\n", status_of(n));
	if (status_of(n) == 304 || t->head_only[n]) {
		st_buf__puts(o, rnd(2) ? "Content-Length: 77\r\n\r\n"
				       : "Transfer-Encoding: chunked\r\n\r\n");
	} else if (status_of(n) == 204) {
		st_buf__puts(o, "\r\n");
	} else if (!rnd(3)) {
		st_buf__puts(o, "Transfer-Encoding: chunked\r\n\r\n");
		put_chunks(o, true);
	} else {
		st_buf__printf(o, "Content-Length: %u\r\n\r\n", len);
		put_body(o, len);
	}
	t->resp_end[n] = o->len;
}

static void reader_may_come(struct talk *t)
{
	sim_sleep(t->b.sim, 1000 + rnd(100000));
	t->b.sim->drain_max = rnd(2) ? 1 + rnd(4) : 0;
	if (!rnd(4))
		bed_read(&t->b);
	t->b.sim->drain_max = 0;
	t->b.sim->cpu = rnd(SIM_CPUS);
}

/* How many messages end at or before that byte. */
static uint32_t whole(const size_t *end, uint32_t cnt, size_t at)
{
	uint32_t n = 0;

	while (n < cnt && end[n] <= at)
		n++;
	return n;
}

static size_t piece(size_t left)
{
	size_t max = rnd(4) ? left : rnd(2) ? 7 : 600;

	return 1 + rnd((uint32_t)(max < left ? max : left));
}

/* The client sends a piece, as far as its window allows: often the whole of a message or several. */
static void client_moves(struct talk *t)
{
	uint32_t answered = whole(t->resp_end, t->cnt, t->heard), last = answered + t->window;
	size_t until = t->req_end[(last > t->cnt ? t->cnt : last) - 1], n;

	if (t->asked >= until)
		return;
	n = rnd(3) ? until - t->asked : piece(until - t->asked);
	sim_send(&t->b.c, t->req.p + t->asked, n);
	t->asked += n;
}

/* The server answers what it has read, in pieces, several at once at times. */
static void server_moves(struct talk *t)
{
	uint32_t heads = whole(t->head_end, t->cnt, t->read);
	uint32_t all = whole(t->req_end, t->cnt, t->read), may = t->early ? heads : all;
	size_t until, n;

	if (!may || t->told >= (until = t->resp_end[may - 1]))
		return;
	n = rnd(3) ? until - t->told : piece(until - t->told);
	sim_send(&t->b.s, t->resp.p + t->told, n);
	t->told += n;
}

static void somebody_goes(struct talk *t)
{
	struct sim_sock *k = rnd(2) ? &t->b.c : &t->b.s;

	switch (rnd(3)) {
	case 0:
		sim_reset(k);
		break;
	case 1:
		sim_close(k);
		break;
	case 2:
		sim_shutdown(k);
		reader_may_come(t);
		t->heard += sim_recv(&t->b.c, 100000);
		t->read += sim_recv(&t->b.s, 100000);
	}
	t->over = true;
}

static void step(struct talk *t)
{
	switch (rnd(4)) {
	case 0:
		client_moves(t);
		break;
	case 1:
		t->read += sim_recv(&t->b.s, rnd(3) ? 100000 : 1 + rnd(600));
		break;
	case 2:
		server_moves(t);
		break;
	case 3:
		t->heard += sim_recv(&t->b.c, rnd(3) ? 100000 : 1 + rnd(600));
		break;
	}
	reader_may_come(t);
}

static void converse(struct talk *t)
{
	uint32_t steps = 0, join = t->late ? rnd(100) : 0;

	t->b.c.traced = t->b.s.traced = !t->late;
	while (t->heard < t->resp.len && !t->over) {
		if (steps++ == join)
			t->b.c.traced = t->b.s.traced = true;
		step(t);
		if (t->cut && !rnd(150))
			somebody_goes(t);
	}
	while (!t->over && (t->asked < t->req.len || sim_recv(&t->b.s, 5000))) {
		client_moves(t);
		reader_may_come(t);
	}
	sim_close(&t->b.c);
	sim_close(&t->b.s);
}

/* Over many talks; `first_*`: a seed to look at. */
struct sums {
	uint32_t made;
	uint32_t whole; /* spans with everything */
	uint32_t wrong; /* spans that nobody asked for, or with another's answer */
	uint32_t off;	/* talks whose balance does not close */
	uint64_t first_wrong, first_off, first_less;
};

static void check_span(const struct talk *t, const struct bed_span *s, uint8_t *seen,
		       struct sums *sums)
{
	unsigned n;
	int code;

	if (sscanf(s->path, "/r%u/s%d", &n, &code) != 2 || n >= t->cnt || seen[n] ||
	    (s->code && s->code != code)) {
		sums->wrong++;
		return;
	}
	seen[n] = 1;
	sums->whole += s->code && !s->incomplete && !*s->error;
}

static void check(const struct talk *t, uint64_t seed, struct sums *sums)
{
	uint8_t seen[2][REQS_MAX] = {0};
	uint32_t whole_before = sums->whole, wrong_before = sums->wrong;
	uint32_t made = whole(t->head_end, t->cnt, t->asked);

	made += t->cut ? whole(t->head_end, t->cnt, t->read) : made;
	for (uint32_t i = 0; i < t->b.cnt; i++)
		check_span(t, &t->b.spans[i], seen[t->b.spans[i].kind == ST_KIND_CLIENT], sums);
	sums->made += made;
	if (sums->wrong > wrong_before && !sums->first_wrong)
		sums->first_wrong = seed;
	if (sums->whole - whole_before < made && !sums->first_less)
		sums->first_less = seed;
	if (bed_stats(&t->b).requests == made)
		return;
	sums->off++;
	if (!sums->first_off)
		sums->first_off = seed;
}

static void talk_once(uint64_t seed, const struct style *y, struct sums *sums)
{
	static struct talk t;

	memset(&t, 0, sizeof(t));
	rnd_state = seed * 0x9e3779b97f4a7c15ULL + 1;
	bed_init(&t.b, 8, BED_EAGER);
	t.req = st_buf__init(1 << 20);
	t.resp = st_buf__init(1 << 20);
	t.window = y->window;
	t.early = y->early;
	t.trailers = y->trailers;
	t.cut = y->cut;
	t.late = tame = y->late;
	t.cnt = 1 + rnd(REQS_MAX);
	for (uint32_t i = 0; i < t.cnt; i++) {
		put_request(&t, i);
		put_response(&t, i);
	}
	sim_connect(&t.b.c);
	converse(&t);
	bed_read(&t.b);
	bed_read(&t.b);
	st_core__end(t.b.core, t.b.sim->now_ns);
	check(&t, seed, sums);
	st_buf__free(&t.req);
	st_buf__free(&t.resp);
	bed_free(&t.b);
}

/*
 * No span is wrong. SPANTAP_SEED=N: another stretch of seeds, for long runs. What those may find: a
 * chunked request that the client's very first call hides behind another one's body.
 */
static struct sums talks(const struct style *y)
{
	uint64_t from = first_seed(1);
	struct sums s = {0};

	for (uint64_t seed = from; seed < from + TALKS; seed++)
		talk_once(seed, y, &s);
	print_message("%s: %u requests, %u whole, %u wrong (seed %llu), %u unbalanced (seed %llu), "
		      "less in seed %llu\n",
		      y->name, s.made, s.whole, s.wrong, (unsigned long long)s.first_wrong, s.off,
		      (unsigned long long)s.first_off, (unsigned long long)s.first_less);
	assert_int_equal(s.wrong, 0);
	return s;
}

/* One request at a time: nothing is lost. */
static void one_at_a_time(void **state)
{
	struct sums s = talks(&(struct style){.name = "one at a time", .window = 1});

	(void)state;
	assert_int_equal(s.off, 0);
	assert_int_equal(s.whole, s.made);
}

/*
 * What stands behind a body that nobody copied can be missed. That is counted, but for a few
 * answers that cannot be told from such bodies.
 */
static void answered_early(void **state)
{
	struct sums s = talks(
		&(struct style){.name = "early", .window = 1, .early = true, .trailers = true});

	(void)state;
	assert_true(s.off <= TALKS / 100);
	assert_true(s.whole >= s.made / 100 * 95);
}

static void pipelined(void **state)
{
	struct sums s = talks(&(struct style){.name = "pipelined", .window = 4, .trailers = true});

	(void)state;
	assert_true(s.off <= TALKS / 10);
	assert_true(s.whole >= s.made / 100 * 85);
}

static void pipelined_and_early(void **state)
{
	struct sums s = talks(&(struct style){
		.name = "pipelined, early", .window = 4, .early = true, .trailers = true});

	(void)state;
	assert_true(s.off <= TALKS / 10);
	assert_true(s.whole >= s.made / 100 * 85);
}

/* Somebody closes, resets or shuts down in the middle: what was asked is there, or counted. */
static void cut_short(void **state)
{
	struct sums s = talks(&(struct style){.name = "cut", .window = 1, .cut = true});

	(void)state;
	assert_int_equal(s.off, 0);
}

/* The tracer comes in the middle, of a body too: with one request at a time that is no danger. */
static void joined(void **state)
{
	(void)state;
	talks(&(struct style){.name = "joined", .window = 1, .late = true});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(body_and_next_head), cmocka_unit_test(both_at_once),
		cmocka_unit_test(one_at_a_time),      cmocka_unit_test(answered_early),
		cmocka_unit_test(pipelined),	      cmocka_unit_test(pipelined_and_early),
		cmocka_unit_test(cut_short),	      cmocka_unit_test(joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
