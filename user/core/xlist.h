/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Lists through exchanges, in the order in which they came; each is in one of a kind at most. */
#ifndef ST_CORE_XLIST_H
#define ST_CORE_XLIST_H

#include "spantap/protocol.h"

struct st_xlist {
	struct st_xchg *first, *last;
};

static inline void st_xlist__add(struct st_xlist *l, struct st_xchg *x, enum st_xlist_kind kind)
{
	x->lin.at[kind] = (struct st_links){.prev = l->last};
	if (l->last)
		l->last->lin.at[kind].next = x;
	else
		l->first = x;
	l->last = x;
}

static inline void st_xlist__del(struct st_xlist *l, struct st_xchg *x, enum st_xlist_kind kind)
{
	const struct st_links *at = &x->lin.at[kind];

	if (at->prev)
		at->prev->lin.at[kind].next = at->next;
	else
		l->first = at->next;
	if (at->next)
		at->next->lin.at[kind].prev = at->prev;
	else
		l->last = at->prev;
}

#endif
