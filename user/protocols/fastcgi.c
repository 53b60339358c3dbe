/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* FastCGI connections: records to requests and answers. Specification 1.0, sections 3 and 5. */
#include "protocols/fastcgi.h"

#include "protocols/fastcgi_state.h"

#define BEGUN_MAX 64u /* requests of one connection whose PARAMS are under way */

void st_fcgi__finish(struct st_flow *f, struct st_xchg *x, uint64_t end_ns)
{
	struct fastcgi *st = state_of(f);

	if (st->ending == x)
		st->ending = NULL;
	if (st->presumed_id == st_fcgi_of(x)->id)
		st->presumed = 0;
	if (!st->ending && !st->presumed)
		st_flow__expect(f, (enum st_dir) !f->dir_req, 0);
	st_flow__close(f, x, end_ns);
}

/* The request's END_REQUEST goes up to `end`. What is being sent was only announced. */
static void end_at(struct st_flow *f, enum st_dir dir, struct st_xchg *x, const struct st_chunk *c,
		   uint64_t end)
{
	struct fastcgi *st = state_of(f);

	if (dir == ST_RX && end <= c->pos + c->len) {
		st_fcgi__finish(f, x, c->time_ns);
		return;
	}
	st->ending = x;
	st->ending_at = end;
	st_flow__expect(f, dir, end);
}

/* ---- requests ---- */

static void start(struct st_flow *f)
{
	state_of(f)->known = true;
	f->role = f->dir_req == ST_RX ? ST_ROLE_SERVER : ST_ROLE_CLIENT;
	/* Heads end in no empty line, and answers in a record of their own. */
	st_flow__mode(f, ST_MODE_EVERY);
}

/* Who asks the next has read the answer to the last, unless several are asked at once. */
static void before_begin(struct st_flow *f, const struct st_chunk *c)
{
	struct fastcgi *st = state_of(f);

	if (st->ending && st->ending == f->last)
		st_fcgi__finish(f, st->ending, c->first_ns);
	if (answered_half(f)->blind)
		st_fcgi__answers_over(f);
	st->mixed = st->mixed || f->first || st->begun;
}

static void on_begin(struct st_flow *f, const struct st_fcgi_header *h, const struct st_chunk *c)
{
	struct fastcgi *st = state_of(f);
	struct st_fcgi_req **at = &st->begun, *r;
	uint8_t flags = c->p[ST_FCGI_HEADER + 2];

	before_begin(f, c);
	st_fcgi__lose_begun(f, h->id);
	if (st_fcgi__find(f, h->id))
		st_fcgi__finish_unseen(f, st_fcgi__find(f, h->id));
	if (!st->mixed)
		st->owed = 0;
	st->foreign = st->foreign == h->id ? 0 : st->foreign;
	st->asked = true;
	st->last = !(flags & ST_FCGI_KEEP_CONN);
	r = st->begun_cnt < BEGUN_MAX ? st_fcgi_req__new(h, flags, c) : NULL;
	if (!r) {
		st_fcgi__lose(f, 1);
		return;
	}
	while (*at)
		at = &(*at)->next;
	*at = r;
	st->begun_cnt++;
}

static struct st_fcgi_req *find_begun(struct fastcgi *st, uint16_t id)
{
	struct st_fcgi_req *r = st->begun;

	while (r && r->id != id)
		r = r->next;
	return r;
}

static struct st_fcgi_req *take_begun(struct fastcgi *st, uint16_t id)
{
	struct st_fcgi_req **at = &st->begun, *r;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	r = *at;
	if (r) {
		*at = r->next;
		st->begun_cnt--;
	}
	return r;
}

/* The request has been read whole, its body aside. */
static void on_params_end(struct st_flow *f, uint16_t id, const struct st_chunk *c)
{
	struct fastcgi *st = state_of(f);
	struct st_fcgi_req *r = take_begun(st, id);
	struct st_xchg *x;

	if (!r)
		return;
	st_fcgi_req__read(r);
	x = st_flow__open(f, &r->first);
	if (!x) {
		st->owed++;
		st_fcgi_req__free(r);
		return;
	}
	st->nth = r->first.turn == st->last_turn ? st->nth + 1 : 0;
	st->last_turn = r->first.turn;
	x->nth = st->nth;
	st_fcgi_of(x)->req = r;
	st_fcgi_of(x)->id = id;
	st_flow__begin(f, x, c);
}

static void on_stdin(struct st_flow *f, const struct st_fcgi_header *h)
{
	struct st_xchg *x = st_fcgi__find(f, h->id);

	if (!x)
		return;
	st_fcgi_of(x)->req_body += h->len;
	st_fcgi_of(x)->req_ended = st_fcgi_of(x)->req_ended || !h->len;
}

static void on_abort(struct st_flow *f, uint16_t id)
{
	struct st_xchg *x = st_fcgi__find(f, id);

	if (x)
		st_fcgi_of(x)->aborted = true;
}

/* ---- answers ---- */

/*
 * The call that brings this record goes on for as many bytes as an END_REQUEST has, and maybe the
 * empty record in front of it: that is what they are, should they not be copied.
 */
static void presume_end(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct fastcgi *st = state_of(f);
	const struct half *h = &st->half[dir];
	uint64_t left = c->call_end > h->rec_end ? c->call_end - h->rec_end : 0;

	if (left != ST_FCGI_HEADER + ST_FCGI_BODY && left != 2 * ST_FCGI_HEADER + ST_FCGI_BODY)
		return;
	if (c->pos + c->len >= c->call_end)
		return;
	st->presumed = c->call_end;
	st->presumed_id = h->id;
	st_flow__expect(f, dir, c->call_end);
}

static void on_output(struct st_flow *f, enum st_dir dir, const struct st_fcgi_header *h,
		      const struct st_chunk *c)
{
	struct st_xchg *x = st_fcgi__find(f, h->id);

	if (!x) {
		st_fcgi__foreign(f, h->id);
		return;
	}
	if (!h->len || h->type != ST_FCGI_STDOUT)
		return;
	st_fcgi_of(x)->resp_body += h->len;
	st_flow__answer(f, x, c, NULL);
	presume_end(f, dir, c);
}

/* What END_REQUEST says went wrong (5.5), besides the answer's own status. */
static struct st_str error_of(const struct st_fcgi_xchg *x, const struct st_fcgi_end *e)
{
	static const struct st_str words[] = {
		{"", 0}, {"cant_mpx_conn", 13}, {"overloaded", 10}, {"unknown_role", 12}};

	if (e->protocol_status)
		return e->protocol_status < 4 ? words[e->protocol_status]
					      : ST_STR("protocol_status");
	if (x->aborted && !x->head.done)
		return ST_STR("aborted");
	return !x->head.done && !x->head_lost ? ST_STR("no_response") : (struct st_str){0};
}

static void on_end(struct st_flow *f, enum st_dir dir, uint16_t id, const struct st_chunk *c)
{
	struct fastcgi *st = state_of(f);
	struct st_fcgi_end e = st_fcgi__end(c->p);
	struct st_xchg *x = st_fcgi__find(f, id);

	st_fcgi__lose_begun(f, id);
	if (!x) {
		st_fcgi__foreign(f, id);
		st->foreign = 0;
		return;
	}
	st_flow__answer(f, x, c, NULL);
	x->error_type = error_of(st_fcgi_of(x), &e);
	x->incomplete = st_fcgi_of(x)->head_lost;
	st_fcgi_of(x)->whole = true;
	end_at(f, dir, x, c, st->half[dir].rec_end);
}

/* ---- records ---- */

static void on_record(struct st_flow *f, enum st_dir dir, const struct st_fcgi_header *h,
		      const struct st_chunk *c)
{
	switch (h->type) {
	case ST_FCGI_BEGIN:
		on_begin(f, h, c);
		break;
	case ST_FCGI_PARAMS:
		if (!h->len)
			on_params_end(f, h->id, c);
		break;
	case ST_FCGI_STDIN:
		on_stdin(f, h);
		break;
	case ST_FCGI_ABORT:
		on_abort(f, h->id);
		break;
	case ST_FCGI_STDOUT:
	case ST_FCGI_STDERR:
		on_output(f, dir, h, c);
		break;
	case ST_FCGI_END:
		on_end(f, dir, h->id, c);
		break;
	}
}

/* Is the record's content looked at as it comes? */
static bool is_wanted(struct st_flow *f, const struct half *h)
{
	struct st_xchg *x;

	if (h->type == ST_FCGI_PARAMS)
		return find_begun(state_of(f), h->id);
	if (h->type != ST_FCGI_STDOUT)
		return false;
	x = st_fcgi__find(f, h->id);
	return x && !st_fcgi_of(x)->head.done && !st_fcgi_of(x)->head_lost;
}

static bool is_fixed(uint8_t type)
{
	return type == ST_FCGI_BEGIN || type == ST_FCGI_END;
}

uint64_t st_fcgi__on_header(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct half *h = &state_of(f)->half[dir];
	struct st_fcgi_header head;

	if (c->len < ST_FCGI_HEADER)
		return c->pos;
	if (!st_fcgi__header(c->p, is_req(f, dir), &head)) {
		st_flow__stray(f);
		st_fcgi__go_blind(f, dir);
		return c->pos + c->len;
	}
	if (is_fixed(head.type) && c->len < ST_FCGI_HEADER + ST_FCGI_BODY)
		return c->pos;
	h->type = head.type;
	h->id = head.id;
	h->content_end = c->pos + ST_FCGI_HEADER + head.len;
	h->rec_end = h->content_end + head.pad;
	on_record(f, dir, &head, c);
	return is_wanted(f, h) && head.len ? c->pos + ST_FCGI_HEADER : h->rec_end;
}

static void on_params(struct st_flow *f, const struct half *h, const struct st_chunk *c, uint32_t n)
{
	struct st_fcgi_req *r = find_begun(state_of(f), h->id);

	if (!st_buf__put(&r->params, c->p, n))
		st_fcgi__lose_begun(f, h->id);
}

static void on_head(struct st_flow *f, const struct half *h, const struct st_chunk *c, uint32_t n)
{
	struct st_fcgi_xchg *x = st_fcgi_of(st_fcgi__find(f, h->id));

	x->resp_body -= st_fcgi_head__feed(&x->head, c->p, n);
}

static uint64_t on_content(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct half *h = &state_of(f)->half[dir];
	uint32_t n = c->len;

	if (c->pos >= h->content_end || !is_wanted(f, h))
		return h->rec_end;
	if (n > h->content_end - c->pos)
		n = (uint32_t)(h->content_end - c->pos);
	if (h->type == ST_FCGI_PARAMS)
		on_params(f, h, c, n);
	else
		on_head(f, h, c, n);
	return c->pos + n == h->content_end || !is_wanted(f, h) ? h->rec_end : c->pos + n;
}

static uint64_t on_data(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct fastcgi *st = state_of(f);

	if (!st->known)
		start(f);
	if (st->half[dir].blind)
		return st_fcgi__on_blind(f, dir, c);
	if (c->pos < st->half[dir].rec_end)
		return on_content(f, dir, c);
	/* Bytes behind what is being sent: it is over. */
	if (st->ending && !is_req(f, dir) && c->pos >= st->ending_at)
		st_fcgi__finish(f, st->ending, c->first_ns);
	return st_fcgi__on_header(f, dir, c);
}

/* ---- what is known without bytes ---- */

/* What was moved reaches a place that was waited for. */
static void on_reached(struct st_flow *f, uint64_t pos, uint64_t time_ns)
{
	struct fastcgi *st = state_of(f);
	struct st_xchg *x;

	if (st->ending && pos >= st->ending_at)
		st_fcgi__finish(f, st->ending, time_ns);
	if (!st->presumed || pos < st->presumed)
		return;
	st->presumed = 0;
	x = st_fcgi__find(f, st->presumed_id);
	if (x)
		st_fcgi__finish_unseen(f, x);
}

static void on_moved(struct st_flow *f, enum st_dir dir, uint64_t pos, uint64_t time_ns,
		     enum st_over over)
{
	struct fastcgi *st = state_of(f);
	struct half *h = &st->half[dir];
	bool waited = !is_req(f, dir) && (st->ending || st->presumed);

	if (time_ns)
		h->end_ns = time_ns;
	if (!is_req(f, dir))
		on_reached(f, pos, time_ns);
	if (is_req(f, dir) && over)
		st->counted = false;
	/* What comes in the next turn answers what was asked in between. */
	if (!is_req(f, dir) && over == ST_OVER_SPOKE && !st->mixed)
		st->foreign = 0;
	if (!h->blind || h->turn_over || !over || (over == ST_OVER_LAST && waited))
		return;
	h->turn_over = true;
	h->turn_end = pos;
}

/* The other side may end first: what is on its way to it is not cut off by that. */
static void on_fin(struct st_flow *f, enum st_dir dir, uint64_t pos)
{
	(void)f;
	(void)dir;
	(void)pos;
}

/* An answer that has no body, whatever is written behind its head: who asked may go then. */
static bool is_answered(struct st_xchg *x)
{
	const struct st_fcgi_xchg *f = st_fcgi_of(x);
	uint16_t status = st_fcgi_xchg__status(f);

	return status &&
	       (status == 204 || status == 304 || st_str_eq(f->req->method, ST_STR("HEAD")));
}

static void cut_off(struct st_flow *f, struct st_xchg *x, uint64_t time_ns, struct st_str error)
{
	if (answered_half(f)->blind && answered_half(f)->end_ns) {
		st_fcgi__finish_unseen(f, x);
		return;
	}
	if (!is_answered(x))
		x->error_type = error;
	st_fcgi__finish(f, x,
			is_answered(x) && answered_half(f)->end_ns ? answered_half(f)->end_ns
								   : time_ns);
}

static void on_eof(struct st_flow *f, enum st_dir dir, uint64_t time_ns)
{
	struct st_xchg *x = f->first, *next;

	if (is_req(f, dir))
		return;
	for (; x; x = next) {
		next = x->next;
		if (x->answered)
			cut_off(f, x, time_ns, ST_STR("connection_closed"));
	}
}

static void on_closed(struct st_flow *f, uint64_t time_ns, struct st_str error_type)
{
	on_eof(f, (enum st_dir) !f->dir_req, time_ns);
	while (f->first)
		cut_off(f, f->first, time_ns, error_type);
}

static struct st_str subject(const struct st_xchg *x)
{
	return ((const struct st_fcgi_xchg *)x->priv)->req->uri;
}

static const struct st_carrier *carrier(const struct st_xchg *x)
{
	return &((const struct st_fcgi_xchg *)x->priv)->req->carrier;
}

static void release(struct st_xchg *x)
{
	st_fcgi_req__free(st_fcgi_of(x)->req);
}

static void drop(struct st_flow *f)
{
	struct fastcgi *st = state_of(f);

	while (st->begun)
		st_fcgi_req__free(take_begun(st, st->begun->id));
}

const struct st_proto_ops st_proto_fastcgi = {
	.name = "fastcgi",
	.id = 2,
	.state_sz = sizeof(struct fastcgi),
	.detect = st_fcgi__detect,
	.data = on_data,
	.gap = st_fcgi__on_gap,
	.moved = on_moved,
	.fin = on_fin,
	.eof = on_eof,
	.lost = st_fcgi__on_lost,
	.closed = on_closed,
	.span = st_fcgi__span,
	.subject = subject,
	.carrier = carrier,
	.release = release,
	.drop = drop,
};
