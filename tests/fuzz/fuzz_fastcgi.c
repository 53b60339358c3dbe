/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Both directions of a FastCGI connection, any bytes in any pieces, with holes: nothing crashes, no
 * span ends before it begins, requests = spans + lost + open after each record, and what is told of
 * a request does not depend on how its bytes were cut.
 *
 * Input: steps of two bytes (what, how much) and, for bytes, so many of them.
 */
#include <stdlib.h>

#include "core/core.h"
#include "protocols/fastcgi.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct st_core *core;
	uint64_t spans;
	bool clean;   /* nothing was lost, missing or out of place */
	uint64_t sum; /* of hashes of names and attributes */
	uint64_t now_ns;
	uint64_t pos[2];
	uint32_t turn;
	uint8_t dir;
	bool begun;
	_Alignas(8) uint8_t room[sizeof(struct st_rec) + 256];
};

static const struct st_resource resource = {.index = 1, .generation = 1, .service = {"f", 1}};

static uint64_t hash(uint64_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3ULL;
	return h;
}

static void on_span(void *ctx, const struct st_span *s)
{
	struct world *w = ctx;
	uint64_t h = hash(1469598103934665603ULL, s->name.p, s->name.len);

	MUST(s->start_ns <= s->end_ns && s->name.len && s->attr_cnt <= ST_SPAN_ATTR_MAX);
	for (uint16_t i = 0; i < s->attr_cnt; i++) {
		const struct st_attr *a = &s->attrs[i];

		h = a->type == ST_V_STR ? hash(h, a->s.p, a->s.len) : hash(h, &a->i, 1);
	}
	w->spans++;
	w->sum += h;
}

static const struct st_resource *on_resource(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	(void)ctx;
	(void)tgid;
	(void)now_ns;
	return &resource;
}

static void balance(const struct world *w)
{
	struct st_core_stats st;

	st_core__stats(w->core, &st);
	MUST(st.requests == st.spans + st.lost_requests + st.open && st.spans == w->spans);
}

static struct st_rec *record(struct world *w, uint8_t kind)
{
	struct st_rec *r = (struct st_rec *)w->room;

	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->time_ns = w->now_ns += 1000;
	r->conn_id = 7;
	r->tgid = r->tid = 1;
	r->dir = w->dir;
	r->turn = w->turn;
	r->pos = w->pos[w->dir];
	r->opp_pos = w->pos[!w->dir];
	r->last_ns = r->opp_time_ns = w->now_ns - 500;
	return r;
}

static void feed(struct world *w, struct st_rec *r)
{
	MUST(st_core__feed(w->core, r) == 0);
	balance(w);
}

/* Bytes of a direction, in one record; flags besides ST_F_TURN. */
static void bytes(struct world *w, uint8_t dir, const uint8_t *p, size_t n, uint16_t flags)
{
	bool turn = !w->begun || dir != w->dir;
	struct st_rec *r;

	w->turn += turn;
	w->begun = true;
	w->dir = dir;
	r = record(w, ST_REC_DATA);
	r->flags = (uint16_t)(flags | (turn ? ST_F_TURN : 0));
	r->len = (uint16_t)n;
	r->payload_sz = 256;
	r->call_len = (uint32_t)n;
	memcpy(r + 1, p, n);
	w->pos[dir] += n;
	feed(w, r);
}

static void end_told(struct world *w, uint8_t dir)
{
	struct st_rec *r = record(w, ST_REC_END);

	r->dir = dir;
	r->pos = w->pos[dir];
	feed(w, r);
}

static void state(struct world *w, uint8_t what)
{
	struct st_rec *r = record(w, ST_REC_STATE);

	r->what = what;
	r->dir = what == ST_STATE_PEER_FIN ? ST_RX : ST_TX;
	r->pos = w->pos[r->dir];
	r->opp_pos = w->pos[!r->dir];
	feed(w, r);
}

static void begin(struct world *w)
{
	struct st_core_config cfg = {
		.ops = {.span = on_span, .resource = on_resource},
		.ctx = w,
		.max_conns = 2,
		.max_xchgs = 24,
		.id_key = {1, 2},
	};

	memset(w, 0, sizeof(*w));
	w->core = st_core__new(&cfg);
	MUST(w->core);
	w->now_ns = 1000000000;
	w->pos[0] = w->pos[1] = 1000;
}

static void end(struct world *w)
{
	struct st_core_stats st;

	st_core__end(w->core, w->now_ns);
	balance(w);
	st_core__stats(w->core, &st);
	w->clean = !st.stray && !st.gaps && !st.lost_requests && !st.unknown_conns;
	st_core__free(w->core);
}

static void cut_bytes(struct world *w, uint8_t dir, const uint8_t *p, size_t n, size_t cut)
{
	for (size_t i = 0; i < n; i += cut)
		bytes(w, dir, p + i, n - i < cut ? n - i : cut, 0);
}

static void step(struct world *w, uint8_t what, uint8_t n, const uint8_t *p, size_t cut)
{
	switch (what & 7) {
	case 0:
	case 1:
	case 2:
	case 3:
		if (n)
			cut_bytes(w, what & 1, p, n, cut ? cut : n);
		break;
	case 4: /* bytes that were not seen */
		w->pos[what >> 3 & 1] += (uint64_t)n << (what >> 4);
		break;
	case 5: /* turns that were not seen */
		w->turn += n;
		break;
	case 6:
		end_told(w, what >> 3 & 1);
		break;
	case 7:
		state(w, (uint8_t)(ST_STATE_PEER_FIN + n % 3));
		break;
	}
}

static void run(struct world *w, const uint8_t *data, size_t size, size_t cut)
{
	const uint8_t *p = data, *e = data + size;

	begin(w);
	while (e - p >= 2) {
		uint8_t what = p[0], n = p[1];

		p += 2;
		if ((what & 7) < 4 && n > e - p)
			n = (uint8_t)(e - p);
		step(w, what, n, p, cut);
		if ((what & 7) < 4)
			p += n;
	}
	end(w);
}

/* Does the first step tell the protocol, and are there only bytes, of both directions in turn? */
static bool is_plain(const uint8_t *data, size_t size)
{
	const uint8_t *p = data, *e = data + size;

	if (size < 2 || data[1] > size - 2 || st_fcgi__detect(st_bytes(data + 2, data[1])) <= 0)
		return false;
	while (e - p >= 2) {
		if ((p[0] & 7) > 3 || !p[1] || p[1] > e - p - 2)
			return false;
		p += 2 + p[1];
	}
	return true;
}

static void heads_agree(const uint8_t *data, size_t size)
{
	struct st_fcgi_head a = {0}, b = {0};
	uint32_t n = st_fcgi_head__feed(&a, data, (uint32_t)size), m = 0;

	MUST(n <= size);
	for (size_t i = 0; i < size && !b.done; i++)
		m += st_fcgi_head__feed(&b, data + i, 1);
	MUST(m == n && a.done == b.done);
	MUST(!a.done || st_fcgi_head__status(&a) == st_fcgi_head__status(&b));
	MUST(!a.done || st_fcgi_head__status(&a) < 1000);
}

static void detection_stays(const uint8_t *data, size_t size)
{
	int before = 0;

	for (size_t n = 0; n <= size && n < 100; n++) {
		int now = st_fcgi__detect(st_bytes(data, n));

		MUST(!before || now == before);
		before = now;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world whole, cut;

	heads_agree(data, size);
	detection_stays(data, size);
	run(&whole, data, size, 0);
	if (!whole.clean || !is_plain(data, size))
		return 0;
	run(&cut, data, size, 1);
	MUST(cut.clean && whole.spans == cut.spans && whole.sum == cut.sum);
	return 0;
}
