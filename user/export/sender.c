/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/sender.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "export/output.h"
#include "lib/log.h"

#define NS_PER_MS  1000000u
#define OUTPUT_MAX 16
/* How long flush waits beyond its deadline for the thread to give up. */
#define GRACE_NS   (500ull * NS_PER_MS)

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
} sender = {.lock = PTHREAD_MUTEX_INITIALIZER, .event_fd = -1};

static void wake(void)
{
	uint64_t one = 1;

	/* A full counter cannot be: the thread empties it; and then it wakes anyway. */
	if (write(sender.event_fd, &one, sizeof(one)) < 0)
		return;
}

/* Lets the remover go on for outputs whose requests are given up. */
static void say_removed(struct st_output *o)
{
	if (!o->let_go)
		return;
	pthread_mutex_lock(&sender.lock);
	for (unsigned int i = 0; i < sender.cnt; i++)
		if (sender.outputs[i] == o)
			sender.outputs[i] = sender.outputs[--sender.cnt];
	o->removed = true;
	pthread_cond_broadcast(&sender.changed);
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
		st_output__done(r, code);
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
		uint64_t at_ns = st_output__step(all[i], st_export__now_ns());

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

int st_sender__add(const struct st_target *t, uint32_t max_batch, struct st_output **out)
{
	int err = sender_start();
	struct st_output *o =
		st_output__new(t, max_batch, &sender.lock, &sender.changed, sender.multi);

	if (!err && !o)
		err = -ENOMEM;
	if (!err && sender.cnt == OUTPUT_MAX)
		err = -E2BIG;
	if (err) {
		st_output__free(o);
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
	st_output__free(o);
	if (last)
		sender_stop();
}

struct st_batch *st_sender__batch(struct st_output *o)
{
	struct st_batch *bt;

	pthread_mutex_lock(&sender.lock);
	bt = st_output__spare(o);
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
	st_output__count_waiting(o, bt, 1);
	empty = st_output__spare(o);
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
