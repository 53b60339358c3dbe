/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The steady case: a connection that is used for one exchange after the other, with heads that
 * came before. Most turns of a busy service are such; they cost a third of the general way
 * (http1.c), which takes all others and comes to the same result.
 */
#include "protocols/http1_state.h"

/* What answers what is certain here, and one exchange at most is open. */
static bool ready(const struct st_flow *f, const struct http1 *st)
{
	return st->paired && !st->overlaps && !st->unsure && !st->absorb && !st->owed &&
	       f->open_cnt <= 1;
}

static void close_answered(struct st_flow *f, struct half *h, uint64_t body_len, uint64_t end_ns)
{
	struct st_xchg *x = h->x;

	h->part = HEAD;
	h->x = NULL;
	st_http1_of(x)->resp_body = body_len;
	st_http1_of(x)->resp_body_known = true;
	st_flow__close(f, x, end_ns);
}

/* The exchange before this one: over, or its answer's last byte is known to have moved. */
static bool is_over(const struct st_flow *f, const struct half *resp, uint64_t moved)
{
	if (resp->part == HEAD)
		return !f->open_cnt && !resp->partial;
	return resp->part == AWAIT && resp->x && resp->x == f->first && !resp->hole &&
	       resp->body_end <= moved;
}

/* Its bytes aside, which nobody reads here. */
static struct st_chunk chunk_of(const struct st_rec *rec)
{
	return (struct st_chunk){
		.pos = rec->pos,
		.first_ns = rec->time_ns,
		.time_ns = rec->time_ns,
		.tgid = rec->tgid,
		.tid = rec->tid,
		.last_tid = rec->tid,
		.turn = rec->turn,
		.flags = rec->flags,
	};
}

static uint64_t request(struct st_flow *f, struct http1 *st, struct half *h,
			const struct st_rec *rec)
{
	struct st_http1_kept *head = h->last;
	uint64_t len = head->len + head->body_len;
	struct half *resp = &st->half[rec->dir ^ 1];
	const struct st_chunk c = chunk_of(rec);
	struct st_xchg *x;

	/* All of it was copied, and nothing else. */
	if (rec->call_len != len || rec->len != len || !is_over(f, resp, rec->opp_pos))
		return 0;
	if (resp->part == AWAIT)
		close_answered(f, resp, resp->body_len, rec->opp_time_ns);
	head->hits++;
	st->last_turn = rec->turn;
	x = st_flow__open(f, &c);
	if (x) {
		st_http1_of(x)->req = st_http1_kept__ref(head);
		st_http1_of(x)->req_body = head->body_len;
		st_http1_of(x)->req_body_known = true;
		st_flow__begin(f, x, &c);
	}
	return rec->pos + len;
}

static uint64_t response(struct st_flow *f, struct http1 *st, struct half *h,
			 const struct st_rec *rec)
{
	struct st_http1_kept *head = h->last;
	uint64_t len = head->len + head->body_len;
	struct st_xchg *x = f->first;
	struct st_http1_xchg *hx;
	const struct st_chunk c = chunk_of(rec);
	const uint32_t behind = rec->len > head->len ? rec->len - head->len : 0;
	const struct st_response r = {
		.body = {(const char *)(rec + 1) + head->len, behind},
		.length = head->body_len,
		.status = head->head.status,
	};

	/* Bytes behind the answer in the same call: another one. */
	if (!x || x->answered || rec->call_len > len || st->half[rec->dir ^ 1].part != HEAD)
		return 0;
	hx = st_http1_of(x);
	if (!hx->req || !hx->req->plain)
		return 0;
	head->hits++;
	st->answer_turn = rec->turn;
	hx->status = head->head.status;
	st_flow__answer(f, x, &c, &r);
	h->x = x;
	/* What was received has moved; what is being sent was only announced. */
	if (rec->dir == ST_RX && rec->call_len == len) {
		close_answered(f, h, head->body_len, rec->time_ns);
		return rec->pos + len;
	}
	h->part = AWAIT;
	h->body_end = rec->pos + len;
	h->body_len = head->body_len;
	st_flow__expect(f, (enum st_dir)rec->dir, h->body_end);
	return h->body_end;
}

uint64_t st_http1__quick(struct st_flow *f, const struct st_rec *rec)
{
	struct http1 *st = f->state;
	struct half *h = &st->half[rec->dir];
	bool asks = is_req(f, (enum st_dir)rec->dir);
	uint64_t want;

	if (!ready(f, st) || h->part != HEAD || h->partial || !h->last || !h->last->plain ||
	    h->last->head.is_response == asks ||
	    !st_http1_kept__match(h->last, (const uint8_t *)(rec + 1), rec->len))
		return 0;
	want = asks ? request(f, st, h, rec) : response(f, st, h, rec);
	if (!want)
		return 0;
	h->body_start = rec->pos + h->last->len;
	st->half[rec->dir ^ 1].end_ns = rec->opp_time_ns;
	return want;
}
