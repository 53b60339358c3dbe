/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Whose connection does a task work for? A runtime's loop makes, of its own task, one for each
 * connection that it accepts; what reads of the connection and what answers there descend from that.
 */
#include "core/conn.h"
#include "core/task.h"

#define DEPTH_MAX 32

/* Its ancestors are marked along with a task: who is marked already ends the walk. */
void st_task__reads(struct st_core *c, uint32_t tgid, uint64_t id, uint64_t conn_id)
{
	for (int i = 0; i < DEPTH_MAX && id; i++) {
		struct st_task *t = st_task__get(c, tgid, id);

		if (!t || t->reads_many || t->reads_conn == conn_id)
			return;
		t->reads_many = t->reads_conn;
		t->reads_conn = conn_id;
		id = t->parent;
	}
}

/* Is there one above that has made readers of several connections? Then this one is not the loop. */
static bool is_below_many(struct st_core *c, const struct st_task *t)
{
	for (int i = 0; i < DEPTH_MAX && t && !t->reads_many; i++)
		t = st_task__find(c, t->tgid, t->parent);
	return t && t->reads_many;
}

struct st_task *st_task__first(struct st_core *c, struct st_task *t)
{
	struct st_task *first = t, *up;

	t->in_cnt++; /* a new one does not take its place */
	for (int i = 0; i < DEPTH_MAX; i++) {
		up = st_task__get(c, t->tgid, first->parent);
		if (!up)
			break;
		first = up;
	}
	t->in_cnt--;
	return first;
}

enum st_owner st_task__owner(struct st_core *c, const struct st_task *t, const struct st_xchg *x)
{
	if (t->born_ns && t->id == x->lin.task && !t->reads_many)
		return ST_OWNER_THIS;
	for (int i = 0; i < DEPTH_MAX && t; i++) {
		if (t->reads_many || (t->reads_conn && t->reads_conn != x->conn_id))
			return ST_OWNER_OTHERS;
		if (t->reads_conn)
			return t->born_ns && (t->for_read || is_below_many(c, t))
				       ? ST_OWNER_THIS
				       : ST_OWNER_UNKNOWN;
		t = st_task__find(c, t->tgid, t->parent);
	}
	return ST_OWNER_UNKNOWN;
}
