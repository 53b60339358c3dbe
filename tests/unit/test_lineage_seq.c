/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Both ends of a connection on this host: the SERVER span is the CLIENT span's child, or nobody's. */
#include "lineage_bed.h"

/* The SERVER span of each path is below the CLIENT span of the same one. */
static void joined(const struct bed *b, const char *path)
{
	assert_below(bed_find(b, ST_KIND_SERVER, path), bed_find(b, ST_KIND_CLIENT, path), "seq");
}

static void apart(const struct bed *b, const char *path)
{
	const struct bed_span *s = bed_find(b, ST_KIND_SERVER, path);

	assert_root(s);
	assert_memory_not_equal(s->trace_id, bed_find(b, ST_KIND_CLIENT, path)->trace_id, 16);
}

static void both_ends_run(struct bed *b)
{
	ask(b, GET("/one"));
	answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	joined(b, "/one");
	assert_root(bed_find(b, ST_KIND_CLIENT, "/one"));
	/* Another process's parent is remote (OTLP's span flags, bits 8 and 9). */
	assert_int_equal(bed_find(b, ST_KIND_SERVER, "/one")->flags, 0x301);
	assert_int_equal(bed_find(b, ST_KIND_CLIENT, "/one")->flags, 0x101);
}

static void both_ends(void **state)
{
	(void)state;
	each_reader(both_ends_run);
}

/* Every second connection's sequence numbers wrap within it (sim_pair). */
static void keep_alive_run(struct bed *b)
{
	char path[24], req[64];

	for (int i = 0; i < 30; i++) {
		snprintf(req, sizeof(req), "GET /k%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
		ask(b, req);
		answer(b, OK("5") "hello");
	}
	bed_end(b);
	assert_int_equal(b->cnt, 60);
	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), "/k%d", i);
		joined(b, path);
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(b->spans[2 * i].trace_id, b->spans[2 * k].trace_id,
						16);
	}
}

static void keep_alive(void **state)
{
	(void)state;
	each_reader(keep_alive_run);
}

static void wrapping(void **state)
{
	(void)state;
	for (int r = 0; r < BED_READERS; r++) {
		struct bed b;

		bed_init(&b, 8, (enum bed_reader)r);
		b.c.write_seq = b.s.copied_seq = b.s.rcv_nxt = 0xffffffe0u;
		b.s.write_seq = b.c.copied_seq = b.c.rcv_nxt = 0xfffffff0u;
		sim_connect(&b.c);
		keep_alive_run(&b);
		bed_free(&b);
	}
}

static void pipelined_run(struct bed *b)
{
	ask(b, GET("/p1") GET("/p2") GET("/p3"));
	answer(b, OK("1") "a" OK("1") "b" OK("1") "c");
	bed_end(b);
	assert_int_equal(b->cnt, 6);
	joined(b, "/p1");
	joined(b, "/p2");
	joined(b, "/p3");
}

static void pipelined(void **state)
{
	(void)state;
	each_reader(pipelined_run);
}

/* What is one call here comes in pieces there. */
static void split_run(struct bed *b)
{
	static const char *const z[] = {"GET /sp", "lit HTTP/1.1\r\nHost", ": a\r\n\r", "\n"};

	for (int i = 0; i < 4; i++) {
		sim_puts(&b->c, z[i]);
		bed_step(b, MS);
		while (sim_recv(&b->s, 5))
			bed_step(b, 0);
	}
	answer(b, OK("0"));
	bed_end(b);
	assert_int_equal(b->cnt, 2);
	joined(b, "/split");
}

static void split(void **state)
{
	(void)state;
	each_reader(split_run);
}

static void init_two(struct bed *b, struct sim_sock *c, struct sim_sock *s)
{
	bed_init(b, 8, BED_EAGER);
	sim_pair(b->sim, c, s);
	c->write_seq = s->copied_seq = s->rcv_nxt = b->c.write_seq;
	/* The second connection's far end and the first one's near end alone are ours. */
	b->s.traced = c->traced = false;
}

/* Two connections ask at the same sequence number; the answering ones differ. */
static void same_numbers(void **state)
{
	struct sim_sock c, s;
	struct bed b;

	(void)state;
	init_two(&b, &c, &s);
	sim_connect(&b.c);
	sim_connect(&c);
	sim_puts(&b.c, GET("/theirs"));
	bed_step(&b, MS);
	sim_puts(&c, GET("/ours"));
	sim_recv_all(&s);
	bed_step(&b, MS);
	over(&b);
	assert_int_equal(b.cnt, 2);
	assert_root(bed_find(&b, ST_KIND_SERVER, "/ours"));
	assert_root(bed_find(&b, ST_KIND_CLIENT, "/theirs"));
	sim_sock_free(&c);
	sim_sock_free(&s);
	bed_free(&b);
}

/*
 * All numbers are the same: the call was over when they came again (1), or answered (2): nobody reads
 * it any more. 0: it is the same connection as far as anyone can tell.
 */
static void same_again(int how)
{
	struct sim_sock c, s;
	struct bed b;

	init_two(&b, &c, &s);
	s.write_seq = c.copied_seq = c.rcv_nxt = b.s.write_seq;
	sim_connect(&b.c);
	sim_connect(&c);
	sim_puts(&b.c, GET("/theirs"));
	bed_step(&b, MS);
	if (how == 1)
		sim_reset(&b.c);
	if (how == 2) {
		sim_recv_all(&b.s);
		sim_puts(&b.s, OK("9") "on it");
		sim_recv_all(&b.c);
	}
	bed_step(&b, MS);
	sim_puts(&c, GET("/ours"));
	sim_recv_all(&s);
	bed_step(&b, MS);
	over(&b);
	assert_int_equal(b.cnt, 2);
	if (how)
		assert_root(bed_find(&b, ST_KIND_SERVER, "/ours"));
	else
		assert_below(bed_find(&b, ST_KIND_SERVER, "/ours"),
			     bed_find(&b, ST_KIND_CLIENT, "/theirs"), "seq");
	sim_sock_free(&c);
	sim_sock_free(&s);
	bed_free(&b);
}

static void nobody_reads_it_again(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++)
		same_again(how);
}

/* A second reader of the same numbers gets nothing: one call is served once. */
static void served_once(void **state)
{
	struct sim_sock c, s;
	struct bed b;

	(void)state;
	init_two(&b, &c, &s);
	b.s.traced = true;
	s.write_seq = c.copied_seq = c.rcv_nxt = b.s.write_seq;
	sim_connect(&b.c);
	sim_connect(&c);
	ask(&b, GET("/one"));
	sim_puts(&c, GET("/again"));
	sim_recv_all(&s);
	bed_step(&b, MS);
	over(&b);
	joined(&b, "/one");
	assert_root(bed_find(&b, ST_KIND_SERVER, "/again"));
	sim_sock_free(&c);
	sim_sock_free(&s);
	bed_free(&b);
}

/* Recordings of before have no initial sequence numbers, Unix sockets never do. */
static void tap_no_isn(struct bed *b, const struct st_rec *r)
{
	static union {
		struct st_rec rec;
		uint8_t bytes[sizeof(struct st_rec) + ST_PAYLOAD_L];
	} copy;

	memcpy(copy.bytes, r, sizeof(*r) + r->payload_sz);
	if (r->kind == ST_REC_OPEN)
		copy.rec.len = offsetof(struct st_open, isn);
	assert_int_equal(st_core__feed(b->core, &copy.rec), 0);
}

static void no_numbers(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bed b;

		bed_init(&b, 8, BED_EAGER);
		b.tap = i ? NULL : tap_no_isn;
		b.c.tcp = b.s.tcp = !i;
		sim_connect(&b.c);
		ask(&b, GET("/old"));
		answer(&b, OK("0"));
		over(&b);
		assert_int_equal(b.cnt, 2);
		apart(&b, "/old");
		bed_free(&b);
	}
}

/* A -> B -> C, each process's end of each connection is seen: one trace from end to end. */
static void chain_script(struct stage *g)
{
	struct wire *in = &g->in[0], *out = &g->out[0];

	in->c.traced = out->s.traced = true;
	reads(g, 0, 7, "/a");
	calls(g, 0, 7, "/b");
	gets(g, 0, 7);
	answers(g, 0, 7);
	over(&g->b);
	assert_int_equal(g->b.cnt, 4);
	joined(&g->b, "/a");
	joined(&g->b, "/b");
	below(g, "/b", "/a", "thread");
	assert_memory_equal(bed_find(&g->b, ST_KIND_SERVER, "/b")->trace_id,
			    bed_find(&g->b, ST_KIND_CLIENT, "/a")->trace_id, 16);
}
PLAY(chain)

/* The tracer came when requests had been made: the ends still agree on what comes. */
static void joined_late(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b, 8, BED_EAGER);
	b.c.traced = b.s.traced = false;
	sim_connect(&b.c);
	ask(&b, GET("/before"));
	answer(&b, OK("3") "abc");
	b.c.traced = true;
	ask(&b, GET("/client-only"));
	b.s.traced = true;
	answer(&b, OK("3") "abc");
	ask(&b, GET("/after"));
	answer(&b, OK("3") "abc");
	over(&b);
	joined(&b, "/after");
	assert_root(bed_find(&b, ST_KIND_CLIENT, "/client-only"));
	bed_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends),
		cmocka_unit_test(keep_alive),
		cmocka_unit_test(wrapping),
		cmocka_unit_test(pipelined),
		cmocka_unit_test(split),
		cmocka_unit_test(same_numbers),
		cmocka_unit_test(nobody_reads_it_again),
		cmocka_unit_test(served_once),
		cmocka_unit_test(no_numbers),
		cmocka_unit_test(chain),
		cmocka_unit_test(joined_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
