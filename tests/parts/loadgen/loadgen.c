// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * loadgen [-c CONNECTIONS] [-n REQUESTS] [-u PREFIX] [-o FILE] PORT
 *
 * Makes exactly REQUESTS keep-alive GET requests of PREFIX0, PREFIX1, ... on 127.0.0.1:PORT and waits for each
 * answer, so its count is the truth that a tracer's count is held against; a generator that stops by
 * time leaves an unknown number of requests in flight. Prints one line of JSON. FILE gets one line per request:
 * its number, and the nanoseconds from before its first byte was sent until after its last byte was read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX   1024
#define HEAD_SZ_MAX 8192

struct conn {
	int fd;
	uint32_t request; /* number of the request on its way */
	uint64_t start_ns;
	size_t head_sz;	      /* bytes of the answer's head so far */
	int64_t body_left_sz; /* -1 while the head is incomplete */
	int last;	      /* the server closes after this answer */
	char head[HEAD_SZ_MAX];
};

struct load {
	const char *prefix;
	struct sockaddr_in server;
	uint32_t requests_cnt;
	uint32_t started_cnt;
	uint32_t done_cnt;
	uint32_t failed_cnt;
	uint64_t body_sz;
	uint64_t *took_ns;
	int epoll;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void conn_open(struct load *load, struct conn *conn)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
	int one = 1;

	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		die("socket");
	if (connect(conn->fd, (struct sockaddr *)&load->server, sizeof(load->server)))
		die("connect");
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, conn->fd, &event))
		die("epoll_ctl");
	conn->last = 0;
}

/* Sends the next request, if one is left; 0, or -errno when the connection refuses it. */
static int conn_request(struct load *load, struct conn *conn)
{
	char text[512];
	int len;

	conn->head_sz = 0;
	conn->body_left_sz = -1;
	conn->request = load->started_cnt++;
	len = snprintf(text, sizeof(text), "GET %s%u HTTP/1.1\r\nHost: localhost:%u\r\n\r\n",
		       load->prefix, conn->request, ntohs(load->server.sin_port));
	conn->start_ns = now_ns();
	return send(conn->fd, text, (size_t)len, MSG_NOSIGNAL) == len ? 0 : -errno;
}

static void conn_next(struct load *load, struct conn *conn)
{
	while (load->started_cnt < load->requests_cnt) {
		if (conn->fd < 0)
			conn_open(load, conn);
		if (!conn_request(load, conn))
			return;
		load->failed_cnt++;
		close(conn->fd);
		conn->fd = -1;
	}
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
}

static void conn_failed(struct load *load, struct conn *conn)
{
	load->failed_cnt++;
	close(conn->fd);
	conn->fd = -1;
	conn_next(load, conn);
}

static void conn_done(struct load *load, struct conn *conn)
{
	load->took_ns[conn->request] = now_ns() - conn->start_ns;
	load->done_cnt++;
	if (conn->last) {
		close(conn->fd);
		conn->fd = -1;
	}
	conn_next(load, conn);
}

/* The end of the head, or NULL. A head that is not "200 with a Content-Length" makes body_left_sz -2. */
static char *head_parse(struct conn *conn)
{
	char *end, *length;

	conn->head[conn->head_sz] = '\0';
	end = strstr(conn->head, "\r\n\r\n");
	if (!end)
		return NULL;
	*end = '\0';
	length = strcasestr(conn->head, "\r\nContent-Length:");
	conn->body_left_sz = -2;
	if (!strncmp(conn->head, "HTTP/1.1 200", 12) && length)
		conn->body_left_sz = strtoll(length + 17, NULL, 10);
	conn->last = strcasestr(conn->head, "\r\nConnection: close") != NULL;
	return end + 4;
}

/* Takes what one read brought; 0 to go on, -EPROTO when the answer cannot be understood. */
static int conn_feed(struct load *load, struct conn *conn, const char *data, size_t data_sz)
{
	size_t before_sz = conn->head_sz;

	if (conn->body_left_sz < 0) {
		size_t copy_sz = data_sz;
		char *end;

		if (copy_sz > HEAD_SZ_MAX - 1 - conn->head_sz)
			copy_sz = HEAD_SZ_MAX - 1 - conn->head_sz;
		memcpy(conn->head + conn->head_sz, data, copy_sz);
		conn->head_sz += copy_sz;
		end = head_parse(conn);
		if (!end)
			return conn->head_sz < HEAD_SZ_MAX - 1 ? 0 : -EPROTO;
		if (conn->body_left_sz < 0)
			return -EPROTO;
		load->body_sz += (uint64_t)conn->body_left_sz;
		data_sz -= (size_t)(end - conn->head) - before_sz;
	}
	if ((int64_t)data_sz > conn->body_left_sz)
		return -EPROTO;
	conn->body_left_sz -= (int64_t)data_sz;
	return 0;
}

static void conn_readable(struct load *load, struct conn *conn)
{
	static char data[256 * 1024];
	ssize_t got = recv(conn->fd, data, sizeof(data), 0);

	if (got <= 0 || conn_feed(load, conn, data, (size_t)got))
		conn_failed(load, conn);
	else if (!conn->body_left_sz)
		conn_done(load, conn);
}

static void run(struct load *load, struct conn *conns, int conns_cnt)
{
	struct epoll_event events[64];

	for (int i = 0; i < conns_cnt; i++) {
		conns[i].fd = -1;
		conn_next(load, &conns[i]);
	}
	while (load->done_cnt + load->failed_cnt < load->requests_cnt) {
		int cnt = epoll_wait(load->epoll, events, 64, 20000);

		if (cnt == 0) {
			errno = ETIMEDOUT;
			die("no answer for 20 s");
		}
		for (int i = 0; i < cnt; i++)
			conn_readable(load, events[i].data.ptr);
	}
}

static int took_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void write_times(const struct load *load, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		die(path);
	for (uint32_t i = 0; i < load->requests_cnt; i++)
		fprintf(file, "%u %llu\n", i, (unsigned long long)load->took_ns[i]);
	if (fclose(file))
		die(path);
}

static void report(struct load *load, uint64_t took_ns)
{
	uint64_t *t = load->took_ns;
	uint32_t n = load->requests_cnt;

	qsort(t, n, sizeof(*t), took_cmp);
	printf("{\"requests\":%u,\"failed\":%u,\"body_sz\":%llu,\"seconds\":%.6f,\"p50_ns\":%llu,"
	       "\"p90_ns\":%llu,\"p99_ns\":%llu,\"max_ns\":%llu}\n",
	       load->done_cnt, load->failed_cnt, (unsigned long long)load->body_sz,
	       (double)took_ns / 1e9, (unsigned long long)t[n / 2],
	       (unsigned long long)t[n - n / 10 - 1], (unsigned long long)t[n - n / 100 - 1],
	       (unsigned long long)t[n - 1]);
}

int main(int argc, char **argv)
{
	struct load load = {
		.prefix = "/items/", .requests_cnt = 1000, .server.sin_family = AF_INET};
	const char *times_path = NULL;
	int opt, conns_cnt = 16;
	struct conn *conns;
	uint64_t start_ns;

	while ((opt = getopt(argc, argv, "c:n:u:o:")) != -1) {
		if (opt == 'c')
			conns_cnt = atoi(optarg);
		else if (opt == 'n')
			load.requests_cnt = (uint32_t)strtoul(optarg, NULL, 10);
		else if (opt == 'u' && strlen(optarg) < 256)
			load.prefix = optarg;
		else if (opt == 'o')
			times_path = optarg;
		else
			return 2;
	}
	if (optind != argc - 1 || conns_cnt < 1 || conns_cnt > CONNS_MAX || !load.requests_cnt)
		return 2;
	load.server.sin_port = htons((uint16_t)atoi(argv[optind]));
	load.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	load.took_ns = calloc(load.requests_cnt, sizeof(*load.took_ns));
	conns = calloc((size_t)conns_cnt, sizeof(*conns));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!load.took_ns || !conns || load.epoll < 0)
		die("start");
	start_ns = now_ns();
	run(&load, conns, conns_cnt);
	start_ns = now_ns() - start_ns;
	if (times_path)
		write_times(&load, times_path);
	report(&load, start_ns);
	free(load.took_ns);
	free(conns);
	return load.failed_cnt != 0;
}
