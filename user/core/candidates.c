/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Links of calls without a parent. With --link-candidates, to the requests that the process had in hand
 * when the call was made: one of them may be its cause; none is said to be. And to the one that was
 * found to be its cause after the call had left with a trace of its own.
 */
#include <stdlib.h>

#include "core/conn.h"

#define CANDIDATES_MAX 8

struct st_candidates {
	uint32_t cnt;
	struct {
		struct st_trace *trace; /* a reference */
		uint8_t span_id[8];
	} v[CANDIDATES_MAX];
	struct st_link links[CANDIDATES_MAX];
};

static void add(struct st_candidates *list, struct st_trace *t, const uint8_t span_id[8])
{
	list->v[list->cnt].trace = st_trace__ref(t);
	memcpy(list->v[list->cnt++].span_id, span_id, 8);
}

void st_candidates__note(struct st_core *c, struct st_xchg *call)
{
	const struct st_xchg *x = call->lin.proc->inbound.first;
	struct st_candidates *list;

	if (!c->cfg.link_candidates || !(list = calloc(1, sizeof(*list))))
		return;
	for (; x && list->cnt < CANDIDATES_MAX; x = x->lin.at[ST_LIST_PROC].next) {
		if (x->lin.trace) /* else it is not known yet */
			add(list, x->lin.trace, x->lin.span_id);
	}
	call->lin.candidates = list;
}

void st_candidates__found(struct st_core *c, struct st_xchg *call, struct st_trace *t,
			  const uint8_t span_id[8])
{
	st_candidates__free(c, call);
	call->lin.candidates = calloc(1, sizeof(*call->lin.candidates));
	if (call->lin.candidates)
		add(call->lin.candidates, t, span_id);
}

void st_candidates__link(struct st_xchg *x, struct st_span *s)
{
	struct st_candidates *list = x->lin.candidates;

	if (!list || s->has_parent)
		return;
	for (uint32_t i = 0; i < list->cnt; i++) {
		list->v[i].trace->fixed = true;
		memcpy(list->links[i].trace_id, list->v[i].trace->id, 16);
		memcpy(list->links[i].span_id, list->v[i].span_id, 8);
		list->links[i].flags = list->v[i].trace->flags | 0x100;
	}
	s->links = list->links;
	s->link_cnt = (uint16_t)list->cnt;
	s->tmpl = 0;
}

void st_candidates__free(struct st_core *c, struct st_xchg *x)
{
	struct st_candidates *list = x->lin.candidates;

	for (uint32_t i = 0; list && i < list->cnt; i++)
		st_trace__unref(c, list->v[i].trace);
	free(list);
	x->lin.candidates = NULL;
}
