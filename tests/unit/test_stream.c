/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One conversation, cut into records at any places, with pieces that come twice and overlap: always
 * the same spans. Records are made by hand, so that the kernel's rules do not hide the stream's.
 */
#include "core_bed.h"

#define TURNS  10
#define ROUNDS 3000

/* What the sides say, in turn; the server listens first. */
static const char *const said[TURNS] = {
	"GET /one HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
	"POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 22\r\n\r\nGET /evil HTTP/1.1\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
	"5;x=\"y\"\r\nhello\r\n13\r\nHTTP/1.1 200 OK\r\n\r\n\r\n0\r\nT: v\r\n\r\n",
	"GET /three HTTP/1.1\r\n\r\nGET /four HTTP/1.1\r\n\r\n\r\nHEAD /five HTTP/1.1\r\n\r\n",
	"HTTP/1.1 203 A\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 304 B\r\nContent-Length: 9\r\n\r\n"
	"HTTP/1.1 205 C\r\nContent-Length: 1000\r\n\r\n",
	"PUT /six HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"GET /seven HTTP/1.0\r\n\r\n",
	"HTTP/1.0 200 OK\r\n\r\nuntil the end",
};

static uint64_t rnd_state = 42;

static uint32_t rnd(uint32_t n)
{
	rnd_state = rnd_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(rnd_state >> 33) % n;
}

struct talk {
	struct bed b;
	uint64_t pos[2];
	uint64_t time_ns[2];
};

static struct st_rec base(struct talk *t, uint8_t kind, enum st_dir dir, uint32_t turn)
{
	return (struct st_rec){
		.time_ns = SIM_T0 + turn * MS,
		.conn_id = 77,
		.opp_pos = t->pos[!dir],
		.opp_time_ns = t->time_ns[!dir],
		.turn = turn,
		.kind = kind,
		.dir = (uint8_t)dir,
		.tgid = 1,
	};
}

static void put(struct talk *t, enum st_dir dir, uint32_t turn, bool first, uint64_t pos,
		const char *p, size_t len)
{
	struct {
		struct st_rec r;
		char payload[1024];
	} rec;

	rec.r = base(t, ST_REC_DATA, dir, turn);
	rec.r.flags = first ? ST_F_TURN : 0;
	rec.r.pos = pos;
	rec.r.last_ns = t->time_ns[dir];
	rec.r.len = (uint16_t)len;
	rec.r.payload_sz = sizeof(rec.payload);
	memcpy(rec.payload, p, len);
	assert_int_equal(st_core__feed(t->b.core, &rec.r), 0);
	t->time_ns[dir] = rec.r.time_ns;
}

/* A turn in one record, or in random pieces each of which may begin with what came before. */
static void say(struct talk *t, uint32_t turn, bool pieces)
{
	enum st_dir dir = turn % 2 ? ST_RX : ST_TX;
	const char *z = said[turn - 1];
	size_t len = strlen(z), off = 0;
	uint64_t start = t->pos[dir];

	while (off < len) {
		size_t back = pieces && off && !rnd(3) ? rnd((uint32_t)off + 1) : 0;
		size_t n = pieces ? 1 + rnd(rnd(4) ? 9 : 200) : len;

		if (n > len - off)
			n = len - off;
		put(t, dir, turn, !off, start + off - back, z + off - back, n + back);
		off += n;
	}
	t->pos[dir] = start + len;
}

static void finish(struct talk *t)
{
	struct st_rec r = base(t, ST_REC_STATE, ST_TX, TURNS);

	r.what = ST_STATE_OWN_FIN;
	r.pos = t->pos[ST_TX];
	r.last_ns = t->time_ns[ST_TX];
	assert_int_equal(st_core__feed(t->b.core, &r), 0);
	r.what = ST_STATE_CLOSED;
	assert_int_equal(st_core__feed(t->b.core, &r), 0);
}

static void talk(struct talk *t, bool pieces)
{
	memset(t, 0, sizeof(*t));
	bed_init(&t->b, 4, BED_EAGER);
	t->pos[ST_RX] = 0x1fffffff0ULL;
	t->pos[ST_TX] = 0x100000000ULL;
	for (uint32_t turn = 1; turn <= TURNS; turn++)
		say(t, turn, pieces);
	finish(t);
	bed_balance(&t->b);
}

static void any_pieces(void **state)
{
	static struct talk whole, cut;

	(void)state;
	talk(&whole, false);
	assert_int_equal(whole.b.cnt, 7);
	bed_must(&whole.b, ST_KIND_SERVER, "/two", NULL, NULL, 201, 22, 24, 3 * MS, 4 * MS, false);
	bed_must(&whole.b, ST_KIND_SERVER, "/four", NULL, NULL, 304, 0, 0, 5 * MS, 6 * MS, false);
	bed_must(&whole.b, ST_KIND_SERVER, "/seven", NULL, NULL, 200, 0, 13, 9 * MS, 10 * MS,
		 false);
	for (int i = 0; i < ROUNDS; i++) {
		talk(&cut, true);
		assert_int_equal(cut.b.cnt, whole.b.cnt);
		for (uint32_t k = 0; k < whole.b.cnt; k++)
			assert_memory_equal(&cut.b.spans[k], &whole.b.spans[k],
					    sizeof(whole.b.spans[k]));
		assert_int_equal(bed_stats(&cut.b).gaps, 0);
		assert_int_equal(bed_stats(&cut.b).stray, 0);
		bed_free(&cut.b);
	}
	bed_free(&whole.b);
}

/* Positions that lie behind what is known, at any distance, change nothing. */
static void old_positions(void **state)
{
	static struct talk t;

	(void)state;
	for (uint64_t back = 0; back < 200; back++) {
		talk(&t, false);
		bed_free(&t.b);
		memset(&t, 0, sizeof(t));
		bed_init(&t.b, 4, BED_EAGER);
		t.pos[ST_RX] = t.pos[ST_TX] = 1ULL << 32;
		say(&t, 1, false);
		say(&t, 2, false);
		put(&t, ST_TX, 2, false, t.pos[ST_TX] - back, said[1], back < 49 ? back : 49);
		say(&t, 3, false);
		say(&t, 4, false);
		finish(&t);
		assert_int_equal(t.b.cnt, 2);
		assert_int_equal(bed_find(&t.b, ST_KIND_SERVER, "/one")->code, 200);
		assert_int_equal(bed_find(&t.b, ST_KIND_SERVER, "/two")->code, 201);
		bed_free(&t.b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_pieces),
		cmocka_unit_test(old_positions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
