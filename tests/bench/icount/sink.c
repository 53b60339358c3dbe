// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * OTLP/HTTP receiver that counts: POST /v1/traces (protobuf, not compressed) on
 * 127.0.0.1, GET /count. One thread, so that it disturbs the count little.
 *
 * usage: sink PORT PATH
 * /count prints: server=N client=N other=N broken=N posts=N bytes=N
 *   server, client   spans of that kind whose url.path is, or url.full ends in, PATH
 *   other            all other spans (the export's own requests among them)
 *   broken           posts that are no protobuf or have no length: nothing of them counts
 * Field numbers: opentelemetry-proto, trace/v1/trace.proto and common/v1/common.proto.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONN_MAX    64
#define MESSAGE_MAX (32u << 20)

struct counts {
	unsigned long long server, client, other, broken, posts, bytes;
};

struct slice {
	const uint8_t *at, *end;
};

struct conn {
	char *buf;
	size_t sz, cap;
};

static struct counts total;
static const char *wanted_path;

/* ---- protobuf ---- */

static bool get_varint(struct slice *in, uint64_t *value)
{
	unsigned int shift;

	*value = 0;
	for (shift = 0; shift < 64 && in->at < in->end; shift += 7) {
		*value |= (uint64_t)(*in->at & 0x7f) << shift;
		if (!(*in->at++ & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct slice *in, uint64_t sz)
{
	if (sz > (uint64_t)(in->end - in->at))
		return false;
	in->at += sz;
	return true;
}

/* One field: bytes in `body` (wire type 2) or `value` (type 0); false when malformed. */
static bool get_field(struct slice *in, uint64_t *number, struct slice *body, uint64_t *value)
{
	uint64_t tag, sz;

	body->at = body->end = NULL;
	*value = 0;
	if (!get_varint(in, &tag) || !(tag >> 3))
		return false;
	*number = tag >> 3;
	switch (tag & 7) {
	case 0:
		return get_varint(in, value);
	case 1:
		return skip(in, 8);
	case 2:
		if (!get_varint(in, &sz) || !skip(in, sz))
			return false;
		body->at = in->at - sz;
		body->end = in->at;
		return true;
	case 5:
		return skip(in, 4);
	default:
		return false;
	}
}

static bool equals(struct slice s, const char *text)
{
	return (size_t)(s.end - s.at) == strlen(text) && !memcmp(s.at, text, strlen(text));
}

static bool ends_in(struct slice s, const char *text)
{
	size_t sz = strlen(text);

	return (size_t)(s.end - s.at) >= sz && !memcmp(s.end - sz, text, sz);
}

/* KeyValue: key = 1, value = 2 (AnyValue: string_value = 1). */
static bool read_attribute(struct slice in, bool *matches)
{
	struct slice body, key = {0}, any = {0}, text = {0};
	uint64_t number, value;

	while (in.at < in.end) {
		if (!get_field(&in, &number, &body, &value))
			return false;
		if (number == 1)
			key = body;
		else if (number == 2)
			any = body;
	}
	while (any.at < any.end) {
		if (!get_field(&any, &number, &body, &value))
			return false;
		if (number == 1)
			text = body;
	}
	if (key.at && text.at)
		*matches |= (equals(key, "url.path") && equals(text, wanted_path)) ||
			    (equals(key, "url.full") && ends_in(text, wanted_path));
	return true;
}

/* Span: kind = 6 (SERVER 2, CLIENT 3), attributes = 9. */
static bool read_span(struct slice in, struct counts *counts)
{
	uint64_t number, value, kind = 0;
	struct slice body;
	bool matches = false;

	while (in.at < in.end) {
		if (!get_field(&in, &number, &body, &value))
			return false;
		if (number == 6)
			kind = value;
		else if (number == 9 && !read_attribute(body, &matches))
			return false;
	}
	if (matches && kind == 2)
		counts->server++;
	else if (matches && kind == 3)
		counts->client++;
	else
		counts->other++;
	return true;
}

/* request.resource_spans = 1, resource_spans.scope_spans = 2, scope_spans.spans = 2. */
static bool read_level(struct slice in, int level, struct counts *counts)
{
	static const uint64_t field[] = {1, 2, 2};
	uint64_t number, value;
	struct slice body;

	if (level == 3)
		return read_span(in, counts);
	while (in.at < in.end) {
		if (!get_field(&in, &number, &body, &value))
			return false;
		if (number == field[level] && !read_level(body, level + 1, counts))
			return false;
	}
	return true;
}

static void count_post(const char *body, size_t sz)
{
	struct slice in = {(const uint8_t *)body, (const uint8_t *)body + sz};
	struct counts counts = {0};

	total.posts++;
	total.bytes += sz;
	if (!read_level(in, 0, &counts)) {
		total.broken++;
		return;
	}
	total.server += counts.server;
	total.client += counts.client;
	total.other += counts.other;
}

/* ---- HTTP ---- */

static void reply(int fd, const char *status, const char *type, const char *body)
{
	char out[512];
	int sz = snprintf(out, sizeof(out),
			  "HTTP/1.1 %s\r\nContent-Type: %s\r\n"
			  "Content-Length: %zu\r\n\r\n%s",
			  status, type, strlen(body), body);

	if (send(fd, out, (size_t)sz, MSG_NOSIGNAL) != sz)
		fprintf(stderr, "sink: a reply was not taken\n");
}

static void reply_count(int fd)
{
	char line[256];

	snprintf(line, sizeof(line),
		 "server=%llu client=%llu other=%llu broken=%llu posts=%llu bytes=%llu\n",
		 total.server, total.client, total.other, total.broken, total.posts, total.bytes);
	reply(fd, "200 OK", "text/plain", line);
}

/* A header's value in a NUL-terminated head, or NULL. */
static const char *header(const char *head, const char *name)
{
	const char *line = strcasestr(head, name);

	return line ? line + strlen(name) : NULL;
}

static void answer(int fd, const char *head, const char *body, size_t body_sz)
{
	if (!strncmp(head, "GET /count ", 11)) {
		reply_count(fd);
	} else if (strncmp(head, "POST /v1/traces ", 16)) {
		reply(fd, "404 Not Found", "text/plain", "");
	} else if (!header(head, "\r\ncontent-length:") || header(head, "\r\ncontent-encoding:")) {
		total.broken++;
		reply(fd, "415 Unsupported Media Type", "text/plain", "");
	} else {
		count_post(body, body_sz);
		reply(fd, "200 OK", "application/x-protobuf", "");
	}
}

/* Takes one whole request off the buffer; false when it is not there yet. */
static bool take_request(int fd, struct conn *conn)
{
	char *end = conn->sz ? memmem(conn->buf, conn->sz, "\r\n\r\n", 4) : NULL;
	const char *length, *expect;
	size_t head_sz, body_sz;

	if (!end)
		return false;
	head_sz = (size_t)(end + 4 - conn->buf);
	end[2] = '\0';
	length = header(conn->buf, "\r\ncontent-length:");
	expect = header(conn->buf, "\r\nexpect: 100-continue");
	body_sz = length ? strtoul(length, NULL, 10) : 0;
	if (conn->sz - head_sz < body_sz) {
		/* Said once: the body has not begun yet. */
		if (expect && conn->sz == head_sz)
			send(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
		end[2] = '\r';
		return false;
	}
	answer(fd, conn->buf, conn->buf + head_sz, body_sz);
	conn->sz -= head_sz + body_sz;
	memmove(conn->buf, conn->buf + head_sz + body_sz, conn->sz);
	return true;
}

/* 0, or -errno when the connection is over. */
static int feed(int fd, struct conn *conn)
{
	ssize_t n;

	if (conn->cap - conn->sz < 65536) {
		char *buf =
			conn->cap < MESSAGE_MAX ? realloc(conn->buf, conn->cap + (1u << 20)) : NULL;

		if (!buf)
			return -ENOMEM;
		conn->buf = buf;
		conn->cap += 1u << 20;
	}
	n = recv(fd, conn->buf + conn->sz, conn->cap - conn->sz, 0);
	if (n <= 0)
		return n ? -errno : -EPIPE;
	conn->sz += (size_t)n;
	while (take_request(fd, conn))
		;
	return 0;
}

static int listen_on(int port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, CONN_MAX))
		return -errno;
	return fd;
}

/* Slot 0 listens; a closed connection's slot takes the last one's place. */
static void serve(struct pollfd *fds, struct conn *conns)
{
	int cnt = 1, i;

	while (poll(fds, (nfds_t)cnt, -1) > 0) {
		for (i = cnt - 1; i > 0; i--) {
			if (!fds[i].revents || !feed(fds[i].fd, &conns[i]))
				continue;
			close(fds[i].fd);
			free(conns[i].buf);
			cnt--;
			fds[i] = fds[cnt];
			conns[i] = conns[cnt];
		}
		if (fds[0].revents && cnt < CONN_MAX) {
			fds[cnt].fd = accept(fds[0].fd, NULL, NULL);
			fds[cnt].events = POLLIN;
			memset(&conns[cnt], 0, sizeof(conns[cnt]));
			if (fds[cnt].fd >= 0)
				cnt++;
		}
	}
}

int main(int argc, char **argv)
{
	static struct pollfd fds[CONN_MAX];
	static struct conn conns[CONN_MAX];

	if (argc != 3) {
		fprintf(stderr, "usage: sink PORT PATH\n");
		return 2;
	}
	wanted_path = argv[2];
	fds[0].fd = listen_on(atoi(argv[1]));
	fds[0].events = POLLIN;
	if (fds[0].fd < 0) {
		fprintf(stderr, "sink: port %s: %s\n", argv[1], strerror(-fds[0].fd));
		return 1;
	}
	serve(fds, conns);
	return 1;
}
