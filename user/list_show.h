/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One process as `spantap list` shows it: a row, a page, a JSON object. */
#ifndef ST_LIST_SHOW_H
#define ST_LIST_SHOW_H

#include "meta/inspect.h"
#include "meta/resource.h"
#include "show.h"

struct st_list_item {
	struct st_inspect in;
	struct st_process *proc;
	struct st_str service; /* as spans would have it */
	enum st_name_source source;
	int chief; /* its parent, when that runs the same program: -p of it takes both; else 0 */
};

void st_list_show__heads(struct st_buf *b);
void st_list_show__row(struct st_buf *b, const struct st_list_item *it);
void st_list_show__page(struct st_buf *b, const struct st_list_item *it);
/* comma: others stand before it. */
void st_list_show__json(struct st_buf *b, const struct st_list_item *it, bool comma);

/*
 * What is not seen of a process, one at a time: the n-th reason (from 0) into text, its short name
 * into *name. False when there are no more.
 */
bool st_list_show__unseen(const struct st_list_item *it, uint32_t n, const char **name, char *text,
			  size_t text_sz);

/* How calls of this process find their parents, in words; list_parents.c. */
const char *st_list_show__parents(const struct st_list_item *it);

#endif
