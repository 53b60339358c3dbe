/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A traced application between clients and servers that are not: whose request caused which call? */
#ifndef ST_TEST_LINEAGE_BED_H
#define ST_TEST_LINEAGE_BED_H

#include "core_bed.h"

#define APP   500u /* its thread group */
#define SLOTS 64u
#define WIRES 24

/* A connection of the application. */
struct wire {
	struct sim_sock c, s;
};

struct stage {
	struct bed b;
	struct wire in[WIRES];	/* from clients outside */
	struct wire out[WIRES]; /* to servers outside */
};

static inline void stage_init(struct stage *g, enum bed_reader reader)
{
	bed_init(&g->b, SLOTS, reader);
	for (int i = 0; i < WIRES; i++) {
		sim_pair(g->b.sim, &g->in[i].c, &g->in[i].s);
		sim_pair(g->b.sim, &g->out[i].c, &g->out[i].s);
		g->in[i].c.traced = g->out[i].s.traced = false;
		g->in[i].s.tgid = g->out[i].c.tgid = APP;
		g->in[i].s.flags = ST_F_BLOCKS;
	}
}

static inline void stage_free(struct stage *g)
{
	for (int i = 0; i < WIRES; i++) {
		sim_sock_free(&g->in[i].c);
		sim_sock_free(&g->in[i].s);
		sim_sock_free(&g->out[i].c);
		sim_sock_free(&g->out[i].s);
	}
	bed_free(&g->b);
}

/* The script twice: the reader comes after each call, or at the end. */
static inline void play(void (*script)(struct stage *g))
{
	for (int r = BED_EAGER; r <= BED_LAZY; r++) {
		static struct stage g;

		stage_init(&g, (enum bed_reader)r);
		script(&g);
		stage_free(&g);
	}
}

#define PLAY(name)                                                                                 \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		play(name##_script);                                                               \
	}

static const char *stage_program, *stage_runtime;

static inline const struct st_resource *stage_resource(uint32_t tgid)
{
	static struct st_attr attrs[2];
	static struct st_resource r = {.index = 2, .generation = 1, .service = {"p", 1}};

	attrs[0] = (struct st_attr){.key = ST_KEY(process_executable_name), .type = ST_V_STR};
	attrs[0].s = st_str_of(stage_program);
	attrs[1] = (struct st_attr){.key = ST_KEY(process_runtime_name), .type = ST_V_STR};
	attrs[1].s = st_str_of(stage_runtime);
	r.attrs = attrs;
	r.attr_cnt = 2;
	(void)tgid;
	return &r;
}

/* The application is that program, by its executable's name and its runtime's. */
static inline void runs_program_by(struct stage *g, const char *name, const char *runtime)
{
	stage_program = name;
	stage_runtime = runtime;
	g->b.resource = stage_resource;
}

static inline void runs_program(struct stage *g, const char *name)
{
	runs_program_by(g, name, "");
}

static inline void put_request(struct bed *b, struct sim_sock *k, const char *path,
			       const char *fields)
{
	char z[1024];

	snprintf(z, sizeof(z), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, fields ? fields : "");
	sim_puts(k, z);
	bed_step(b, MS);
}

static inline void open_wire(struct wire *w)
{
	if (w->c.state == SIM_CLOSED)
		sim_connect(&w->c);
}

/* Thread tid reads the request of a client; fields may be NULL. */
static inline void reads_with(struct stage *g, int in, uint32_t tid, const char *path,
			      const char *fields)
{
	struct wire *w = &g->in[in];

	open_wire(w);
	put_request(&g->b, &w->c, path, fields);
	w->s.tid = tid;
	sim_recv_all(&w->s);
	bed_step(&g->b, MS);
}

static inline void reads(struct stage *g, int in, uint32_t tid, const char *path)
{
	reads_with(g, in, tid, path, NULL);
}

static inline void answers(struct stage *g, int in, uint32_t tid)
{
	struct wire *w = &g->in[in];

	w->s.tid = tid;
	sim_puts(&w->s, OK("2") "ok");
	sim_recv_all(&w->c);
	bed_step(&g->b, MS);
}

/* Two requests of one client come in one read. */
static inline void reads_two(struct stage *g, int in, uint32_t tid, const char *z)
{
	struct wire *w = &g->in[in];

	open_wire(w);
	sim_puts(&w->c, z);
	bed_step(&g->b, MS);
	w->s.tid = tid;
	sim_recv_all(&w->s);
	bed_step(&g->b, MS);
}

/* Thread tid sends a request to a server. */
static inline void calls_with(struct stage *g, int out, uint32_t tid, const char *path,
			      const char *fields)
{
	struct wire *w = &g->out[out];

	open_wire(w);
	w->c.tid = tid;
	put_request(&g->b, &w->c, path, fields);
	sim_recv_all(&w->s);
}

static inline void calls(struct stage *g, int out, uint32_t tid, const char *path)
{
	calls_with(g, out, tid, path, NULL);
}

/* The server has answered, tid reads it. */
static inline void gets(struct stage *g, int out, uint32_t tid)
{
	struct wire *w = &g->out[out];

	sim_puts(&w->s, OK("2") "ok");
	w->c.tid = tid;
	sim_recv_all(&w->c);
	bed_step(&g->b, MS);
}

static inline void asks(struct stage *g, int out, uint32_t tid, const char *path)
{
	calls(g, out, tid, path);
	gets(g, out, tid);
}

/* Thread tid works for the task from here on. */
static inline void runs(struct stage *g, uint32_t tid, uint64_t task, uint8_t kind)
{
	sim_task_runs(g->b.sim, APP, tid, task, kind);
	bed_step(&g->b, MS);
}

static inline void born(struct stage *g, uint32_t tid, uint64_t task, uint8_t kind, uint64_t parent)
{
	sim_task_born(g->b.sim, APP, tid, task, kind, parent);
	bed_step(&g->b, MS);
}

/* The records end. */
static inline void over(struct bed *b)
{
	bed_read(b);
	bed_read(b);
	st_core__end(b->core, b->sim->now_ns);
	bed_balance(b);
	assert_int_equal(bed_stats(b).open, 0);
}

static inline const struct bed_span *span_in(const struct stage *g, const char *path)
{
	return bed_find(&g->b, ST_KIND_SERVER, path);
}

static inline const struct bed_span *span_out(const struct stage *g, const char *path)
{
	return bed_find(&g->b, ST_KIND_CLIENT, path);
}

static inline void assert_below(const struct bed_span *s, const struct bed_span *up,
				const char *evidence)
{
	if (!s->has_parent || memcmp(s->parent_id, up->span_id, 8))
		fail_msg("%s is not below %s but %s%s", s->path, up->path,
			 s->has_parent ? "another, by " : "a root", s->evidence);
	assert_memory_equal(s->trace_id, up->trace_id, 16);
	assert_string_equal(s->evidence, evidence);
	assert_true(s->start_ns >= up->start_ns);
}

static inline void assert_root(const struct bed_span *s)
{
	static const uint8_t none[8];

	if (s->has_parent || *s->evidence)
		fail_msg("%s has a parent, by %s", s->path, s->evidence);
	assert_memory_equal(s->parent_id, none, 8);
}

/* The call is the request's, by this evidence. */
static inline void below(const struct stage *g, const char *call, const char *request,
			 const char *evidence)
{
	assert_below(span_out(g, call), span_in(g, request), evidence);
}

/* Nobody's. */
static inline void alone(const struct stage *g, const char *call)
{
	assert_root(span_out(g, call));
}

#endif
