// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * forks PORT BACKEND: a thread for each connection, whose calls are made by children of it. Modes: wait (the child calls,
 * the parent waits for it and answers); leave (the parent answers at once); answer (the child calls and answers);
 * same (no child).
 */
#define _GNU_SOURCE
#include "http.h"
#include <pthread.h>
#include <sys/wait.h>

static int backend;

static void handle(int fd, const struct request *req)
{
	int by_child = !strcmp(req->mode, "answer"), leave = !strcmp(req->mode, "leave");
	pid_t pid;

	if (!by_child && !leave && strcmp(req->mode, "wait")) {
		if (!strcmp(req->mode, "same"))
			call(backend, req, 0);
		answer(fd, req);
		return;
	}
	pid = fork();
	if (!pid) {
		call(backend, req, 0);
		if (by_child)
			answer(fd, req);
		_exit(0);
	}
	if (leave)
		answer(fd, req);
	waitpid(pid, NULL, 0);
	if (!leave && !by_child)
		answer(fd, req);
}

static void *serve(void *arg)
{
	struct reader in = {.fd = (int)(long)arg};
	struct request req;

	while (!read_request(&in, &req)) {
		handle(in.fd, &req);
		if (!req.keep)
			break;
	}
	/* A child that was forked meanwhile by another thread has this connection too. */
	shutdown(in.fd, SHUT_RDWR);
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
	while ((fd = accept_one(listener)) >= 0)
		if (!pthread_create(&thread, NULL, serve, (void *)(long)fd))
			pthread_detach(thread);
	return 1;
}
