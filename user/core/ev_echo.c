/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Proxies that copy what they pass on (haproxy, Envoy), so that no memory tells: an upstream exchange
 * belongs to the request that was answered with the same bytes.
 *
 * Why it cannot be wrong: the answer has the response's status, its length and the first bytes of its
 * body, eight at least; it began after the response did; and of all requests that were in hand when
 * the call was made, known when they are all answered, it alone has. Another response of these bytes
 * that had begun by then makes it tell nothing, so that bodies that are always alike ("ok", an error
 * page, what a cache hands out) decide nothing; nor do calls that were open when a record was lost,
 * since what is the same may have been in it, or when a client left before it had its answer.
 */
#include <stdlib.h>

#include "core/conn.h"
#include "core/evidence.h"

#define BODY_MIN 8u
#define BODY_MAX 64u
#define KEPT	 512u

/* A response that a proxy began to read, or an answer that it began to give. */
struct echo {
	uint64_t frame;		/* of status and length */
	uint64_t print;		/* of the body's first bytes; 0: not known */
	uint64_t no;		/* lin.no of its exchange */
	uint64_t when;		/* they are numbered as they begin */
	struct st_xchg *x;	/* of an answer, while it lives; then */
	struct st_trace *trace; /* what is left of it: a reference, */
	uint8_t span_id[8];	/* and its span */
};

struct st_echoes {
	uint64_t when;
	uint64_t losses;   /* of the whole capture, when last looked */
	uint64_t since_no; /* exchanges up to this one may have companions that were lost */
	uint64_t gone_no;  /* the last exchange of those calls that are not kept any more */
	uint32_t call_cnt, answer_cnt; /* since then */
	struct echo calls[KEPT], answers[KEPT];
};

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

/* Of a body's first bytes; 0 when too little of them is there. */
static uint64_t print_of(const struct st_response *r)
{
	uint32_t n = r->body.len < BODY_MAX ? r->body.len : BODY_MAX;
	uint64_t h = n, w;

	/* Both sides must have as much to compare. */
	if (n < BODY_MIN || (n < BODY_MAX && n < r->length))
		return 0;
	for (uint32_t i = 0; i + 8 <= n; i += 8) {
		memcpy(&w, r->body.p + i, 8);
		h = mix(h, w);
	}
	memcpy(&w, r->body.p + n - 8, 8);
	h = mix(h, w);
	return h | !h;
}

static void clear(struct st_core *c, struct echo *e)
{
	if (e->x)
		e->x->lin.echo_at = 0;
	st_trace__unref(c, e->trace);
	memset(e, 0, sizeof(*e));
}

/* What was lost may have had the same bytes: what was known alone is not any more. */
static void look_for_losses(struct st_core *c, struct st_echoes *all)
{
	const struct st_core_stats *s = &c->stats;
	uint64_t losses = s->gaps + s->stray + s->lost_requests + s->unread_requests + s->overflow;

	if (losses == all->losses)
		return;
	all->losses = losses;
	all->since_no = c->lineages.last_no;
	for (uint32_t i = 0; i < KEPT && i < all->answer_cnt; i++)
		clear(c, &all->answers[i]);
	all->call_cnt = all->answer_cnt = 0;
}

static struct echo *next(struct st_core *c, struct echo *ring, uint32_t *cnt)
{
	struct echo *e = &ring[(*cnt)++ % KEPT];

	clear(c, e);
	return e;
}

/* Made with the first response: who makes no calls needs none. */
static struct st_echoes *echoes_of(struct st_core *c, struct st_proc *p, enum st_role role)
{
	if (p->echoes || role != ST_ROLE_CLIENT)
		return p->echoes;
	p->echoes = calloc(1, sizeof(*p->echoes));
	if (!p->echoes)
		return NULL;
	p->echoes->since_no = c->lineages.last_no;
	for (struct st_xchg *x = p->inbound.first; x; x = x->lin.at[ST_LIST_PROC].next)
		st_rung__knows(x, ST_ROW_ECHO);
	return p->echoes;
}

static void answered(struct st_core *c, struct st_xchg *x, const struct st_event_of *ev)
{
	struct st_proc *p = x->lin.proc;
	struct st_echoes *all;
	struct echo *e;

	if (!ev->response || !st_proc__is_proxy(c, p))
		return;
	all = echoes_of(c, p, x->role);
	if (!all)
		return;
	look_for_losses(c, all);
	if (x->role == ST_ROLE_CLIENT) {
		e = &all->calls[all->call_cnt % KEPT];
		if (all->call_cnt >= KEPT && e->no > all->gone_no)
			all->gone_no = e->no;
		e = next(c, all->calls, &all->call_cnt);
	} else {
		x->lin.echo_at = (uint16_t)(1 + all->answer_cnt % KEPT);
		e = next(c, all->answers, &all->answer_cnt);
		e->x = x;
		memcpy(e->span_id, x->lin.span_id, sizeof(e->span_id));
		st_rung__knows(x, ST_ROW_ECHO);
	}
	e->frame = mix(ev->response->status, ev->response->length);
	e->print = print_of(ev->response);
	e->no = x->lin.no;
	e->when = ++all->when;
}

static void opened(struct st_core *c, struct st_xchg *x, const struct st_event_of *e)
{
	(void)c, (void)e;
	if (x->lin.proc->echoes)
		st_rung__knows(x, ST_ROW_ECHO);
}

/* Its client left: what was fetched for it may be another one's answer, out of a cache. */
static void closed(struct st_core *c, struct st_xchg *x)
{
	if (x->role == ST_ROLE_SERVER && !x->answered && x->lin.proc->echoes)
		x->lin.proc->echoes->since_no = c->lineages.last_no;
}

static void forget(struct st_core *c, struct st_xchg *x)
{
	struct echo *e;

	(void)c;
	if (!x->lin.echo_at)
		return;
	e = &x->lin.proc->echoes->answers[x->lin.echo_at - 1];
	e->x = NULL;
	e->trace = st_trace__ref(x->lin.trace);
	x->lin.echo_at = 0;
}

static bool may_be_same(const struct echo *a, const struct echo *b)
{
	return a->frame == b->frame && (a->print == b->print || !a->print || !b->print);
}

static const struct echo *call_of(const struct st_echoes *all, uint64_t no)
{
	for (uint32_t i = 0; i < KEPT && i < all->call_cnt; i++)
		if (all->calls[i].no == no)
			return &all->calls[i];
	return NULL;
}

/* Is all still kept that began since? */
static bool reaches_back(const struct echo *ring, uint32_t cnt, uint64_t when)
{
	return cnt <= KEPT || ring[cnt % KEPT].when < when;
}

/* The one answer that may be the same, to a request older than the call, begun after its response. */
static const struct echo *only_answer(const struct st_echoes *all, const struct echo *call)
{
	const struct echo *found = NULL;

	for (uint32_t i = 0; i < KEPT && i < all->answer_cnt; i++) {
		const struct echo *a = &all->answers[(all->answer_cnt - 1 - i) % KEPT];

		if (a->when < call->when)
			break;
		if (a->no > call->no || !may_be_same(a, call))
			continue;
		if (found)
			return NULL;
		found = a;
	}
	return found;
}

/* Did no other response that may be the same begin while the answer's request was in hand? */
static bool is_only_call(const struct st_echoes *all, const struct echo *call,
			 const struct echo *answer)
{
	if (all->gone_no > answer->no)
		return false;
	for (uint32_t i = 0; i < KEPT && i < all->call_cnt; i++) {
		const struct echo *other = &all->calls[i];

		if (other != call && other->no > answer->no && other->when < answer->when &&
		    may_be_same(other, call))
			return false;
	}
	return true;
}

static void settled(struct st_core *c, struct st_xchg *x)
{
	struct st_echoes *all = x->lin.proc->echoes;
	const struct echo *call, *answer;

	if (!all)
		return;
	look_for_losses(c, all);
	call = x->lin.no > all->since_no ? call_of(all, x->lin.no) : NULL;
	if (!call || !call->print || !reaches_back(all->answers, all->answer_cnt, call->when))
		return;
	answer = only_answer(all, call);
	if (!answer || !answer->print || !is_only_call(all, call, answer))
		return;
	if (answer->x)
		st_lineage__below(c, x, answer->x, ST_EV_GROUP);
	else if (answer->trace)
		st_lineage__below_span(c, x, answer->trace, answer->span_id, ST_EV_GROUP);
}

void st_echoes__free(struct st_core *c, struct st_echoes *all)
{
	for (uint32_t i = 0; all && i < KEPT; i++)
		clear(c, &all->answers[i]);
	free(all);
}

const struct st_evidence_ops st_ev_echo = {
	.opened_if = ST_IF_SERVER,
	.answered_if = ST_IF_BOTH,
	.opened = opened,
	.answered = answered,
	.settled = settled,
	.closed = closed,
	.forget = forget,
};
