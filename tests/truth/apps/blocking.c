// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * blocking PORT BACKEND thread|fork: a thread or a process for each connection, which reads, calls and answers.
 * Modes: one; two (calls, one after the other); none; keep (on a connection kept for the next request);
 * after (answers first, then calls); chain (passes on what was asked).
 */
#define _GNU_SOURCE
#include "http.h"
#include <pthread.h>

static int backend;

static void handle(int fd, const struct request *req, int *kept)
{
	char path[128];

	if (!strcmp(req->mode, "after"))
		answer(fd, req);
	if (!strcmp(req->mode, "keep")) {
		snprintf(path, sizeof(path), "/b/keep/%s/0", req->id);
		while (*kept < 0 || ask(*kept, backend, path) != 200) {
			close(*kept);
			*kept = connect_to(backend);
		}
	}
	if (!strcmp(req->mode, "one") || !strcmp(req->mode, "chain") || !strcmp(req->mode, "two") ||
	    !strcmp(req->mode, "after"))
		call(backend, req, 0);
	if (!strcmp(req->mode, "two"))
		call(backend, req, 1);
	if (is_leaf(req))
		answer_status(fd, "200 OK", req->path, req->keep);
	else if (strcmp(req->mode, "after"))
		answer(fd, req);
}

static void *serve(void *arg)
{
	struct reader in = {.fd = (int)(long)arg};
	struct request req;
	int kept = -1;

	while (!read_request(&in, &req)) {
		handle(in.fd, &req, &kept);
		if (!req.keep)
			break;
	}
	close(in.fd);
	if (kept >= 0)
		close(kept);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int listener, fd;

	if (argc != 4)
		return 2;
	backend = atoi(argv[2]);
	listener = listen_on(atoi(argv[1]));
	signal(SIGCHLD, SIG_IGN);
	while ((fd = accept_one(listener)) >= 0) {
		if (!strcmp(argv[3], "fork")) {
			if (!fork()) {
				close(listener);
				serve((void *)(long)fd);
				_exit(0);
			}
			close(fd);
		} else if (!pthread_create(&thread, NULL, serve, (void *)(long)fd)) {
			pthread_detach(thread);
		}
	}
	return 1;
}
