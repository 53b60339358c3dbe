/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Bytes and turns that were not seen: what is still told apart behind them, and what is not. */
#include "protocols/http1_state.h"

/*
 * Is more than one request on its way where a hole lies? Then it could be behind requests that
 * were seen, or their answers: which ones are still to come is not known any more.
 */
static bool piped(const struct st_flow *f, enum st_dir dir)
{
	return f->open_cnt > (is_req(f, dir) ? 0 : 1);
}

void st_http1__lose_order(struct st_flow *f, bool piped_here)
{
	struct http1 *st = f->state;

	st->unsure = st->unsure || piped_here;
	st->even = 0;
	st->probe_answered = UINT32_MAX / 2; /* as many as were asked for it is not */
}

void st_http1__go_blind(struct st_flow *f, enum st_dir dir, enum hole hole)
{
	struct http1 *st = f->state;
	struct half *h = half_of(f, dir);

	h->part = BLIND;
	h->hole = hole;
	h->partial = false;
	h->endless = false;
	h->x = NULL;
	if (hole == HOLE)
		st_http1__lose_order(f, st->overlaps || piped(f, dir));
}

/*
 * The end of a chunked body will not be seen, nor answers to other requests behind it. A request's
 * may come after its answer, and requests may stand behind it.
 */
void st_http1__lose_chunks(struct st_flow *f, enum st_dir dir)
{
	struct half *h = half_of(f, dir);

	h->part = BLIND;
	h->endless = is_req(f, dir);
	h->ended = false;
	h->hole = !is_req(f, dir) && st_flow__unanswered(f) ? HOLE : NO_HOLE;
	st_http1__lose_order(f, h->hole);
}

/*
 * A hole among the responses is over: which of the open requests were answered in it cannot be
 * known, so that none of them gets an answer that comes later.
 */
static void finish_unseen(struct st_flow *f, uint64_t end_ns)
{
	while (f->first) {
		f->first->incomplete = true;
		st_http1__finish(f, f->first, end_ns);
	}
}

/*
 * May it be told again what answers what? Where a client asks for several at once and gets as many
 * answers before it asks on, so many times in a row, none was left over from before: if one had
 * been, it would have come at some time in a turn of its own or with more than were asked for.
 */
#define PROBE_EVEN 8

bool st_http1__stays_unsure(struct http1 *st, uint32_t turn)
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

void st_http1__on_hole(struct st_flow *f, enum st_dir dir, const struct st_chunk *c)
{
	/* The rest of a message that began in it? */
	if (half_of(f, dir)->hole == SHORT_HOLE)
		st_http1__go_blind(f, dir, HOLE);
	/* Requests are piped here. */
	if (is_req(f, dir) && st_http1_head__detect(st_bytes(c->p, c->len)) == 1)
		st_http1__lose_order(f, true);
}

/* The shortest messages: "GET / HTTP/1.0" or "HTTP/1.1 200 " and two line ends. */
#define MESSAGE_MIN 16

void st_http1__on_gap(struct st_flow *f, enum st_dir dir, uint64_t from, uint64_t to)
{
	struct http1 *st = f->state;
	struct half *h = half_of(f, dir);
	enum hole hole;

	if (h->part == OPAQUE || h->part == UNTIL_EOF || h->part == BLIND || h->part == LOST)
		return;
	if (h->part == CHUNKED) {
		st_http1__lose_chunks(f, dir);
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
		st_http1__go_blind(f, dir, hole);
}

void st_http1__blind_over(struct st_flow *f, enum st_dir dir, uint64_t time_ns, bool ended)
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
	st_http1__done(f, dir, NOT_KNOWN, time_ns);
	if (hole && !is_req(f, dir))
		finish_unseen(f, time_ns);
}

uint32_t st_http1__on_lost(struct st_flow *f, uint32_t turns, enum st_dir first_dir,
			   uint64_t time_ns)
{
	struct http1 *st = f->state;
	bool overlap = f->open_cnt > !is_req(f, first_dir);

	st_http1__close_all(f, time_ns, (struct st_str){0}, true);
	for (int d = 0; d < 2; d++)
		st->half[d] = (struct half){.last = st->half[d].last};
	st_http1__lose_order(f, st->overlaps || overlap);
	/* A response whose request was among the lost ones is no loss of its own. */
	st->absorb = is_req(f, turns % 2 ? first_dir : (enum st_dir) !first_dir);
	return is_req(f, first_dir) ? (turns + 1) / 2 : turns / 2;
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
	if (!x) {
		st_http1_kept__unref(head);
		return NULL;
	}
	st_http1_of(x)->req = head;
	st_flow__begin(f, x, &f->garbled);
	return x;
}

/*
 * A response without a request: one of before the tracer came, one whose request was counted as
 * lost already, or one whose request was not seen (its head taken by splice, say): a loss.
 */
struct st_xchg *st_http1__stray_response(struct st_flow *f, const struct st_chunk *c)
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
		st_http1__lose_order(f, st->overlaps || c->turn == st->answer_turn);
	st->absorb = false;
	return NULL;
}
