/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Bytes and turns that were not seen: what is still told apart behind them, and what is not. */
#include "protocols/fastcgi_state.h"

void st_fcgi__lose(struct st_flow *f, uint32_t cnt)
{
	st_flow__lost(f, cnt);
	state_of(f)->owed += cnt;
	state_of(f)->counted = true;
}

/* Requests whose PARAMS cannot become whole any more; id 0: all. */
static void lose_begun(struct st_flow *f, uint16_t id)
{
	struct fastcgi *st = state_of(f);
	struct st_fcgi_req **at = &st->begun, *r;

	while ((r = *at)) {
		if (id && r->id != id) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		st->begun_cnt--;
		st_fcgi_req__free(r);
		st_fcgi__lose(f, 1);
	}
}

void st_fcgi__lose_begun(struct st_flow *f, uint16_t id)
{
	lose_begun(f, id);
}

void st_fcgi__lose_all_begun(struct st_flow *f)
{
	lose_begun(f, 0);
}

/* ---- answers ---- */

void st_fcgi__finish_unseen(struct st_flow *f, struct st_xchg *x)
{
	struct fastcgi *st = state_of(f);
	struct st_fcgi_xchg *fx = st_fcgi_of(x);
	uint64_t end_ns = answered_half(f)->end_ns;

	/* One at a time, and the head was seen: all but the length is known. */
	x->incomplete = x->incomplete || !fx->head.done || fx->head_lost || st->mixed;
	fx->resp_hole = true;
	st->foreign = fx->id;
	st_fcgi__finish(f, x, end_ns ? end_ns : x->start_ns);
}

/* The next record begins there. */
static void skip_to(struct half *h, uint64_t pos)
{
	h->type = 0;
	h->content_end = h->rec_end = pos;
}

void st_fcgi__answers_over(struct st_flow *f)
{
	struct half *h = answered_half(f);

	if (!h->turn_over)
		return;
	while (f->first)
		st_fcgi__finish_unseen(f, f->first);
	/* The next answer begins with the next turn. */
	h->blind = h->turn_over = false;
	skip_to(h, h->turn_end);
}

void st_fcgi__foreign(struct st_flow *f, uint16_t id)
{
	struct fastcgi *st = state_of(f);

	if (st->foreign == id)
		return;
	st->foreign = id;
	if (st->owed) {
		st->owed--;
		st_flow__stray(f);
	} else if (st->asked || st_flow__is_whole(f)) {
		st_flow__lost(f, 1);
	} else {
		st_flow__stray(f);
	}
}

/* ---- holes ---- */

static void lose_answer(struct st_fcgi_xchg *x)
{
	x->resp_hole = true;
	x->head_lost = x->head_lost || !x->head.done;
}

void st_fcgi__go_blind(struct st_flow *f, enum st_dir dir)
{
	struct half *h = &state_of(f)->half[dir];

	h->blind = true;
	h->turn_over = h->small = false;
	h->content_end = h->rec_end = 0;
	if (is_req(f, dir))
		st_fcgi__lose_all_begun(f);
	for (struct st_xchg *x = f->first; x; x = x->next) {
		if (is_req(f, dir))
			st_fcgi_of(x)->req_hole = true;
		else
			lose_answer(st_fcgi_of(x));
	}
}

/* A request's body is still to come: what was not seen is of it, if one is asked at a time. */
static bool is_body(struct st_flow *f)
{
	if (state_of(f)->mixed || answered_half(f)->turn_over)
		return false;
	for (struct st_xchg *x = f->first; x; x = x->next)
		if (!st_fcgi_of(x)->req_ended)
			return true;
	return false;
}

/* The shortest request: BEGIN_REQUEST and an empty record of PARAMS. */
#define REQUEST_MIN (2 * ST_FCGI_HEADER + ST_FCGI_BODY)

/* May a request lie in a hole where a record was to begin? */
static bool may_hide(struct st_flow *f)
{
	const struct fastcgi *st = state_of(f);

	return !st->begun && !st->last && !is_body(f) && (st->mixed || !st->counted);
}

/* Bytes of the record under way alone. */
static void lose_content(struct st_flow *f, const struct half *h, uint64_t from)
{
	struct st_xchg *x;

	if (from >= h->content_end)
		return;
	if (h->type == ST_FCGI_PARAMS)
		st_fcgi__lose_begun(f, h->id);
	x = h->type == ST_FCGI_STDOUT ? st_fcgi__find(f, h->id) : NULL;
	if (x && !st_fcgi_of(x)->head.done)
		lose_answer(st_fcgi_of(x));
}

void st_fcgi__on_gap(struct st_flow *f, enum st_dir dir, uint64_t from, uint64_t to)
{
	struct fastcgi *st = state_of(f);
	struct half *h = &st->half[dir];
	uint64_t len;
	bool hides;

	if (h->blind)
		return;
	if (from < h->rec_end)
		lose_content(f, h, from);
	if (to <= h->rec_end)
		return;
	if (!is_req(f, dir) && st->presumed && to <= st->presumed) {
		skip_to(h, to);
		return;
	}
	hides = is_req(f, dir) && may_hide(f);
	len = to - (from > h->rec_end ? from : h->rec_end);
	st_fcgi__go_blind(f, dir);
	/* Its answer may never come, so that it is counted now. */
	if (hides && len >= REQUEST_MIN)
		st_fcgi__lose(f, 1);
	h->small = hides && len < REQUEST_MIN;
}

/*
 * An answer comes behind a hole. If every request was seen it goes on with one of them; else it may
 * be that of another, which is lost then.
 */
static void answered_by_now(struct st_flow *f)
{
	if (!asked_half(f)->blind)
		return;
	while (f->first) {
		f->first->incomplete = !st_fcgi_of(f->first)->req_ended;
		st_fcgi__finish_unseen(f, f->first);
	}
	state_of(f)->foreign = 0;
}

/* A turn begins behind a hole: with a record, as both sides write them. */
static uint64_t on_turn(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct half *h = &state_of(f)->half[dir];
	struct st_fcgi_header head;

	if (c->pos < h->turn_end)
		return h->turn_end;
	if (c->len < ST_FCGI_HEADER)
		return c->pos;
	h->turn_over = false;
	if (!st_fcgi__header(c->p, is_req(f, dir), &head))
		return c->pos + c->len;
	if (!is_req(f, dir))
		answered_by_now(f);
	h->blind = false;
	return st_fcgi__on_header(f, dir, c);
}

#define END_SZ (ST_FCGI_HEADER + ST_FCGI_BODY)

/* The answer's last record ends a call: it is found there without those before it. */
static uint64_t find_end(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct half *h = &state_of(f)->half[dir];
	struct st_chunk last = *c;
	uint16_t id;

	if (c->len < END_SZ)
		return c->pos;
	last.p += c->len - END_SZ;
	last.pos += c->len - END_SZ;
	last.len = END_SZ;
	if (c->flags & ST_F_CUT || !st_fcgi__is_end(last.p, &id) || !st_fcgi__find(f, id))
		return last.pos + 1;
	h->blind = false;
	/* Bytes of a body may look so: what comes behind it is then of nobody else's. */
	state_of(f)->foreign = id;
	return st_fcgi__on_header(f, dir, &last);
}

uint64_t st_fcgi__on_blind(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct half *h = &state_of(f)->half[dir];

	if (h->turn_over)
		return on_turn(f, dir, c);
	if (!is_req(f, dir))
		return find_end(f, dir, c);
	/* A request began in the hole, and goes on. */
	if (h->small)
		st_fcgi__lose(f, 1);
	h->small = false;
	return c->pos + c->len;
}

uint32_t st_fcgi__on_lost(struct st_flow *f, uint32_t turns, enum st_dir first_dir,
			  uint64_t time_ns)
{
	struct fastcgi *st = state_of(f);
	enum st_dir last_dir = turns % 2 ? first_dir : (enum st_dir) !first_dir;
	uint32_t asked = is_req(f, first_dir) ? (turns + 1) / 2 : turns / 2;

	while (f->first) {
		f->first->incomplete = true;
		st_fcgi__finish(f, f->first, time_ns);
	}
	st_fcgi__lose_all_begun(f);
	for (int d = 0; d < 2; d++)
		st->half[d] = (struct half){.end_ns = st->half[d].end_ns};
	st->presumed = 0;
	/* An answer whose request was among them is no loss of its own. */
	st->owed = st->counted = is_req(f, last_dir);
	return st->last ? 0 : asked;
}
