/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "protocols/http1_state.h"

#include <errno.h>

static struct st_http1_capture capture;
static const struct st_key *capture_keys[ST_HTTP1_CAPTURE_MAX];

void st_http1__capture(const struct st_http1_capture *cap, const struct st_key *const *keys)
{
	capture = *cap;
	st_http1_capture__prepare(&capture);
	for (uint32_t i = 0; i < cap->cnt; i++)
		capture_keys[i] = keys[i];
}

const struct st_http1_capture *st_http1__captured(const struct st_key *const **keys)
{
	*keys = capture_keys;
	return &capture;
}

static void forget(struct st_flow *f, const struct st_xchg *x)
{
	for (int d = 0; d < 2; d++)
		if (half_of(f, d)->x == x)
			half_of(f, d)->x = NULL;
}

void st_http1__finish(struct st_flow *f, struct st_xchg *x, uint64_t end_ns)
{
	forget(f, x);
	st_flow__close(f, x, end_ns);
}

/* The message under way in this direction has ended. */
void st_http1__done(struct st_flow *f, enum st_dir dir, uint64_t body_len, uint64_t time_ns)
{
	struct half *h = half_of(f, dir);
	struct st_xchg *x = h->x;

	h->part = HEAD;
	h->x = NULL;
	if (h->hole)
		st_http1__go_blind(f, dir, h->hole);
	if (!is_req(f, dir))
		st_flow__expect(f, dir, 0);
	if (!x)
		return;
	if (is_req(f, dir)) {
		st_http1_of(x)->req_body = body_len == NOT_KNOWN ? 0 : body_len;
		st_http1_of(x)->req_body_known = body_len != NOT_KNOWN;
		return;
	}
	st_http1_of(x)->resp_body = body_len;
	st_http1_of(x)->resp_body_known = body_len != NOT_KNOWN;
	st_http1__finish(f, x, time_ns);
}

/* Is an answer still on its way when a request begins in a turn of its own? */
static bool is_overlap(struct st_flow *f, const struct st_chunk *c)
{
	const struct half *h = half_of(f, (enum st_dir) !f->dir_req);

	if (f->first && f->first->turn != c->turn)
		return true;
	return h->part == AWAIT || h->part == CHUNKED || h->partial;
}

/*
 * On a pipelined connection of before the tracer came, requests may have been open that nobody saw:
 * then every answer is taken for that of a later one.
 */
static bool may_be_shifted(const struct st_flow *f)
{
	const struct http1 *st = f->state;

	return (st->piped || st->overlaps) && !st_flow__is_whole(f);
}

static struct st_xchg *open_request(struct st_flow *f, const struct st_chunk *c,
				    struct st_http1_kept *head)
{
	struct http1 *st = f->state;
	struct st_xchg *x;

	st->overlaps = st->overlaps || is_overlap(f, c);
	st->begun = true;
	st->absorb = false;
	if (st->unsure && st_http1__stays_unsure(st, c->turn)) {
		st_flow__lost(f, 1);
		st->owed++;
		return NULL;
	}
	x = st_flow__open(f, c);
	if (!x)
		return NULL;
	/* Heads come in the middle of calls now: the kernel looks for them at a call's begin alone. */
	if (f->open_cnt == 2)
		st_flow__mode(f, ST_MODE_EVERY);
	st->piped = st->piped || f->open_cnt > 1;
	x->nth = c->turn == st->last_turn && f->open_cnt > 1 ? f->open_cnt - 1 : 0;
	st->last_turn = c->turn;
	st_http1_of(x)->req = st_http1_kept__ref(head);
	x->unsure = may_be_shifted(f);
	st_flow__begin(f, x, c);
	return x;
}

static void set_direction(struct st_flow *f, enum st_dir dir, bool is_response)
{
	struct http1 *st = f->state;

	f->dir_req = is_response ? !dir : dir;
	f->role = f->dir_req == ST_RX ? ST_ROLE_SERVER : ST_ROLE_CLIENT;
	st->known = true;
}

/* Both directions carry something else from here on (RFC 9110 7.8, 9.3.6). */
static void go_opaque(struct st_flow *f)
{
	half_of(f, ST_RX)->part = OPAQUE;
	half_of(f, ST_TX)->part = OPAQUE;
	st_flow__mode(f, ST_MODE_OFF);
}

static uint64_t await(struct st_flow *f, enum st_dir dir, uint64_t end, uint64_t body_len,
		      const struct st_chunk *c)
{
	struct half *h = half_of(f, dir);

	h->part = AWAIT;
	h->body_end = end;
	h->body_len = body_len;
	/*
	 * What was received has moved; what is being sent was only announced. A request's end
	 * decides nothing, so that it need not be awaited.
	 */
	if (((dir == ST_RX || is_req(f, dir)) && end <= c->pos + c->len) || end == c->read_end)
		st_http1__done(f, dir, body_len, c->time_ns);
	else
		st_flow__expect(f, dir, end);
	return end;
}

static uint64_t begin_chunked(struct st_flow *f, enum st_dir dir, uint64_t at)
{
	struct half *h = half_of(f, dir);

	h->part = CHUNKED;
	memset(&h->chunks, 0, sizeof(h->chunks));
	if (!is_req(f, dir))
		st_flow__expect(f, dir, ST_EXPECT_CHUNKED);
	return at;
}

static uint64_t request_body(struct st_flow *f, enum st_dir dir, const struct st_chunk *c,
			     const struct st_http1_head *head, uint64_t at)
{
	/* RFC 9112 6.3: transfer codings first, then the length, else there is no body. */
	if (head->flags & ST_H1_CHUNKED)
		return begin_chunked(f, dir, at);
	if (head->flags & ST_H1_HAS_LENGTH)
		return await(f, dir, at + head->content_length, head->content_length, c);
	return await(f, dir, at, 0, c);
}

static bool method_is(struct st_xchg *x, struct st_str method)
{
	return x && st_str_eq(st_http1_of(x)->req->head.method, method);
}

static bool no_response_body(struct st_xchg *x, uint16_t status)
{
	return status == 204 || status == 304 || status < 200 || method_is(x, ST_STR("HEAD"));
}

static uint64_t response_body(struct st_flow *f, enum st_dir dir, const struct st_chunk *c,
			      const struct st_http1_head *head, uint64_t at)
{
	struct half *h = half_of(f, dir);

	if (no_response_body(h->x, head->status))
		return await(f, dir, at, 0, c);
	if (head->flags & ST_H1_CHUNKED)
		return begin_chunked(f, dir, at);
	if (!(head->flags & ST_H1_TE_OTHER) && (head->flags & ST_H1_HAS_LENGTH))
		return await(f, dir, at + head->content_length, head->content_length, c);
	h->part = UNTIL_EOF;
	h->body_end = at;
	h->end_ns = c->time_ns;
	return at;
}

static bool switches(struct st_xchg *x, const struct st_http1_head *head)
{
	return head->status == 101 || (head->status / 100 == 2 && method_is(x, ST_STR("CONNECT")));
}

/* What the response's first record tells of its body. */
static struct st_response response_of(const struct st_chunk *c, const struct st_http1_head *head,
				      uint64_t at)
{
	uint64_t behind = at - c->pos;

	return (struct st_response){
		.body = behind < c->len
				? st_str((const char *)c->p + behind, (uint32_t)(c->len - behind))
				: (struct st_str){0},
		.length = head->flags & ST_H1_HAS_LENGTH ? head->content_length : UINT64_MAX,
		.status = head->status,
	};
}

static uint64_t on_response(struct st_flow *f, enum st_dir dir, const struct st_chunk *c,
			    const struct st_http1_head *head, uint64_t at)
{
	struct half *h = half_of(f, dir);
	struct st_xchg *x = st_flow__unanswered(f);

	if (head->status < 200 && head->status != 101)
		return at; /* interim: the final one follows */
	if (!x)
		x = st_http1__stray_response(f, c);
	((struct http1 *)f->state)->answer_turn = c->turn;
	h->x = x;
	if (x) {
		const struct st_response r = response_of(c, head, at);

		((struct http1 *)f->state)->paired = true;
		st_http1_of(x)->status = head->status;
		x->unsure = x->unsure || may_be_shifted(f);
		st_flow__answer(f, x, c, &r);
	}
	if (switches(x, head)) {
		st_http1__done(f, dir, 0, c->time_ns);
		go_opaque(f);
		return UINT64_MAX;
	}
	return response_body(f, dir, c, head, at);
}

/*
 * The head that the bytes begin with, kept in h->last. Returns its length, 0 when more bytes are
 * needed, -EPROTO, -ENOMEM.
 */
static int parse_head(struct half *h, const struct st_chunk *c)
{
	struct st_http1_head head;
	int n;

	if (st_http1_kept__match(h->last, c->p, c->len)) {
		h->last->hits++;
		return (int)h->last->len;
	}
	n = st_http1_head__parse(st_bytes(c->p, c->len), capture.cnt ? &capture : NULL, &head);
	if (n <= 0)
		return n;
	st_http1_kept__unref(h->last);
	h->last = st_http1_kept__new(c->p, (uint32_t)n, &head);
	return h->last ? n : -ENOMEM;
}

void st_http1__close_all(struct st_flow *f, uint64_t time_ns, struct st_str error_type,
			 bool incomplete)
{
	while (f->first) {
		struct st_xchg *x = f->first;

		if (!incomplete && !x->error_type.len)
			x->error_type = error_type;
		x->incomplete = x->incomplete || incomplete;
		st_http1__finish(f, x, time_ns);
	}
}

/*
 * Bytes that are no message, or one that goes the wrong way. A tracer that came in the middle of a
 * body may have taken the directions for each other: as long as nothing was paired, that is undone.
 */
static bool is_stray(struct st_flow *f, enum st_dir dir, const struct st_chunk *c, int n)
{
	struct http1 *st = f->state;

	if (n > 0 && (!st->known || half_of(f, dir)->last->head.is_response != is_req(f, dir)))
		return false;
	st_flow__stray(f);
	if (n > 0 && !st->paired) {
		st_http1__close_all(f, c->first_ns, (struct st_str){0}, true);
		for (int d = 0; d < 2; d++)
			st->half[d] = (struct half){.last = st->half[d].last};
		st->known = false;
		return false;
	}
	if (st->known)
		st_http1__go_blind(f, dir, HOLE);
	return true;
}

static uint64_t on_head(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct half *h = half_of(f, dir);
	struct http1 *st = f->state;
	const struct st_http1_head *head;
	uint64_t at;
	int n;

	/* Line ends in front (RFC 9112 2.2) belong to no message: it begins when its first byte comes. */
	if (*c->p == '\r' || *c->p == '\n')
		return c->pos + 1;
	n = parse_head(h, c);
	h->partial = n == 0;
	if (n == 0)
		return c->pos;
	if (is_stray(f, dir, c, n))
		return c->pos + c->len; /* the next turn begins anew */
	head = &h->last->head;
	if (!st->known)
		set_direction(f, dir, head->is_response);
	at = c->pos + (uint64_t)n;
	h->body_start = at;
	if (head->is_response)
		return on_response(f, dir, c, head, at);
	h->x = open_request(f, c, h->last);
	return request_body(f, dir, c, head, at);
}

static uint64_t on_chunked(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct half *h = half_of(f, dir);
	bool done = false;
	int64_t used = st_http1_chunks__feed(&h->chunks, st_bytes(c->p, c->len), &done);
	uint64_t at;

	if (used < 0) {
		st_http1__lose_chunks(f, dir);
		h->end_ns = c->time_ns;
		return c->pos + c->len;
	}
	at = c->pos + (uint64_t)used;
	if (done)
		return await(f, dir, at, h->chunks.body_len, c);
	return at;
}

static uint64_t on_data(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	struct half *h = half_of(f, dir);

	switch (h->part) {
	case HEAD:
		return on_head(f, dir, c);
	case AWAIT:
		/* Bytes behind the body: the next message has begun, so this one is over. */
		if (c->pos >= h->body_end) {
			st_http1__done(f, dir, h->body_len, c->first_ns);
			return on_data(f, dir, c);
		}
		return h->body_end;
	case CHUNKED:
		return on_chunked(f, dir, c);
	case OPAQUE:
		return UINT64_MAX;
	default:
		if (h->hole)
			st_http1__on_hole(f, dir, c);
		h->ended = h->endless && st_http1_chunks__ends(st_bytes(c->p, c->len));
		h->end_ns = c->time_ns;
		return c->pos + c->len;
	}
}

/*
 * An answer to nobody may be one to a HEAD, which has no body whatever its head says: the next
 * request tells.
 */
static bool has_no_body(const struct st_flow *f, enum st_dir dir)
{
	const struct http1 *st = f->state;
	const struct half *h = &st->half[dir];

	return !h->x && !is_req(f, dir) && (h->part == AWAIT || h->part == CHUNKED) && !st->piped &&
	       !st->overlaps;
}

static void on_moved(struct st_flow *f, enum st_dir dir, uint64_t pos, uint64_t time_ns,
		     enum st_over over)
{
	struct http1 *st = f->state;
	struct half *h = half_of(f, dir);

	/* The answer to what was counted as lost has gone by, seen or not. */
	if (over && !is_req(f, dir))
		st->absorb = false;
	if ((h->part == AWAIT && pos >= h->body_end) ||
	    (over == ST_OVER_SPOKE && has_no_body(f, dir)))
		st_http1__done(f, dir, h->body_len, time_ns);
	if (h->part == BLIND && over && pos >= h->body_start)
		st_http1__blind_over(f, dir, time_ns, over == ST_OVER_LAST || h->ended);
	else if (h->part == UNTIL_EOF && pos > h->body_end)
		h->body_end = pos;
	h->end_ns = time_ns;
}

static void cut_off(struct st_flow *f, enum st_dir dir, uint64_t time_ns)
{
	struct half *h = half_of(f, dir);
	struct st_xchg *x = h->x;

	h->part = HEAD;
	h->x = NULL;
	if (!x || is_req(f, dir))
		return;
	x->error_type = ST_STR("connection_closed");
	st_http1__finish(f, x, time_ns);
}

/* What is delimited by the connection's end now has an end that can be awaited. */
static void on_fin(struct st_flow *f, enum st_dir dir, uint64_t pos)
{
	struct half *h = half_of(f, dir);

	if ((h->part != UNTIL_EOF && h->part != BLIND) || is_req(f, dir))
		return;
	h->body_len =
		h->part == UNTIL_EOF && pos >= h->body_start ? pos - h->body_start : NOT_KNOWN;
	h->body_end = pos;
	h->part = AWAIT;
	st_flow__expect(f, dir, pos);
}

static void on_eof(struct st_flow *f, enum st_dir dir, uint64_t time_ns)
{
	struct half *h = half_of(f, dir);

	switch (h->part) {
	case UNTIL_EOF:
		st_http1__done(f, dir, h->body_end - h->body_start, h->end_ns);
		break;
	case BLIND:
		st_http1__blind_over(f, dir, h->end_ns, true);
		break;
	case AWAIT:
	case CHUNKED:
		cut_off(f, dir, time_ns);
		break;
	}
}

static void on_closed(struct st_flow *f, uint64_t time_ns, struct st_str error_type)
{
	on_eof(f, (enum st_dir) !f->dir_req, time_ns);
	st_http1__close_all(f, time_ns, error_type, false);
}

static struct st_str subject(const struct st_xchg *x)
{
	const struct st_http1_kept *req = ((const struct st_http1_xchg *)x->priv)->req;

	return req ? req->head.target : (struct st_str){0};
}

static const struct st_carrier *carrier(const struct st_xchg *x)
{
	const struct st_http1_kept *req = ((const struct st_http1_xchg *)x->priv)->req;

	return req ? &req->head.carrier : NULL;
}

static void release(struct st_xchg *x)
{
	st_http1_kept__unref(st_http1_of(x)->req);
}

static void drop(struct st_flow *f)
{
	for (int d = 0; d < 2; d++)
		st_http1_kept__unref(half_of(f, d)->last);
}

static int detect(struct st_bytes first)
{
	return st_http1_head__detect(first);
}

const struct st_proto_ops st_proto_http1 = {
	.name = "http",
	.id = 1,
	.state_sz = sizeof(struct http1),
	.detect = detect,
	.quick = st_http1__quick,
	.data = on_data,
	.gap = st_http1__on_gap,
	.moved = on_moved,
	.fin = on_fin,
	.eof = on_eof,
	.lost = st_http1__on_lost,
	.closed = on_closed,
	.span = st_http1__span,
	.recall = st_http1__recall,
	.learn = st_http1__learn,
	.subject = subject,
	.carrier = carrier,
	.release = release,
	.drop = drop,
};
