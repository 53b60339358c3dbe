/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What web servers and applications write on FastCGI connections. */
#ifndef ST_TEST_FCGI_BYTES_H
#define ST_TEST_FCGI_BYTES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BEGIN = 1, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, VALUES, UNKNOWN };

#define FCGI_MAX 400000u

struct fcgi {
	size_t n;
	uint8_t b[FCGI_MAX];
};

static inline void fcgi_put(struct fcgi *f, const void *p, size_t n)
{
	if (n > FCGI_MAX - f->n)
		abort();
	if (p)
		memcpy(f->b + f->n, p, n);
	else
		memset(f->b + f->n, 'x', n);
	f->n += n;
}

static inline void fcgi_header(struct fcgi *f, int type, int id, size_t len, size_t pad)
{
	const uint8_t h[8] = {1,
			      (uint8_t)type,
			      (uint8_t)(id >> 8),
			      (uint8_t)id,
			      (uint8_t)(len >> 8),
			      (uint8_t)len,
			      (uint8_t)pad,
			      0};

	fcgi_put(f, h, sizeof(h));
}

/* p NULL: some bytes. Padded to eight, as most do. */
static inline void fcgi_rec(struct fcgi *f, int type, int id, const void *p, size_t len)
{
	size_t pad = (8 - len % 8) % 8;

	fcgi_header(f, type, id, len, pad);
	fcgi_put(f, p, len);
	fcgi_put(f, "\0\0\0\0\0\0\0", pad);
}

static inline void fcgi_begin(struct fcgi *f, int id, int keep)
{
	const uint8_t body[8] = {0, 1, (uint8_t)keep};

	fcgi_rec(f, BEGIN, id, body, sizeof(body));
}

static inline size_t fcgi_len(uint8_t *to, size_t n)
{
	if (n < 0x80) {
		*to = (uint8_t)n;
		return 1;
	}
	to[0] = (uint8_t)(0x80 | n >> 24);
	to[1] = (uint8_t)(n >> 16);
	to[2] = (uint8_t)(n >> 8);
	to[3] = (uint8_t)n;
	return 4;
}

/* A name and a value behind the others at *at. */
static inline void fcgi_pair(uint8_t *to, size_t *at, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	*at += fcgi_len(to + *at, n);
	*at += fcgi_len(to + *at, v);
	memcpy(to + *at, name, n);
	memcpy(to + *at + n, value, v);
	*at += n + v;
}

/* The variables of a request as nginx sends them. */
static inline size_t fcgi_variables(uint8_t *to, const char *method, const char *uri)
{
	size_t n = 0;

	fcgi_pair(to, &n, "QUERY_STRING", "");
	fcgi_pair(to, &n, "REQUEST_METHOD", method);
	fcgi_pair(to, &n, "SCRIPT_NAME", "/index.php");
	fcgi_pair(to, &n, "REQUEST_URI", uri);
	fcgi_pair(to, &n, "REQUEST_SCHEME", "http");
	fcgi_pair(to, &n, "SERVER_PORT", "8081");
	fcgi_pair(to, &n, "SERVER_NAME", "_");
	fcgi_pair(to, &n, "HTTP_HOST", "shop");
	fcgi_pair(to, &n, "HTTP_USER_AGENT", "t/1");
	return n;
}

/* BEGIN_REQUEST and PARAMS. */
static inline void fcgi_ask_head(struct fcgi *f, int id, int keep, const char *method,
				 const char *uri)
{
	uint8_t vars[2048];
	size_t n = fcgi_variables(vars, method, uri);

	fcgi_begin(f, id, keep);
	fcgi_rec(f, PARAMS, id, vars, n);
	fcgi_rec(f, PARAMS, id, NULL, 0);
}

/* A whole request with a body of that size. */
static inline void fcgi_ask(struct fcgi *f, int id, int keep, const char *method, const char *uri,
			    size_t body)
{
	fcgi_ask_head(f, id, keep, method, uri);
	for (size_t n; body; body -= n) {
		n = body < 32768 ? body : 32768;
		fcgi_rec(f, STDIN, id, NULL, n);
	}
	fcgi_rec(f, STDIN, id, NULL, 0);
}

static inline void fcgi_get(struct fcgi *f, int id, int keep, const char *uri)
{
	fcgi_ask(f, id, keep, "GET", uri, 0);
}

static inline void fcgi_end(struct fcgi *f, int id, int protocol_status)
{
	const uint8_t body[8] = {0, 0, 0, 0, (uint8_t)protocol_status};

	fcgi_rec(f, END, id, body, sizeof(body));
}

/* One record with the head and a body of that size, then END_REQUEST. */
static inline void fcgi_answer(struct fcgi *f, int id, const char *head, size_t body)
{
	size_t n = strlen(head), pad = (8 - (n + body) % 8) % 8;

	fcgi_header(f, STDOUT, id, n + body, pad);
	fcgi_put(f, head, n);
	fcgi_put(f, NULL, body);
	fcgi_put(f, "\0\0\0\0\0\0\0", pad);
	fcgi_end(f, id, 0);
}

#define FCGI_OK "X-Powered-By: PHP\r\nContent-type: text/html; charset=UTF-8\r\n\r\n"

static inline const char *fcgi_status(char *to, size_t sz, int status)
{
	snprintf(to, sz, "Status: %d Word\r\nContent-type: text/plain\r\n\r\n", status);
	return to;
}

#endif
