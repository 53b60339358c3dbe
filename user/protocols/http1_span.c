/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What an HTTP/1.x exchange says of itself, for its span (http_span.h). */
#include "protocols/http1.h"

#include "protocols/http_span.h"

/* Where a request's target says that it goes. */
struct target {
	struct st_str scheme; /* of an absolute form, else http */
	struct st_str authority;
	struct st_str path;
};

/* scheme://authority/path, which proxies are asked for; false: the target is of another form. */
static bool split_absolute(struct st_str target, struct target *t)
{
	const char *p = target.p, *end = p + target.len, *q = memchr(p, ':', target.len);

	if (*p == '/' || *p == '*' || !q || end - q < 3 || q[1] != '/' || q[2] != '/')
		return false;
	t->scheme = st_str(p, (size_t)(q - p));
	p = q + 3;
	q = memchr(p, '/', (size_t)(end - p));
	if (!q)
		q = memchr(p, '?', (size_t)(end - p));
	if (!q)
		q = end;
	t->authority = st_str(p, (size_t)(q - p));
	t->path = st_str(q, (size_t)(end - q));
	return true;
}

/* The four forms of RFC 9112 3.2. */
static struct target split_target(const struct st_http1_head *h)
{
	struct target t = {.scheme = ST_STR("http"), .authority = h->host, .path = h->target};

	if (!h->target.len)
		return t;
	if (st_str_eq(h->method, ST_STR("CONNECT"))) {
		t.authority = h->target;
		t.path = (struct st_str){0};
	} else {
		split_absolute(h->target, &t);
	}
	return t;
}

void st_http1__span(struct st_xchg *x, struct st_span *s, struct st_str *fallback)
{
	const struct st_http1_xchg *h = st_http1_of(x);
	const struct st_http1_head *head = &h->req->head;
	struct target t = split_target(head);
	struct st_str query = st_http__take_query(&t.path);
	struct st_http_msg m = {
		.method = head->method,
		.scheme = t.scheme,
		.authority = t.authority,
		.path = t.path,
		.query = query,
		.server = t.authority,
		.user_agent = head->user_agent,
		.req_body = h->req_body,
		.resp_body = h->resp_body,
		.resp_body_known = h->resp_body_known,
		.status = h->status,
		.captured = head->captured,
	};

	if (head->version)
		m.version = head->version == 10 ? ST_STR("1.0") : ST_STR("1.1");
	m.captured_cnt = st_http1__captured(&m.keys)->cnt;
	st_http__span(x, &m, s, fallback);
}

/* Is it one that the request's head, the status and the bodies' sizes tell all of? */
static bool is_whole(const struct st_xchg *x, const struct st_http1_xchg *h)
{
	return h->req->hits && h->resp_body_known && !x->error_type.len && !x->incomplete;
}

bool st_http1__recall(struct st_xchg *x, struct st_span *s, struct st_str *fallback)
{
	const struct st_http1_xchg *h = st_http1_of(x);

	return is_whole(x, h) &&
	       st_http1_kept__recall(h->req, h->status, h->req_body, h->resp_body, s, fallback);
}

void st_http1__learn(struct st_xchg *x, const struct st_span *s, struct st_str fallback)
{
	const struct st_http1_xchg *h = st_http1_of(x);

	if (is_whole(x, h))
		st_http1_kept__learn(h->req, h->status, h->req_body, h->resp_body, s, fallback);
}
