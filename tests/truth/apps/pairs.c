// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * pairs PORT BACKEND: one thread that takes two requests at a time, A and B, and works on both by turns, so that
 * neither the last one read nor the only one open is the one that a call is made for. A script is a list of steps: a, b
 * make a call for A, B; A, B answer it. When no second request comes in time, A is served alone.
 */
#define _GNU_SOURCE
#include "http.h"
#include <poll.h>

#define CONNS	256
#define PAIR_MS 5

static const char *const scripts[] = {
	"aBbA",	 /* after B's answer, B's second half: A is the only one open */
	"aBabA", /* around B's answer */
	"AabB",	 /* A's call when only B is open */
	"baAB",	 /* calls in the other order than reads */
	"abBA",	 /* both calls while both are open */
	"BbaA",	 /* B is answered before its call */
	"ABab",	 /* both are answered before either's call */
	"AaaBbb",
};

struct conn {
	struct reader in;
	struct request req;
};

static struct conn conns[CONNS];
static struct pollfd polled[CONNS];
static int conns_cnt = 1, backend;

static void conn_drop(int i)
{
	close(polled[i].fd);
	polled[i] = polled[--conns_cnt];
	conns[i] = conns[conns_cnt];
}

static void conn_add(int listener)
{
	int fd = accept_one(listener);

	if (fd < 0 || conns_cnt == CONNS)
		return;
	polled[conns_cnt].fd = fd;
	polled[conns_cnt].events = POLLIN;
	conns[conns_cnt].in.fd = fd;
	conns[conns_cnt++].in.sz = 0;
}

/* The next connection with a request, other than `but`; 0 when none came within `wait_ms`. */
static int next_request(int but, int wait_ms)
{
	for (;;) {
		polled[0].revents = 0;
		if (poll(polled, (nfds_t)conns_cnt, wait_ms) <= 0)
			return 0;
		for (int i = conns_cnt - 1; i > 0; i--) {
			if (i == but || !polled[i].revents)
				continue;
			if (!read_request(&conns[i].in, &conns[i].req))
				return i;
			if (but == conns_cnt - 1)
				continue; /* it would move: later */
			conn_drop(i);
		}
		if (polled[0].revents)
			conn_add(polled[0].fd);
	}
}

static void play(const char *script, int a, int b)
{
	int called[2] = {0, 0};

	for (; *script; script++) {
		int second = *script == 'b' || *script == 'B';
		struct conn *conn = &conns[second ? b : a];

		if (*script >= 'a')
			call(backend, &conn->req, called[second]++);
		else
			answer(conn->in.fd, &conn->req);
	}
}

static void finish(int i)
{
	if (!conns[i].req.keep)
		conn_drop(i);
}

int main(int argc, char **argv)
{
	unsigned int n = 0;

	if (argc != 3)
		return 2;
	backend = atoi(argv[2]);
	polled[0].fd = listen_on(atoi(argv[1]));
	polled[0].events = POLLIN;
	for (;;) {
		int a = next_request(0, -1), b = next_request(a, PAIR_MS);

		if (!b) {
			play("aA", a, a);
			finish(a);
			continue;
		}
		play(scripts[n++ % (sizeof(scripts) / sizeof(*scripts))], a, b);
		finish(a > b ? a : b);
		finish(a > b ? b : a);
	}
}
