/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Name and attributes of an HTTP exchange by OpenTelemetry's HTTP semantic conventions
 * (docs/http/http-spans.md, stable).
 */
#include "protocols/http1.h"

#include "lib/route.h"

/* Everything of the span that is not the exchange's own bytes; one thread, one span at a time. */
static struct {
	char name[16 + 1 + ST_ROUTE_MAX];
	char full[4096];
	char query[1024];
	char status[4];
} out;

/* RFC 9110 methods and PATCH (RFC 5789), as the conventions say; others are _OTHER. */
static bool known_method(struct st_str m)
{
	static const struct st_str known[] = {
		{"GET", 3},	{"POST", 4},  {"PUT", 3},     {"DELETE", 6}, {"HEAD", 4},
		{"OPTIONS", 7}, {"PATCH", 5}, {"CONNECT", 7}, {"TRACE", 5},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (st_str_eq(m, known[i]))
			return true;
	return false;
}

struct target {
	struct st_str scheme; /* of an absolute form, else http */
	struct st_str authority;
	struct st_str path;
	struct st_str query;
};

/* The four forms of RFC 9112 3.2. */
static struct target split_target(const struct st_http1_head *h)
{
	struct target t = {.scheme = ST_STR("http"), .authority = h->host, .path = h->target};
	const char *p = h->target.p, *end = p + h->target.len, *q;

	if (!h->target.len)
		return t;
	if (st_str_eq(h->method, ST_STR("CONNECT"))) {
		t.authority = h->target;
		t.path = (struct st_str){0};
		return t;
	}
	if (*p != '/' && *p != '*' && (q = memchr(p, ':', h->target.len)) && end - q >= 3 &&
	    q[1] == '/' && q[2] == '/') {
		t.scheme = st_str(p, (size_t)(q - p));
		p = q + 3;
		q = memchr(p, '/', (size_t)(end - p));
		if (!q)
			q = memchr(p, '?', (size_t)(end - p));
		if (!q)
			q = end;
		t.authority = st_str(p, (size_t)(q - p));
		t.path = st_str(q, (size_t)(end - q));
	}
	q = t.path.len ? memchr(t.path.p, '?', t.path.len) : NULL;
	if (q) {
		t.query = st_str(q + 1, (size_t)(t.path.p + t.path.len - q - 1));
		t.path.len = (uint32_t)(q - t.path.p);
	}
	return t;
}

/* host[:port], [v6]:port; *port 0 when it is not there. */
static struct st_str split_authority(struct st_str a, int *port)
{
	uint32_t i = a.len;
	int v = 0;

	*port = 0;
	while (i && a.p[i - 1] >= '0' && a.p[i - 1] <= '9')
		i--;
	if (i && i < a.len && a.len - i <= 5 && a.p[i - 1] == ':') {
		for (uint32_t k = i; k < a.len; k++)
			v = v * 10 + (a.p[k] - '0');
		if (v <= 65535)
			*port = v;
		a.len = i - 1;
	}
	if (a.len > 2 && a.p[0] == '[' && a.p[a.len - 1] == ']')
		return st_str(a.p + 1, a.len - 2);
	return a;
}

/* Names stay, values do not: a query's values are as private as a body. */
static struct st_str redact_query(struct st_str q)
{
	static const char word[] = "REDACTED";
	size_t n = 0;
	bool value = false;

	for (uint32_t i = 0; i < q.len; i++) {
		if (q.p[i] == '&')
			value = false;
		else if (value)
			continue;
		if (n + sizeof(word) + 1 > sizeof(out.query))
			break;
		out.query[n++] = q.p[i];
		if (q.p[i] != '=')
			continue;
		value = true;
		memcpy(out.query + n, word, sizeof(word) - 1);
		n += sizeof(word) - 1;
	}
	return st_str(out.query, n);
}

static struct st_str make_name(struct st_span *s, const struct st_http1_head *h, struct st_str path,
			       struct st_str *fallback)
{
	struct st_str method = known_method(h->method) ? h->method : ST_STR("HTTP");
	bool replaced = false;
	uint32_t n = method.len;
	char *route;

	memcpy(out.name, method.p, n);
	*fallback = (struct st_str){0};
	if (!path.len)
		return st_str(out.name, n);
	out.name[n++] = ' ';
	route = out.name + n;
	n += st_route__template(path, route, &replaced);
	if (replaced)
		st_span_str(s, ST_KEY(spantap_route),
			    st_str(route, (size_t)(out.name + n - route)));
	/* When the service has too many names: the method and a star, which stay few. */
	if (st_str_eq(method, ST_STR("GET")))
		*fallback = ST_STR("GET /*");
	else if (st_str_eq(method, ST_STR("POST")))
		*fallback = ST_STR("POST /*");
	else if (st_str_eq(method, ST_STR("PUT")))
		*fallback = ST_STR("PUT /*");
	else if (st_str_eq(method, ST_STR("DELETE")))
		*fallback = ST_STR("DELETE /*");
	else
		*fallback = ST_STR("HTTP /*");
	return st_str(out.name, n);
}

static void append(char *to, size_t cap, size_t *n, struct st_str s)
{
	if (s.len > cap - *n)
		s.len = (uint32_t)(cap - *n);
	if (s.len)
		memcpy(to + *n, s.p, s.len);
	*n += s.len;
}

/* url.full of a client: absolute, its query redacted. */
static struct st_str full_url(const struct target *t, struct st_str q,
			      const struct st_conn_info *conn)
{
	size_t n = 0, cap = sizeof(out.full);
	struct st_str authority = t->authority;

	if (!authority.len)
		authority = st_str(conn->peer, conn->peer_len);
	append(out.full, cap, &n, t->scheme);
	append(out.full, cap, &n, ST_STR("://"));
	append(out.full, cap, &n, authority);
	append(out.full, cap, &n, t->path);
	if (q.len) {
		append(out.full, cap, &n, ST_STR("?"));
		append(out.full, cap, &n, q);
	}
	return st_str(out.full, n);
}

static void add_status(struct st_xchg *x, struct st_span *s)
{
	const struct st_http1_xchg *h = st_http1_of(x);
	bool error;

	if (!h->status)
		return;
	st_span_int(s, ST_KEY(http_response_status_code), h->status);
	error = h->status >= (x->role == ST_ROLE_CLIENT ? 400 : 500);
	if (!error)
		return;
	s->status = ST_STATUS_ERROR;
	if (x->error_type.len)
		return;
	out.status[0] = (char)('0' + h->status / 100 % 10);
	out.status[1] = (char)('0' + h->status / 10 % 10);
	out.status[2] = (char)('0' + h->status % 10);
	st_span_str(s, ST_KEY(error_type), st_str(out.status, 3));
}

static void add_server(struct st_xchg *x, struct st_span *s, struct st_str authority)
{
	const struct st_conn_info *c = x->conn;
	bool client = x->role == ST_ROLE_CLIENT;
	struct st_str host;
	int port;

	host = split_authority(authority, &port);
	if (!host.len)
		host = client ? st_str(c->peer, c->peer_len) : st_str(c->local, c->local_len);
	if (!port)
		port = client ? c->peer_port : c->local_port;
	if (host.len)
		st_span_str(s, ST_KEY(server_address), host);
	if (port)
		st_span_int(s, ST_KEY(server_port), port);
	if (!client && c->peer_len)
		st_span_str(s, ST_KEY(client_address), st_str(c->peer, c->peer_len));
}

static void add_captured(const struct st_http1_head *h, struct st_span *s)
{
	const struct st_key *const *keys;
	const struct st_http1_capture *cap = st_http1__captured(&keys);
	struct st_attr *a;

	for (uint32_t i = 0; i < cap->cnt; i++)
		if (h->captured[i].len && (a = st_span_attr(s, keys[i]))) {
			a->type = ST_V_STRS; /* the conventions say string[] */
			a->strs.v = &h->captured[i];
			a->strs.cnt = 1;
		}
}

void st_http1__span(struct st_xchg *x, struct st_span *s, struct st_str *fallback)
{
	const struct st_http1_xchg *h = st_http1_of(x);
	const struct st_http1_head *head = &h->req->head;
	struct target t = split_target(head);
	struct st_str query = t.query.len ? redact_query(t.query) : (struct st_str){0};

	if (known_method(head->method)) {
		st_span_str(s, ST_KEY(http_request_method), head->method);
	} else {
		st_span_str(s, ST_KEY(http_request_method), ST_STR("_OTHER"));
		if (head->method.len)
			st_span_str(s, ST_KEY(http_request_method_original), head->method);
	}
	s->name = make_name(s, head, t.path, fallback);
	if (x->role == ST_ROLE_CLIENT) {
		st_span_str(s, ST_KEY(url_full), full_url(&t, query, x->conn));
	} else {
		st_span_str(s, ST_KEY(url_scheme), t.scheme);
		st_span_str(s, ST_KEY(url_path), t.path);
		if (query.len)
			st_span_str(s, ST_KEY(url_query), query);
	}
	add_status(x, s);
	add_server(x, s, t.authority);
	if (head->version)
		st_span_str(s, ST_KEY(network_protocol_version),
			    head->version == 10 ? ST_STR("1.0") : ST_STR("1.1"));
	if (head->user_agent.len)
		st_span_str(s, ST_KEY(user_agent_original), head->user_agent);
	if (h->req_body)
		st_span_int(s, ST_KEY(http_request_body_size), (int64_t)h->req_body);
	if (h->resp_body_known)
		st_span_int(s, ST_KEY(http_response_body_size), (int64_t)h->resp_body);
	add_captured(head, s);
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
