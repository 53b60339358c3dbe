/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records of any kind, order and content, some of them malformed: nothing crashes, no span ends
 * before it begins, and requests = spans + lost + open after each of them. The parser's quick way
 * makes the same spans at the same time as the general one.
 *
 * Input: a header of 8 bytes a record (see take()), then its payload; texts of HTTP are at hand by
 * number, so that messages are found soon.
 */
#include <stdlib.h>

#include "core/core.h"
#include "protocols/http1.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOTS 4

static const char *const texts[] = {
	"GET /a/17 HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /b HTTP/1.1\r\nHost: b:81\r\nContent-Length: 5\r\n\r\nhello",
	"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
	"HEAD / HTTP/1.0\r\n\r\n",
	"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n",
	"GET http://u@h/x?y=z&k HTTP/1.1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.1 100 Continue\r\n\r\n",
	"HTTP/1.1 101 Switching\r\n\r\n",
	"HTTP/1.1 304 No\r\nContent-Length: 99\r\n\r\n",
	"HTTP/1.1 500 No\r\nContent-Length: 18446744073709551615\r\n\r\n",
	"5\r\nhello\r\n0\r\n\r\n",
	"0\r\n\r\n",
	"\r\n",
};

struct source {
	const uint8_t *p, *end;
};

struct world {
	struct st_core *core;
	struct st_core *slow; /* the same without st_proto_ops.quick */
	uint64_t spans, slow_spans;
	uint64_t sum, slow_sum; /* of hashes of the spans of each */
	uint64_t now_ns;
	uint64_t pos[SLOTS][2];
	uint32_t turn[SLOTS];
	_Alignas(8) uint8_t room[sizeof(struct st_rec) + 65536];
};

static const struct st_resource resource = {.index = 3, .generation = 1, .service = {"f", 1}};

static void text_is_readable(struct st_str s)
{
	static volatile uint8_t sink;

	for (uint32_t i = 0; i < s.len; i++)
		sink ^= (uint8_t)s.p[i];
}

static uint64_t hash(uint64_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const uint8_t *)p)[i]) * 0x100000001b3ULL;
	return h;
}

static uint64_t hash_span(const struct st_span *s)
{
	uint64_t h = hash(hash(1469598103934665603ULL, s->trace_id, 16), s->span_id, 8);

	h = hash(hash(hash(h, &s->start_ns, 8), &s->end_ns, 8), s->name.p, s->name.len);
	h = hash(hash(h, &s->kind, 1), &s->status, 1);
	for (uint16_t i = 0; i < s->attr_cnt; i++) {
		const struct st_attr *a = &s->attrs[i];

		h = hash(h, a->key->name.p, a->key->name.len);
		h = a->type == ST_V_STR ? hash(h, a->s.p, a->s.len) : hash(h, &a->i, 1);
	}
	return h;
}

static void on_span(void *ctx, const struct st_span *s)
{
	static const uint8_t zero[16];
	struct world *w = ctx;

	MUST(s->start_ns <= s->end_ns);
	MUST(s->kind == ST_KIND_SERVER || s->kind == ST_KIND_CLIENT);
	MUST(s->name.len && s->attr_cnt <= ST_SPAN_ATTR_MAX && s->resource == &resource);
	MUST(memcmp(s->trace_id, zero, 16) && memcmp(s->span_id, zero, 8));
	text_is_readable(s->name);
	for (uint16_t i = 0; i < s->attr_cnt; i++)
		if (s->attrs[i].type == ST_V_STR)
			text_is_readable(s->attrs[i].s);
	w->spans++;
	w->sum += hash_span(s);
}

static void on_slow_span(void *ctx, const struct st_span *s)
{
	struct world *w = ctx;

	w->slow_spans++;
	w->slow_sum += hash_span(s);
}

static const struct st_resource *on_resource(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	(void)ctx;
	(void)tgid;
	(void)now_ns;
	return &resource;
}

static void on_expect(void *ctx, uint32_t slot, uint64_t conn_id, enum st_dir dir, uint64_t end,
		      uint32_t turn)
{
	(void)ctx;
	(void)turn;
	MUST(slot < SLOTS && conn_id && dir <= ST_TX && end);
}

static void on_open(void *ctx, const struct st_open_request *r)
{
	(void)ctx;
	text_is_readable(r->name);
	text_is_readable(r->path);
}

static void balance(const struct world *w)
{
	struct st_core_stats st, slow;

	st_core__stats(w->core, &st);
	MUST(st.requests == st.spans + st.lost_requests + st.open);
	MUST(st.spans == w->spans);
	MUST(st.conns <= SLOTS);
	st_core__stats(w->slow, &slow);
	MUST(!memcmp(&st, &slow, sizeof(st)));
	MUST(w->spans == w->slow_spans && w->sum == w->slow_sum);
}

static uint8_t byte(struct source *s)
{
	return s->p < s->end ? *s->p++ : 0;
}

/* Positions go on from where they stood, or jump. */
static void place(struct world *w, struct st_rec *r, uint8_t how, uint8_t by)
{
	uint32_t s = r->slot % SLOTS;
	uint8_t d = r->dir & 1;

	if (how & 1)
		w->pos[s][d] += by;
	if (how & 2)
		w->pos[s][!d] += (uint64_t)by << (by & 31);
	if (how & 4)
		w->turn[s] += how & 8 ? by : 1;
	if (how & 4 && r->kind == ST_REC_DATA)
		r->flags |= ST_F_TURN;
	r->pos = w->pos[s][d];
	r->opp_pos = w->pos[s][!d];
	r->turn = w->turn[s];
	r->last_ns = how & 16 ? w->now_ns - by : 0;
	r->opp_time_ns = how & 32 ? w->now_ns - 1 : 0;
	if (how & 64)
		r->last_ns = w->now_ns + by;
	if (how & 128)
		r->call_len = by;
}

static void payload(struct world *w, struct source *s, struct st_rec *r, uint8_t which, uint8_t n)
{
	const char *p = texts[which % (sizeof(texts) / sizeof(texts[0]))];
	size_t len = n;

	if (which & 0x80) {
		len = (size_t)(s->end - s->p) < n ? (size_t)(s->end - s->p) : n;
		p = (const char *)s->p;
		s->p += len;
	} else if (which & 0x40) {
		len = strlen(p);
	} else if (len > strlen(p)) {
		len = strlen(p);
	}
	memcpy(r + 1, p, len);
	r->len = (uint16_t)len;
	r->payload_sz = (uint16_t)(len + 7) & 0xfff8;
	if (r->kind == ST_REC_OPEN || r->kind == ST_REC_CONNECT || r->kind == ST_REC_OVERFLOW)
		r->payload_sz = r->len = sizeof(struct st_open);
	if (r->kind == ST_REC_DATA)
		r->call_len += (uint32_t)len;
	if (r->kind == ST_REC_DATA)
		w->pos[r->slot % SLOTS][r->dir & 1] += r->call_len;
}

/* kind and direction, slot and connection, flags, place twice, state, payload twice */
static struct st_rec *take(struct world *w, struct source *s)
{
	struct st_rec *r = (struct st_rec *)w->room;
	uint8_t kind = byte(s), conn = byte(s), flags = byte(s), how = byte(s), by = byte(s);
	uint8_t state = byte(s), which = byte(s), n = byte(s);

	memset(r, 0, sizeof(*r) + sizeof(struct st_open));
	w->now_ns += by;
	r->kind = kind % 10;
	r->dir = kind & 0x80 ? 1 : 0;
	if (kind == 0x7f)
		r->dir = 2;
	r->slot = conn % (SLOTS + 1);
	r->conn_id = 1 + (conn >> 5);
	r->flags = flags & 0x7e;
	r->time_ns = w->now_ns;
	r->what = state & 7;
	r->err = state >> 3;
	r->tgid = r->tid = conn;
	place(w, r, how, by);
	payload(w, s, r, which, n);
	if (flags & 0x80)
		r->payload_sz = (uint16_t)(r->len / 2);
	return r;
}

static struct st_core *new_core(struct world *w, bool slow)
{
	struct st_core_config cfg = {
		.ops = {.span = slow ? on_slow_span : on_span,
			.resource = on_resource,
			.expect = on_expect},
		.ctx = w,
		.max_conns = SLOTS,
		.max_xchgs = 64,
		.max_names = 8,
		.id_key = {7, 11},
		.epoch_off_ns = 1700000000000000000LL,
		.no_quick = slow,
	};

	return st_core__new(&cfg);
}

static void settle(struct world *w)
{
	st_core__settle(w->core);
	st_core__settle(w->slow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct source s = {data, data + size};
	uint32_t cnt = 0;

	memset(&w, 0, sizeof(w) - sizeof(w.room));
	w.now_ns = 1000000000ULL;
	w.core = new_core(&w, false);
	w.slow = new_core(&w, true);
	MUST(w.core && w.slow);
	while (s.p < s.end) {
		struct st_rec *r = take(&w, &s);
		bool valid = r->dir <= ST_TX && r->len <= r->payload_sz;
		int err = st_core__feed(w.core, r);

		MUST(valid || err);
		MUST(st_core__feed(w.slow, r) == err);
		balance(&w);
		if (++cnt % 8 == 0)
			settle(&w);
		if (cnt % 32 == 0)
			st_core__each_open(w.core, w.now_ns, cnt & 32, on_open, NULL);
	}
	st_core__end(w.core, w.now_ns);
	st_core__end(w.slow, w.now_ns);
	balance(&w);
	st_core__free(w.core);
	st_core__free(w.slow);
	return 0;
}
