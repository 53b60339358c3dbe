/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the spans of a trace share. */
#include <stdlib.h>

#include "core/conn.h"

struct st_trace *st_trace__new(struct st_core *c)
{
	struct st_trace *t = c->lineages.free_traces;

	if (t)
		c->lineages.free_traces = t->next;
	else
		t = malloc(sizeof(*t));
	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	t->refs = 1;
	t->epoch_off_ns = c->cfg.epoch_off_ns;
	return t;
}

void st_trace__free_all(struct st_core *c)
{
	while (c->lineages.free_traces) {
		struct st_trace *t = c->lineages.free_traces;

		c->lineages.free_traces = t->next;
		free(t);
	}
}

void st_trace__unref(struct st_core *c, struct st_trace *t)
{
	if (!t || --t->refs)
		return;
	if (t->state.len)
		free((void *)(uintptr_t)t->state.p);
	t->next = c->lineages.free_traces;
	c->lineages.free_traces = t;
}
