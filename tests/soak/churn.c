/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Processes and connections that come and go, at a fixed rate.
 *
 * usage: churn PORT SECONDS PROCESSES CONNECTIONS KEPT
 *   PROCESSES, CONNECTIONS   new ones a second; each makes one request for /1k.txt
 *   KEPT                     connections that stay open, used in turn, 500 requests a second: what a
 *                            tracer learns by a connection's second use, it has learnt of 1,000
 *                            when 4 s are over
 * Prints what it did: processes=N connections=N requests=N failed=N behind_ms=N, the last how late it ended.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICKS	 100 /* a second */
#define KEPT_USE 5   /* requests on kept connections in each of them */
#define KEPT_MAX 10000

extern char **environ;

static struct {
	uint64_t processes, connections, requests, failed;
} cnt;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* From one of 200 addresses in turn: closed connections hold their port for a minute. */
static int connected(uint16_t port)
{
	static uint32_t turn;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)},
			   from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl(0x7f000101u + turn++ % 200);
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		cnt.failed++;
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* One request and its whole answer: 1,024 bytes behind the head. */
static void request(int fd, const char *connection)
{
	char buf[4096], *body;
	size_t len = 0;
	ssize_t n;
	int sz = snprintf(buf, sizeof(buf),
			  "GET /1k.txt HTTP/1.1\r\nHost: soak\r\nConnection: %s\r\n\r\n",
			  connection);

	cnt.requests++;
	if (fd < 0 || send(fd, buf, (size_t)sz, MSG_NOSIGNAL) != sz) {
		cnt.failed++;
		return;
	}
	do {
		n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0);
		if (n <= 0) {
			cnt.failed++;
			return;
		}
		len += (size_t)n;
		buf[len] = 0;
		body = strstr(buf, "\r\n\r\n");
	} while (!body || len - (size_t)(body + 4 - buf) < 1024);
}

static void once(uint16_t port)
{
	int fd = connected(port);

	request(fd, "close");
	if (fd >= 0)
		close(fd);
}

/* A new program with a request of its own; its exit code says whether that went well. */
static void spawn(const char *self, const char *port)
{
	char *argv[] = {(char *)self, (char *)port, NULL};
	pid_t pid;

	if (posix_spawn(&pid, self, NULL, NULL, argv, environ))
		cnt.failed++;
	else
		cnt.processes++;
}

static void reap(int flags)
{
	int status;

	while (waitpid(-1, &status, flags) > 0) {
		cnt.requests++;
		cnt.failed += !!status;
	}
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000u),
			     .tv_nsec = (long)(ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int main(int argc, char **argv)
{
	static int kept[KEPT_MAX];
	uint64_t start, tick, ticks;
	uint32_t processes, connections, kept_cnt, i;
	uint16_t port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 0);

	if (argc == 2) {
		once(port);
		return cnt.failed ? 1 : 0;
	}
	if (argc != 6 || atoi(argv[5]) > KEPT_MAX)
		return 2;
	ticks = (uint64_t)atoi(argv[2]) * TICKS;
	processes = (uint32_t)atoi(argv[3]);
	connections = (uint32_t)atoi(argv[4]);
	kept_cnt = (uint32_t)atoi(argv[5]);
	for (i = 0; i < kept_cnt; i++)
		kept[i] = connected(port);
	start = now_ns();
	for (tick = 0; tick < ticks; tick++) {
		for (i = 0; i < processes / TICKS; i++)
			spawn(argv[0], argv[1]);
		for (i = 0; i < connections / TICKS; i++, cnt.connections++)
			once(port);
		for (i = 0; kept_cnt && i < KEPT_USE; i++)
			request(kept[(tick * KEPT_USE + i) % kept_cnt], "keep-alive");
		reap(WNOHANG);
		sleep_until(start + (tick + 1) * (1000000000u / TICKS));
	}
	reap(0);
	printf("processes=%lu connections=%lu requests=%lu failed=%lu behind_ms=%lu\n",
	       cnt.processes, cnt.connections, cnt.requests, cnt.failed,
	       (now_ns() - start - ticks * (1000000000u / TICKS)) / 1000000);
	return cnt.failed ? 1 : 0;
}
