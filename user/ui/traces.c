/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ui/traces.h"

#include <stdlib.h>

#define NONE	UINT16_MAX
#define BUCKETS 1024

/* Where a trace waits. All of a list wait equally long, so that its first is due first. */
enum list_id {
	LIST_FRESH, /* got a span since the last tick; its time starts then */
	LIST_CALL,
	LIST_SETTLE,
	LIST_WAIT,
	LIST_CNT,
};

/* So that a trace that asks for a row always finds another one to take it from. */
_Static_assert(ST_TRACES_ROWS > ST_WATERFALL_MAX, "one trace must not fill the rows");
_Static_assert(ST_TRACES_ROWS < NONE && ST_TRACES_MAX < NONE, "indices have 16 bits");

static const uint64_t list_ns[LIST_CNT] = {
	[LIST_CALL] = ST_TRACES_CALL_NS,
	[LIST_SETTLE] = ST_TRACES_SETTLE_NS,
	[LIST_WAIT] = ST_TRACES_WAIT_NS,
};

struct trace {
	uint8_t id[16];
	uint64_t due_ns;
	uint16_t rows; /* first one */
	uint16_t cnt;
	uint16_t orphans;    /* rows whose local parent is not here */
	bool late;	     /* a row's parent was handed out before */
	uint8_t list;	     /* enum list_id */
	uint16_t prev, next; /* in the list, or next of the free ones */
	uint16_t chain;	     /* next in the bucket */
};

struct st_traces {
	st_traces_show show;
	void *arg;
	bool utf8;
	uint16_t free_row, free_trace; /* chains */
	uint32_t waiting;
	uint16_t first[LIST_CNT], last[LIST_CNT];
	uint16_t bucket[BUCKETS];
	uint64_t recent[ST_TRACES_RECENT]; /* hashes of spans handed out */
	struct trace traces[ST_TRACES_MAX];
	struct st_row rows[ST_TRACES_ROWS];
};

struct st_traces *st_traces__new(st_traces_show show, void *arg, bool utf8)
{
	/* Rows are touched when first used only: a quiet program does not pay for them. */
	struct st_traces *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->show = show;
	t->arg = arg;
	t->utf8 = utf8;
	for (int i = 0; i < LIST_CNT; i++)
		t->first[i] = t->last[i] = NONE;
	memset(t->bucket, 0xff, sizeof(t->bucket));
	t->free_row = t->free_trace = 0;
	for (int i = 0; i < ST_TRACES_MAX; i++)
		t->traces[i].next = i + 1 < ST_TRACES_MAX ? (uint16_t)(i + 1) : NONE;
	return t;
}

void st_traces__free(struct st_traces *t)
{
	free(t);
}

static uint64_t hash_of(const uint8_t *trace_id)
{
	uint64_t a, b;

	memcpy(&a, trace_id, 8);
	memcpy(&b, trace_id + 8, 8);
	a = (a ^ (b << 1)) * 0x9e3779b97f4a7c15u;
	return a ^ a >> 29;
}

/* Never 0, which is an empty place of `recent`. */
static uint64_t hash_span(const uint8_t *trace_id, const uint8_t *span_id)
{
	uint64_t a;

	memcpy(&a, span_id, 8);
	a = (a ^ hash_of(trace_id)) * 0x9e3779b97f4a7c15u;
	return (a ^ a >> 31) | 1u << 31;
}

static uint16_t *bucket_of(struct st_traces *t, const uint8_t *trace_id)
{
	return &t->bucket[hash_of(trace_id) >> 20 & (BUCKETS - 1)];
}

static void remember(struct st_traces *t, const uint8_t *trace_id, const uint8_t *span_id)
{
	uint64_t hash = hash_span(trace_id, span_id);

	t->recent[hash % ST_TRACES_RECENT] = hash;
}

static bool remembers(const struct st_traces *t, const uint8_t *trace_id, const uint8_t *span_id)
{
	uint64_t hash = hash_span(trace_id, span_id);

	return t->recent[hash % ST_TRACES_RECENT] == hash;
}

static struct trace *find(struct st_traces *t, const uint8_t *trace_id)
{
	for (uint16_t i = *bucket_of(t, trace_id); i != NONE; i = t->traces[i].chain)
		if (!memcmp(t->traces[i].id, trace_id, 16))
			return &t->traces[i];
	return NULL;
}

/* ---- lists ---- */

static uint16_t index_of(const struct st_traces *t, const struct trace *tr)
{
	return (uint16_t)(tr - t->traces);
}

static void unlist(struct st_traces *t, struct trace *tr)
{
	if (tr->prev == NONE)
		t->first[tr->list] = tr->next;
	else
		t->traces[tr->prev].next = tr->next;
	if (tr->next == NONE)
		t->last[tr->list] = tr->prev;
	else
		t->traces[tr->next].prev = tr->prev;
}

static void enlist(struct st_traces *t, struct trace *tr, enum list_id list)
{
	tr->list = (uint8_t)list;
	tr->prev = t->last[list];
	tr->next = NONE;
	if (tr->prev == NONE)
		t->first[list] = index_of(t, tr);
	else
		t->traces[tr->prev].next = index_of(t, tr);
	t->last[list] = index_of(t, tr);
}

/* ---- rows ---- */

/* Rows beyond the chain's end were never used: the chain is made as they are given back. */
static struct st_row *row_new(struct st_traces *t)
{
	struct st_row *r;

	if (t->free_row == NONE)
		return NULL;
	r = &t->rows[t->free_row];
	if (r->next)
		t->free_row = r->next == NONE ? NONE : (uint16_t)(r->next - 1);
	else
		t->free_row = t->free_row + 1 < ST_TRACES_ROWS ? (uint16_t)(t->free_row + 1) : NONE;
	t->waiting++;
	return r;
}

/* `next` of a free row is 0 for the one behind it, NONE, or an index plus one. */
static void row_free(struct st_traces *t, uint16_t i)
{
	t->rows[i].next = t->free_row == NONE ? NONE : (uint16_t)(t->free_row + 1);
	t->free_row = i;
	t->waiting--;
}

/* ---- traces ---- */

static struct trace *trace_new(struct st_traces *t, const uint8_t *trace_id)
{
	uint16_t *bucket = bucket_of(t, trace_id);
	uint16_t i = t->free_trace;
	struct trace *tr;

	if (i == NONE)
		return NULL;
	tr = &t->traces[i];
	t->free_trace = tr->next;
	*tr = (struct trace){.rows = NONE, .chain = *bucket};
	memcpy(tr->id, trace_id, sizeof(tr->id));
	*bucket = i;
	enlist(t, tr, LIST_FRESH);
	return tr;
}

static void unchain(struct st_traces *t, const struct trace *tr)
{
	uint16_t *at = bucket_of(t, tr->id);

	while (*at != index_of(t, tr))
		at = &t->traces[*at].chain;
	*at = tr->chain;
}

/* Hands a trace out and takes its place back. */
static void done(struct st_traces *t, struct trace *tr)
{
	const struct st_row *rows[ST_WATERFALL_MAX];
	uint16_t list[ST_WATERFALL_MAX];
	uint32_t cnt = 0;

	for (uint16_t i = tr->rows; i != NONE; i = t->rows[i].next) {
		list[cnt] = i;
		rows[cnt++] = &t->rows[i];
	}
	t->show(t->arg, rows, cnt, tr->id,
		tr->orphans ? ST_TRACE_PART
		: tr->late  ? ST_TRACE_LATE
			    : ST_TRACE_COMPLETE);
	while (cnt--) {
		remember(t, tr->id, t->rows[list[cnt]].span_id);
		row_free(t, list[cnt]);
	}
	unlist(t, tr);
	unchain(t, tr);
	tr->next = t->free_trace;
	t->free_trace = index_of(t, tr);
}

/* Makes room at the cost of the trace that is nearest to its end, but for `keep`. */
static void make_room(struct st_traces *t, const struct trace *keep)
{
	static const uint8_t order[] = {LIST_CALL, LIST_SETTLE, LIST_WAIT, LIST_FRESH};

	for (int i = 0; i < LIST_CNT; i++) {
		uint16_t at = t->first[order[i]];

		if (at != NONE && &t->traces[at] == keep)
			at = t->traces[at].next;
		if (at == NONE)
			continue;
		done(t, &t->traces[at]);
		return;
	}
}

/* Finds its parent, and those that waited for it. */
static void relate(struct st_traces *t, struct trace *tr, struct st_row *r)
{
	r->orphan = r->has_parent && !r->remote_parent;
	for (uint16_t i = tr->rows; i != NONE; i = t->rows[i].next) {
		struct st_row *other = &t->rows[i];

		if (r->orphan && !memcmp(other->span_id, r->parent_id, 8))
			r->orphan = false;
		if (other->orphan && !memcmp(other->parent_id, r->span_id, 8)) {
			other->orphan = false;
			tr->orphans--;
		}
	}
	if (r->orphan && remembers(t, tr->id, r->parent_id)) {
		r->orphan = false;
		tr->late = true;
	}
	tr->orphans = (uint16_t)(tr->orphans + r->orphan);
}

static void show_alone(struct st_traces *t, const struct st_span *s)
{
	struct st_row row;
	const struct st_row *rows = &row;

	st_row__fill(&row, s, t->utf8);
	t->show(t->arg, &rows, 1, s->trace_id, ST_TRACE_COMPLETE);
	remember(t, s->trace_id, s->span_id);
}

static void keep(struct st_traces *t, struct trace *tr, const struct st_span *s)
{
	struct st_row *r = row_new(t);

	if (!r) {
		make_room(t, tr);
		r = row_new(t);
	}
	st_row__fill(r, s, t->utf8);
	relate(t, tr, r);
	r->next = tr->rows;
	tr->rows = (uint16_t)(r - t->rows);
	tr->cnt++;
	unlist(t, tr);
	enlist(t, tr, LIST_FRESH);
}

/* A request that nothing else is known of needs no waiting; a call may have its server's span. */
static bool stands_alone(const struct st_span *s)
{
	return !s->has_parent && s->kind != ST_KIND_CLIENT && s->kind != ST_KIND_PRODUCER;
}

void st_traces__add(struct st_traces *t, const struct st_span *s)
{
	struct trace *tr = find(t, s->trace_id);

	if (!tr && stands_alone(s)) {
		show_alone(t, s);
		return;
	}
	/* A trace that is too large comes in parts. */
	if (tr && tr->cnt == ST_WATERFALL_MAX) {
		done(t, tr);
		tr = NULL;
	}
	if (!tr && t->free_trace == NONE)
		make_room(t, NULL);
	if (!tr)
		tr = trace_new(t, s->trace_id);
	keep(t, tr, s);
}

static enum list_id list_for(const struct st_traces *t, const struct trace *tr)
{
	const struct st_row *r = &t->rows[tr->rows];

	if (tr->orphans)
		return LIST_WAIT;
	if (tr->cnt == 1 && !r->has_parent)
		return LIST_CALL;
	return LIST_SETTLE;
}

uint64_t st_traces__tick(struct st_traces *t, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	while (t->first[LIST_FRESH] != NONE) {
		struct trace *tr = &t->traces[t->first[LIST_FRESH]];
		enum list_id list = list_for(t, tr);

		unlist(t, tr);
		tr->due_ns = now_ns + list_ns[list];
		enlist(t, tr, list);
	}
	for (int i = LIST_CALL; i < LIST_CNT; i++) {
		while (t->first[i] != NONE && t->traces[t->first[i]].due_ns <= now_ns)
			done(t, &t->traces[t->first[i]]);
		if (t->first[i] != NONE && t->traces[t->first[i]].due_ns < next)
			next = t->traces[t->first[i]].due_ns;
	}
	return next;
}

void st_traces__flush(struct st_traces *t)
{
	for (int i = 0; i < LIST_CNT; i++)
		while (t->first[i] != NONE)
			done(t, &t->traces[t->first[i]]);
}

uint32_t st_traces__waiting(const struct st_traces *t)
{
	return t->waiting;
}
