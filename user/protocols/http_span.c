/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "protocols/http_span.h"

#include <sys/socket.h>

#include "lib/route.h"
#include "spantap/keys.h"

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

static struct st_str make_name(struct st_span *s, const struct st_http_msg *m,
			       struct st_str *fallback)
{
	struct st_str method = known_method(m->method) ? m->method : ST_STR("HTTP");
	bool replaced = false;
	uint32_t n = method.len;
	char *route;

	memcpy(out.name, method.p, n);
	*fallback = (struct st_str){0};
	if (!m->path.len)
		return st_str(out.name, n);
	out.name[n++] = ' ';
	route = out.name + n;
	n += st_route__template(m->path, route, &replaced);
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
static struct st_str full_url(const struct st_http_msg *m, struct st_str q,
			      const struct st_conn_info *conn)
{
	size_t n = 0, cap = sizeof(out.full);
	struct st_str authority = m->authority;

	if (!authority.len)
		authority = st_str(conn->peer, conn->peer_len);
	append(out.full, cap, &n, m->scheme);
	append(out.full, cap, &n, ST_STR("://"));
	append(out.full, cap, &n, authority);
	append(out.full, cap, &n, m->path);
	if (q.len) {
		append(out.full, cap, &n, ST_STR("?"));
		append(out.full, cap, &n, q);
	}
	return st_str(out.full, n);
}

static void add_status(const struct st_xchg *x, const struct st_http_msg *m, struct st_span *s)
{
	bool error;

	if (!m->status)
		return;
	st_span_int(s, ST_KEY(http_response_status_code), m->status);
	error = m->status >= (x->role == ST_ROLE_CLIENT ? 400 : 500);
	if (!error)
		return;
	s->status = ST_STATUS_ERROR;
	if (x->error_type.len)
		return;
	out.status[0] = (char)('0' + m->status / 100 % 10);
	out.status[1] = (char)('0' + m->status / 10 % 10);
	out.status[2] = (char)('0' + m->status % 10);
	st_span_str(s, ST_KEY(error_type), st_str(out.status, 3));
}

static struct st_str own_address(const struct st_conn_info *c, bool client)
{
	/* A Unix socket has one path, that of who listens. */
	if (client && c->family != AF_UNIX)
		return st_str(c->peer, c->peer_len);
	return st_str(c->local, c->local_len);
}

static void add_server(const struct st_xchg *x, const struct st_http_msg *m, struct st_span *s)
{
	const struct st_conn_info *c = x->conn;
	bool client = x->role == ST_ROLE_CLIENT;
	struct st_str host;
	int port;

	host = split_authority(m->server, &port);
	if (!host.len)
		host = own_address(c, client);
	if (!port)
		port = client ? c->peer_port : c->local_port;
	if (host.len)
		st_span_str(s, ST_KEY(server_address), host);
	if (port)
		st_span_int(s, ST_KEY(server_port), port);
	if (!client && c->peer_len)
		st_span_str(s, ST_KEY(client_address), st_str(c->peer, c->peer_len));
}

static void add_captured(const struct st_http_msg *m, struct st_span *s)
{
	struct st_attr *a;

	for (uint32_t i = 0; i < m->captured_cnt; i++)
		if (m->captured[i].len && (a = st_span_attr(s, m->keys[i]))) {
			a->type = ST_V_STRS; /* the conventions say string[] */
			a->strs.v = &m->captured[i];
			a->strs.cnt = 1;
		}
}

struct st_str st_http__take_query(struct st_str *path)
{
	const char *q = path->len ? memchr(path->p, '?', path->len) : NULL;
	struct st_str query = {0};

	if (!q)
		return query;
	query = st_str(q + 1, (size_t)(path->p + path->len - q - 1));
	path->len = (uint32_t)(q - path->p);
	return query;
}

static void add_method(const struct st_http_msg *m, struct st_span *s)
{
	if (known_method(m->method)) {
		st_span_str(s, ST_KEY(http_request_method), m->method);
		return;
	}
	st_span_str(s, ST_KEY(http_request_method), ST_STR("_OTHER"));
	if (m->method.len)
		st_span_str(s, ST_KEY(http_request_method_original), m->method);
}

static void add_url(const struct st_xchg *x, const struct st_http_msg *m, struct st_span *s)
{
	struct st_str query = m->query.len ? redact_query(m->query) : (struct st_str){0};

	if (x->role == ST_ROLE_CLIENT) {
		st_span_str(s, ST_KEY(url_full), full_url(m, query, x->conn));
		return;
	}
	st_span_str(s, ST_KEY(url_scheme), m->scheme);
	st_span_str(s, ST_KEY(url_path), m->path);
	if (query.len)
		st_span_str(s, ST_KEY(url_query), query);
}

/* The conventions want a name where the protocol is another than HTTP and has a version. */
static void add_protocol(const struct st_http_msg *m, struct st_span *s)
{
	if (m->protocol.len)
		st_span_str(s, ST_KEY(network_protocol_name), m->protocol);
	if (m->version.len)
		st_span_str(s, ST_KEY(network_protocol_version), m->version);
}

void st_http__span(const struct st_xchg *x, const struct st_http_msg *m, struct st_span *s,
		   struct st_str *fallback)
{
	add_method(m, s);
	s->name = make_name(s, m, fallback);
	add_url(x, m, s);
	add_status(x, m, s);
	add_server(x, m, s);
	add_protocol(m, s);
	if (m->user_agent.len)
		st_span_str(s, ST_KEY(user_agent_original), m->user_agent);
	if (m->req_body)
		st_span_int(s, ST_KEY(http_request_body_size), (int64_t)m->req_body);
	if (m->resp_body_known)
		st_span_int(s, ST_KEY(http_response_body_size), (int64_t)m->resp_body);
	add_captured(m, s);
}
