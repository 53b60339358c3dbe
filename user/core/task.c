/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A table of fixed size: who comes last takes the place of who came first, set by set. */
#include "core/task.h"

#include <stdlib.h>

#include "core/conn.h"

static struct st_task *set_of(struct st_core *c, uint32_t tgid, uint64_t id, uint32_t *n)
{
	uint64_t h = (id ^ (uint64_t)tgid << 40) * 0x9e3779b97f4a7c15ULL;

	*n = (uint32_t)(h >> 40) % ST_TASK_SETS;
	return c->tasks.set + (size_t)*n * ST_TASK_WAYS;
}

static bool make_table(struct st_core *c)
{
	if (!c->tasks.set)
		c->tasks.set = calloc((size_t)ST_TASK_SETS * ST_TASK_WAYS, sizeof(*c->tasks.set));
	return c->tasks.set;
}

struct st_task *st_task__find(struct st_core *c, uint32_t tgid, uint64_t id)
{
	struct st_task *t;
	uint32_t n;

	if (!c->tasks.set || !id)
		return NULL;
	t = set_of(c, tgid, id, &n);
	for (uint32_t i = 0; i < ST_TASK_WAYS; i++)
		if (t[i].id == id && t[i].tgid == tgid)
			return &t[i];
	return NULL;
}

struct st_task *st_task__get(struct st_core *c, uint32_t tgid, uint64_t id)
{
	struct st_task *t = st_task__find(c, tgid, id);
	uint32_t n;

	if (t || !id || !make_table(c))
		return t;
	t = set_of(c, tgid, id, &n);
	for (uint32_t i = 0; i < ST_TASK_WAYS; i++) {
		struct st_task *one = &t[(c->tasks.victim[n] + i) % ST_TASK_WAYS];

		if (one->in_cnt || one->response_of)
			continue;
		c->tasks.victim[n] = (uint8_t)((one - t + 1) % ST_TASK_WAYS);
		*one = (struct st_task){.id = id, .tgid = tgid};
		return one;
	}
	return NULL;
}

void st_task__free_all(struct st_core *c)
{
	free(c->tasks.set);
}
