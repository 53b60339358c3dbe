/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A request's PARAMS: CGI's meta-variables (RFC 3875 4.1), and the header fields as HTTP_*. */
#include <stdlib.h>

#include "protocols/fastcgi.h"

static struct {
	struct st_str names[ST_FCGI_CAPTURE_MAX];
	const struct st_key *keys[ST_FCGI_CAPTURE_MAX];
	uint32_t cnt;
} capture;

void st_fcgi__capture(const struct st_str *names, const struct st_key *const *keys, uint32_t cnt)
{
	capture.cnt = cnt < ST_FCGI_CAPTURE_MAX ? cnt : ST_FCGI_CAPTURE_MAX;
	for (uint32_t i = 0; i < capture.cnt; i++) {
		capture.names[i] = names[i];
		capture.keys[i] = keys[i];
	}
}

uint32_t st_fcgi__captured(const struct st_key *const **keys)
{
	*keys = capture.keys;
	return capture.cnt;
}

struct st_fcgi_req *st_fcgi_req__new(const struct st_fcgi_header *h, uint8_t flags,
				     const struct st_chunk *c)
{
	struct st_fcgi_req *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->id = h->id;
	r->keep = flags & ST_FCGI_KEEP_CONN;
	r->first = *c;
	r->first.p = NULL;
	r->first.len = 0;
	r->params = st_buf__init(ST_FCGI_PARAMS_MAX);
	return r;
}

void st_fcgi_req__free(struct st_fcgi_req *r)
{
	if (!r)
		return;
	st_buf__free(&r->params);
	free(r);
}

#define FIELD "HTTP_"

/* A field's name as CGI has it, without the prefix: may it be that of a header field? */
static bool is_named(struct st_str var, struct st_str field)
{
	if (var.len != field.len)
		return false;
	for (uint32_t i = 0; i < var.len; i++) {
		char f = field.p[i];

		f = f == '-' ? '_' : f >= 'a' && f <= 'z' ? (char)(f - 'a' + 'A') : f;
		if (var.p[i] != f)
			return false;
	}
	return true;
}

static void add_captured(struct st_fcgi_req *r, struct st_str var, struct st_str value)
{
	for (uint32_t i = 0; i < capture.cnt; i++)
		if (is_named(var, capture.names[i]))
			r->captured[i] = value;
}

/* The longest name that carries a context has 17 letters. */
#define CARRIER_NAME_MAX 17

static void add_carrier(struct st_fcgi_req *r, struct st_str var, struct st_str value)
{
	char name[CARRIER_NAME_MAX];
	int which;

	if (var.len > sizeof(name))
		return;
	for (uint32_t i = 0; i < var.len; i++)
		name[i] = var.p[i] == '_' ? '-' : var.p[i];
	which = st_carrier_find(name, var.len);
	if (which >= 0)
		st_carrier_add(&r->carrier, (enum st_carrier_field)which, value);
}

static void add_field(struct st_fcgi_req *r, struct st_str var, struct st_str value)
{
	if (st_str_eq(var, ST_STR("HOST")))
		r->host = value;
	else if (st_str_eq(var, ST_STR("USER_AGENT")))
		r->user_agent = value;
	else
		add_carrier(r, var, value);
	add_captured(r, var, value);
}

/* Of a variable that comes twice the last value counts, as programs have it. */
static void add_variable(struct st_fcgi_req *r, struct st_str var, struct st_str value)
{
	static const struct {
		struct st_str name;
		size_t off;
	} wanted[] = {
#define ROW(name, field) {{name, sizeof(name) - 1}, offsetof(struct st_fcgi_req, field)}
		ROW("REQUEST_METHOD", method), ROW("REQUEST_URI", uri),
		ROW("SCRIPT_NAME", script),    ROW("QUERY_STRING", query),
		ROW("REQUEST_SCHEME", scheme), ROW("HTTPS", https),
		ROW("CONTENT_LENGTH", length), ROW("SERVER_NAME", name),
		ROW("SERVER_PORT", port),
#undef ROW
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (st_str_eq(var, wanted[i].name))
			memcpy((char *)r + wanted[i].off, &value, sizeof(value));
	/* The two fields whose variables have no prefix. */
	if (capture.cnt && var.len > 8 && !memcmp(var.p, "CONTENT_", 8))
		add_captured(r, var, value);
}

void st_fcgi_req__read(struct st_fcgi_req *r)
{
	const uint32_t prefix = sizeof(FIELD) - 1;
	struct st_str var, value;
	struct st_bytes b;

	if (!r->params.len)
		return;
	b = st_bytes(r->params.p, r->params.len);
	r->carrier.base = (const char *)r->params.p;
	while (st_fcgi__pair(&b, &var, &value)) {
		if (var.len > prefix && !memcmp(var.p, FIELD, prefix))
			add_field(r, st_str(var.p + prefix, var.len - prefix), value);
		else
			add_variable(r, var, value);
	}
}
