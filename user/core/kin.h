/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Calls that seem to be made for a request, until it is decided: a list for each rung that keeps any. */
#ifndef ST_CORE_KIN_H
#define ST_CORE_KIN_H

#include "spantap/protocol.h"

static inline struct st_xchg *st_kin__up(const struct st_xchg *call, enum st_kin_of of)
{
	return call->lin.kin[of].up;
}

/* Does any rung take it for somebody's? */
static inline bool st_kin__any(const struct st_xchg *call)
{
	for (int of = 0; of < ST_KIN_CNT; of++)
		if (call->lin.kin[of].up)
			return true;
	return false;
}

static inline void st_kin__add(struct st_xchg *call, struct st_xchg *up, enum st_kin_of of)
{
	call->lin.kin[of].up = up;
	call->lin.kin[of].next = up->lin.kin[of].first;
	up->lin.kin[of].first = call;
}

/* Takes the newest of a request's calls out. Returns it, or NULL. */
static inline struct st_xchg *st_kin__take(struct st_xchg *up, enum st_kin_of of)
{
	struct st_xchg *call = up->lin.kin[of].first;

	if (!call)
		return NULL;
	up->lin.kin[of].first = call->lin.kin[of].next;
	call->lin.kin[of].up = NULL;
	return call;
}

/* The call seems to be nobody's any more; it may have been already. */
static inline void st_kin__del(struct st_xchg *call, enum st_kin_of of)
{
	struct st_xchg *up = call->lin.kin[of].up, **at;

	if (!up)
		return;
	for (at = &up->lin.kin[of].first; *at != call;)
		at = &(*at)->lin.kin[of].next;
	*at = call->lin.kin[of].next;
	call->lin.kin[of].up = NULL;
}

#endif
