/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/sender.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "export/request.h"
#include "lib/log.h"

#define NS_PER_MS	 1000000u
#define OUTPUT_MAX	 16
/* Exponential back-off: the first wait, and the longest; half of each is jitter. */
#define BACKOFF_FIRST_MS 500
#define BACKOFF_MAX_MS	 10000
/* While the program ends there is no time for more. */
#define FLUSH_BACKOFF_MS 50
#define FLUSH_TRIES	 3
#define SAID_CNT	 8
#define SAY_AGAIN_NS	 (60ull * 1000 * NS_PER_MS)
/* How long flush waits beyond its deadline for the thread to give up. */
#define GRACE_NS	 (500ull * NS_PER_MS)

/* A reason that was said, so that it is not said with every request. */
struct said {
	uint32_t hash;
	uint32_t unsaid; /* times since */
	uint64_t at_ns;
};

struct st_output {
	struct st_target t;
	uint32_t max_batch;
	/* What `ready` holds; written under the lock, read by anybody. */
	uint32_t waiting;
	uint64_t waiting_sz;
	/* Guarded by sender.lock. */
	struct st_batch *ready, **ready_end;
	struct st_batch *spare;
	uint32_t held; /* spans in requests */
	bool removing, removed;
	uint64_t flush_ns; /* deadline of a flush; 0: none */
	struct st_export_stats st;
	/* The sending thread's own. */
	struct st_request req[ST_SENDER_INFLIGHT];
	struct st_request_work work;
	uint64_t not_before_ns;
	uint32_t streak; /* failures in a row */
	uint32_t flush_fails;
	bool flush_seen;
	struct said said[SAID_CNT];
};

static struct {
	/* Guards what the structs say, and `outputs`. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct st_output *outputs[OUTPUT_MAX];
	unsigned int cnt;
	bool stop;
	/* Set before the thread begins, until it has ended. */
	bool running;
	pthread_t thread;
	CURLM *multi;
	int event_fd;
	uint64_t random;
} sender = {.lock = PTHREAD_MUTEX_INITIALIZER, .event_fd = -1};

static void wake(void)
{
	uint64_t one = 1;

	/* A full counter cannot be: the thread empties it; and then it wakes anyway. */
	if (write(sender.event_fd, &one, sizeof(one)) < 0)
		return;
}

static uint64_t random_below(uint64_t n)
{
	sender.random ^= sender.random << 13;
	sender.random ^= sender.random >> 7;
	sender.random ^= sender.random << 17;
	return sender.random % n;
}

/* bt joins `ready` (sign 1) or leaves it (-1). */
static void count_waiting(struct st_output *o, const struct st_batch *bt, int sign)
{
	uint32_t cnt = sign > 0 ? o->waiting + bt->cnt : o->waiting - bt->cnt;
	uint64_t sz = st_batch__size(bt);

	__atomic_store_n(&o->waiting, cnt, __ATOMIC_RELAXED);
	__atomic_store_n(&o->waiting_sz, sign > 0 ? o->waiting_sz + sz : o->waiting_sz - sz,
			 __ATOMIC_RELAXED);
}

/* ---- messages ---- */

/* Digits do not count: times and ports in a reason make it no other one. */
static uint32_t reason_hash(const char *p)
{
	uint32_t h = 2166136261u;

	for (; *p; p++)
		if (*p < '0' || *p > '9')
			h = (h ^ (uint8_t)*p) * 16777619u;
	return h;
}

/* Whether to say it now; *unsaid is how often it was not since the last time. */
static bool may_say(struct st_output *o, const char *reason, uint64_t now_ns, uint32_t *unsaid)
{
	uint32_t hash = reason_hash(reason);
	struct said *at = &o->said[0];

	for (unsigned int i = 0; i < SAID_CNT; i++) {
		struct said *s = &o->said[i];

		if (s->hash == hash && s->at_ns) {
			at = s;
			break;
		}
		if (s->at_ns < at->at_ns)
			at = s;
	}
	if (at->hash == hash && at->at_ns && now_ns - at->at_ns < SAY_AGAIN_NS) {
		at->unsaid++;
		return false;
	}
	*unsaid = at->hash == hash ? at->unsaid : 0;
	*at = (struct said){.hash = hash, .at_ns = now_ns};
	return true;
}

static void say(struct st_output *o, const struct st_outcome *out, uint64_t now_ns)
{
	uint32_t unsaid;

	if (!out->reason[0] || !may_say(o, out->reason, now_ns, &unsaid))
		return;
	if (out->verdict == ST_ACCEPTED)
		st_warn("%s: %s (%llu spans rejected)", o->t.shown, out->reason,
			(unsigned long long)out->rejected);
	else if (out->verdict == ST_RETRY)
		st_warn("%s does not take spans: %s%s%s; tracing goes on, spans wait and are lost "
			"when the queue is full",
			o->t.shown, out->reason, out->cure ? "; " : "", out->cure ? out->cure : "");
	else
		st_error("%s refuses spans: %s%s%s; they are lost, tracing goes on", o->t.shown,
			 out->reason, out->cure ? "; " : "", out->cure ? out->cure : "");
	if (unsaid)
		st_warn("%s: the same %u times more in the meantime", o->t.shown, unsaid);
}

/* ---- requests: the sending thread ---- */

static void request_end(struct st_output *o, struct st_request *r)
{
	o->held -= r->span_cnt;
	st_request__reset(r);
	pthread_cond_broadcast(&sender.changed);
}

static void count(struct st_output *o, struct st_request *r, const struct st_outcome *out)
{
	uint64_t rejected = out->rejected < r->span_cnt ? out->rejected : r->span_cnt;

	pthread_mutex_lock(&sender.lock);
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
	pthread_mutex_unlock(&sender.lock);
}

static void give_up(struct st_output *o, struct st_request *r)
{
	struct st_outcome out = {.verdict = ST_BROKEN};

	if (r->state == ST_REQUEST_RUNS)
		curl_multi_remove_handle(sender.multi, r->easy);
	count(o, r, &out);
}

/* Everything that waits or runs is counted as failed. */
static void give_up_all(struct st_output *o)
{
	struct st_batch *bt;

	for (unsigned int i = 0; i < ST_SENDER_INFLIGHT; i++)
		if (o->req[i].state != ST_REQUEST_FREE)
			give_up(o, &o->req[i]);
	pthread_mutex_lock(&sender.lock);
	while ((bt = o->ready) != NULL) {
		o->ready = bt->next;
		o->st.failed += bt->cnt;
		count_waiting(o, bt, -1);
		st_batch__reset(bt);
		bt->next = o->spare;
		o->spare = bt;
	}
	o->ready_end = &o->ready;
	pthread_cond_broadcast(&sender.changed);
	pthread_mutex_unlock(&sender.lock);
}

static uint64_t backoff_ns(const struct st_output *o)
{
	uint64_t ms = BACKOFF_FIRST_MS << (o->streak < 8 ? o->streak : 8);

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	return (ms / 2 + random_below(ms / 2 + 1)) * NS_PER_MS;
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

static void request_done(struct st_request *r, CURLcode code)
{
	struct st_output *o = r->output;
	uint64_t now_ns = st_export__now_ns();
	struct st_outcome out;

	curl_multi_remove_handle(sender.multi, r->easy);
	r->state = ST_REQUEST_WAITS;
	st_request__judge(r, &o->t, code, &out);
	pthread_mutex_lock(&sender.lock);
	o->st.requests++;
	pthread_mutex_unlock(&sender.lock);
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

	pthread_mutex_lock(&sender.lock);
	bt = o->ready;
	if (bt) {
		o->ready = bt->next;
		if (!o->ready)
			o->ready_end = &o->ready;
		o->held += bt->cnt;
		count_waiting(o, bt, -1);
	}
	pthread_mutex_unlock(&sender.lock);
	if (!bt)
		return NULL;
	ok = st_request__fill(r, &o->t, &o->work, bt);
	r->span_cnt = bt->cnt;
	r->begun_ns = now_ns;
	r->state = ST_REQUEST_WAITS;
	st_batch__reset(bt);
	pthread_mutex_lock(&sender.lock);
	bt->next = o->spare;
	o->spare = bt;
	pthread_mutex_unlock(&sender.lock);
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
		pthread_mutex_lock(&sender.lock);
		o->st.retries++;
		pthread_mutex_unlock(&sender.lock);
	}
	st_request__arm(r, timeout_ms(o, r, now_ns));
	if (curl_multi_add_handle(sender.multi, r->easy)) {
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

/* Starts what may start. Returns when to look again. */
static uint64_t output_step(struct st_output *o, uint64_t now_ns)
{
	uint64_t flush_ns;
	bool removing;

	pthread_mutex_lock(&sender.lock);
	flush_ns = o->flush_ns;
	removing = o->removing;
	pthread_mutex_unlock(&sender.lock);
	flush_begin(o, flush_ns != 0);
	if (removing || (flush_ns && now_ns >= flush_ns)) {
		give_up_all(o);
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

static void output_free(struct st_output *o)
{
	struct st_batch *bt;

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

/* Lets the remover go on for outputs whose requests are given up. */
static void say_removed(struct st_output *o)
{
	pthread_mutex_lock(&sender.lock);
	if (o->removing) {
		for (unsigned int i = 0; i < sender.cnt; i++)
			if (sender.outputs[i] == o)
				sender.outputs[i] = sender.outputs[--sender.cnt];
		o->removed = true;
		pthread_cond_broadcast(&sender.changed);
	}
	pthread_mutex_unlock(&sender.lock);
}

static bool read_done(void)
{
	bool any = false;
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(sender.multi, &left)) != NULL) {
		struct st_request *r = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		request_done(r, code);
		any = true;
	}
	return any;
}

static uint64_t step_all(void)
{
	struct st_output *all[OUTPUT_MAX];
	uint64_t next_ns = UINT64_MAX;
	unsigned int cnt;

	pthread_mutex_lock(&sender.lock);
	cnt = sender.cnt;
	memcpy(all, sender.outputs, sizeof(all));
	pthread_mutex_unlock(&sender.lock);
	for (unsigned int i = 0; i < cnt; i++) {
		uint64_t at_ns = output_step(all[i], st_export__now_ns());

		if (at_ns < next_ns)
			next_ns = at_ns;
		say_removed(all[i]);
	}
	return next_ns;
}

/* Sleeps until a socket, the pipeline or the time has something; for ever when nothing is due. */
static void sleep_until(uint64_t next_ns)
{
	struct curl_waitfd event = {.fd = sender.event_fd, .events = CURL_WAIT_POLLIN};
	uint64_t now_ns = st_export__now_ns(), cnt;
	int ms = INT_MAX;

	if (next_ns <= now_ns)
		ms = 0;
	else if ((next_ns - now_ns) / NS_PER_MS < INT_MAX)
		ms = (int)((next_ns - now_ns) / NS_PER_MS) + 1;
	curl_multi_poll(sender.multi, &event, 1, ms, NULL);
	if (event.revents && read(sender.event_fd, &cnt, sizeof(cnt)) < 0)
		return;
}

static void *sender_run(void *arg)
{
	bool stop = false;

	(void)arg;
	while (!stop) {
		uint64_t next_ns = step_all();
		int running;

		curl_multi_perform(sender.multi, &running);
		if (!read_done())
			sleep_until(next_ns);
		pthread_mutex_lock(&sender.lock);
		stop = sender.stop;
		pthread_mutex_unlock(&sender.lock);
	}
	return NULL;
}

/* ---- the pipeline's side ---- */

static int thread_start(void)
{
	sigset_t all, old;
	int err;

	/* Signals are the main thread's; and SIGPIPE must not come from a TLS library's write. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&sender.thread, NULL, sender_run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		pthread_setname_np(sender.thread, "spantap-send");
	return -err;
}

static int sender_start(void)
{
	pthread_condattr_t attr;
	int err;

	if (sender.running)
		return 0;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	sender.stop = false;
	sender.random = st_export__now_ns() | 1;
	sender.multi = curl_multi_init();
	sender.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sender.changed, &attr);
	pthread_condattr_destroy(&attr);
	err = !sender.multi ? -ENOMEM : sender.event_fd < 0 ? -errno : thread_start();
	if (err) {
		curl_multi_cleanup(sender.multi);
		if (sender.event_fd >= 0)
			close(sender.event_fd);
		return err;
	}
	sender.running = true;
	return 0;
}

static void sender_stop(void)
{
	pthread_mutex_lock(&sender.lock);
	sender.stop = true;
	pthread_mutex_unlock(&sender.lock);
	wake();
	pthread_join(sender.thread, NULL);
	curl_multi_cleanup(sender.multi);
	close(sender.event_fd);
	pthread_cond_destroy(&sender.changed);
	curl_global_cleanup();
	sender.running = false;
}

static int output_init(struct st_output *o)
{
	for (unsigned int i = 0; i < ST_SENDER_INFLIGHT; i++) {
		int err = st_request__init(&o->req[i], o, &o->t);

		if (err)
			return err;
	}
	return 0;
}

int st_sender__add(const struct st_target *t, uint32_t max_batch, struct st_output **out)
{
	struct st_output *o = calloc(1, sizeof(*o));
	int err = o ? sender_start() : -ENOMEM;

	if (!o) {
		curl_slist_free_all(t->headers);
		free(t->url);
		free(t->shown);
		return err;
	}
	o->t = *t;
	o->max_batch = max_batch;
	o->ready_end = &o->ready;
	if (!err)
		err = output_init(o);
	if (!err && sender.cnt == OUTPUT_MAX)
		err = -E2BIG;
	if (err) {
		output_free(o);
		return err;
	}
	pthread_mutex_lock(&sender.lock);
	sender.outputs[sender.cnt++] = o;
	pthread_mutex_unlock(&sender.lock);
	*out = o;
	return 0;
}

void st_sender__remove(struct st_output *o)
{
	bool last;

	if (!o)
		return;
	pthread_mutex_lock(&sender.lock);
	o->removing = true;
	wake();
	while (!o->removed)
		pthread_cond_wait(&sender.changed, &sender.lock);
	last = !sender.cnt;
	pthread_mutex_unlock(&sender.lock);
	output_free(o);
	if (last)
		sender_stop();
}

static struct st_batch *spare_batch(struct st_output *o)
{
	struct st_batch *bt = o->spare;

	if (bt) {
		o->spare = bt->next;
		bt->next = NULL;
	}
	return bt;
}

struct st_batch *st_sender__batch(struct st_output *o)
{
	struct st_batch *bt;

	pthread_mutex_lock(&sender.lock);
	bt = spare_batch(o);
	pthread_mutex_unlock(&sender.lock);
	return bt ? bt : st_batch__new(o->max_batch);
}

struct st_batch *st_sender__submit(struct st_output *o, struct st_batch *bt)
{
	struct st_batch *empty;

	bt->next = NULL;
	pthread_mutex_lock(&sender.lock);
	*o->ready_end = bt;
	o->ready_end = &bt->next;
	count_waiting(o, bt, 1);
	empty = spare_batch(o);
	pthread_mutex_unlock(&sender.lock);
	wake();
	return empty ? empty : st_batch__new(o->max_batch);
}

uint32_t st_sender__waiting(const struct st_output *o)
{
	return __atomic_load_n(&o->waiting, __ATOMIC_RELAXED);
}

uint64_t st_sender__waiting_sz(const struct st_output *o)
{
	return __atomic_load_n(&o->waiting_sz, __ATOMIC_RELAXED);
}

void st_sender__flush(struct st_output *o, uint64_t deadline_ns)
{
	uint64_t end_ns = deadline_ns > UINT64_MAX - GRACE_NS ? UINT64_MAX : deadline_ns + GRACE_NS;
	struct timespec end = {
		.tv_sec = (time_t)(end_ns / 1000000000u),
		.tv_nsec = (long)(end_ns % 1000000000u),
	};

	pthread_mutex_lock(&sender.lock);
	o->flush_ns = deadline_ns ? deadline_ns : 1;
	wake();
	while (o->ready || o->held)
		if (pthread_cond_timedwait(&sender.changed, &sender.lock, &end))
			break;
	o->flush_ns = 0;
	pthread_mutex_unlock(&sender.lock);
}

void st_sender__stats(struct st_output *o, struct st_export_stats *out)
{
	pthread_mutex_lock(&sender.lock);
	*out = o->st;
	pthread_mutex_unlock(&sender.lock);
}
