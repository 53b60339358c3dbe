/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* As much HTTP as the C and C++ apps of this folder need: blocking sockets, no bodies in requests. */
#ifndef HTTP_H
#define HTTP_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_SZ 4096

struct request {
	char mode[32];	/* of /MODE/iN */
	char id[32];	/* iN */
	char path[256]; /* all of it; under /b/ only a chain's has its mode and id above */
	int keep;	/* the connection stays open after the answer */
};

/* What a connection has read: requests may come pipelined. */
struct reader {
	int fd;
	size_t sz;
	char buf[HEAD_SZ + 1];
};

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Loopback, or the address in that variable of the environment. */
static inline struct sockaddr_in address(const char *variable, int port)
{
	struct sockaddr_in addr;

	memset(&addr, 0, sizeof(addr));
	addr.sin_family = AF_INET;
	addr.sin_port = htons((unsigned short)port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (getenv(variable))
		addr.sin_addr.s_addr = inet_addr(getenv(variable));
	return addr;
}

static inline int listen_on(int port)
{
	struct sockaddr_in addr = address("LISTEN_ON", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	signal(SIGPIPE, SIG_IGN);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 256))
		die("listen");
	return fd;
}

static inline int accept_one(int listener)
{
	int fd = accept(listener, NULL, NULL), one = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static inline int connect_to(int port)
{
	struct sockaddr_in addr = address("BACKEND_ON", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* The next head, without its empty line, in `head`; 0, or -1 at the end of the connection. Reads only if it must. */
static inline int read_head(struct reader *in, char head[HEAD_SZ + 1])
{
	char *end;
	size_t sz;
	ssize_t n;

	for (;;) {
		in->buf[in->sz] = 0;
		end = strstr(in->buf, "\r\n\r\n");
		if (end)
			break;
		n = in->sz < HEAD_SZ ? read(in->fd, in->buf + in->sz, HEAD_SZ - in->sz) : 0;
		if (n <= 0)
			return -1;
		in->sz += (size_t)n;
	}
	sz = (size_t)(end - in->buf);
	memcpy(head, in->buf, sz);
	head[sz] = 0;
	in->sz -= sz + 4;
	memmove(in->buf, end + 4, in->sz);
	return 0;
}

static inline int read_request(struct reader *in, struct request *req)
{
	char head[HEAD_SZ + 1];

	memset(req, 0, sizeof(*req));
	if (read_head(in, head) || sscanf(head, "GET %255s", req->path) != 1)
		return -1;
	req->keep = !strcasestr(head, "\r\nConnection: close") && !strstr(head, " HTTP/1.0");
	sscanf(req->path + (strncmp(req->path, "/b/chain/", 9) ? 0 : 2), "/%31[^/]/%31[^/]",
	       req->mode, req->id);
	return 0;
}

static inline void send_all(int fd, const char *text, size_t sz)
{
	while (sz > 0) {
		ssize_t n = send(fd, text, sz, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		sz -= (size_t)n;
	}
}

static inline void answer_status(int fd, const char *status, const char *body, int keep)
{
	char text[1024];
	int sz = snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s",
			  status, strlen(body), keep ? "" : "Connection: close\r\n", body);

	send_all(fd, text, (size_t)sz);
}

static inline void answer(int fd, const struct request *req)
{
	answer_status(fd, "200 OK", req->id, req->keep);
}

static inline void send_get(int fd, int port, const char *path)
{
	char text[512];
	int sz = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path,
			  port);

	send_all(fd, text, (size_t)sz);
}

/* The whole answer: its status, or -1. */
static inline int read_answer(int fd)
{
	struct reader in;
	char head[HEAD_SZ + 1], *field;
	size_t left;

	in.fd = fd;
	in.sz = 0;
	if (read_head(&in, head))
		return -1;
	field = strcasestr(head, "\r\nContent-Length:");
	left = field ? strtoul(field + 17, NULL, 10) : 0;
	for (left -= in.sz < left ? in.sz : left; left > 0;) {
		ssize_t n = read(fd, in.buf, left < HEAD_SZ ? left : HEAD_SZ);

		if (n <= 0)
			return -1;
		left -= (size_t)n;
	}
	return atoi(head + 9);
}

static inline int ask(int fd, int port, const char *path)
{
	send_get(fd, port, path);
	return read_answer(fd);
}

/* The path of a request's call number k: /b/MODE/iN/K, or /b/MODE/iN/J.K when the request is the call J itself. */
static inline void path_below(const struct request *req, int k, char path[300])
{
	if (strncmp(req->path, "/b/", 3))
		snprintf(path, 300, "/b%s/%d", req->path, k);
	else
		snprintf(path, 300, "%s.%d", req->path, k);
}

/* A call for a request on a connection of its own. */
static inline void call(int port, const struct request *req, int k)
{
	char path[300];
	int fd = connect_to(port);

	path_below(req, k, path);
	if (ask(fd, port, path) != 200)
		fprintf(stderr, "%s: no good answer\n", path);
	close(fd);
}

static inline int is_leaf(const struct request *req)
{
	return !strcmp(req->mode, "b");
}

#endif
