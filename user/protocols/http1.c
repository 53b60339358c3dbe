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

static void finish(struct st_flow *f, struct st_xchg *x, uint64_t end_ns)
{
	forget(f, x);
	st_flow__close(f, x, end_ns);
}

/*
 * Is more than one request on its way where a hole lies? Then it could be behind requests that
 * were seen, or their answers: which ones are still to come is not known any more.
 */
static bool piped(const struct st_flow *f, enum st_dir dir)
{
	return f->open_cnt > (is_req(f, dir) ? 0 : 1);
}

/* A hole; piped: from here on nothing tells what answers what. */
static void lose_order(struct st_flow *f, bool piped_here)
{
	struct http1 *st = f->state;

	st->unsure = st->unsure || piped_here;
	st->even = 0;
	st->probe_answered = UINT32_MAX / 2; /* as many as were asked for it is not */
}

/*
 * Bytes of this direction were not seen where a message could begin: no message is looked for
 * until the other side speaks.
 */
static void go_blind(struct st_flow *f, enum st_dir dir, enum hole hole)
{
	struct http1 *st = f->state;
	struct half *h = half_of(f, dir);

	h->part = BLIND;
	h->hole = hole;
	h->partial = false;
	h->endless = false;
	h->x = NULL;
	if (hole == HOLE)
		lose_order(f, st->overlaps || piped(f, dir));
}

/*
 * The end of a chunked body will not be seen, nor answers to other requests behind it. A request's
 * may come after its answer, and requests may stand behind it.
 */
static void lose_chunks(struct st_flow *f, enum st_dir dir)
{
	struct half *h = half_of(f, dir);

	h->part = BLIND;
	h->endless = is_req(f, dir);
	h->ended = false;
	h->hole = !is_req(f, dir) && st_flow__unanswered(f) ? HOLE : NO_HOLE;
	lose_order(f, h->hole);
}

/*
 * A hole among the responses is over: which of the open requests were answered in it cannot be
 * known, so that none of them gets an answer that comes later.
 */
static void finish_unseen(struct st_flow *f, uint64_t end_ns)
{
	while (f->first) {
		f->first->incomplete = true;
		finish(f, f->first, end_ns);
	}
}

/* The message under way in this direction has ended. */
static void message_done(struct st_flow *f, enum st_dir dir, uint64_t body_len, uint64_t time_ns)
{
	struct half *h = half_of(f, dir);
	struct st_xchg *x = h->x;

	h->part = HEAD;
	h->x = NULL;
	if (h->hole)
		go_blind(f, dir, h->hole);
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
	finish(f, x, time_ns);
}

/*
 * May it be told again what answers what? Where a client asks for several at once and gets as many
 * answers before it asks on, so many times in a row, none was left over from before: if one had
 * been, it would have come at some time in a turn of its own or with more than were asked for.
 */
#define PROBE_EVEN 8

static bool stays_unsure(struct http1 *st, uint32_t turn)
{
	if (turn != st->probe_turn) {
		bool even = st->probe_asked >= 2 && st->probe_asked == st->probe_answered;

		st->even = even ? (uint8_t)(st->even + 1) : 0;
		st->probe_turn = turn;
		st->probe_asked = st->probe_answered = 0;
		st->unsure = st->even < PROBE_EVEN || st->overlaps;
		if (!st->overlaps)
			st->owed = 0; /* what has not come by now was not seen */
	}
	st->probe_asked++;
	return st->unsure;
}

/* Is an answer still on its way when a request begins in a turn of its own? */
static bool is_overlap(struct st_flow *f, const struct st_chunk *c)
{
	const struct half *h = half_of(f, (enum st_dir) !f->dir_req);

	if (f->first && f->first->turn != c->turn)
		return true;
	return h->part == AWAIT || h->part == CHUNKED || h->partial;
}

static struct st_xchg *open_request(struct st_flow *f, const struct st_chunk *c,
				    struct st_http1_kept *head)
{
	struct http1 *st = f->state;
	struct st_xchg *x;

	st->overlaps = st->overlaps || is_overlap(f, c);
	st->begun = true;
	st->absorb = false;
	if (st->unsure && stays_unsure(st, c->turn)) {
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
		message_done(f, dir, body_len, c->time_ns);
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

#define NO_BYTES ((const uint8_t *)"")

/* The first answer to a first turn that is no message: a 400, say. */
static bool is_answer_to_garbled(const struct st_flow *f, const struct st_chunk *c)
{
	return f->garbled.turn && f->garbled.turn + 1 == c->turn && !f->first;
}

static struct st_xchg *open_garbled(struct st_flow *f)
{
	static const struct st_http1_head nothing = {.method = {"", 0}, .target = {"", 0}};
	struct st_http1_kept *head = st_http1_kept__new(NO_BYTES, 0, &nothing);
	struct st_xchg *x = head ? st_flow__open(f, &f->garbled) : NULL;

	((struct http1 *)f->state)->begun = true;
	f->garbled.turn = 0;
	if (!head)
		st_flow__lost(f, 1);
	if (x)
		st_http1_of(x)->req = head;
	else
		st_http1_kept__unref(head);
	return x;
}

/*
 * A response without a request: one of before the tracer came, one whose request was counted as
 * lost already, or one whose request was not seen (its head taken by splice, say): a loss.
 */
static struct st_xchg *stray_response(struct st_flow *f, const struct st_chunk *c)
{
	struct http1 *st = f->state;

	st->probe_answered++;
	if (st->owed) {
		st->owed--;
		st_flow__stray(f);
		return NULL;
	}
	if (is_answer_to_garbled(f, c))
		return open_garbled(f);
	if (st->absorb || !(st->begun || st_flow__is_whole(f)))
		st_flow__stray(f);
	else
		st_flow__lost(f, 1);
	/* One of several: more that were not seen may be on their way. */
	if (!st->absorb)
		lose_order(f, st->overlaps || c->turn == st->answer_turn);
	st->absorb = false;
	return NULL;
}

static uint64_t on_response(struct st_flow *f, enum st_dir dir, const struct st_chunk *c,
			    const struct st_http1_head *head, uint64_t at)
{
	struct half *h = half_of(f, dir);
	struct st_xchg *x = st_flow__unanswered(f);

	if (head->status < 200 && head->status != 101)
		return at; /* interim: the final one follows */
	if (!x)
		x = stray_response(f, c);
	((struct http1 *)f->state)->answer_turn = c->turn;
	h->x = x;
	if (x) {
		((struct http1 *)f->state)->paired = true;
		x->answered = true;
		st_http1_of(x)->status = head->status;
	}
	if (switches(x, head)) {
		message_done(f, dir, 0, c->time_ns);
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

static void close_all(struct st_flow *f, uint64_t time_ns, struct st_str error_type,
		      bool incomplete)
{
	while (f->first) {
		struct st_xchg *x = f->first;

		if (!incomplete && !x->error_type.len)
			x->error_type = error_type;
		x->incomplete = x->incomplete || incomplete;
		finish(f, x, time_ns);
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
		close_all(f, c->first_ns, (struct st_str){0}, true);
		for (int d = 0; d < 2; d++)
			st->half[d] = (struct half){.last = st->half[d].last};
		st->known = false;
		return false;
	}
	if (st->known)
		go_blind(f, dir, HOLE);
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
		lose_chunks(f, dir);
		h->end_ns = c->time_ns;
		return c->pos + c->len;
	}
	at = c->pos + (uint64_t)used;
	if (done)
		return await(f, dir, at, h->chunks.body_len, c);
	return at;
}

/* Bytes behind a hole, in the same turn. */
static void on_hole(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	/* The rest of a message that began in it? */
	if (half_of(f, dir)->hole == SHORT_HOLE)
		go_blind(f, dir, HOLE);
	/* Requests are piped here. */
	if (is_req(f, dir) && st_http1_head__detect(st_bytes(c->p, c->len)) == 1)
		lose_order(f, true);
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
			message_done(f, dir, h->body_len, c->first_ns);
			return on_data(f, dir, c);
		}
		return h->body_end;
	case CHUNKED:
		return on_chunked(f, dir, c);
	case OPAQUE:
		return UINT64_MAX;
	default:
		if (h->hole)
			on_hole(f, dir, c);
		h->ended = h->endless && st_http1_chunks__ends(st_bytes(c->p, c->len));
		h->end_ns = c->time_ns;
		return c->pos + c->len;
	}
}

/* The shortest messages: "GET / HTTP/1.0" or "HTTP/1.1 200 " and two line ends. */
#define MESSAGE_MIN 16

static void on_gap(struct st_flow *f, enum st_dir dir, uint64_t from, uint64_t to)
{
	struct http1 *st = f->state;
	struct half *h = half_of(f, dir);
	enum hole hole;

	if (h->part == OPAQUE || h->part == UNTIL_EOF || h->part == BLIND || h->part == LOST)
		return;
	if (h->part == CHUNKED) {
		lose_chunks(f, dir);
		return;
	}
	if (h->part == AWAIT && to <= h->body_end)
		return;
	if (h->part == AWAIT && from < h->body_end)
		from = h->body_end;
	hole = h->partial || to - from >= MESSAGE_MIN ? HOLE : SHORT_HOLE;
	/* Its response may never come, so that it is counted now, and only once. */
	if (is_req(f, dir) && hole == HOLE && !st->absorb) {
		st_flow__lost(f, 1);
		st->absorb = true;
	}
	if (h->part == AWAIT)
		h->hole = hole;
	else
		go_blind(f, dir, hole);
}

/* What was not seen is over. */
static void blind_over(struct st_flow *f, enum st_dir dir, uint64_t time_ns, bool ended)
{
	const struct http1 *st = f->state;
	struct half *h = half_of(f, dir);
	bool hole = h->hole == HOLE;

	/* What ends may be another request's body then. */
	if (h->endless && (!ended || st->piped)) {
		h->part = LOST;
		return;
	}
	h->hole = NO_HOLE;
	message_done(f, dir, NOT_KNOWN, time_ns);
	if (hole && !is_req(f, dir))
		finish_unseen(f, time_ns);
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
		message_done(f, dir, h->body_len, time_ns);
	if (h->part == BLIND && over && pos >= h->body_start)
		blind_over(f, dir, time_ns, over == ST_OVER_LAST || h->ended);
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
	finish(f, x, time_ns);
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
		message_done(f, dir, h->body_end - h->body_start, h->end_ns);
		break;
	case BLIND:
		blind_over(f, dir, h->end_ns, true);
		break;
	case AWAIT:
	case CHUNKED:
		cut_off(f, dir, time_ns);
		break;
	}
}

static uint32_t on_lost(struct st_flow *f, uint32_t turns, enum st_dir first_dir, uint64_t time_ns)
{
	struct http1 *st = f->state;
	bool overlap = f->open_cnt > !is_req(f, first_dir);

	close_all(f, time_ns, (struct st_str){0}, true);
	for (int d = 0; d < 2; d++)
		st->half[d] = (struct half){.last = st->half[d].last};
	lose_order(f, st->overlaps || overlap);
	/* A response whose request was among the lost ones is no loss of its own. */
	st->absorb = is_req(f, turns % 2 ? first_dir : (enum st_dir) !first_dir);
	return is_req(f, first_dir) ? (turns + 1) / 2 : turns / 2;
}

static void on_closed(struct st_flow *f, uint64_t time_ns, struct st_str error_type)
{
	on_eof(f, (enum st_dir) !f->dir_req, time_ns);
	close_all(f, time_ns, error_type, false);
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
	.gap = on_gap,
	.moved = on_moved,
	.fin = on_fin,
	.eof = on_eof,
	.lost = on_lost,
	.closed = on_closed,
	.span = st_http1__span,
	.recall = st_http1__recall,
	.learn = st_http1__learn,
	.release = release,
	.drop = drop,
};
