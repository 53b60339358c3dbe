/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "follower.h"

#include <pthread.h>
#include <stdlib.h>

#define QUEUE_MAX 1024u

struct order {
	uint32_t tgid;
	uint32_t parent; /* not 0: tgid is its copy */
	bool forget;
};

struct st_follower {
	struct st_follow *follow; /* the thread's, but for st_follower__now */
	pthread_t thread;
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t more;
	struct order queue[QUEUE_MAX];
	uint32_t head, tail; /* orders taken and put, ever */
	bool some;	     /* processes were followed; the caller's own */
	bool stop;
};

static bool take(struct st_follower *f, struct order *o)
{
	bool some;

	pthread_mutex_lock(&f->lock);
	while (!f->stop && f->head == f->tail)
		pthread_cond_wait(&f->more, &f->lock);
	some = !f->stop;
	if (some)
		*o = f->queue[f->head++ % QUEUE_MAX];
	pthread_mutex_unlock(&f->lock);
	return some;
}

static void *run(void *arg)
{
	struct st_follower *f = arg;
	struct order o;

	while (take(f, &o)) {
		if (o.forget)
			st_follow__forget(f->follow, o.tgid);
		else if (o.parent)
			st_follow__forked(f->follow, o.parent, o.tgid);
		else
			st_follow__process(f->follow, o.tgid);
	}
	return NULL;
}

struct st_follower *st_follower__new(struct st_tracer *t)
{
	struct st_follower *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->more, NULL);
	f->follow = st_follow__new(t);
	if (f->follow && !pthread_create(&f->thread, NULL, run, f))
		return f;
	st_follow__free(f->follow);
	free(f);
	return NULL;
}

void st_follower__free(struct st_follower *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_signal(&f->more);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	st_follow__free(f->follow);
	pthread_cond_destroy(&f->more);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static void put(struct st_follower *f, struct order o)
{
	pthread_mutex_lock(&f->lock);
	if (f->tail - f->head < QUEUE_MAX)
		f->queue[f->tail++ % QUEUE_MAX] = o;
	pthread_cond_signal(&f->more);
	pthread_mutex_unlock(&f->lock);
}

void st_follower__now(struct st_follower *f, uint32_t tgid)
{
	f->some = true;
	st_follow__process(f->follow, tgid);
}

void st_follower__soon(struct st_follower *f, uint32_t tgid)
{
	f->some = true;
	put(f, (struct order){.tgid = tgid});
}

void st_follower__forked(struct st_follower *f, uint32_t parent, uint32_t child)
{
	put(f, (struct order){.tgid = child, .parent = parent});
}

void st_follower__forget(struct st_follower *f, uint32_t tgid)
{
	/* Many processes come and go where nothing is followed. */
	if (f->some)
		put(f, (struct order){.tgid = tgid, .forget = true});
}
