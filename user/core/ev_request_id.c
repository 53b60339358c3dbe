/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Proxies give each request an id and pass it on: X-Request-ID, X-Correlation-ID.
 *
 * Why it cannot be wrong: one request alone of those that the process has in hand came with the id
 * that the call bears. Two with one id (a client that tries again, or repeats them) tell nothing.
 */
#include "core/conn.h"
#include "core/evidence.h"
#include "spantap/carrier.h"

#define COMPARE_MAX 1024
/* Shorter ones are counters, or a word. */
#define ID_MIN	    8

static struct st_str id_of(const struct st_xchg *x, enum st_carrier_field field)
{
	const struct st_carrier *c = x->ops->carrier ? x->ops->carrier(x) : NULL;

	if (!c || !(c->seen & ST_CARRIER_BIT(field)) || (c->twice & ST_CARRIER_BIT(field)))
		return (struct st_str){0};
	return st_carrier_get(c, field);
}

static struct st_xchg *only_one(const struct st_xchg *call, enum st_carrier_field field)
{
	struct st_xchg *x = call->lin.proc->inbound.first, *found = NULL;
	struct st_str id = id_of(call, field);

	if (id.len < ID_MIN)
		return NULL;
	for (int i = 0; x && i < COMPARE_MAX; i++, x = x->lin.at[ST_LIST_PROC].next) {
		if (!st_str_eq(id_of(x, field), id))
			continue;
		if (found)
			return NULL;
		found = x;
	}
	return x ? NULL : found;
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_xchg *up;

	(void)e;
	up = only_one(x, ST_CARRIER_REQUEST_ID);
	if (!up)
		up = only_one(x, ST_CARRIER_CORRELATION_ID);
	if (up)
		st_lineage__below(c, x, up, ST_EV_REQUEST_ID);
}

const struct st_evidence_ops st_ev_request_id = {
	.opened_if = ST_IF_CLIENT | ST_IF_CARRIER | ST_IF_OPEN,
	.opened = opened,
};
