/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "captures.h"
#include "kern/tracer.h"
#include "lib/clock.h"
#include "lib/log.h"

#define HOUSEKEEPING_NS ST_NSEC_PER_SEC

/* Ends that the slots told: fed after the call that asked, like any other record. */
#define TOLD_MAX	1024u

/* A body whose end the core waits for. */
struct watch {
	uint64_t conn_id;
	uint64_t end; /* position, or ST_EXPECT_CHUNKED */
	uint32_t slot;
	uint32_t turn;
	uint8_t dir;
};

struct st_pipeline {
	const struct st_config *cfg;
	struct st_tracer *tracer; /* NULL in a replay */
	struct st_slot *slots;
	uint32_t slot_cnt;
	struct st_core *core;
	struct st_outputs *outputs;
	struct st_registry *registry;
	struct st_recorder *recorder;
	struct st_rec *told; /* TOLD_MAX */
	uint32_t told_cnt;
	bool watches_waits;
	st_calls_fn calls_fn;
	void *calls_ctx;
	struct watch *watch; /* slot_cnt */
	uint32_t watch_cnt;
	uint64_t next_housekeeping_ns;
	st_process_fn process_fn;
	void *process_ctx;
};

static void on_span(void *ctx, const struct st_span *s)
{
	st_outputs__span(((struct st_pipeline *)ctx)->outputs, s);
}

static uint32_t on_room(void *ctx)
{
	return st_outputs__room(((struct st_pipeline *)ctx)->outputs);
}

static const struct st_resource *on_resource(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	return st_registry__get(((struct st_pipeline *)ctx)->registry, (int)tgid, now_ns);
}

static void on_new_resource(void *ctx, int tgid, const struct st_resource *res)
{
	struct st_pipeline *p = ctx;
	uint32_t head[2] = {(uint32_t)tgid, 0};
	struct st_buf packed = st_buf__init(ST_RECORDING_BLOCK_MAX / 2);

	if (p->recorder && !st_resource__pack(res, &packed))
		st_recorder__item(p->recorder, ST_ITEM_RESOURCE, head, sizeof(head), packed.p,
				  packed.len);
	st_buf__free(&packed);
}

static void on_forget(void *ctx, const struct st_resource *res)
{
	st_outputs__forget(((struct st_pipeline *)ctx)->outputs, res);
}

/* The slot of a connection that still is its owner. */
static struct st_slot *slot_of(struct st_pipeline *p, uint32_t slot, uint64_t conn_id)
{
	struct st_slot *s;

	if (slot >= p->slot_cnt)
		return NULL;
	s = &p->slots[slot];
	return __atomic_load_n(&s->conn_id, __ATOMIC_ACQUIRE) == conn_id ? s : NULL;
}

/* "0 CRLF CRLF" ends the last call, after a line's end or alone in it. */
static bool is_last_chunk(uint64_t tail)
{
	return tail >> 24 == 0x0a0d0a0d30ULL &&
	       ((tail >> 16 & 0xff) == '\n' || (tail >> 16 & 0xff) == 0);
}

/*
 * Tells no more than the end: records of what stands behind it may not have been read yet. Where
 * every call has a record, it tells better than the slot, whose time is that of the last call.
 */
static void tell_end(struct st_pipeline *p, const struct watch *w, const struct st_slot *s,
		     uint64_t pos, uint64_t time_ns)
{
	bool every = __atomic_load_n(&s->mode, __ATOMIC_ACQUIRE) == ST_MODE_EVERY;

	if (every && (w->end == ST_EXPECT_CHUNKED || pos > w->end))
		return;
	if (p->told_cnt == TOLD_MAX)
		return; /* the next turn's record tells as well */
	p->told[p->told_cnt++] = (struct st_rec){
		.time_ns = time_ns,
		.conn_id = w->conn_id,
		.pos = pos < w->end ? pos : w->end,
		.last_ns = time_ns,
		.slot = w->slot,
		.turn = w->turn,
		.kind = ST_REC_END,
		.dir = w->dir,
	};
}

/*
 * The core waits for a body's end: it is stored for the kernel to watch. What the kernel moved
 * before it saw the store is looked up after all of them were stored.
 */
static void on_expect(void *ctx, uint32_t slot, uint64_t conn_id, enum st_dir dir, uint64_t end,
		      uint32_t turn)
{
	struct st_pipeline *p = ctx;
	struct st_slot *s = slot_of(p, slot, conn_id);

	/* A later turn has begun: its record says when this one ended. */
	if (!s || __atomic_load_n(&s->turn, __ATOMIC_ACQUIRE) != turn ||
	    p->watch_cnt == p->slot_cnt)
		return;
	__atomic_store_n(&s->dir[dir].expect_end, end, __ATOMIC_SEQ_CST);
	p->watch[p->watch_cnt++] = (struct watch){conn_id, end, slot, turn, (uint8_t)dir};
}

/* Is it decided? Ends that are reached are told; a connection that moved on has told already. */
static bool watch_over(struct st_pipeline *p, const struct watch *w)
{
	struct st_slot *s = slot_of(p, w->slot, w->conn_id);
	struct st_slot_dir *d;
	uint64_t pos, time_ns;
	bool over;

	if (!s)
		return true;
	d = &s->dir[w->dir];
	pos = __atomic_load_n(&d->pos, __ATOMIC_ACQUIRE);
	time_ns = __atomic_load_n(&d->time_ns, __ATOMIC_ACQUIRE);
	if (w->end == ST_EXPECT_CHUNKED)
		over = is_last_chunk(__atomic_load_n(&d->tail, __ATOMIC_ACQUIRE)) &&
		       (w->dir == ST_RX || pos == d->call_end);
	else
		over = pos >= w->end;
	if (__atomic_load_n(&s->turn, __ATOMIC_ACQUIRE) != w->turn) {
		__atomic_store_n(&d->expect_end, 0, __ATOMIC_RELEASE);
		return true;
	}
	/* The kernel has told it itself. */
	if (!__atomic_load_n(&d->expect_end, __ATOMIC_ACQUIRE))
		return true;
	if (!over)
		return false;
	__atomic_store_n(&d->expect_end, 0, __ATOMIC_RELEASE);
	tell_end(p, w, s, pos, time_ns);
	return true;
}

static void ask_positions(struct st_pipeline *p, uint32_t from)
{
	uint32_t slots[ST_ASK_MAX], n = 0;

	for (uint32_t i = from; i < p->watch_cnt; i++) {
		if (p->watch[i].dir == ST_TX)
			slots[n++] = p->watch[i].slot;
		if (n == ST_ASK_MAX || (n && i + 1 == p->watch_cnt)) {
			st_tracer__ask(p->tracer, slots, n);
			n = 0;
		}
	}
}

/* Goes over what is awaited; `from`: the first that was added just now. */
static void watch_all(struct st_pipeline *p, uint32_t from)
{
	uint32_t kept = 0;

	if (!p->watch_cnt)
		return;
	__atomic_store_n(&st_tracer__ctl(p->tracer)->watching, p->watch_cnt, __ATOMIC_SEQ_CST);
	ask_positions(p, from);
	for (uint32_t i = 0; i < p->watch_cnt; i++)
		if (!watch_over(p, &p->watch[i]))
			p->watch[kept++] = p->watch[i];
	p->watch_cnt = kept;
	__atomic_store_n(&st_tracer__ctl(p->tracer)->watching, kept, __ATOMIC_RELEASE);
}

static void on_mode(void *ctx, uint32_t slot, uint64_t conn_id, enum st_mode mode, uint8_t proto)
{
	struct st_slot *s = slot_of(ctx, slot, conn_id);

	if (!s)
		return;
	s->proto = proto;
	__atomic_store_n(&s->mode, (uint8_t)mode, __ATOMIC_RELEASE);
}

/* Asked for once, whatever comes of it. */
void st_pipeline__watch_waits(struct st_pipeline *p)
{
	int err;

	if (p->watches_waits)
		return;
	p->watches_waits = true;
	err = st_tracer__watch_waits(p->tracer);
	if (err)
		st_debug("threads' waits: %s", strerror(-err));
}

static void on_watch_waits(void *ctx)
{
	st_pipeline__watch_waits(ctx);
}

static void on_watch_pool(void *ctx, uint32_t tgid)
{
	struct st_pipeline *p = ctx;
	int err = st_tracer__watch_pool(p->tracer, tgid);

	if (err)
		st_debug("pools' wake-ups: %s", strerror(-err));
}

static void on_calls(void *ctx, uint32_t tgid)
{
	struct st_pipeline *p = ctx;

	if (p->calls_fn)
		p->calls_fn(p->calls_ctx, tgid);
}

void st_pipeline__on_calls(struct st_pipeline *p, st_calls_fn fn, void *ctx)
{
	p->calls_fn = fn;
	p->calls_ctx = ctx;
}

static void on_gone(void *ctx, uint32_t slot, uint64_t conn_id)
{
	struct st_pipeline *p = ctx;

	if (p->tracer && slot_of(p, slot, conn_id))
		st_tracer__free_slot(p->tracer, slot);
}

/* comm[16], then the arguments, NUL separated. */
static void on_exec(struct st_pipeline *p, const struct st_rec *rec)
{
	const char *comm = (const char *)(rec + 1);
	struct st_str file = {0}, args = {0};
	uint32_t file_sz = rec->call_len;

	if (rec->len < 16)
		return;
	if (file_sz > rec->len - 16u)
		file_sz = 0;
	if (file_sz)
		file = st_str(comm + 16, (uint32_t)strnlen(comm + 16, file_sz));
	if (rec->len > 16 + file_sz)
		args = st_str(comm + 16 + file_sz, rec->len - 16u - file_sz);
	st_registry__exec(p->registry, (int)rec->tgid, st_str(comm, strnlen(comm, 16)), file, args);
}

static void on_process(void *ctx, const struct st_rec *rec)
{
	struct st_pipeline *p = ctx;

	if (rec->kind == ST_REC_FORK)
		st_registry__fork(p->registry, (int)rec->tgid, (int)rec->call_len);
	else if (rec->kind == ST_REC_EXEC)
		on_exec(p, rec);
	else
		st_registry__exit(p->registry, (int)rec->tgid, rec->time_ns);
	if (p->process_fn)
		p->process_fn(p->process_ctx, rec);
}

/* What -e asks for. */
static uint32_t protocols_of(const struct st_config *cfg)
{
	uint32_t wanted = 0;

	for (int i = 0; i < cfg->probe_cnt; i++)
		for (int k = 0; st_protocols[k]; k++)
			if (!strcmp(cfg->probes[i], st_protocols[k]->name))
				wanted |= 1u << st_protocols[k]->id;
	return wanted;
}

static int make_core(struct st_pipeline *p, const struct st_item_start *start)
{
	struct st_core_config cc = {
		.ops = {.span = on_span, .resource = on_resource, .process = on_process},
		.ctx = p,
		.max_conns = start->max_conns,
		.id_key = {start->id_key[0], start->id_key[1]},
		.epoch_off_ns = start->epoch_off_ns,
		.propagators = p->cfg->propagators,
		.link_candidates = p->cfg->link_candidates,
		.protocols = protocols_of(p->cfg),
	};

	if (p->tracer) {
		cc.ops.expect = on_expect;
		cc.ops.mode = on_mode;
		cc.ops.gone = on_gone;
		cc.ops.watch_waits = on_watch_waits;
		cc.ops.watch_pool = on_watch_pool;
		cc.ops.calls = on_calls;
		cc.ops.room = on_room;
	}
	p->core = st_core__new(&cc);
	return p->core ? 0 : -ENOMEM;
}

static int make_stages(struct st_pipeline *p, const struct st_item_start *start)
{
	int err = st_captures__set(p->cfg);

	if (!err)
		err = st_outputs__new(p->cfg, &p->outputs);
	if (err)
		return err;
	p->registry = st_registry__new(p->cfg, 0);
	p->told = calloc(TOLD_MAX, sizeof(*p->told));
	if (!p->registry || !p->told)
		return -ENOMEM;
	st_registry__on_forget(p->registry, on_forget, p);
	st_registry__on_new(p->registry, on_new_resource, p);
	if (p->tracer) {
		p->slots = st_tracer__slots(p->tracer, &p->slot_cnt);
		p->watch = calloc(p->slot_cnt, sizeof(*p->watch));
		if (!p->watch)
			return -ENOMEM;
	} else {
		st_registry__set_offline(p->registry);
	}
	err = make_core(p, start);
	if (!err && p->cfg->record && p->tracer)
		err = st_recorder__new(p->cfg->record, start, &p->recorder);
	return err;
}

int st_pipeline__new(const struct st_config *cfg, const struct st_item_start *start,
		     struct st_tracer *t, struct st_pipeline **out)
{
	struct st_pipeline *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->cfg = cfg;
	p->tracer = t;
	err = make_stages(p, start);
	if (err) {
		st_pipeline__free(p, 0, 0);
		return err;
	}
	*out = p;
	return 0;
}

void st_pipeline__record(struct st_pipeline *p, const struct st_rec *rec)
{
	/* Behind the resources that it made known, so that a replay has them in time. */
	st_core__feed(p->core, rec);
	st_recorder__record(p->recorder, rec);
}

void st_pipeline__settle(struct st_pipeline *p)
{
	uint32_t from = p->watch_cnt;

	st_core__settle(p->core);
	watch_all(p, from);
	for (uint32_t i = 0; i < p->told_cnt; i++)
		st_pipeline__record(p, &p->told[i]);
	p->told_cnt = 0;
}

void st_pipeline__pass_time(struct st_pipeline *p, uint64_t now_ns)
{
	if (st_core__due(p->core) > now_ns)
		return;
	st_core__tick(p->core, now_ns);
	/* Behind the resources that it made known. */
	st_recorder__item(p->recorder, ST_ITEM_TICK, &now_ns, sizeof(now_ns), NULL, 0);
	st_core__settle(p->core);
}

uint64_t st_pipeline__tick(struct st_pipeline *p, uint64_t now_ns)
{
	uint64_t next = st_outputs__tick(p->outputs, now_ns), due;

	st_pipeline__pass_time(p, now_ns);
	due = st_core__due(p->core);
	if (now_ns >= p->next_housekeeping_ns) {
		st_registry__tick(p->registry, now_ns);
		st_recorder__flush(p->recorder);
		p->next_housekeeping_ns = now_ns + HOUSEKEEPING_NS;
	}
	return due < next ? due : next;
}

void st_pipeline__end(struct st_pipeline *p, uint64_t now_ns)
{
	st_core__end(p->core, now_ns);
}

void st_pipeline__set_clock(struct st_pipeline *p, int64_t epoch_off_ns)
{
	st_recorder__item(p->recorder, ST_ITEM_CLOCK, &epoch_off_ns, sizeof(epoch_off_ns), NULL, 0);
	st_core__set_epoch_off(p->core, epoch_off_ns);
}

void st_pipeline__on_process(struct st_pipeline *p, st_process_fn fn, void *ctx)
{
	p->process_fn = fn;
	p->process_ctx = ctx;
}

struct st_core *st_pipeline__core(struct st_pipeline *p)
{
	return p->core;
}

struct st_outputs *st_pipeline__outputs(struct st_pipeline *p)
{
	return p->outputs;
}

struct st_registry *st_pipeline__registry(struct st_pipeline *p)
{
	return p->registry;
}

void st_pipeline__free(struct st_pipeline *p, uint64_t now_ns, uint64_t deadline_ns)
{
	if (!p)
		return;
	st_recorder__free(p->recorder, now_ns);
	if (p->outputs)
		st_outputs__flush(p->outputs, deadline_ns);
	if (p->outputs)
		st_outputs__report(p->outputs);
	st_core__free(p->core);
	st_registry__free(p->registry);
	st_outputs__free(p->outputs);
	free(p->told);
	free(p->watch);
	free(p);
}
