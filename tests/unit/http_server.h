/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A small HTTP/1.1 server in a thread, for the sender's tests: keeps what it was sent and answers
 * from a script, the last answer for ever.
 */
#ifndef ST_TEST_HTTP_SERVER_H
#define ST_TEST_HTTP_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HTTP_KEEP 64

struct http_answer {
	int status;
	const char *headers; /* lines, each with its CRLF */
	const char *body;
	size_t body_len;
	int delay_ms;
};

struct http_request {
	char head[4096];
	char *body;
	size_t body_len;
	uint64_t at_ns;
};

struct http_server {
	int fd;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock; /* guards requests and cnt */
	struct http_request requests[HTTP_KEEP];
	unsigned int cnt;
	/* The accepting thread's, until it was joined. */
	pthread_t conns[HTTP_KEEP];
	int conn_fds[HTTP_KEEP];
	unsigned int conn_cnt;
	const struct http_answer *answers;
	unsigned int answer_cnt;
};

static inline uint64_t http_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void http_sleep_ms(int ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000l};

	nanosleep(&ts, NULL);
}

/* Bytes up to and with the blank line, by one read at a time; 0 when the peer is gone. */
static inline size_t http_read_head(int fd, char *p, size_t sz)
{
	size_t n = 0;

	while (n + 1 < sz) {
		if (read(fd, p + n, 1) != 1)
			return 0;
		p[++n] = '\0';
		if (n >= 4 && !memcmp(p + n - 4, "\r\n\r\n", 4))
			return n;
	}
	return 0;
}

static inline bool http_read_body(int fd, char *p, size_t len)
{
	while (len) {
		ssize_t n = read(fd, p, len);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static inline const char *http_header(const struct http_request *r, const char *name, char *out,
				      size_t sz)
{
	const char *line = strcasestr(r->head, name);

	out[0] = '\0';
	if (!line || line[strlen(name)] != ':')
		return NULL;
	line += strlen(name) + 1;
	line += strspn(line, " ");
	snprintf(out, sz, "%.*s", (int)strcspn(line, "\r"), line);
	return out;
}

static inline bool http_read_request(int fd, struct http_request *r)
{
	char len[32];

	if (!http_read_head(fd, r->head, sizeof(r->head)) ||
	    !http_header(r, "content-length", len, sizeof(len)))
		return false;
	r->at_ns = http_now_ns();
	r->body_len = strtoul(len, NULL, 10);
	r->body = malloc(r->body_len + 1);
	return r->body && http_read_body(fd, r->body, r->body_len);
}

static inline bool http_write_answer(int fd, const struct http_answer *a)
{
	char head[1024];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n%s\r\n",
			 a->status, a->body_len, a->headers ? a->headers : "");

	if (a->delay_ms)
		http_sleep_ms(a->delay_ms);
	if (send(fd, head, (size_t)n, MSG_NOSIGNAL) != n)
		return false;
	return !a->body_len || send(fd, a->body, a->body_len, MSG_NOSIGNAL) == (ssize_t)a->body_len;
}

struct http_conn {
	struct http_server *s;
	int fd;
};

static inline void *http_serve(void *arg)
{
	struct http_conn *c = arg;
	struct http_server *s = c->s;
	struct http_request r;

	memset(&r, 0, sizeof(r));
	while (http_read_request(c->fd, &r)) {
		unsigned int i;

		pthread_mutex_lock(&s->lock);
		i = s->cnt++;
		if (i < HTTP_KEEP)
			s->requests[i] = r;
		else
			free(r.body);
		pthread_mutex_unlock(&s->lock);
		r.body = NULL;
		if (!http_write_answer(c->fd,
				       &s->answers[i < s->answer_cnt ? i : s->answer_cnt - 1]))
			break;
	}
	free(r.body);
	shutdown(c->fd, SHUT_RDWR);
	free(c);
	return NULL;
}

/* Until the listening socket is shut down. */
static inline void *http_accept(void *arg)
{
	struct http_server *s = arg;

	while (s->conn_cnt < HTTP_KEEP) {
		struct http_conn *c = malloc(sizeof(*c));

		c->s = s;
		c->fd = accept(s->fd, NULL, NULL);
		if (c->fd < 0) {
			free(c);
			break;
		}
		s->conn_fds[s->conn_cnt] = c->fd;
		pthread_create(&s->conns[s->conn_cnt++], NULL, http_serve, c);
	}
	return NULL;
}

/* port 0: any. Returns false when it cannot listen. */
static inline bool http_start(struct http_server *s, uint16_t port, const struct http_answer *a,
			      unsigned int answer_cnt)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t len = sizeof(sin);
	int on = 1;

	memset(s, 0, sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	s->answers = a;
	s->answer_cnt = answer_cnt;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s->fd, (struct sockaddr *)&sin, sizeof(sin)) || listen(s->fd, 16))
		return false;
	getsockname(s->fd, (struct sockaddr *)&sin, &len);
	s->port = ntohs(sin.sin_port);
	return !pthread_create(&s->thread, NULL, http_accept, s);
}

static inline void http_stop(struct http_server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	for (unsigned int i = 0; i < s->conn_cnt; i++) {
		shutdown(s->conn_fds[i], SHUT_RDWR);
		pthread_join(s->conns[i], NULL);
		close(s->conn_fds[i]);
	}
	for (unsigned int i = 0; i < HTTP_KEEP; i++)
		free(s->requests[i].body);
}

static inline unsigned int http_cnt(struct http_server *s)
{
	unsigned int n;

	pthread_mutex_lock(&s->lock);
	n = s->cnt;
	pthread_mutex_unlock(&s->lock);
	return n;
}

#endif
