/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Unix connections that come and go, at a fixed rate, each with one request and its answer.
 *
 * usage: pairs SECONDS CONNECTIONS
 *   CONNECTIONS   new ones a second
 * Prints what it did: connections=N requests=N failed=N
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICKS 100 /* a second */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u),
			     .tv_nsec = (long)(ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int passes(int from, int to, const char *text)
{
	size_t len = strlen(text);
	char buf[256];

	return send(from, text, len, MSG_NOSIGNAL) == (ssize_t)len &&
	       recv(to, buf, sizeof(buf), 0) == (ssize_t)len;
}

static int exchange(void)
{
	int fd[2], ok;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd))
		return 0;
	ok = passes(fd[0], fd[1], "GET /pair HTTP/1.1\r\nHost: soak\r\n\r\n") &&
	     passes(fd[1], fd[0], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	close(fd[0]);
	close(fd[1]);
	return ok;
}

int main(int argc, char **argv)
{
	uint64_t start = now_ns(), ticks, tick, done = 0, failed = 0;
	int each;

	if (argc != 3)
		return 2;
	ticks = (uint64_t)atoi(argv[1]) * TICKS;
	each = atoi(argv[2]) / TICKS;
	for (tick = 0; tick < ticks; tick++) {
		for (int i = 0; i < each; i++, done++)
			failed += !exchange();
		sleep_until(start + (tick + 1) * (1000000000u / TICKS));
	}
	printf("connections=%lu requests=%lu failed=%lu\n", done, done, failed);
	return failed ? 1 : 0;
}
