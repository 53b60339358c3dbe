/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A core behind a simulated kernel, and what came out of it. */
#ifndef ST_TEST_CORE_BED_H
#define ST_TEST_CORE_BED_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/core.h"
#include "core/propagate.h"
#include "simkernel.h"
#include "spantap/keys.h"

#define US 1000ULL
#define MS 1000000ULL

/* When the reader comes by. */
enum bed_reader {
	BED_EAGER,	/* after each call */
	BED_LAZY,	/* at the end of the script only */
	BED_NEVER_TOLD, /* after each call, but no end is ever told */
	BED_READERS
};

/* A span, copied. */
struct bed_span {
	char name[128];
	char path[128]; /* url.path, or the path in url.full */
	char error[32];
	uint8_t kind;
	uint8_t status; /* enum st_status */
	int code;	/* http.response.status_code; 0: none */
	int64_t req_sz; /* -1: not there */
	int64_t resp_sz;
	uint64_t start_ns;
	uint64_t end_ns;
	bool incomplete;
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_id[8];
	bool has_parent;
	char evidence[16]; /* spantap.parent.evidence; empty: not there */
	uint32_t flags;
	char trace_state[64];
	uint32_t link_cnt;
	uint8_t link_trace_id[16]; /* of the first link */
	uint8_t link_span_id[8];
};

struct bed {
	struct sim *sim;
	struct st_core *core;
	enum bed_reader reader;
	struct bed_span *spans;
	uint32_t cnt, cap;
	/* every record that the core got passes here first; NULL: as it is */
	void (*tap)(struct bed *b, const struct st_rec *r);
	void *tap_ctx;
	/* what a process is; NULL: all are bed_resource */
	const struct st_resource *(*resource)(uint32_t tgid);
	uint32_t watch_asked; /* st_core_ops.watch_waits and calls: how often */
	uint32_t calls_asked;
	uint32_t pool_asked;  /* st_core_ops.watch_pool */
	struct sim_sock c, s; /* the connection of the small tests */
};

static const struct st_resource bed_resource = {.index = 1, .generation = 1, .service = {"t", 1}};

static inline const struct st_resource *bed_on_resource(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	const struct bed *b = ctx;

	(void)now_ns;
	return b->resource ? b->resource(tgid) : &bed_resource;
}

static inline void bed_on_watch_waits(void *ctx)
{
	((struct bed *)ctx)->watch_asked++;
}

static inline void bed_on_calls(void *ctx, uint32_t tgid)
{
	(void)tgid;
	((struct bed *)ctx)->calls_asked++;
}

static inline void bed_on_watch_pool(void *ctx, uint32_t tgid)
{
	(void)tgid;
	((struct bed *)ctx)->pool_asked++;
}

static inline void bed_text(char *to, size_t sz, struct st_str s)
{
	size_t n = s.len < sz ? s.len : sz - 1;

	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
}

static inline int64_t bed_int(const struct st_span *s, const struct st_key *k, int64_t none)
{
	const struct st_attr *a = st_span_find(s, k);

	return a ? a->i : none;
}

static inline struct st_str bed_str(const struct st_span *s, const struct st_key *k)
{
	const struct st_attr *a = st_span_find(s, k);

	return a ? a->s : (struct st_str){0};
}

static inline void bed_path(struct bed_span *o, const struct st_span *s)
{
	struct st_str p = bed_str(s, ST_KEY(url_path)), full = bed_str(s, ST_KEY(url_full));
	const char *slash = full.len > 8 ? memchr(full.p + 8, '/', full.len - 8) : NULL;

	if (slash)
		p = st_str(slash, (size_t)(full.p + full.len - slash));
	bed_text(o->path, sizeof(o->path), p);
}

static inline void bed_on_span(void *ctx, const struct st_span *s)
{
	struct bed *b = ctx;
	struct bed_span *o;

	if (b->cnt == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 16;
		b->spans = must(realloc(b->spans, b->cap * sizeof(*b->spans)));
	}
	o = &b->spans[b->cnt++];
	memset(o, 0, sizeof(*o));
	bed_text(o->name, sizeof(o->name), s->name);
	bed_path(o, s);
	bed_text(o->error, sizeof(o->error), bed_str(s, ST_KEY(error_type)));
	o->kind = s->kind;
	o->status = s->status;
	o->code = (int)bed_int(s, ST_KEY(http_response_status_code), 0);
	o->req_sz = bed_int(s, ST_KEY(http_request_body_size), -1);
	o->resp_sz = bed_int(s, ST_KEY(http_response_body_size), -1);
	o->start_ns = s->start_ns;
	o->end_ns = s->end_ns;
	o->incomplete = st_span_find(s, ST_KEY(spantap_incomplete)) != NULL;
	memcpy(o->trace_id, s->trace_id, 16);
	memcpy(o->span_id, s->span_id, 8);
	memcpy(o->parent_id, s->parent_id, 8);
	o->has_parent = s->has_parent;
	bed_text(o->evidence, sizeof(o->evidence), bed_str(s, ST_KEY(spantap_parent_evidence)));
	o->flags = s->flags;
	bed_text(o->trace_state, sizeof(o->trace_state), s->trace_state);
	o->link_cnt = s->link_cnt;
	if (s->link_cnt) {
		memcpy(o->link_trace_id, s->links[0].trace_id, 16);
		memcpy(o->link_span_id, s->links[0].span_id, 8);
	}
	assert_true(s->start_ns <= s->end_ns);
}

static inline void bed_on_expect(void *ctx, uint32_t slot, uint64_t conn_id, enum st_dir dir,
				 uint64_t end, uint32_t turn)
{
	struct bed *b = ctx;

	sim_on_expect(b->sim, slot, conn_id, dir, end, turn);
}

static inline void bed_on_mode(void *ctx, uint32_t slot, uint64_t conn_id, enum st_mode mode,
			       uint8_t proto)
{
	sim_on_mode(((struct bed *)ctx)->sim, slot, conn_id, mode, proto);
}

static inline void bed_on_gone(void *ctx, uint32_t slot, uint64_t conn_id)
{
	sim_on_gone(((struct bed *)ctx)->sim, slot, conn_id);
}

static inline void bed_init(struct bed *b, uint32_t slots, enum bed_reader reader)
{
	struct st_core_config cfg = {
		.ops = {.span = bed_on_span,
			.resource = bed_on_resource,
			.expect = bed_on_expect,
			.mode = bed_on_mode,
			.gone = bed_on_gone,
			.calls = bed_on_calls,
			.watch_waits = bed_on_watch_waits,
			.watch_pool = bed_on_watch_pool},
		.ctx = b,
		.max_conns = slots,
		.id_key = {0x0123456789abcdefULL, 0xfedcba9876543210ULL},
	};

	st_propagate__defaults(&cfg.propagators);
	memset(b, 0, sizeof(*b));
	b->sim = sim_new(slots);
	b->reader = reader;
	b->core = must(st_core__new(&cfg));
	sim_pair(b->sim, &b->c, &b->s);
}

static inline void bed_free(struct bed *b)
{
	st_core__free(b->core);
	sim_sock_free(&b->c);
	sim_sock_free(&b->s);
	sim_free(b->sim);
	free(b->spans);
}

static inline void bed_rec(void *ctx, const struct st_rec *r)
{
	struct bed *b = ctx;

	if (b->reader == BED_NEVER_TOLD && r->kind == ST_REC_END)
		return;
	if (b->tap)
		b->tap(b, r);
	else
		assert_int_equal(st_core__feed(b->core, r), 0);
}

static inline struct st_core_stats bed_stats(const struct bed *b)
{
	struct st_core_stats st;

	st_core__stats(b->core, &st);
	return st;
}

/* Nothing is ever neither shown nor counted. */
static inline void bed_balance(const struct bed *b)
{
	struct st_core_stats st = bed_stats(b);

	assert_int_equal(st.requests, st.spans + st.lost_requests + st.open);
	assert_int_equal(st.spans, b->cnt);
}

/* The reader comes by. */
static inline void bed_read(struct bed *b)
{
	sim_drain(b->sim, bed_rec, b);
	st_core__settle(b->core);
	sim_drain_told(b->sim, bed_rec, b);
	bed_balance(b);
}

/* Time passes without a record. */
static inline void bed_tick(struct bed *b, uint64_t ns)
{
	bed_read(b);
	sim_sleep(b->sim, ns);
	st_core__tick(b->core, b->sim->now_ns);
	st_core__settle(b->core);
	bed_balance(b);
}

/* Between two calls of a script: time passes, and the reader may come. */
static inline void bed_step(struct bed *b, uint64_t ns)
{
	if (b->reader != BED_LAZY)
		bed_read(b);
	sim_sleep(b->sim, ns);
}

/* Where no slot tells an end, the end of the connection does. */
static inline void bed_end(struct bed *b)
{
	if (b->reader == BED_NEVER_TOLD) {
		bed_read(b);
		sim_sleep(b->sim, 100 * MS);
		sim_close(&b->c);
		sim_close(&b->s);
	}
	bed_read(b);
	bed_read(b);
	st_core__end(b->core, b->sim->now_ns);
	bed_balance(b);
	assert_int_equal(bed_stats(b).open, 0);
}

/* The one span of that kind and path. */
static inline const struct bed_span *bed_find(const struct bed *b, enum st_kind kind,
					      const char *path)
{
	const struct bed_span *found = NULL;

	for (uint32_t i = 0; i < b->cnt; i++) {
		if (b->spans[i].kind != kind || strcmp(b->spans[i].path, path))
			continue;
		if (found)
			fail_msg("two spans of kind %d for %s", (int)kind, path);
		found = &b->spans[i];
	}
	if (!found)
		fail_msg("no span of kind %d for %s", (int)kind, path);
	return found;
}

/* What a span must be. Times are offsets from the start of the simulation. */
struct bed_want {
	enum st_kind kind;
	const char *path;
	const char *name;  /* NULL: not looked at */
	const char *error; /* NULL: none */
	int code;
	int64_t req_sz, resp_sz; /* 0 and -1 both are: none told (req); -1: none told (resp) */
	uint64_t start_ns, end_ns;
	bool incomplete;
};

#define bed_must(b, ...) bed_must_be((b), &(const struct bed_want){__VA_ARGS__})

static inline void bed_must_be(const struct bed *b, const struct bed_want *w)
{
	static const char *const readers[] = {"eager", "lazy", "never told"};
	const struct bed_span *s = bed_find(b, w->kind, w->path);
	char want[512], got[512];

	snprintf(want, sizeof(want),
		 "%s: %s '%s' error '%s' status %d code %d, %lld in, %lld out, %llu to %llu us%s",
		 readers[b->reader], w->path, w->name ? w->name : s->name, w->error ? w->error : "",
		 w->error ? ST_STATUS_ERROR : ST_STATUS_UNSET, w->code,
		 (long long)(w->req_sz ? w->req_sz : -1), (long long)w->resp_sz,
		 (unsigned long long)(w->start_ns / US), (unsigned long long)(w->end_ns / US),
		 w->incomplete ? " incomplete" : "");
	snprintf(got, sizeof(got),
		 "%s: %s '%s' error '%s' status %d code %d, %lld in, %lld out, %llu to %llu us%s",
		 readers[b->reader], s->path, s->name, s->error, s->status, s->code,
		 (long long)s->req_sz, (long long)s->resp_sz,
		 (unsigned long long)((s->start_ns - SIM_T0) / US),
		 (unsigned long long)((s->end_ns - SIM_T0) / US),
		 s->incomplete ? " incomplete" : "");
	assert_string_equal(got, want);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: shop\r\n\r\n"
#define OK(len)	  "HTTP/1.1 200 OK\r\nContent-Length: " len "\r\n\r\n"

/* A connection of its own for each time that the reader may come. */
static inline void each_reader(void (*run)(struct bed *b))
{
	for (int r = 0; r < BED_READERS; r++) {
		struct bed b;

		bed_init(&b, 8, (enum bed_reader)r);
		sim_connect(&b.c);
		bed_step(&b, 0);
		run(&b);
		bed_free(&b);
	}
}

/* One call of the client, 1 ms on the way, one receive of the server. */
static inline void ask(struct bed *b, const char *z)
{
	sim_puts(&b->c, z);
	bed_step(b, MS);
	sim_recv_all(&b->s);
	bed_step(b, 0);
}

/* The same the other way. */
static inline void answer(struct bed *b, const char *z)
{
	sim_puts(&b->s, z);
	bed_step(b, MS);
	sim_recv_all(&b->c);
	bed_step(b, 0);
}

#endif
