// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * timers PORT BACKEND select|epoll: an event loop of one thread. A request stays open for 1-5 ms, then its call is made
 * and it is answered. Every 3 ms a timer makes a health check, which no request caused, whatever is open then; it ends
 * when no request came for 300 ms.
 */
#define _GNU_SOURCE
#include "http.h"
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

#define CONNS	  256
#define HEALTH_US 3000
#define QUIET_US  300000

struct conn {
	struct reader in;
	struct request req;
	long long due_us; /* of the open request; 0: none */
};

static struct conn conns[CONNS]; /* by descriptor */
static int backend, listener, epoll = -1;

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void health_check(void)
{
	static int n;
	char path[64];
	int fd = connect_to(backend);

	snprintf(path, sizeof(path), "/b/health/x%d/0", n++);
	ask(fd, backend, path);
	close(fd);
}

static void conn_end(int fd)
{
	close(fd); /* leaves the epoll set too */
	conns[fd].in.fd = 0;
}

static void on_readable(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int new_fd;

	if (fd != listener) {
		if (read_request(&conns[fd].in, &conns[fd].req))
			conn_end(fd);
		else
			conns[fd].due_us = now_us() + 1000 + rand() % 4000;
		return;
	}
	new_fd = event.data.fd = accept_one(listener);
	if (new_fd < 0 || new_fd >= CONNS)
		return;
	conns[new_fd].in.fd = new_fd;
	conns[new_fd].in.sz = 0;
	conns[new_fd].due_us = 0;
	if (epoll >= 0)
		epoll_ctl(epoll, EPOLL_CTL_ADD, new_fd, &event);
}

static void wait_select(void)
{
	struct timeval ms = {.tv_usec = 1000};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(listener, &set);
	for (int fd = 0; fd < CONNS; fd++)
		if (conns[fd].in.fd && !conns[fd].due_us)
			FD_SET(fd, &set);
	if (select(CONNS, &set, NULL, NULL, &ms) > 0)
		for (int fd = 0; fd < CONNS; fd++)
			if (FD_ISSET(fd, &set))
				on_readable(fd);
}

static void wait_epoll(void)
{
	struct epoll_event events[16];
	int n = epoll_wait(epoll, events, 16, 1);

	for (int i = 0; i < n; i++)
		if (!conns[events[i].data.fd].due_us)
			on_readable(events[i].data.fd);
}

static void finish_due(long long now)
{
	for (int fd = 0; fd < CONNS; fd++) {
		struct conn *conn = &conns[fd];

		if (!conn->in.fd || !conn->due_us || conn->due_us > now)
			continue;
		call(backend, &conn->req, 0);
		answer(fd, &conn->req);
		conn->due_us = 0;
		if (!conn->req.keep)
			conn_end(fd);
	}
}

int main(int argc, char **argv)
{
	long long health_us = 0, busy_us = 0;
	struct epoll_event event = {.events = EPOLLIN};

	if (argc != 4)
		return 2;
	backend = atoi(argv[2]);
	listener = event.data.fd = listen_on(atoi(argv[1]));
	if (!strcmp(argv[3], "epoll")) {
		epoll = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	}
	for (;;) {
		long long now = now_us();

		if (epoll >= 0)
			wait_epoll();
		else
			wait_select();
		for (int fd = 0; fd < CONNS; fd++)
			if (conns[fd].in.fd && conns[fd].due_us)
				busy_us = now;
		if (now - busy_us < QUIET_US && now - health_us > HEALTH_US) {
			health_us = now;
			health_check();
		}
		finish_due(now);
	}
}
