/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * FastCGI when records are lost and calls are cut anywhere: no span gets what belongs to another
 * request, and every request is a span or counted. The truth stands in the path: which exchange it
 * is, and the status of its answer.
 */
#include "random.h"
#include "fcgi_bytes.h"

#define CONNS 12

struct plan {
	struct sim_sock c, s;
	bool open, keep, mixes;
	uint32_t nr;	/* of the connection */
	uint32_t asked; /* requests made */
	uint32_t left;	/* moves until it closes */
	size_t unread;	/* what the server leaves for later */
};

struct world {
	struct bed b;
	struct plan p[CONNS];
	uint32_t conns;
	uint32_t made;	   /* connections */
	uint32_t requests; /* made, at each end */
	uint32_t drop;	   /* records per thousand */
	bool drop_states;
	bool close_midway;
};

static struct fcgi out;

static bool refuse(void *ctx, const struct sim_sock *k, uint8_t kind)
{
	const struct world *w = ctx;

	(void)k;
	if (kind != ST_REC_DATA && !w->drop_states)
		return false;
	return rnd(1000) < w->drop;
}

static void reader_may_come(struct world *w)
{
	sim_sleep(w->b.sim, 1000 + rnd(100000));
	if (!rnd(6))
		bed_read(&w->b);
	w->b.sim->cpu = rnd(SIM_CPUS);
}

/* Header by header, or as much as there is; but for what is left. */
static void drain(struct world *w, struct sim_sock *k, size_t leave)
{
	bool by_headers = rnd(2);

	while (k->in.len - k->in_off > leave) {
		size_t n = k->in.len - k->in_off - leave;
		size_t max = by_headers ? 8 : rnd(3) ? 100000 : 1 + rnd(600);

		sim_recv(k, n < max ? n : max);
		reader_may_come(w);
		if (!rnd(8))
			by_headers = false;
	}
}

static void send_out(struct world *w, struct sim_sock *k)
{
	const uint8_t *p = out.b;
	size_t len = out.n;

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
	}
	out.n = 0;
}

/* Bodies of an adversary: what they hold looks like records. */
static void put_evil(int type, int id)
{
	static struct fcgi evil;

	evil.n = 0;
	switch (rnd(5)) {
	case 0:
		fcgi_put(&evil, NULL, 1 + rnd(3000));
		break;
	case 1:
		fcgi_end(&evil, id, 0);
		break;
	case 2:
		fcgi_answer(&evil, id, "Status: 299 Evil\r\n\r\n", 3);
		break;
	case 3:
		fcgi_get(&evil, id, 1, "/evil/1");
		break;
	case 4:
		fcgi_put(&evil, NULL, 20000 + rnd(30000));
		break;
	}
	fcgi_rec(&out, type, id, evil.b, evil.n);
}

static int status_of(uint32_t conn, uint32_t n)
{
	return (int)(300 + (conn * 7 + n * 13) % 280);
}

static void put_request(const struct plan *p, uint32_t n, int id)
{
	char path[64];
	bool body = !rnd(3);

	snprintf(path, sizeof(path), "/c%u/r%u/s%d", p->nr, n, status_of(p->nr, n));
	fcgi_ask_head(&out, id, p->keep, body ? "POST" : "GET", path);
	for (uint32_t i = body ? 1 + rnd(3) : 0; i; i--)
		put_evil(STDIN, id);
	fcgi_rec(&out, STDIN, id, NULL, 0);
}

static void put_answer(const struct plan *p, uint32_t n, int id)
{
	char head[128];
	size_t cut;

	fcgi_status(head, sizeof(head), status_of(p->nr, n));
	cut = rnd(4) ? strlen(head) : rnd((uint32_t)strlen(head));
	if (!rnd(5))
		fcgi_rec(&out, STDERR, id, "PHP message: hello", 18);
	if (cut)
		fcgi_rec(&out, STDOUT, id, head, cut);
	if (cut < strlen(head))
		fcgi_rec(&out, STDOUT, id, head + cut, strlen(head) - cut);
	for (uint32_t i = rnd(3); i; i--)
		put_evil(STDOUT, id);
	if (!rnd(3))
		fcgi_rec(&out, STDOUT, id, NULL, 0);
	fcgi_end(&out, id, 0);
}

static void open_plan(struct world *w, struct plan *p, bool mixes)
{
	memset(p, 0, sizeof(*p));
	sim_pair(w->b.sim, &p->c, &p->s);
	p->nr = w->made++;
	p->mixes = mixes;
	p->keep = mixes || rnd(3);
	p->left = p->keep ? 1 + rnd(8) : 1;
	p->open = true;
	sim_connect(&p->c);
}

static void close_plan(struct world *w, struct plan *p)
{
	if (rnd(8)) {
		sim_shutdown(&p->s);
		drain(w, &p->s, 0);
		drain(w, &p->c, 0);
		sim_close(&p->c);
		sim_close(&p->s);
	} else {
		sim_reset(rnd(2) ? &p->c : &p->s);
	}
	sim_sock_free(&p->c);
	sim_sock_free(&p->s);
	p->open = false;
}

static void ask_some(struct world *w, struct plan *p, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		put_request(p, p->asked + i, (int)i + 1);
	p->asked += cnt;
	w->requests += cnt;
	send_out(w, &p->c);
	/* The empty record at the end may be left for later. */
	drain(w, &p->s, rnd(2) ? 8 : 0);
}

static void move(struct world *w, struct plan *p)
{
	uint32_t cnt = p->mixes ? 1 + rnd(3) : 1;

	if (!p->left || (w->close_midway && !rnd(30))) {
		close_plan(w, p);
		return;
	}
	p->left--;
	ask_some(w, p, cnt);
	if (w->close_midway && !rnd(30)) {
		p->left = 0;
		return;
	}
	for (uint32_t i = cnt; i--;)
		put_answer(p, p->asked - cnt + i, (int)i + 1);
	send_out(w, &p->s);
	drain(w, &p->c, 0);
}

static void begin_world(struct world *w, uint64_t seed, uint32_t conns, uint32_t drop)
{
	memset(w, 0, sizeof(*w));
	rnd_state = seed * 0x9e3779b97f4a7c15ULL + 1;
	out.n = 0;
	bed_init(&w->b, 4 * CONNS, BED_EAGER);
	w->conns = conns;
	w->drop = drop;
	w->b.sim->refuse = refuse;
	w->b.sim->refuse_ctx = w;
}

static void run_world(struct world *w, uint32_t moves, bool mixes)
{
	for (uint32_t i = 0; i < moves; i++) {
		struct plan *p = &w->p[rnd(w->conns)];

		if (!p->open)
			open_plan(w, p, mixes && rnd(2));
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

/* Nothing lost: every request is a span with its status, at both ends. */
static void nothing_lost(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed(0); seed < first_seed(0) + 400; seed++) {
		static struct world w;

		begin_world(&w, seed, 6, 0);
		run_world(&w, 40, false);
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

/*
 * DATA records lost: each request is counted once, as a span or as lost. A few are not told apart
 * where bytes of it and of its neighbours are missing at once.
 */
static void lost_data_is_counted(void **state)
{
	uint64_t more = 0, less = 0, all = 0;

	(void)state;
	for (uint64_t seed = first_seed(0); seed < first_seed(0) + 4000; seed++) {
		static struct world w;
		uint64_t got;

		begin_world(&w, seed, 1, seed % 4 ? 50 : 300);
		run_world(&w, 12, false);
		check_spans(&w.b, seed);
		got = bed_stats(&w.b).requests;
		all += 2 * w.requests;
		more += got > 2 * w.requests ? got - 2 * w.requests : 0;
		less += got < 2 * w.requests ? 2 * w.requests - got : 0;
		bed_free(&w.b);
	}
	assert_in_range(more, 0, all / 150);
	assert_in_range(less, 0, all / 500);
	assert_true(all > 10000);
}

/* Everything at once: all kinds of records lost, several requests at once, ends anywhere. */
static void anything_lost(void **state)
{
	(void)state;
	for (uint64_t seed = first_seed(0); seed < first_seed(0) + 600; seed++) {
		static struct world w;

		begin_world(&w, seed, 1 + (uint32_t)seed % CONNS, 50);
		w.drop_states = true;
		w.close_midway = true;
		run_world(&w, 60, true);
		check_spans(&w.b, seed);
		bed_free(&w.b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_lost),
		cmocka_unit_test(lost_data_is_counted),
		cmocka_unit_test(anything_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
