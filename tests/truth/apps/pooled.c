// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * pooled PORT BACKEND: a thread for each connection; connections to the backend are of a pool that all share. A thread
 * made at the start asks for health on the idle ones, until no request came for 300 ms; no request caused that. Modes:
 * one; two; none.
 */
#define _GNU_SOURCE
#include "http.h"
#include <pthread.h>
#include <time.h>

#define POOL_MAX 64

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards pool, pool_cnt and last_ms */
static int pool[POOL_MAX], pool_cnt, backend;
static long last_ms;

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A connection of the pool, or -1. */
static int pool_take(void)
{
	int fd;

	pthread_mutex_lock(&mutex);
	fd = pool_cnt ? pool[--pool_cnt] : -1;
	pthread_mutex_unlock(&mutex);
	return fd;
}

static void pool_put(int fd)
{
	pthread_mutex_lock(&mutex);
	if (pool_cnt < POOL_MAX)
		pool[pool_cnt++] = fd;
	else
		close(fd);
	pthread_mutex_unlock(&mutex);
}

static void call_pooled(const struct request *req, int k)
{
	char path[300];
	int fd = pool_take();

	if (fd < 0)
		fd = connect_to(backend);
	path_below(req, k, path);
	ask(fd, backend, path);
	pool_put(fd);
}

static void *check_health(void *arg)
{
	char path[64];
	int busy, fd;

	for (int n = 0;; usleep(3000)) {
		pthread_mutex_lock(&mutex);
		busy = now_ms() - last_ms < 300;
		pthread_mutex_unlock(&mutex);
		fd = busy ? pool_take() : -1;
		if (fd < 0)
			continue;
		snprintf(path, sizeof(path), "/b/health/x%d/0", n++);
		ask(fd, backend, path);
		pool_put(fd);
	}
	return arg;
}

static void *serve(void *arg)
{
	struct reader in = {.fd = (int)(long)arg};
	struct request req;

	while (!read_request(&in, &req)) {
		pthread_mutex_lock(&mutex);
		last_ms = now_ms();
		pthread_mutex_unlock(&mutex);
		if (!strcmp(req.mode, "one") || !strcmp(req.mode, "two"))
			call_pooled(&req, 0);
		if (!strcmp(req.mode, "two"))
			call_pooled(&req, 1);
		answer(in.fd, &req);
		if (!req.keep)
			break;
	}
	close(in.fd);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int listener, fd;

	if (argc != 3)
		return 2;
	backend = atoi(argv[2]);
	listener = listen_on(atoi(argv[1]));
	pthread_create(&thread, NULL, check_health, NULL);
	while ((fd = accept_one(listener)) >= 0)
		if (!pthread_create(&thread, NULL, serve, (void *)(long)fd))
			pthread_detach(thread);
	return 1;
}
