/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Services at random, whose truth stands in the paths: /rN is a client's request, /cN.K a call of its
 * handler, seen at both ends, /xN a call that no request caused. Records get lost: a parent may be
 * missing, never wrong; every span is there once, and none begins before its parent.
 */
#include "lineage_bed.h"
#include "random.h"

#define PROCS	3
#define WORKERS 5 /* of a process: threads, or goroutines */
#define THREADS 3 /* that goroutines run on */
#define CALLS	3 /* of a request, at most */
#define BACKEND 900u

/* Who works on a request. */
enum style {
	THREAD,	   /* one, on it alone */
	TURNS,	   /* one that goes to and fro between two */
	GOROUTINE, /* and those that it makes, on whatever thread */
};

enum step { IDLE, BUSY, SENT, SERVED };

struct worker {
	struct wire in, out;
	enum step step;
	uint32_t tgid, tid;
	uint64_t task; /* 0: it is a thread */
	uint32_t request, call, left;
	bool in_open, out_open;
};

struct world {
	struct bed b;
	struct worker w[PROCS * WORKERS];
	enum style style;
	uint32_t drop; /* per thousand */
	uint32_t requests, calls, strangers;
	uint64_t tasks_made;
};

static bool refuse(void *ctx, const struct sim_sock *k, uint8_t kind)
{
	(void)k;
	(void)kind;
	return rnd(1000) < ((const struct world *)ctx)->drop;
}

static void pass(struct world *w)
{
	sim_sleep(w->b.sim, 1000 + rnd(100000));
	w->b.sim->cpu = rnd(SIM_CPUS);
	if (!rnd(8))
		bed_read(&w->b);
}

static void close_wire(struct world *w, struct wire *x, bool *open)
{
	if (!*open)
		return;
	sim_close(rnd(2) ? &x->c : &x->s);
	pass(w);
	sim_close(&x->c);
	sim_close(&x->s);
	sim_sock_free(&x->c);
	sim_sock_free(&x->s);
	*open = false;
}

/* Kept, or a new one. */
static void want_wire(struct world *w, struct worker *k, struct wire *x, bool *open, bool in)
{
	if (!rnd(5))
		close_wire(w, x, open);
	if (*open)
		return;
	sim_pair(w->b.sim, &x->c, &x->s);
	*open = true;
	x->c.traced = !in;
	x->s.tgid = in ? k->tgid : BACKEND;
	x->s.tid = in ? k->tid : 2000 + k->tid;
	x->c.tgid = in ? 1 : k->tgid;
	x->s.flags = x->c.flags = ST_F_BLOCKS;
	sim_connect(&x->c);
}

/* The thread that does it; a goroutine is wherever it is put, and the kernel says so before each record. */
static uint32_t on_thread(struct world *w, struct worker *k, uint64_t task)
{
	uint32_t tid = k->tid;

	if (!task)
		return tid;
	tid = 100 * k->tgid + rnd(THREADS);
	sim_task_runs(w->b.sim, k->tgid, tid, task, ST_TASK_GOROUTINE);
	return tid;
}

static void say(struct sim_sock *k, const char *fmt, uint32_t a, uint32_t n)
{
	char path[32], z[128];

	snprintf(path, sizeof(path), fmt, a, n);
	snprintf(z, sizeof(z), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
	sim_puts(k, z);
}

/* In one call, or head and body each by itself. */
static void respond(struct world *w, struct sim_sock *k)
{
	if (rnd(2)) {
		sim_puts(k, OK("5") "hello");
		return;
	}
	sim_puts(k, OK("5"));
	pass(w);
	sim_puts(k, "hello");
}

static void take_all(struct sim_sock *k)
{
	while (sim_recv(k, rnd(3) ? 100000 : 1 + rnd(60)))
		;
}

static void begin_request(struct world *w, struct worker *k)
{
	want_wire(w, k, &k->in, &k->in_open, true);
	k->request = w->requests++;
	k->call = 0;
	k->left = rnd(CALLS + 1);
	say(&k->in.c, "/r%u", k->request, 0);
	pass(w);
	k->in.s.tid = on_thread(w, k, k->task);
	sim_recv_all(&k->in.s);
	k->step = BUSY;
}

/* Work that is nobody's: between requests, by the same thread. */
static void stranger(struct world *w, struct worker *k)
{
	want_wire(w, k, &k->out, &k->out_open, false);
	k->out.c.tid = on_thread(w, k, k->task);
	say(&k->out.c, "/x%u", w->strangers++, 0);
	k->step = SENT;
	k->left = UINT32_MAX;
}

/* The goroutine itself, or one that it makes for this. */
static uint64_t branch(struct world *w, struct worker *k)
{
	uint64_t task = 1000000 + w->tasks_made++;

	if (!k->task || rnd(2))
		return k->task;
	sim_task_born(w->b.sim, k->tgid, 100 * k->tgid + rnd(THREADS), task, ST_TASK_GOROUTINE,
		      k->task);
	return task;
}

static void send_call(struct world *w, struct worker *k)
{
	want_wire(w, k, &k->out, &k->out_open, false);
	k->out.c.tid = on_thread(w, k, branch(w, k));
	say(&k->out.c, "/c%u.%u", k->request, k->call++);
	w->calls++;
	k->left--;
	k->step = SENT;
}

static void answer_request(struct world *w, struct worker *k)
{
	k->in.s.tid = on_thread(w, k, k->task);
	respond(w, &k->in.s);
	take_all(&k->in.c);
	k->step = IDLE;
}

static void move(struct world *w, struct worker *k)
{
	switch (k->step) {
	case IDLE:
		/* What else a thread does with a request in hand, nobody can see. */
		if (w->style == TURNS || rnd(8))
			begin_request(w, k);
		else
			stranger(w, k);
		break;
	case BUSY:
		if (k->left)
			send_call(w, k);
		else
			answer_request(w, k);
		break;
	case SENT: /* at the backend */
		take_all(&k->out.s);
		pass(w);
		respond(w, &k->out.s);
		k->step = SERVED;
		break;
	case SERVED:
		k->out.c.tid = on_thread(w, k, k->task);
		take_all(&k->out.c);
		k->step = k->left == UINT32_MAX ? IDLE : BUSY;
		break;
	}
}

static void begin_world(struct world *w, uint64_t seed, uint32_t drop, enum style style)
{
	memset(w, 0, sizeof(*w));
	rnd_state = seed * 0x9e3779b97f4a7c15ULL + 1;
	bed_init(&w->b, 256, BED_EAGER);
	w->style = style;
	w->drop = drop;
	w->b.sim->refuse = refuse;
	w->b.sim->refuse_ctx = w;
	for (uint32_t i = 0; i < PROCS * WORKERS; i++) {
		uint32_t one = style == TURNS ? i / 2 : i;

		w->w[i].tgid = APP + one % PROCS;
		w->w[i].tid = 50 + one;
		w->w[i].task = style == GOROUTINE ? 1 + i : 0;
		if (style == GOROUTINE)
			sim_task_born(w->b.sim, w->w[i].tgid, 100 * w->w[i].tgid, 1 + i,
				      ST_TASK_GOROUTINE, 0);
	}
}

static void run_world(struct world *w, uint32_t moves)
{
	for (uint32_t i = 0; i < moves; i++) {
		move(w, &w->w[rnd(PROCS * WORKERS)]);
		pass(w);
	}
	for (uint32_t i = 0; i < PROCS * WORKERS; i++) {
		while (w->w[i].step != IDLE)
			move(w, &w->w[i]);
		close_wire(w, &w->w[i].in, &w->w[i].in_open);
		close_wire(w, &w->w[i].out, &w->w[i].out_open);
	}
	bed_read(&w->b);
	sim_sweep(w->b.sim, bed_rec, &w->b);
	over(&w->b);
}

/* ---- the verdict ---- */

static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct bed_span *)a)->span_id, ((const struct bed_span *)b)->span_id,
		      8);
}

static int by_path(const void *a, const void *b)
{
	const struct bed_span *x = a, *y = b;

	return x->kind != y->kind ? x->kind - y->kind : strcmp(x->path, y->path);
}

static bool is_parent(const struct bed_span *s, const struct bed_span *up)
{
	char path[32];
	unsigned n, k;

	if (s->kind == ST_KIND_SERVER)
		return up->kind == ST_KIND_CLIENT && !strcmp(s->path, up->path);
	if (sscanf(s->path, "/c%u.%u", &n, &k) != 2)
		return false;
	snprintf(path, sizeof(path), "/r%u", n);
	return up->kind == ST_KIND_SERVER && !strcmp(path, up->path);
}

static void each_is_once(struct world *w, uint64_t seed)
{
	struct bed *b = &w->b;

	qsort(b->spans, b->cnt, sizeof(*b->spans), by_path);
	for (uint32_t i = 1; i < b->cnt; i++)
		if (!by_path(&b->spans[i - 1], &b->spans[i]) && *b->spans[i].path)
			fail_msg("seed %llu: %s twice", (unsigned long long)seed, b->spans[i].path);
}

/* Returns how many have a parent. */
static uint32_t check(struct world *w, uint64_t seed)
{
	struct bed *b = &w->b;
	uint32_t cnt = 0;

	each_is_once(w, seed);
	qsort(b->spans, b->cnt, sizeof(*b->spans), by_id);
	for (uint32_t i = 0; i < b->cnt; i++) {
		const struct bed_span *s = &b->spans[i], *up;
		struct bed_span key;

		if (!s->has_parent)
			continue;
		cnt++;
		memcpy(key.span_id, s->parent_id, 8);
		up = bsearch(&key, b->spans, b->cnt, sizeof(*s), by_id);
		if (!up)
			fail_msg("seed %llu: %s has a parent that is not there",
				 (unsigned long long)seed, s->path);
		if (!is_parent(s, up))
			fail_msg("seed %llu, %u lost: kind %d %s is below kind %d %s, by %s",
				 (unsigned long long)seed, w->drop, s->kind, s->path, up->kind,
				 up->path, s->evidence);
		assert_true(s->start_ns >= up->start_ns);
		assert_memory_equal(s->trace_id, up->trace_id, 16);
	}
	return cnt;
}

#define SEEDS 30
#define MOVES 500

static void random_worlds(uint32_t drop, enum style style)
{
	static struct world w;

	for (uint64_t seed = first_seed(0); seed < first_seed(0) + SEEDS; seed++) {
		uint32_t found;

		begin_world(&w, seed, drop, style);
		run_world(&w, MOVES);
		found = check(&w, seed);
		if (!drop && style != TURNS) {
			/* Each call at both ends, and what came in; all of them know their parent. */
			assert_int_equal(w.b.cnt, w.requests + 2 * (w.calls + w.strangers));
			assert_int_equal(found, 2 * w.calls + w.strangers);
		}
		bed_free(&w.b);
	}
}

static void threads(void **state)
{
	(void)state;
	random_worlds(0, THREAD);
}

static void threads_lose_some(void **state)
{
	(void)state;
	random_worlds(50, THREAD);
}

static void threads_lose_many(void **state)
{
	(void)state;
	random_worlds(200, THREAD);
}

/* Whose calls these are nobody can tell, unless there was one in hand alone. */
static void turns(void **state)
{
	(void)state;
	random_worlds(0, TURNS);
}

/* What was read by the same thread before may be what got lost. */
static void turns_lose_some(void **state)
{
	(void)state;
	random_worlds(50, TURNS);
}

static void turns_lose_many(void **state)
{
	(void)state;
	random_worlds(200, TURNS);
}

static void goroutines(void **state)
{
	(void)state;
	random_worlds(0, GOROUTINE);
}

static void goroutines_lose_some(void **state)
{
	(void)state;
	random_worlds(50, GOROUTINE);
}

static void goroutines_lose_many(void **state)
{
	(void)state;
	random_worlds(200, GOROUTINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads),
		cmocka_unit_test(threads_lose_some),
		cmocka_unit_test(threads_lose_many),
		cmocka_unit_test(turns),
		cmocka_unit_test(turns_lose_some),
		cmocka_unit_test(turns_lose_many),
		cmocka_unit_test(goroutines),
		cmocka_unit_test(goroutines_lose_some),
		cmocka_unit_test(goroutines_lose_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
