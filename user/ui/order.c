/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ui/order.h"

#define NONE UINT16_MAX

/* Short lists, and nearly sorted ones: spans come in the order of their ends. */
static void sort_by_start(const struct st_row **rows, uint32_t cnt)
{
	for (uint32_t i = 1; i < cnt; i++) {
		const struct st_row *r = rows[i];
		uint32_t k = i;

		for (; k && rows[k - 1]->start_ns > r->start_ns; k--)
			rows[k] = rows[k - 1];
		rows[k] = r;
	}
}

static uint16_t parent_of(const struct st_row *const *rows, uint32_t cnt, uint32_t i)
{
	if (!rows[i]->has_parent)
		return NONE;
	for (uint32_t k = 0; k < cnt; k++)
		if (k != i && !memcmp(rows[k]->span_id, rows[i]->parent_id, 8))
			return (uint16_t)k;
	return NONE;
}

struct links {
	uint16_t child[ST_WATERFALL_MAX];   /* first one */
	uint16_t sibling[ST_WATERFALL_MAX]; /* next one */
	bool top[ST_WATERFALL_MAX];
	bool done[ST_WATERFALL_MAX];
};

static void link_rows(struct links *l, const struct st_row *const *rows, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++) {
		l->child[i] = l->sibling[i] = NONE;
		l->done[i] = false;
	}
	/* From the last to the first, each put in front: siblings stay in order. */
	for (uint32_t i = cnt; i--;) {
		uint16_t parent = parent_of(rows, cnt, i);

		l->top[i] = parent == NONE;
		if (parent == NONE)
			continue;
		l->sibling[i] = l->child[parent];
		l->child[parent] = (uint16_t)i;
	}
}

static void walk(struct st_order *o, struct links *l, uint16_t from)
{
	uint16_t stack[ST_WATERFALL_MAX], i = from;
	uint32_t depth = 0;

	for (;;) {
		if (i != NONE && !l->done[i]) {
			l->done[i] = true;
			o->at[o->cnt] = i;
			o->depth[o->cnt++] = (uint8_t)depth;
			stack[depth++] = i;
			i = l->child[i];
			continue;
		}
		/* A row of a ring that was shown already has siblings all the same. */
		if (i != NONE) {
			i = l->sibling[i];
			continue;
		}
		if (--depth == 0)
			return;
		i = l->sibling[stack[depth]];
	}
}

void st_order__make(struct st_order *o, const struct st_row **rows, uint32_t cnt)
{
	struct links l;

	o->cnt = 0;
	if (cnt > ST_WATERFALL_MAX)
		cnt = ST_WATERFALL_MAX;
	sort_by_start(rows, cnt);
	link_rows(&l, rows, cnt);
	for (uint32_t i = 0; i < cnt; i++)
		if (l.top[i])
			walk(o, &l, (uint16_t)i);
	for (uint32_t i = 0; i < cnt; i++)
		if (!l.done[i])
			walk(o, &l, (uint16_t)i);
}
