/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records are lost, slots run out, ends come twice, bodies look like messages: whatever happens, no
 * span gets what belongs to another request, and every request is a span or counted. The truth
 * stands in the path: which exchange it is, and the status of its answer.
 */
#include "random.h"

#define CONNS 24

/* How a connection behaves. */
enum style {
	PLAIN,	 /* one request at a time */
	BURST,	 /* several at once, then all answers */
	OVERLAP, /* the next ones while answers are still to come */
	STYLES
};

struct plan {
	enum style style;
	struct sim_sock c, s;
	bool open;
	uint32_t nr;	   /* number of the connection */
	uint32_t asked;	   /* requests made */
	uint32_t answered; /* of them */
	uint32_t left;	   /* exchanges until it closes */
	uint32_t moves;
};

struct world {
	struct bed b;
	struct plan p[CONNS];
	uint32_t conns;
	uint32_t made;	   /* connections */
	uint32_t requests; /* made, at each traced end */
	uint32_t drop;	   /* per thousand */
	bool drop_states;  /* not DATA alone */
	bool close_midway;
};

/*
 * That requests overlap answers shows only when it happens: a client that has not done so yet, and
 * whose first such turn is lost, cannot be told from one that waits. So its first ones are kept.
 */
static bool is_new_overlap(const struct world *w, const struct sim_sock *k)
{
	for (uint32_t i = 0; i < w->conns; i++)
		if (k == &w->p[i].c || k == &w->p[i].s)
			return w->p[i].style == OVERLAP && w->p[i].moves < 3;
	return false;
}

static bool refuse(void *ctx, const struct sim_sock *k, uint8_t kind)
{
	const struct world *w = ctx;

	if (is_new_overlap(w, k))
		return false;
	if (kind != ST_REC_DATA && !w->drop_states)
		return false;
	return rnd(1000) < w->drop;
}

/* Bodies of an adversary: what they hold looks like messages wherever a call may begin. */
static const char *const evil[] = {
	"GET /evil/1 HTTP/1.1\r\nHost: evil\r\n\r\n",
	"HTTP/1.1 299 Evil\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 299 Evil\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST /evil/2 HTTP/1.1\r\nHost: evil\r\nContent-Length: 3\r\n\r\nabc",
	"\r\n0\r\n\r\n",
	"0\r\n\r\n",
	"HTTP/1.1 2",
	"GET /evil",
};

/* Who comes in the middle of a body cannot tell a whole message in it from one. */
#define TAME 4
static bool tame;

static struct st_str evil_one(void)
{
	uint32_t from = tame ? TAME : 0;

	return st_str_of(evil[from + rnd(sizeof(evil) / sizeof(evil[0]) - from)]);
}

static void reader_may_come(struct world *w)
{
	sim_sleep(w->b.sim, 1000 + rnd(100000));
	if (!rnd(6))
		bed_read(&w->b);
	w->b.sim->cpu = rnd(SIM_CPUS);
}

/* Bytes in calls of random sizes. */
static void send_pieces(struct world *w, struct sim_sock *k, const char *p, size_t len)
{
	while (len) {
		size_t n = rnd(4) ? len : 1 + rnd((uint32_t)len);

		if (!rnd(10)) {
			sim_send_begin(k, p, len);
			sim_send_end(k, n);
		} else {
			sim_send(k, p, n);
		}
		p += n;
		len -= n;
		reader_may_come(w);
		if (rnd(2))
			while (sim_recv(k->peer, rnd(3) ? 100000 : 1 + rnd(300)))
				reader_may_come(w);
	}
}

static void drain_socket(struct world *w, struct sim_sock *k)
{
	while (sim_recv(k, rnd(3) ? 100000 : 1 + rnd(600)))
		reader_may_come(w);
}

static int status_of(uint32_t conn, uint32_t n)
{
	return (int)(300 + (conn * 7 + n * 13) % 280);
}

static void put_request(struct st_buf *o, const struct plan *p, uint32_t n)
{
	struct st_str body = {0};

	if (!rnd(4))
		body = evil_one();
	st_buf__printf(o, "%s /c%u/r%u/s%d HTTP/1.1\r\nHost: a\r\n", body.len ? "POST" : "GET",
		       p->nr, n, status_of(p->nr, n));
	if (!rnd(5))
		st_buf__printf(o, "Cookie: %0*d\r\n", 1 + (int)rnd(900), 0);
	if (body.len)
		st_buf__printf(o, "Content-Length: %u\r\n", body.len);
	st_buf__puts(o, "\r\n");
	st_buf__put(o, body.p, body.len);
}

static void ask_one(struct world *w, struct plan *p)
{
	struct st_buf o = st_buf__init(65536);

	put_request(&o, p, p->asked);
	p->asked++;
	w->requests++;
	send_pieces(w, &p->c, (const char *)o.p, o.len);
	st_buf__free(&o);
}

static void put_chunked(struct st_buf *o)
{
	st_buf__puts(o, "Transfer-Encoding: chunked\r\n\r\n");
	for (uint32_t i = rnd(4); i; i--) {
		struct st_str e = evil_one();

		st_buf__printf(o, "%x\r\n", e.len);
		st_buf__put(o, e.p, e.len);
		st_buf__puts(o, "\r\n");
	}
	st_buf__puts(o, "0\r\n\r\n");
}

static void answer_one(struct world *w, struct plan *p)
{
	struct st_buf o = st_buf__init(65536);
	int code = status_of(p->nr, p->answered);

	if (!rnd(10))
		st_buf__puts(&o, "HTTP/1.1 102 Processing\r\n\r\n");
	st_buf__printf(&o, "HTTP/1.1 %d X\r\n", code);
	if (code == 304) {
		st_buf__puts(&o, "\r\n");
	} else if (!rnd(3)) {
		put_chunked(&o);
	} else {
		struct st_str e = rnd(2) ? evil_one() : (struct st_str){0};

		st_buf__printf(&o, "Content-Length: %u\r\n\r\n", e.len);
		st_buf__put(&o, e.p, e.len);
	}
	p->answered++;
	send_pieces(w, &p->s, (const char *)o.p, o.len);
	st_buf__free(&o);
}

static void open_plan(struct world *w, struct plan *p, enum style style)
{
	memset(p, 0, sizeof(*p));
	sim_pair(w->b.sim, &p->c, &p->s);
	p->style = style;
	p->nr = w->made++;
	p->left = 1 + rnd(12);
	p->open = true;
	sim_connect(&p->c);
}

static void close_plan(struct world *w, struct plan *p)
{
	if (rnd(8)) {
		sim_close(rnd(2) ? &p->c : &p->s);
		reader_may_come(w);
		sim_close(&p->c);
		sim_close(&p->s);
	} else {
		sim_reset(rnd(2) ? &p->c : &p->s);
	}
	sim_sock_free(&p->c);
	sim_sock_free(&p->s);
	p->open = false;
}

/* One move of one connection. */
static void move(struct world *w, struct plan *p)
{
	uint32_t burst = p->style == PLAIN ? 1 : 1 + rnd(4), keep;

	if (!p->left || (w->close_midway && !rnd(40))) {
		close_plan(w, p);
		return;
	}
	p->left--;
	p->moves++;
	if (p->style == OVERLAP && p->moves < 3)
		burst++;
	for (uint32_t i = 0; i < burst; i++)
		ask_one(w, p);
	drain_socket(w, &p->s);
	keep = p->style == OVERLAP && p->left ? (p->moves < 3) + rnd(3) : 0;
	if (w->close_midway && !rnd(40))
		return;
	while (p->answered + keep < p->asked) {
		answer_one(w, p);
		if (rnd(3))
			drain_socket(w, &p->c);
	}
	drain_socket(w, &p->c);
}

static void run_world(struct world *w, uint32_t moves, bool mixed)
{
	for (uint32_t i = 0; i < w->conns; i++)
		open_plan(w, &w->p[i], mixed ? (enum style)(i % STYLES) : PLAIN);
	for (uint32_t i = 0; i < moves; i++) {
		struct plan *p = &w->p[rnd(w->conns)];

		if (!p->open)
			open_plan(w, p, mixed ? (enum style)rnd(STYLES) : PLAIN);
		move(w, p);
	}
	for (uint32_t i = 0; i < w->conns; i++)
		if (w->p[i].open)
			close_plan(w, &w->p[i]);
	bed_read(&w->b);
	sim_sweep(w->b.sim, bed_rec, &w->b);
	bed_read(&w->b);
	st_core__end(w->b.core, w->b.sim->now_ns);
	bed_balance(&w->b);
}

static void begin_world(struct world *w, uint64_t seed, uint32_t conns, uint32_t drop)
{
	memset(w, 0, sizeof(*w));
	rnd_state = seed * 0x9e3779b97f4a7c15ULL + 1;
	bed_init(&w->b, 4 * CONNS, BED_EAGER);
	w->conns = conns;
	w->drop = drop;
	w->b.sim->refuse = refuse;
	w->b.sim->refuse_ctx = w;
}

/* Nothing lost: every request is a span with its status, at both ends. */
static void nothing_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 400; seed++) {
		static struct world w;

		begin_world(&w, seed, 6, 0);
		run_world(&w, 60, false);
		check_spans(&w.b, seed);
		if (w.b.cnt != 2 * w.requests)
			fail_msg("seed %llu: %u spans of %u", (unsigned long long)seed, w.b.cnt,
				 2 * w.requests);
		for (uint32_t i = 0; i < w.b.cnt; i++)
			if (!w.b.spans[i].code || w.b.spans[i].incomplete)
				fail_msg("seed %llu: %s is not whole", (unsigned long long)seed,
					 w.b.spans[i].path);
		assert_int_equal(bed_stats(&w.b).lost_requests, 0);
		bed_free(&w.b);
	}
}

/* DATA records lost: on connections with one request at a time each one is counted exactly. */
static void lost_data_is_counted(void **state)
{
	uint64_t off = 0, all = 0;

	(void)state;
	for (uint64_t seed = first_seed(0); seed < first_seed(0) + 4000; seed++) {
		static struct world w;
		uint32_t drop = seed % 4 ? 50 : 300;

		begin_world(&w, seed, 1, drop);
		run_world(&w, 12, false);
		check_spans(&w.b, seed);
		all += 2 * w.requests;
		if (bed_stats(&w.b).requests != 2 * w.requests) {
			off++;
			fail_msg("seed %llu: %llu requests, %u were made", (unsigned long long)seed,
				 (unsigned long long)bed_stats(&w.b).requests, 2 * w.requests);
		}
		bed_free(&w.b);
	}
	assert_int_equal(off, 0);
	assert_true(all > 10000);
}

/* Everything at once: all kinds of records lost, all styles, connections that end anywhere. */
static void anything_lost(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed(0); seed < first_seed(0) + 600; seed++) {
		static struct world w;

		begin_world(&w, seed, 1 + (uint32_t)seed % CONNS, 50);
		w.drop_states = true;
		w.close_midway = true;
		run_world(&w, 80, true);
		check_spans(&w.b, seed);
		bed_free(&w.b);
	}
}

/* Ends come twice, the second time when the next messages have begun already. */
static void tap_twice(struct bed *b, const struct st_rec *r)
{
	static struct st_rec kept[16];
	static uint32_t cnt;

	assert_int_equal(st_core__feed(b->core, r), 0);
	if (r->kind == ST_REC_END && cnt < 16)
		kept[cnt++] = *r;
	if (!rnd(3) || r->kind == ST_REC_END)
		return;
	for (uint32_t i = 0; i < cnt; i++)
		assert_int_equal(st_core__feed(b->core, &kept[i]), 0);
	cnt = 0;
}

static void ends_come_twice(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		static struct world w;

		begin_world(&w, seed, 6, 0);
		w.b.tap = tap_twice;
		run_world(&w, 60, false);
		check_spans(&w.b, seed);
		for (uint32_t i = 0; i < w.b.cnt; i++)
			if (!w.b.spans[i].code || w.b.spans[i].incomplete)
				fail_msg("seed %llu: %s is not whole", (unsigned long long)seed,
					 w.b.spans[i].path);
		assert_int_equal(w.b.cnt, 2 * w.requests);
		bed_free(&w.b);
	}
}

/* Far more connections than slots: what is followed is followed from any point on. */
static void slots_run_out(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		static struct world w;

		begin_world(&w, seed, CONNS, seed % 2 ? 30 : 0);
		bed_free(&w.b);
		bed_init(&w.b, 9, BED_EAGER);
		w.b.sim->refuse = refuse;
		w.b.sim->refuse_ctx = &w;
		w.drop_states = seed % 4 == 3;
		tame = true;
		run_world(&w, 150, false);
		tame = false;
		check_spans(&w.b, seed);
		bed_free(&w.b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_lost),	 cmocka_unit_test(lost_data_is_counted),
		cmocka_unit_test(anything_lost), cmocka_unit_test(ends_come_twice),
		cmocka_unit_test(slots_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
