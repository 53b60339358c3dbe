// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * loop PORT BACKEND: an event loop of one thread in which calls are under way side by side. Modes: one; keep (on a
 * connection of a pool); two (both at once); later (its call is made 1-5 ms after it was read); none; held (answered
 * then, without a call); join (while a call of this mode is open, requests wait for it and make none; when it ends they
 * are answered first, the last one foremost, and then the one that the call was made for). Every 3 ms there is a health
 * check that no request caused, until none came for 300 ms.
 */
#define _GNU_SOURCE
#include "http.h"
#include <sys/epoll.h>
#include <time.h>

#define FDS	  512
#define HEALTH_US 3000
#define QUIET_US  300000

/* By descriptor: an inbound connection, or a call for the one whose descriptor is `owner` (0: nobody's). */
static struct entry {
	struct reader in;
	struct request req;
	int is_call, owner, pooled;
	int calls;	  /* inbound: how many are under way */
	int joined;	  /* inbound: waits for the open call of its mode */
	long long due_us; /* inbound: when its timer fires; 0: none */
} entries[FDS];

static int backend, listener, epoll, pool[FDS], pool_cnt;
static int join_owner; /* the connection that the open call of mode join is made for */

static long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

static void watch(int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (fd >= FDS || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("watch");
}

static void call_start(int owner, int pooled, const char *path)
{
	int fd = pooled && pool_cnt ? pool[--pool_cnt] : 0;

	if (!fd) {
		fd = connect_to(backend);
		watch(fd);
	}
	entries[fd] = (struct entry){.is_call = 1, .owner = owner, .pooled = pooled};
	entries[owner].calls++;
	send_get(fd, backend, path);
}

static void call_for(int owner, int k)
{
	char path[300];

	path_below(&entries[owner].req, k, path);
	call_start(owner, !strcmp(entries[owner].req.mode, "keep"), path);
}

static void reply(int fd)
{
	struct entry *entry = &entries[fd];

	answer(fd, &entry->req);
	entry->joined = 0;
	entry->due_us = 0;
	if (!entry->req.keep)
		close(fd);
}

static void on_request(int fd)
{
	struct entry *entry = &entries[fd];
	const char *mode = entry->req.mode;

	if (!strcmp(mode, "join") && join_owner) {
		entry->joined = 1;
	} else if (!strcmp(mode, "join")) {
		join_owner = fd;
		call_for(fd, 0);
	} else if (!strcmp(mode, "one") || !strcmp(mode, "keep")) {
		call_for(fd, 0);
	} else if (!strcmp(mode, "two")) {
		call_for(fd, 0);
		call_for(fd, 1);
	} else if (!strcmp(mode, "later") || !strcmp(mode, "held")) {
		entry->due_us = now_us() + 1000 + rand() % 4000;
	} else {
		reply(fd);
	}
}

static void on_answer(int fd)
{
	int owner = entries[fd].owner;

	if (read_answer(fd) < 0 || !entries[fd].pooled)
		close(fd);
	else
		pool[pool_cnt++] = fd;
	if (!owner || --entries[owner].calls)
		return;
	if (owner == join_owner) {
		join_owner = 0;
		for (int waiting = FDS - 1; waiting > 0; waiting--)
			if (entries[waiting].joined)
				reply(waiting);
	}
	reply(owner);
}

static void on_readable(int fd)
{
	struct entry *entry = &entries[fd];

	if (fd == listener) {
		fd = accept_one(listener);
		watch(fd);
		entries[fd] = (struct entry){.in.fd = fd};
	} else if (entry->is_call) {
		on_answer(fd);
	} else if (read_request(&entry->in, &entry->req)) {
		close(fd);
	} else {
		on_request(fd);
	}
}

static void on_timers(long long now)
{
	for (int fd = 0; fd < FDS; fd++) {
		struct entry *entry = &entries[fd];

		if (!entry->due_us || entry->due_us > now)
			continue;
		entry->due_us = 0;
		if (!strcmp(entry->req.mode, "later"))
			call_for(fd, 0);
		else
			reply(fd);
	}
}

static void health_check(void)
{
	static int n;
	char path[64];

	snprintf(path, sizeof(path), "/b/health/x%d/0", n++);
	call_start(0, n % 2, path);
}

int main(int argc, char **argv)
{
	long long health_us = 0, busy_us = 0, now;
	struct epoll_event events[16];

	if (argc != 3)
		return 2;
	backend = atoi(argv[2]);
	listener = listen_on(atoi(argv[1]));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	watch(listener);
	for (;;) {
		int n = epoll_wait(epoll, events, 16, 1);

		now = now_us();
		for (int i = 0; i < n; i++) {
			busy_us = entries[events[i].data.fd].is_call ? busy_us : now;
			on_readable(events[i].data.fd);
		}
		if (now - busy_us < QUIET_US && now - health_us > HEALTH_US) {
			health_us = now;
			health_check();
		}
		on_timers(now);
	}
}
