/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/proc.h"

#include <stdlib.h>

#include "core/conn.h"
#include "core/evidence.h"
#include "core/pool.h"
#include "spantap/keys.h"

static uint32_t hash(uint32_t id)
{
	return id * 0x9e3779b1u >> 12;
}

/* ---- processes ---- */

static void free_proc(struct st_core *c, struct st_proc *p)
{
	struct st_proc **at = &c->procs.proc[hash(p->tgid) % ST_PROC_BUCKETS];

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	c->procs.proc_cnt--;
	st_echoes__free(c, p->echoes);
	st_pool__free(p->pool);
	free(p);
}

/* Those that nothing is open on: what is known of them is found out again. */
static void shed_procs(struct st_core *c)
{
	for (uint32_t i = 0; i < ST_PROC_BUCKETS; i++) {
		struct st_proc *p = c->procs.proc[i], *next;

		for (; p; p = next) {
			next = p->next;
			if (!p->refs)
				free_proc(c, p);
		}
	}
}

static struct st_proc *find_proc(struct st_core *c, uint32_t tgid)
{
	struct st_proc *p = c->procs.proc[hash(tgid) % ST_PROC_BUCKETS];

	while (p && (p->tgid != tgid || p->gone))
		p = p->next;
	return p;
}

struct st_proc *st_proc__get(struct st_core *c, uint32_t tgid)
{
	struct st_proc *p = find_proc(c, tgid), **bucket;

	if (p)
		return p;
	if (c->procs.proc_cnt >= ST_PROCS_MAX)
		shed_procs(c);
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	bucket = &c->procs.proc[hash(tgid) % ST_PROC_BUCKETS];
	p->tgid = tgid;
	p->next = *bucket;
	*bucket = p;
	c->procs.proc_cnt++;
	return p;
}

void st_proc__unref(struct st_core *c, struct st_proc *p)
{
	if (p && !--p->refs && p->gone)
		free_proc(c, p);
}

void st_proc__exit(struct st_core *c, uint32_t tgid)
{
	struct st_proc *p = find_proc(c, tgid);

	if (!p)
		return;
	p->gone = true;
	if (!p->refs)
		free_proc(c, p);
}

/* Servers whose business is to pass requests on; each of them was tried (tests/truth). */
bool st_proxy__is_exe(struct st_str exe)
{
	static const struct st_str names[] = {{"nginx", 5}, {"haproxy", 7}, {"envoy", 5}};
	const char *slash = exe.len ? memrchr(exe.p, '/', exe.len) : NULL;
	struct st_str name = slash ? st_str(slash + 1, exe.len - (size_t)(slash + 1 - exe.p)) : exe;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (st_str_eq(name, names[i]))
			return true;
	return false;
}

/* PHP's process managers give a process one request at a time, whatever it waits for (sapi/fpm). */
static bool is_serial_name(struct st_str name)
{
	return name.len >= 7 && (!memcmp(name.p, "php-fpm", 7) || !memcmp(name.p, "php-cgi", 7));
}

/*
 * By OpenTelemetry's names of runtimes (process.runtime.name). PHP's own server polls its clients, but
 * runs the script as soon as it has read a request (php_cli_server_recv_event_read_request).
 */
static enum st_program program_of(struct st_str runtime, enum st_program otherwise)
{
	if (st_str_eq(runtime, ST_STR("go")) || st_str_eq(runtime, ST_STR("nodejs")))
		return ST_PROGRAM_TASKS;
	return st_str_eq(runtime, ST_STR("cli-server")) ? ST_PROGRAM_SERIAL : otherwise;
}

enum st_program st_proc__program(struct st_core *c, struct st_proc *p)
{
	const struct st_resource *r;

	if (p->program != ST_PROGRAM_ASK)
		return p->program;
	p->program = ST_PROGRAM_ANY;
	p->may_pool = true;
	r = c->cfg.ops.resource(c->cfg.ctx, p->tgid, c->now_ns);
	for (uint16_t i = 0; r && i < r->attr_cnt; i++) {
		if (r->attrs[i].key == ST_KEY(process_runtime_name))
			p->program = program_of(r->attrs[i].s, p->program);
		if (r->attrs[i].key == ST_KEY(process_runtime_name))
			p->may_pool = st_str_eq(r->attrs[i].s, ST_STR("java"));
		if (r->attrs[i].key != ST_KEY(process_executable_name))
			continue;
		p->keeps_place = st_str_eq(r->attrs[i].s, ST_STR("nginx"));
		if (st_proxy__is_exe(r->attrs[i].s))
			p->program = ST_PROGRAM_PROXY;
		else if (is_serial_name(r->attrs[i].s))
			p->program = ST_PROGRAM_SERIAL;
	}
	return p->program;
}

/* ---- threads ---- */

static void shed_threads(struct st_core *c)
{
	for (uint32_t i = 0; i < ST_THREAD_BUCKETS; i++) {
		struct st_thread **at = &c->procs.thread[i], *t;

		while ((t = *at)) {
			if (t->open_cnt || t->left_cnt) {
				at = &t->next;
				continue;
			}
			*at = t->next;
			c->procs.thread_cnt--;
			free(t);
		}
	}
}

struct st_thread *st_thread__find(struct st_core *c, uint32_t tid)
{
	struct st_thread *t = c->procs.thread[hash(tid) % ST_THREAD_BUCKETS];

	while (t && t->tid != tid)
		t = t->next;
	return t;
}

struct st_thread *st_thread__get(struct st_core *c, uint32_t tgid, uint32_t tid)
{
	struct st_thread *t = st_thread__find(c, tid), **bucket;

	if (t && t->tgid != tgid) {
		/* The number is used again: what the former one did says nothing of this one. */
		t->tgid = tgid;
		t->loops = false;
		t->many = false;
		t->task = 0;
	}
	if (t)
		return t;
	if (c->procs.thread_cnt >= ST_THREADS_MAX)
		shed_threads(c);
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	bucket = &c->procs.thread[hash(tid) % ST_THREAD_BUCKETS];
	t->tid = tid;
	t->tgid = tgid;
	t->next = *bucket;
	*bucket = t;
	c->procs.thread_cnt++;
	return t;
}

void st_thread__waited(struct st_core *c, const struct st_rec *rec)
{
	struct st_thread *t = st_thread__get(c, rec->tgid, rec->tid);

	if (!t)
		return;
	t->waits++;
	t->waited_ns = rec->time_ns;
}

void st_proc__free_all(struct st_core *c)
{
	for (uint32_t i = 0; i < ST_PROC_BUCKETS; i++) {
		while (c->procs.proc[i])
			free_proc(c, c->procs.proc[i]);
	}
	for (uint32_t i = 0; i < ST_THREAD_BUCKETS; i++) {
		struct st_thread *t = c->procs.thread[i], *next;

		for (; t; t = next) {
			next = t->next;
			free(t);
		}
	}
}
