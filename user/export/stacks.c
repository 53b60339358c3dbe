/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/stacks.h"

#include <stdlib.h>

/* Names and stacks that are kept; what comes later is summed up as "(other)". */
#define NAME_MAX_CNT  8192
#define STACK_MAX_CNT 16384
#define DEPTH_MAX     64
#define NAME_MAX_LEN  200
#define STACK_MAX_LEN 4096
#define NONE	      UINT32_MAX

/* An append-only set of strings, numbered; number 0 is "(other)", for those that do not fit. */
struct names {
	struct st_buf text;
	uint32_t *off;	 /* of each, NUL-terminated, in text */
	uint32_t *slots; /* number + 1; 0: empty */
	uint32_t slot_cnt, cnt, max;
};

struct node {
	uint8_t trace_id[16];
	uint64_t span_id, parent_id; /* parent_id 0: root */
	uint64_t start_ns, end_ns;
	uint32_t service, name;
	uint32_t next; /* of the same bucket */
	bool used;
};

/* One span of the trace that is being settled. */
struct member {
	const struct node *n;
	uint32_t parent; /* member; NONE */
};

struct st_stacks {
	uint32_t window;
	uint32_t at; /* where the next span goes: over the oldest */
	struct node *nodes;
	uint32_t *buckets; /* by trace */
	struct member *members, *by_parent;
	struct names names, stacks;
	uint64_t *self_ns; /* of each stack */
};

/* ---- numbered strings ---- */

static uint32_t hash_of(const char *p, size_t len)
{
	uint32_t h = 2166136261u;

	while (len--)
		h = (h ^ (uint8_t)*p++) * 16777619u;
	return h ^ h >> 15;
}

static uint32_t names_add(struct names *ns, uint32_t *slot, const char *p, size_t len)
{
	size_t off = ns->text.len;

	if (ns->cnt == ns->max || !st_buf__put(&ns->text, p, len) || !st_buf__putc(&ns->text, 0)) {
		ns->text.len = off;
		ns->text.failed = false;
		return 0;
	}
	ns->off[ns->cnt] = (uint32_t)off;
	*slot = ++ns->cnt;
	return ns->cnt - 1;
}

static const char *names_get(const struct names *ns, uint32_t i)
{
	return (const char *)ns->text.p + ns->off[i];
}

static uint32_t names_find(struct names *ns, const char *p, size_t len)
{
	for (uint32_t i = hash_of(p, len);; i++) {
		uint32_t *slot = &ns->slots[i & (ns->slot_cnt - 1)];

		if (!*slot)
			return names_add(ns, slot, p, len);
		if (!strncmp(names_get(ns, *slot - 1), p, len) && !names_get(ns, *slot - 1)[len])
			return *slot - 1;
	}
}

static bool names_init(struct names *ns, uint32_t max, size_t max_sz)
{
	ns->max = max;
	ns->slot_cnt = max * 2;
	ns->text = st_buf__init(max_sz);
	ns->off = calloc(max, sizeof(*ns->off));
	ns->slots = calloc(ns->slot_cnt, sizeof(*ns->slots));
	if (!ns->off || !ns->slots)
		return false;
	names_find(ns, "(other)", 7);
	return ns->cnt == 1;
}

static void names_free(struct names *ns)
{
	st_buf__free(&ns->text);
	free(ns->off);
	free(ns->slots);
}

/* A name as it may stand in a stack: without the separator, blanks' kin and control characters. */
static uint32_t clean_name(struct names *ns, struct st_str s)
{
	char text[NAME_MAX_LEN];
	uint32_t len = s.len < sizeof(text) ? s.len : sizeof(text);

	for (uint32_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		text[i] = c == ';' ? ':' : c < ' ' || c == 0x7f ? '_' : (char)c;
	}
	return len ? names_find(ns, text, len) : names_find(ns, "?", 1);
}

/* ---- settling a trace ---- */

static uint64_t id_of(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static uint32_t *bucket_of(struct st_stacks *st, const uint8_t *trace_id)
{
	uint32_t h = hash_of((const char *)trace_id, 16);

	return &st->buckets[h & (st->window - 1)];
}

static int by_span_id(const void *a, const void *b)
{
	uint64_t x = ((const struct member *)a)->n->span_id;
	uint64_t y = ((const struct member *)b)->n->span_id;

	return x < y ? -1 : x > y;
}

static int by_parent_and_start(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	return x->n->start_ns < y->n->start_ns ? -1 : x->n->start_ns > y->n->start_ns;
}

static uint32_t find_member(const struct member *m, uint32_t cnt, uint64_t span_id)
{
	uint32_t lo = 0, hi = cnt;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (m[mid].n->span_id < span_id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < cnt && m[lo].n->span_id == span_id ? lo : NONE;
}

/* The trace's spans, taken out of the window. Returns how many. */
static uint32_t collect(struct st_stacks *st, const uint8_t *trace_id)
{
	uint32_t *link = bucket_of(st, trace_id), cnt = 0;

	while (*link != NONE) {
		struct node *n = &st->nodes[*link];

		if (memcmp(n->trace_id, trace_id, 16)) {
			link = &n->next;
			continue;
		}
		*link = n->next;
		n->used = false;
		st->members[cnt++].n = n;
	}
	return cnt;
}

/* What the children, ordered by their start, cover of n's time. */
static uint64_t covered_ns(const struct node *n, const struct member *child, uint32_t cnt)
{
	uint64_t sum = 0, upto = n->start_ns;

	for (; cnt--; child++) {
		uint64_t from = child->n->start_ns > upto ? child->n->start_ns : upto;
		uint64_t to = child->n->end_ns < n->end_ns ? child->n->end_ns : n->end_ns;

		if (to <= from)
			continue;
		sum += to - from;
		upto = to;
	}
	return sum;
}

/* The stack of members[i], as its number. */
static uint32_t stack_of(struct st_stacks *st, uint32_t i)
{
	uint32_t path[DEPTH_MAX], depth = 0, service = NONE;
	char text[STACK_MAX_LEN];
	size_t len = 0;

	/* The bound also ends a circle of parents, which only forged ids make. */
	for (; i != NONE && depth < DEPTH_MAX; i = st->members[i].parent)
		path[depth++] = i;
	while (depth--) {
		const struct node *n = st->members[path[depth]].n;
		const char *parts[2] = {names_get(&st->names, n->service),
					names_get(&st->names, n->name)};

		for (int k = n->service == service; k < 2; k++) {
			size_t part = strlen(parts[k]);

			if (len + part + 1 >= sizeof(text))
				return names_find(&st->stacks, text, len);
			if (len)
				text[len++] = ';';
			memcpy(text + len, parts[k], part);
			len += part;
		}
		service = n->service;
	}
	return names_find(&st->stacks, text, len);
}

static void settle(struct st_stacks *st, const uint8_t *trace_id)
{
	uint32_t cnt = collect(st, trace_id), child = 0;
	struct member *m = st->members;

	qsort(m, cnt, sizeof(*m), by_span_id);
	for (uint32_t i = 0; i < cnt; i++) {
		m[i].parent = m[i].n->parent_id ? find_member(m, cnt, m[i].n->parent_id) : NONE;
		if (m[i].parent == i)
			m[i].parent = NONE;
	}
	memcpy(st->by_parent, m, cnt * sizeof(*m));
	qsort(st->by_parent, cnt, sizeof(*m), by_parent_and_start);
	for (uint32_t i = 0; i < cnt; i++) {
		const struct node *n = m[i].n;
		uint32_t first;

		while (child < cnt && st->by_parent[child].parent < i)
			child++;
		for (first = child; child < cnt && st->by_parent[child].parent == i; child++)
			;
		st->self_ns[stack_of(st, i)] += n->end_ns - n->start_ns -
						covered_ns(n, &st->by_parent[first], child - first);
	}
}

/* ---- the window ---- */

struct st_stacks *st_stacks__new(uint32_t window)
{
	struct st_stacks *st = calloc(1, sizeof(*st));

	if (!st)
		return NULL;
	st->window = window;
	st->nodes = calloc(window, sizeof(*st->nodes));
	st->buckets = malloc(window * sizeof(*st->buckets));
	st->members = calloc(window, sizeof(*st->members));
	st->by_parent = calloc(window, sizeof(*st->by_parent));
	st->self_ns = calloc(STACK_MAX_CNT, sizeof(*st->self_ns));
	if (!st->nodes || !st->buckets || !st->members || !st->by_parent || !st->self_ns ||
	    !names_init(&st->names, NAME_MAX_CNT, 1u << 20) ||
	    !names_init(&st->stacks, STACK_MAX_CNT, 8u << 20)) {
		st_stacks__free(st);
		return NULL;
	}
	memset(st->buckets, 0xff, window * sizeof(*st->buckets));
	return st;
}

void st_stacks__free(struct st_stacks *st)
{
	if (!st)
		return;
	free(st->nodes);
	free(st->buckets);
	free(st->members);
	free(st->by_parent);
	free(st->self_ns);
	names_free(&st->names);
	names_free(&st->stacks);
	free(st);
}

void st_stacks__span(struct st_stacks *st, const struct st_span *s)
{
	struct node *n = &st->nodes[st->at];
	uint32_t *bucket;

	if (n->used)
		settle(st, n->trace_id);
	memcpy(n->trace_id, s->trace_id, 16);
	n->span_id = id_of(s->span_id);
	n->parent_id = s->has_parent ? id_of(s->parent_id) : 0;
	n->start_ns = s->start_ns;
	n->end_ns = s->end_ns > s->start_ns ? s->end_ns : s->start_ns;
	n->service = clean_name(&st->names, s->resource->service);
	n->name = clean_name(&st->names, s->name);
	n->used = true;
	bucket = bucket_of(st, n->trace_id);
	n->next = *bucket;
	*bucket = st->at;
	st->at = (st->at + 1) & (st->window - 1);
}

bool st_stacks__write(struct st_stacks *st, struct st_buf *b)
{
	for (uint32_t i = 0; i < st->window; i++) {
		struct node *n = &st->nodes[(st->at + i) & (st->window - 1)];

		if (n->used)
			settle(st, n->trace_id);
	}
	for (uint32_t i = 0; i < st->stacks.cnt; i++) {
		uint64_t us = (st->self_ns[i] + 500) / 1000;

		if (us)
			st_buf__printf(b, "%s %llu\n", names_get(&st->stacks, i),
				       (unsigned long long)us);
	}
	return !b->failed;
}
