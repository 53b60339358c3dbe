// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * HTTP by each system call that moves bytes: `calls IN OUT serve PORT` answers each request with two
 * bytes (for a path with "big" in it: with BIG of them), `calls IN OUT get PORT PATH...` makes
 * them on one connection, `calls - - proxy PORT UPSTREAM` moves bytes between two sockets by splice(2) alone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define IN_SZ	4096
#define HEAD_SZ (2 * IN_SZ + 1)
#define BIG	(3 << 20)

static const char *in, *out;
static char buf[IN_SZ + 1];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void wait_for(int fd, short events)
{
	struct pollfd p = {fd, events, 0};

	poll(&p, 1, -1);
}

/* Two buffers, so that the bytes lie in more than one. */
static int by_vectors(int fd)
{
	struct iovec v[2] = {{buf, 9}, {buf + 9, IN_SZ - 9}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	struct mmsghdr mm[2] = {{.msg_hdr = m}};
	int n;

	if (!strcmp(in, "readv"))
		return (int)readv(fd, v, 2);
	if (!strcmp(in, "preadv2"))
		return (int)preadv2(fd, v, 2, -1, 0);
	if (!strcmp(in, "recvmsg"))
		return (int)recvmsg(fd, &m, 0);
	n = recvmmsg(fd, mm, 1, 0, NULL);
	return n < 0 ? n : (int)mm[0].msg_len;
}

static int receive(int fd)
{
	if (!strcmp(in, "read"))
		return (int)read(fd, buf, IN_SZ);
	if (!strcmp(in, "recv"))
		return (int)recv(fd, buf, IN_SZ, 0);
	if (!strcmp(in, "peek")) {
		if (recv(fd, buf, IN_SZ, MSG_PEEK) <= 0)
			return 0;
		memset(buf, 'x', IN_SZ);
		return (int)recv(fd, buf, IN_SZ, 0);
	}
	if (!strcmp(in, "poll")) {
		wait_for(fd, POLLIN);
		return (int)recv(fd, buf, IN_SZ, MSG_DONTWAIT);
	}
	return by_vectors(fd);
}

static void send_vectors(int fd, const char *p, size_t len)
{
	struct iovec v[2] = {{(char *)p, 5}, {(char *)p + 5, len - 5}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	/* A message of its own for each of the two parts. */
	struct mmsghdr mm[2] = {{.msg_hdr = {.msg_iov = v, .msg_iovlen = 1}},
				{.msg_hdr = {.msg_iov = v + 1, .msg_iovlen = 1}}};
	ssize_t n = 0;

	if (!strcmp(out, "writev"))
		n = writev(fd, v, 2);
	else if (!strcmp(out, "pwritev2"))
		n = pwritev2(fd, v, 2, -1, 0);
	else if (!strcmp(out, "sendmsg"))
		n = sendmsg(fd, &m, 0);
	else if (sendmmsg(fd, mm, 2, 0) == 2)
		n = (ssize_t)(mm[0].msg_len + mm[1].msg_len);
	if (n != (ssize_t)len)
		fail(out);
}

/* The kernel's own ways: the bytes are no memory of ours at the send. */
static void send_pages(int fd, const char *p, size_t len)
{
	int from[2] = {-1, -1};
	size_t part;
	ssize_t n;

	if (!strcmp(out, "sendfile")) {
		from[0] = memfd_create("body", 0);
		if (write(from[0], p, len) != (ssize_t)len || lseek(from[0], 0, SEEK_SET))
			fail("memfd");
		n = sendfile(fd, from[0], NULL, len);
	} else {
		if (pipe(from))
			fail("pipe");
		for (n = 0; (size_t)n < len; n += (ssize_t)part) {
			part = len - (size_t)n < 16384 ? len - (size_t)n : 16384;
			if (write(from[1], p + n, part) != (ssize_t)part ||
			    splice(from[0], NULL, fd, NULL, part, 0) != (ssize_t)part)
				fail("splice");
		}
		close(from[1]);
	}
	close(from[0]);
	if (n != (ssize_t)len)
		fail(out);
}

/* As much as there is room for, again and again: most calls accept a part of what they ask for. */
static void send_parts(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len) {
		n = send(fd, p, len, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			fail("send");
		if (n < 0)
			wait_for(fd, POLLOUT);
		if (n < 0)
			continue;
		p += n;
		len -= (size_t)n;
	}
}

static void send_all(int fd, const char *p, size_t len)
{
	if (!strcmp(out, "write") || !strcmp(out, "send") || !strcmp(out, "oob")) {
		/* A byte out of band is none of the stream's (tcp(7)). */
		if (!strcmp(out, "oob") && send(fd, "!", 1, MSG_OOB) != 1)
			fail("oob");
		if ((*out == 'w' ? write(fd, p, len) : send(fd, p, len, 0)) != (ssize_t)len)
			fail(out);
	} else if (!strcmp(out, "parts")) {
		send_parts(fd, p, len);
	} else if (!strcmp(out, "sendfile") || !strcmp(out, "splice")) {
		send_pages(fd, p, len);
	} else {
		send_vectors(fd, p, len);
	}
}

/* A whole head into `head`; 0 at the end. Behind it nothing but `body` bytes may follow. */
static int read_head(int fd, char *head, size_t body)
{
	size_t len = 0, want = 0;
	char *end;
	int n;

	do {
		n = receive(fd);
		if (n <= 0)
			return 0;
		if (len < IN_SZ) {
			memcpy(head + len, buf, (size_t)n);
			head[len + (size_t)n] = 0;
		}
		len += (size_t)n;
		end = want ? NULL : strstr(head, "\r\n\r\n");
		if (end)
			want = (size_t)(end + 4 - head) + body;
	} while (!want || len < want);
	return 1;
}

static int sock_of(const char *port, int listening)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((unsigned short)atoi(port))};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (listening ? bind(fd, (void *)&at, sizeof(at)) || listen(fd, 16)
		      : connect(fd, (void *)&at, sizeof(at)))
		fail(port);
	return fd;
}

static void serve(const char *port)
{
	static char head[HEAD_SZ], answer[BIG + 64];
	int listener = sock_of(port, 1), fd, n;
	size_t body;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		while (read_head(fd, head, 0)) {
			body = strstr(head, "big") ? BIG : 2;
			n = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);
			memset(answer + n, 'o', body);
			send_all(fd, answer, (size_t)n + body);
		}
		close(fd);
	}
}

static int get(const char *port, char **paths)
{
	int fd = sock_of(port, 0), n;
	char head[HEAD_SZ], text[1024];

	for (; *paths; paths++) {
		n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: shop.example\r\n\r\n",
			     *paths);
		send_all(fd, text, (size_t)n);
		if (!read_head(fd, head, strstr(*paths, "big") ? BIG : 2))
			return 1;
	}
	return 0;
}

/* From one socket to the other by way of a pipe; 0 at its end. */
static int move(int from, int to, const int pipes[2])
{
	ssize_t n = splice(from, NULL, pipes[1], NULL, 65536, SPLICE_F_MOVE);

	for (ssize_t done, left = n; left > 0; left -= done) {
		done = splice(pipes[0], NULL, to, NULL, (size_t)left, SPLICE_F_MOVE);
		if (done <= 0)
			return 0;
	}
	return n > 0;
}

static void proxy(const char *port, const char *upstream)
{
	int listener = sock_of(port, 1), pipes[2], up, go;
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (pipe(pipes))
		fail("pipe");
	for (;;) {
		p[0].fd = accept(listener, NULL, NULL);
		p[1].fd = up = sock_of(upstream, 0);
		for (go = 1; go && poll(p, 2, -1) > 0;) {
			if (p[0].revents)
				go = move(p[0].fd, up, pipes);
			if (go && p[1].revents)
				go = move(up, p[0].fd, pipes);
		}
		close(p[0].fd);
		close(up);
	}
}

int main(int argc, char **argv)
{
	if (argc < 5)
		return 2;
	in = argv[1];
	out = argv[2];
	if (!strcmp(argv[3], "proxy"))
		proxy(argv[4], argv[5]);
	if (!strcmp(argv[3], "serve"))
		serve(argv[4]);
	return get(argv[4], argv + 5);
}
