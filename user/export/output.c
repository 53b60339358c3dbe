/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/output.h"

#include <limits.h>
#include <stdlib.h>

#include "lib/log.h"

#define NS_PER_MS	 1000000u
/* Exponential back-off: the first wait, and the longest; half of each is jitter. */
#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS	 10000
/* While the program ends there is no time for more. */
#define FLUSH_BACKOFF_MS 50
#define FLUSH_TRIES	 3

void st_output__count_waiting(struct st_output *o, const struct st_batch *bt, int sign)
{
	uint32_t cnt = sign > 0 ? o->waiting + bt->cnt : o->waiting - bt->cnt;
	uint64_t sz = st_batch__size(bt);

	__atomic_store_n(&o->waiting, cnt, __ATOMIC_RELAXED);
	__atomic_store_n(&o->waiting_sz, sign > 0 ? o->waiting_sz + sz : o->waiting_sz - sz,
			 __ATOMIC_RELAXED);
}

struct st_batch *st_output__spare(struct st_output *o)
{
	struct st_batch *bt = o->spare;

	if (bt) {
		o->spare = bt->next;
		bt->next = NULL;
	}
	return bt;
}

static uint64_t random_below(struct st_output *o, uint64_t n)
{
	o->random ^= o->random << 13;
	o->random ^= o->random >> 7;
	o->random ^= o->random << 17;
	return o->random % n;
}

static void say(struct st_output *o, const struct st_outcome *out, uint64_t now_ns)
{
	uint32_t unsaid;

	if (!out->reason[0] || !st_said__may(&o->said, out->reason, now_ns, &unsaid))
		return;
	if (out->verdict == ST_ACCEPTED)
		st_warn("%s: %s (%llu spans rejected)", o->t.shown, out->reason,
			(unsigned long long)out->rejected);
	else if (out->verdict == ST_RETRY)
		st_warn("%s does not take spans: %s%s%s; tracing goes on, spans wait and are lost "
			"when the queue is full",
			o->t.shown, out->reason, out->cure ? "; " : "", out->cure ? out->cure : "");
	else
		st_error("%s%s spans: %s%s%s; they are lost, tracing goes on", o->t.shown,
			 out->verdict == ST_REFUSED ? " refuses" : " cannot be sent", out->reason,
			 out->cure ? "; " : "", out->cure ? out->cure : "");
	if (unsaid)
		st_warn("%s: the same %u times more in the meantime", o->t.shown, unsaid);
}

static void request_end(struct st_output *o, struct st_request *r)
{
	o->held -= r->span_cnt;
	st_request__reset(r);
	pthread_cond_broadcast(o->changed);
}

static void count(struct st_output *o, struct st_request *r, const struct st_outcome *out)
{
	uint64_t rejected = out->rejected < r->span_cnt ? out->rejected : r->span_cnt;

	pthread_mutex_lock(o->lock);
	if (out->verdict == ST_ACCEPTED) {
		o->st.exported += r->span_cnt - rejected;
		o->st.rejected += rejected;
		o->st.bytes += r->payload_sz;
	} else if (out->verdict == ST_REFUSED) {
		o->st.rejected += r->span_cnt;
	} else {
		o->st.failed += r->span_cnt;
	}
	request_end(o, r);
	pthread_mutex_unlock(o->lock);
}

static void give_up(struct st_output *o, struct st_request *r)
{
	struct st_outcome out = {.verdict = ST_BROKEN};

	if (r->state == ST_REQUEST_RUNS)
		curl_multi_remove_handle(o->multi, r->easy);
	count(o, r, &out);
}

/* Everything that waits or runs is counted as failed. */
static void give_up_all(struct st_output *o)
{
	struct st_batch *bt;

	for (unsigned int i = 0; i < ST_SENDER_INFLIGHT; i++)
		if (o->req[i].state != ST_REQUEST_FREE)
			give_up(o, &o->req[i]);
	pthread_mutex_lock(o->lock);
	while ((bt = o->ready) != NULL) {
		o->ready = bt->next;
		o->st.failed += bt->cnt;
		st_output__count_waiting(o, bt, -1);
		st_batch__reset(bt);
		bt->next = o->spare;
		o->spare = bt;
	}
	o->ready_end = &o->ready;
	pthread_cond_broadcast(o->changed);
	pthread_mutex_unlock(o->lock);
}

static uint64_t backoff_ns(struct st_output *o)
{
	uint64_t ms = BACKOFF_FIRST_MS << (o->streak < 8 ? o->streak : 8);

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	return (ms / 2 + random_below(o, ms / 2 + 1)) * NS_PER_MS;
}

static void retry_in_flush(struct st_output *o, const struct st_outcome *out, uint64_t now_ns)
{
	uint64_t delay_ns = (uint64_t)FLUSH_BACKOFF_MS << o->flush_fails;

	delay_ns *= NS_PER_MS;
	if (delay_ns < out->delay_ns)
		delay_ns = out->delay_ns;
	o->not_before_ns = now_ns + delay_ns;
	/* A receiver that was away before will hardly come back in this moment. */
	if (++o->flush_fails >= FLUSH_TRIES || o->streak || o->not_before_ns >= o->flush_ns)
		give_up_all(o);
}

static void retry(struct st_output *o, struct st_request *r, const struct st_outcome *out,
		  uint64_t now_ns)
{
	uint64_t delay_ns = backoff_ns(o);

	r->state = ST_REQUEST_WAITS;
	if (o->flush_seen) {
		retry_in_flush(o, out, now_ns);
		return;
	}
	/* Requests that ran side by side fail together; that is one failure. */
	if (now_ns >= o->not_before_ns)
		o->streak++;
	if (delay_ns < out->delay_ns)
		delay_ns = out->delay_ns;
	if (now_ns + delay_ns > o->not_before_ns)
		o->not_before_ns = now_ns + delay_ns;
	if (o->not_before_ns >= r->begun_ns + o->t.give_up_ms * NS_PER_MS)
		give_up(o, r);
}

void st_output__done(struct st_request *r, CURLcode code)
{
	struct st_output *o = r->output;
	uint64_t now_ns = st_export__now_ns();
	struct st_outcome out;

	curl_multi_remove_handle(o->multi, r->easy);
	r->state = ST_REQUEST_WAITS;
	st_request__judge(r, &o->t, code, &out);
	pthread_mutex_lock(o->lock);
	o->st.requests++;
	pthread_mutex_unlock(o->lock);
	say(o, &out, now_ns);
	if (out.verdict == ST_RETRY) {
		retry(o, r, &out, now_ns);
		return;
	}
	count(o, r, &out);
	if (out.verdict == ST_ACCEPTED && o->streak)
		st_info("%s takes spans again", o->t.shown);
	o->streak = 0;
	o->not_before_ns = 0;
}

/* A free request with the next ready batch as its body, or NULL. */
static struct st_request *take_batch(struct st_output *o, struct st_request *r, uint64_t now_ns)
{
	struct st_batch *bt;
	bool ok;

	pthread_mutex_lock(o->lock);
	bt = o->ready;
	if (bt) {
		o->ready = bt->next;
		if (!o->ready)
			o->ready_end = &o->ready;
		o->held += bt->cnt;
		st_output__count_waiting(o, bt, -1);
	}
	pthread_mutex_unlock(o->lock);
	if (!bt)
		return NULL;
	ok = st_request__fill(r, &o->t, &o->work, bt);
	r->span_cnt = bt->cnt;
	r->begun_ns = now_ns;
	r->state = ST_REQUEST_WAITS;
	st_batch__reset(bt);
	pthread_mutex_lock(o->lock);
	bt->next = o->spare;
	o->spare = bt;
	pthread_mutex_unlock(o->lock);
	if (!ok) {
		st_error("%s: a request is too large or memory ran out; its spans are lost",
			 o->t.shown);
		give_up(o, r);
		return NULL;
	}
	return r;
}

/* The next request to send: one that waits, else a new one. */
static struct st_request *next_request(struct st_output *o, uint64_t now_ns)
{
	struct st_request *spare = NULL;

	for (unsigned int i = 0; i < ST_SENDER_INFLIGHT; i++) {
		if (o->req[i].state == ST_REQUEST_WAITS)
			return &o->req[i];
		if (o->req[i].state == ST_REQUEST_FREE)
			spare = &o->req[i];
	}
	return spare ? take_batch(o, spare, now_ns) : NULL;
}

static unsigned int running_cnt(const struct st_output *o)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < ST_SENDER_INFLIGHT; i++)
		n += o->req[i].state == ST_REQUEST_RUNS;
	return n;
}

static uint64_t timeout_ms(const struct st_output *o, const struct st_request *r, uint64_t now_ns)
{
	uint64_t end_ns = r->begun_ns + o->t.give_up_ms * NS_PER_MS, ms = o->t.timeout_ms;

	if (o->flush_seen && o->flush_ns < end_ns)
		end_ns = o->flush_ns;
	if (end_ns <= now_ns)
		return 1;
	if ((end_ns - now_ns) / NS_PER_MS < ms)
		ms = (end_ns - now_ns) / NS_PER_MS;
	if (ms > INT_MAX)
		ms = INT_MAX;
	return ms ? ms : 1;
}

static void request_start(struct st_output *o, struct st_request *r, uint64_t now_ns)
{
	if (r->tries++) {
		pthread_mutex_lock(o->lock);
		o->st.retries++;
		pthread_mutex_unlock(o->lock);
	}
	st_request__arm(r, timeout_ms(o, r, now_ns));
	if (curl_multi_add_handle(o->multi, r->easy)) {
		give_up(o, r);
		return;
	}
	r->state = ST_REQUEST_RUNS;
}

/* The flush that flush_ns speaks of is begun: what waited for its time is tried at once. */
static void flush_begin(struct st_output *o, bool flushing)
{
	if (flushing && !o->flush_seen) {
		o->not_before_ns = 0;
		o->flush_fails = 0;
	}
	o->flush_seen = flushing;
}

uint64_t st_output__step(struct st_output *o, uint64_t now_ns)
{
	uint64_t flush_ns;
	bool removing;

	pthread_mutex_lock(o->lock);
	flush_ns = o->flush_ns;
	removing = o->removing;
	pthread_mutex_unlock(o->lock);
	flush_begin(o, flush_ns != 0);
	if (removing || (flush_ns && now_ns >= flush_ns)) {
		give_up_all(o);
		o->let_go = removing;
		return UINT64_MAX;
	}
	while (now_ns >= o->not_before_ns &&
	       running_cnt(o) < (o->streak ? 1 : ST_SENDER_INFLIGHT)) {
		struct st_request *r = next_request(o, now_ns);

		if (!r)
			break;
		request_start(o, r, now_ns);
	}
	if (flush_ns && (flush_ns < o->not_before_ns || o->not_before_ns <= now_ns))
		return flush_ns;
	return o->not_before_ns > now_ns ? o->not_before_ns : UINT64_MAX;
}

struct st_output *st_output__new(const struct st_target *t, uint32_t max_batch,
				 pthread_mutex_t *lock, pthread_cond_t *changed, CURLM *multi)
{
	struct st_output *o = calloc(1, sizeof(*o));

	if (!o) {
		curl_slist_free_all(t->headers);
		free(t->url);
		free(t->shown);
		return NULL;
	}
	o->t = *t;
	o->max_batch = max_batch;
	o->lock = lock;
	o->changed = changed;
	o->multi = multi;
	o->ready_end = &o->ready;
	o->random = st_export__now_ns() | 1;
	for (unsigned int i = 0; i < ST_SENDER_INFLIGHT; i++) {
		if (!st_request__init(&o->req[i], o, &o->t))
			continue;
		st_output__free(o);
		return NULL;
	}
	return o;
}

void st_output__free(struct st_output *o)
{
	struct st_batch *bt;

	if (!o)
		return;
	for (unsigned int i = 0; i < ST_SENDER_INFLIGHT; i++)
		st_request__free(&o->req[i]);
	st_request_work__free(&o->work);
	while ((bt = o->spare) != NULL) {
		o->spare = bt->next;
		st_batch__free(bt);
	}
	curl_slist_free_all(o->t.headers);
	free(o->t.url);
	free(o->t.shown);
	free(o);
}
