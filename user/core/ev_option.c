/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The caller's span as it came by TCP option, and what calls of ours told the other end (--propagate).
 *
 * Why it cannot be wrong: the option names the sequence number of the request's first byte, and
 * counts for the request that begins there alone; a proxy that ends the connection passes no
 * options on. What a call told is its own span's id, which derives from its connection and turn,
 * and a trace's: that id stands whatever is learned later (lineage.c).
 */
#include "core/conn.h"
#include "core/evidence.h"

static struct st_trace *trace_of(struct st_core *c, const struct st_ids *ids)
{
	struct st_trace *t = st_trace__new(c);

	if (!t)
		return NULL;
	memcpy(t->id, ids->trace_id, sizeof(t->id));
	t->flags = (uint32_t)ids->flags;
	t->fixed = true;
	return t;
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	struct st_wired *w = &x->conn->wired;

	(void)e;
	if (!w->what || w->pos != x->pos)
		return;
	if (x->role == ST_ROLE_SERVER && w->what == ST_WIRE_CAME) {
		st_lineage__below_remote(c, x, trace_of(c, &w->ids), w->ids.span_id, ST_EV_OPTION);
	} else if (x->role == ST_ROLE_CLIENT && w->what == ST_WIRE_LEFT) {
		memcpy(x->lin.span_id, w->ids.span_id, sizeof(x->lin.span_id));
		x->lin.sent = trace_of(c, &w->ids);
	}
	w->what = 0;
}

static void told(struct st_core *c, const struct st_rec *rec)
{
	struct st_conn *n = rec->kind == ST_REC_WIRE ? st_conn__get(c, rec) : NULL;

	if (!n)
		return;
	n->info->wired.pos = rec->pos;
	n->info->wired.what = rec->what;
	n->info->wired.shift = rec->opp_pos - rec->pos;
	if (rec->what == ST_WIRE_LEFT)
		n->info->shift = n->info->wired.shift + rec->call_len;
	memcpy(&n->info->wired.ids, rec + 1, sizeof(n->info->wired.ids));
}

const struct st_evidence_ops st_ev_option = {
	.opened_if = ST_IF_BOTH,
	.opened = opened,
	.told = told,
};
