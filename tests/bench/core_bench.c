/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The pure core's speed: exchanges per second and core from records in memory to OTLP requests,
 * instructions per exchange, and allocations in steady state.
 *
 * core_bench [-n EXCHANGES] [-r ROUNDS] [-l LAG_US] [-c] [-p] [-R] [-m MIN_PER_S]
 *   -l  how far the reader lags behind the connections: with 0 each response's end is told by a
 *       record of its own, with more most ends are told by the next request
 *   -c  one round and no measuring, for valgrind --tool=callgrind --toggle-collect=run_round
 *   -p  the spans are not encoded
 *   -R  from the bytes of a recording file: checksums and copies as `spantap replay` makes them
 *   -m  exit 1 when the best round stays below
 */
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../unit/simkernel.c"
#include "../unit/simreader.c"
#include "../unit/simturn.c"

#include "core/core.h"
#include "core/recording.h"
#include "export/batch.h"
#include "spantap/keys.h"

#define CONNS	    16
#define BATCH_SPANS 512

static struct {
	uint32_t exchanges;
	uint32_t rounds;
	uint64_t lag_ns;
	uint64_t min_per_s;
	bool plain;
	bool no_encode;
	bool recording;
} opt = {.exchanges = 25000, .rounds = 9, .lag_ns = 2000000};

/* ---- allocations are counted ---- */

static uint64_t mallocs;
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t m);
void *__libc_realloc(void *p, size_t n);

void *malloc(size_t n)
{
	mallocs++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t m)
{
	mallocs++;
	return __libc_calloc(n, m);
}

void *realloc(void *p, size_t n)
{
	mallocs++;
	return __libc_realloc(p, n);
}

/* ---- the spans' way out ---- */

#define STR(id, lit) {.key = ST_KEY(id), .type = ST_V_STR, .s = {(lit), sizeof(lit) - 1}}
#define INT(id, v)   {.key = ST_KEY(id), .type = ST_V_INT, .i = (v)}

static const struct st_attr res_attrs[] = {
	STR(service_name, "shop"),
	STR(service_instance_id, "6f1d3c2a-0b7e-4a6f-9d53-6c1f0a2b3c4d"),
	INT(process_pid, 200),
	STR(host_name, "node-1"),
	STR(telemetry_sdk_name, "spantap"),
};

static const struct st_resource shop = {
	.index = 1,
	.generation = 1,
	.service = {"shop", 4},
	.pid = 200,
	.attrs = res_attrs,
	.attr_cnt = sizeof(res_attrs) / sizeof(res_attrs[0]),
};

struct out {
	struct st_enc enc;
	struct st_res_cache cache;
	struct st_batch *batch;
	struct st_buf body;
	uint64_t spans;
	uint64_t bytes;
	uint64_t requests;
};

static void send_batch(struct out *o)
{
	st_buf__reset(&o->body);
	if (!o->batch->cnt || !o->enc.format->join(o->batch, &o->body))
		abort();
	o->bytes += o->body.len;
	o->requests++;
	st_batch__reset(o->batch);
}

static void on_span(void *ctx, const struct st_span *s)
{
	struct out *o = ctx;
	int err;

	o->spans++;
	if (opt.no_encode)
		return;
	err = st_batch__add(o->batch, &o->enc, &o->cache, s);
	if (err == -ENOSPC) {
		send_batch(o);
		err = st_batch__add(o->batch, &o->enc, &o->cache, s);
	}
	if (err)
		abort();
}

static const struct st_resource *on_resource(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	(void)ctx;
	(void)tgid;
	(void)now_ns;
	return &shop;
}

static struct out *out_new(void)
{
	static const struct st_limits lim = {
		.attr_cnt = 128,
		.attr_len = UINT32_MAX,
		.event_cnt = 128,
		.link_cnt = 128,
		.event_attr_cnt = 128,
		.link_attr_cnt = 128,
	};
	struct out *o = must(aligned_alloc(64, (sizeof(*o) + 63) & ~(size_t)63));

	memset(o, 0, sizeof(*o));
	st_enc__init(&o->enc, &st_format_otlp, &lim);
	o->batch = must(st_batch__new(BATCH_SPANS));
	o->body = st_buf__init(64u << 20);
	return o;
}

static void out_free(struct out *o)
{
	st_enc__free(&o->enc);
	st_res_cache__free(&o->cache);
	st_batch__free(o->batch);
	st_buf__free(&o->body);
	free(o);
}

/* ---- the records ---- */

/* What one round reads: records one behind the other, and the same as a file. */
struct tape {
	struct st_buf recs;
	struct st_buf body;
	struct st_buf file;
	uint64_t cnt;
};

static void tape_init(struct tape *t)
{
	*t = (struct tape){.recs = st_buf__init(SIZE_MAX / 2),
			   .body = st_buf__init(ST_RECORDING_BLOCK_MAX),
			   .file = st_buf__init(SIZE_MAX / 2)};
	st_recording__put_header(&t->file);
}

static void tape_free(struct tape *t)
{
	st_buf__free(&t->recs);
	st_buf__free(&t->body);
	st_buf__free(&t->file);
}

static void tape_rec(void *ctx, const struct st_rec *r)
{
	struct tape *t = ctx;
	size_t sz = (sizeof(*r) + r->len + 7) & ~(size_t)7;

	memset(must(st_buf__room(&t->recs, sz)), 0, sz);
	memcpy(t->recs.p + t->recs.len, r, sizeof(*r) + r->len);
	t->recs.len += sz;
	t->cnt++;
	if (st_recording__put_item(&t->body, ST_ITEM_RECORD, r, sizeof(*r), r + 1, r->len))
		abort();
	if (t->body.len > 128u << 10)
		st_recording__put_block(&t->file, &t->body);
}

struct maker {
	struct sim *sim;
	struct st_core *core;
	struct tape *tape;
};

static void make_rec(void *ctx, const struct st_rec *r)
{
	struct maker *m = ctx;

	tape_rec(m->tape, r);
	st_core__feed(m->core, r);
}

static void make_expect(void *ctx, uint32_t slot, uint64_t conn_id, enum st_dir dir, uint64_t end,
			uint32_t turn)
{
	sim_on_expect(((struct maker *)ctx)->sim, slot, conn_id, dir, end, turn);
}

static void make_mode(void *ctx, uint32_t slot, uint64_t conn_id, enum st_mode mode, uint8_t proto)
{
	sim_on_mode(((struct maker *)ctx)->sim, slot, conn_id, mode, proto);
}

static void make_span(void *ctx, const struct st_span *s)
{
	(void)ctx;
	(void)s;
}

static struct st_core *new_core(const struct st_core_ops *ops, void *ctx)
{
	struct st_core_config cfg = {
		.ops = *ops,
		.ctx = ctx,
		.max_conns = 64,
		.id_key = {1, 2},
		.epoch_off_ns = 1700000000000000000LL,
	};

	return must(st_core__new(&cfg));
}

static void exchange(struct sim_sock *client, struct sim_sock *server, uint32_t i)
{
	static const char *const paths[] = {
		"/",	   "/index.html",    "/orders/%u",   "/api/v1/users/%u/cart",
		"/health", "/static/app.js", "/search?q=%u", "/pay"};
	char path[64], req[512], resp[512];

	snprintf(path, sizeof(path), paths[i % 8], i);
	snprintf(req, sizeof(req),
		 "GET %s HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: curl/7.88.1\r\n"
		 "Accept: */*\r\n\r\n",
		 path);
	snprintf(
		resp, sizeof(resp),
		"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\n"
		"Content-Type: application/json\r\nContent-Length: 31\r\n"
		"Connection: keep-alive\r\n\r\n{\"id\": %10u, \"ok\": true}\n",
		i);
	sim_puts(client, req);
	sim_recv_all(server);
	sim_sleep(server->sim, 10000);
	sim_puts(server, resp);
	sim_recv_all(client);
	sim_sleep(server->sim, 5000);
}

static void make_one(struct maker *m, struct sim_sock *client, struct sim_sock *server)
{
	uint64_t next_ns = 0;

	for (uint32_t i = 0; i < opt.exchanges; i++) {
		exchange(&client[i % CONNS], &server[i % CONNS], i);
		if (m->sim->now_ns < next_ns)
			continue;
		sim_drain(m->sim, make_rec, m);
		st_core__settle(m->core);
		sim_drain_told(m->sim, make_rec, m);
		next_ns = m->sim->now_ns + opt.lag_ns;
	}
	sim_drain(m->sim, make_rec, m);
	st_recording__put_block(&m->tape->file, &m->tape->body);
}

/* CONNS connections in turn; the reader comes by every lag_ns. A tape a round, and the first. */
static void make_tapes(struct tape *t, uint32_t cnt)
{
	static const struct st_core_ops ops = {
		.span = make_span,
		.resource = on_resource,
		.expect = make_expect,
		.mode = make_mode,
	};
	struct maker m = {.sim = sim_new(64)};
	struct sim_sock client[CONNS], server[CONNS];

	m.core = new_core(&ops, &m);
	for (int i = 0; i < CONNS; i++) {
		sim_pair(m.sim, &client[i], &server[i]);
		client[i].traced = false;
		sim_connect(&client[i]);
	}
	for (uint32_t i = 0; i < cnt; i++) {
		m.tape = &t[i];
		tape_init(m.tape);
		make_one(&m, client, server);
	}
	st_core__free(m.core);
	for (int i = 0; i < CONNS; i++) {
		sim_sock_free(&client[i]);
		sim_sock_free(&server[i]);
	}
	sim_free(m.sim);
}

/* ---- measuring ---- */

static int open_counter(void)
{
	struct perf_event_attr a = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(a),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.disabled = 1,
	};

	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static void feed_recs(struct st_core *c, const struct tape *t)
{
	size_t off = 0;
	uint32_t n = 0;

	while (off < t->recs.len) {
		const struct st_rec *r = (const struct st_rec *)(t->recs.p + off);

		off += (sizeof(*r) + r->len + 7) & ~(size_t)7;
		if (st_core__feed(c, r))
			abort();
		if (++n % 1024 == 0)
			st_core__settle(c);
	}
}

static void feed_file(struct st_core *c, const struct tape *t, struct st_rec *room)
{
	struct st_recording rec;
	struct st_item item;

	if (st_recording__open(&rec, t->file.p, t->file.len))
		abort();
	while (st_recording__next(&rec, &item) == 1)
		if (st_recording__record(&item, room) || st_core__feed(c, room))
			abort();
}

struct result {
	uint64_t ns;
	uint64_t insns;
	uint64_t mallocs;
	uint64_t spans;
	uint64_t bytes;
};

/* One round in a core that has seen some: connections, names and buffers stand. */
static __attribute__((noinline)) struct result
run_round(struct st_core *c, const struct tape *t, struct out *o, struct st_rec *room, int perf_fd)
{
	struct result r = {.spans = o->spans, .bytes = o->bytes, .mallocs = mallocs};
	uint64_t start_ns;

	if (perf_fd >= 0) {
		ioctl(perf_fd, PERF_EVENT_IOC_RESET, 0);
		ioctl(perf_fd, PERF_EVENT_IOC_ENABLE, 0);
	}
	start_ns = cpu_ns();
	if (opt.recording)
		feed_file(c, t, room);
	else
		feed_recs(c, t);
	r.ns = cpu_ns() - start_ns;
	if (perf_fd >= 0) {
		ioctl(perf_fd, PERF_EVENT_IOC_DISABLE, 0);
		if (read(perf_fd, &r.insns, sizeof(r.insns)) != sizeof(r.insns))
			r.insns = 0;
	}
	r.mallocs = mallocs - r.mallocs;
	r.spans = o->spans - r.spans;
	r.bytes = o->bytes - r.bytes;
	return r;
}

static int report(const struct result *best, const struct tape *t, uint64_t worst_mallocs)
{
	double per_s = (double)best->spans * 1e9 / (double)best->ns;

	printf("core: %.0f exchanges/s per core (%.0f ns each), %.2f records each, %.0f bytes of "
	       "OTLP each\n",
	       per_s, (double)best->ns / (double)best->spans, (double)t->cnt / opt.exchanges,
	       (double)best->bytes / (double)best->spans);
	if (best->insns)
		printf("core: %.0f instructions each\n", (double)best->insns / (double)best->spans);
	else
		printf("core: instructions are not counted here; callgrind with -c does\n");
	printf("core: %llu allocations in the worst round of %u exchanges\n",
	       (unsigned long long)worst_mallocs, opt.exchanges);
	if (worst_mallocs) {
		printf("core: steady state allocates\n");
		return 1;
	}
	if (per_s < (double)opt.min_per_s) {
		printf("core: below %llu\n", (unsigned long long)opt.min_per_s);
		return 1;
	}
	return 0;
}

static int run_all(const struct tape *t)
{
	static const struct st_core_ops ops = {.span = on_span, .resource = on_resource};
	struct out *o = out_new();
	struct st_core *c = new_core(&ops, o);
	struct st_rec *room = must(malloc(ST_RECORD_ROOM));
	struct result best = {0};
	uint64_t worst_mallocs = 0;
	int perf_fd = opt.plain ? -1 : open_counter(), rc;

	feed_recs(c, &t[0]);
	for (uint32_t i = 1; i <= opt.rounds; i++) {
		struct result r = run_round(c, &t[i], o, room, perf_fd);

		if (r.spans + CONNS < opt.exchanges)
			abort();
		if (!best.ns || r.ns < best.ns)
			best = r;
		if (r.mallocs > worst_mallocs)
			worst_mallocs = r.mallocs;
	}
	rc = opt.plain ? 0 : report(&best, &t[1], worst_mallocs);
	if (perf_fd >= 0)
		close(perf_fd);
	st_core__free(c);
	free(room);
	out_free(o);
	return rc;
}

static void usage(void)
{
	fprintf(stderr, "core_bench [-n EXCHANGES] [-r ROUNDS] [-l LAG_US] [-c] [-p] [-R] "
			"[-m MIN_PER_S]\n");
	exit(2);
}

static void parse(int argc, char **argv)
{
	int ch;

	while ((ch = getopt(argc, argv, "n:r:l:m:cpR")) != -1) {
		if (ch == 'n')
			opt.exchanges = (uint32_t)strtoul(optarg, NULL, 10);
		else if (ch == 'r')
			opt.rounds = (uint32_t)strtoul(optarg, NULL, 10);
		else if (ch == 'l')
			opt.lag_ns = strtoull(optarg, NULL, 10) * 1000;
		else if (ch == 'm')
			opt.min_per_s = strtoull(optarg, NULL, 10);
		else if (ch == 'c')
			opt.plain = true;
		else if (ch == 'p')
			opt.no_encode = true;
		else if (ch == 'R')
			opt.recording = true;
		else
			usage();
	}
	if (!opt.exchanges || opt.exchanges > 1000000 || !opt.rounds || opt.rounds > 100)
		usage();
	if (opt.plain)
		opt.rounds = 1;
}

int main(int argc, char **argv)
{
	struct tape *t;
	int rc;

	parse(argc, argv);
	t = must(calloc(opt.rounds + 1, sizeof(*t)));
	make_tapes(t, opt.rounds + 1);
	rc = run_all(t);
	for (uint32_t i = 0; i <= opt.rounds; i++)
		tape_free(&t[i]);
	free(t);
	return rc;
}
