/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a FastCGI exchange says of itself, for its span (http_span.h). On the server's side server.*
 * and url.* are those that the web server was asked by, as the variables tell; on the web server's
 * side server.* is whom it asks. The protocol of this connection is FastCGI, whatever the web
 * server's client spoke, and the conventions want its name where it is not HTTP.
 */
#include "protocols/fastcgi.h"

#include "protocols/http_span.h"

static char authority[512]; /* one thread, one span at a time */

static bool has_port(struct st_str host)
{
	uint32_t i = host.len;

	while (i && host.p[i - 1] >= '0' && host.p[i - 1] <= '9')
		i--;
	return i && i < host.len && host.p[i - 1] == ':';
}

static bool is_default_port(struct st_str port, struct st_str scheme)
{
	return st_str_eq(port, st_str_eq(scheme, ST_STR("https")) ? ST_STR("443") : ST_STR("80"));
}

static struct st_str scheme_of(const struct st_fcgi_req *r)
{
	if (r->scheme.len)
		return r->scheme;
	return r->https.len && !st_str_eq(r->https, ST_STR("off")) ? ST_STR("https")
								   : ST_STR("http");
}

/* RFC 3875 3.3: a script's URI has the name and the port that the server was asked by. */
static struct st_str authority_of(const struct st_fcgi_req *r, bool with_default)
{
	struct st_str host = r->host.len ? r->host : r->name;
	uint32_t n = host.len;

	/* nginx's word for any name. */
	if (!n || st_str_eq(host, ST_STR("_")))
		return (struct st_str){0};
	if (has_port(host) || !r->port.len || n + 1 + r->port.len > sizeof(authority) ||
	    (!with_default && is_default_port(r->port, scheme_of(r))))
		return host;
	memcpy(authority, host.p, n);
	authority[n++] = ':';
	memcpy(authority + n, r->port.p, r->port.len);
	return st_str(authority, n + r->port.len);
}

static struct st_str path_of(const struct st_fcgi_req *r, struct st_str *query)
{
	struct st_str path = r->uri.len ? r->uri : r->script;

	*query = st_http__take_query(&path);
	if (!r->uri.len)
		*query = r->query;
	return path;
}

/*
 * Who answers need not read the end of a request's body, nor is all of a long one copied: what who
 * asked says of it counts then. 0: not known.
 */
static uint64_t request_body(const struct st_fcgi_xchg *f)
{
	struct st_str s = f->req->length;
	uint64_t n = 0;

	if (f->req_ended && !f->req_hole)
		return f->req_body;
	for (uint32_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || i == 18)
			return 0;
		n = n * 10 + (uint64_t)(s.p[i] - '0');
	}
	return n;
}

void st_fcgi__span(struct st_xchg *x, struct st_span *s, struct st_str *fallback)
{
	const struct st_fcgi_xchg *f = st_fcgi_of(x);
	const struct st_fcgi_req *r = f->req;
	bool client = x->role == ST_ROLE_CLIENT;
	struct st_http_msg m = {
		.method = r->method,
		.scheme = scheme_of(r),
		.authority = authority_of(r, !client),
		.protocol = ST_STR("fastcgi"),
		.version = ST_STR("1.0"),
		.user_agent = r->user_agent,
		.req_body = request_body(f),
		.resp_body = f->resp_body,
		.resp_body_known = f->whole && f->head.done && !f->resp_hole,
		.status = st_fcgi_xchg__status(f),
		.captured = r->captured,
	};

	m.path = path_of(r, &m.query);
	if (!client)
		m.server = m.authority;
	m.captured_cnt = st_fcgi__captured(&m.keys);
	st_http__span(x, &m, s, fallback);
}
