// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * handover PORT BACKEND accept|read: connections go from the process that accepted them to one of two workers, by
 * SCM_RIGHTS. `accept`: the worker reads, calls and answers. `read`: the acceptor reads a connection's first request and
 * hands it over too; what follows on that connection is the worker's.
 */
#define _GNU_SOURCE
#include "http.h"
#include <pthread.h>
#include <sys/prctl.h>

#define WORKERS 2

struct handed {
	int has_request;
	struct request req;
};

struct job {
	int fd;
	struct handed handed;
};

static int backend;

static void *serve(void *arg)
{
	struct job *job = arg;
	struct reader in = {.fd = job->fd};
	struct request req = job->handed.req;
	int more = job->handed.has_request || !read_request(&in, &req);

	while (more) {
		call(backend, &req, 0);
		answer(in.fd, &req);
		more = req.keep && !read_request(&in, &req);
	}
	close(in.fd);
	free(job);
	return NULL;
}

static void pass(int channel, int fd, struct handed *handed)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {handed, sizeof(*handed)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	if (sendmsg(channel, &msg, 0) < 0)
		die("sendmsg");
}

static void work(int channel)
{
	for (;;) {
		char control[CMSG_SPACE(sizeof(int))];
		struct job *job = calloc(1, sizeof(*job));
		struct iovec iov = {&job->handed, sizeof(job->handed)};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};
		pthread_t thread;

		if (recvmsg(channel, &msg, 0) <= 0)
			_exit(0);
		memcpy(&job->fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
		if (!pthread_create(&thread, NULL, serve, job))
			pthread_detach(thread);
	}
}

int main(int argc, char **argv)
{
	int listener, fd, channels[WORKERS][2];

	if (argc != 4)
		return 2;
	backend = atoi(argv[2]);
	for (int i = 0; i < WORKERS; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channels[i]))
			die("socketpair");
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			work(channels[i][1]);
		}
	}
	listener = listen_on(atoi(argv[1]));
	for (unsigned int n = 0; (fd = accept_one(listener)) >= 0; n++) {
		struct handed handed = {0};
		struct reader in = {.fd = fd};

		handed.has_request = !strcmp(argv[3], "read");
		if (!handed.has_request || !read_request(&in, &handed.req))
			pass(channels[n % WORKERS][0], fd, &handed);
		close(fd);
	}
	return 1;
}
