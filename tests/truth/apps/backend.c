// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * backend PORT MIN_US MAX_US [close]: answers each GET with its path, after a random time; with `close` it ends the
 * connection after each answer. /b/retry/...: one of three is answered by 503 first. /b/drop/...: on a connection that
 * had an answer already, one of three is closed instead of being answered. /b/parts/...: the answer's head goes first.
 */
#define _GNU_SOURCE
#include "http.h"
#include <pthread.h>

static int min_us, max_us, closes;

static void rest(unsigned int *seed)
{
	usleep((useconds_t)(min_us + (max_us > min_us ? rand_r(seed) % (max_us - min_us) : 0)));
}

static void answer_in_parts(const struct request *req, int fd, unsigned int *seed)
{
	char head[128];
	int sz = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
			  strlen(req->path));

	send_all(fd, head, (size_t)sz);
	rest(seed);
	send_all(fd, req->path, strlen(req->path));
}

static void *serve(void *arg)
{
	struct reader in = {.fd = (int)(long)arg};
	/* Descriptors come again: connections of one second must not all be answered alike. */
	static unsigned int served;
	unsigned int seed =
		__sync_add_and_fetch(&served, 1) * 2654435761u + (unsigned int)time(NULL);
	struct request req;
	int first = 1;

	while (!read_request(&in, &req)) {
		int bad = rand_r(&seed) % 3 == 0;

		usleep((useconds_t)(min_us +
				    (max_us > min_us ? rand_r(&seed) % (max_us - min_us) : 0)));
		if (bad && !first && !strncmp(req.path, "/b/drop/", 8))
			break;
		first = 0;
		req.keep = req.keep && !closes;
		if (bad && !strncmp(req.path, "/b/retry/", 9))
			answer_status(in.fd, "503 Not Now", "", req.keep);
		else if (!strncmp(req.path, "/b/parts/", 9) && req.keep)
			answer_in_parts(&req, in.fd, &seed);
		else
			answer_status(in.fd, "200 OK", req.path, req.keep);
		if (!req.keep)
			break;
	}
	close(in.fd);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	pthread_t thread;
	int listener, fd;

	if (argc < 4)
		return 2;
	min_us = atoi(argv[2]);
	max_us = atoi(argv[3]);
	closes = argc > 4;
	listener = listen_on(atoi(argv[1]));
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	while ((fd = accept_one(listener)) >= 0)
		if (pthread_create(&thread, &attr, serve, (void *)(long)fd))
			close(fd);
	return 1;
}
