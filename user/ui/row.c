/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ui/waterfall.h"

#include <stdio.h>

#include "spantap/keys.h"
#include "ui/term.h"

/* OTLP SpanFlags: whether bit 9 means something, and that the parent is remote. */
#define FLAG_HAS_IS_REMOTE 0x100u
#define FLAG_IS_REMOTE	   0x200u

static struct st_str str_of(const struct st_span *s, const struct st_key *key)
{
	const struct st_attr *a = st_span_find(s, key);

	return a && a->type == ST_V_STR ? a->s : st_str(NULL, 0);
}

static int64_t int_of(const struct st_span *s, const struct st_key *key)
{
	const struct st_attr *a = st_span_find(s, key);

	return a && a->type == ST_V_INT ? a->i : 0;
}

/* host:port with IPv6 addresses in brackets; an absent port is left out. */
static void endpoint(char *dst, size_t sz, struct st_str host, int64_t port, bool utf8)
{
	char clean[48], tail[8] = "";
	bool v6 = host.len && memchr(host.p, ':', host.len);

	dst[0] = '\0';
	if (!host.len)
		return;
	if (port > 0 && port <= UINT16_MAX)
		snprintf(tail, sizeof(tail), ":%u", (unsigned)port);
	st_term__clean(clean, sizeof(clean), host, utf8);
	snprintf(dst, sz, v6 && tail[0] ? "[%s]%s" : "%s%s", clean, tail);
}

static void fill_peer(struct st_row *r, const struct st_span *s, bool utf8)
{
	bool out = s->kind == ST_KIND_CLIENT || s->kind == ST_KIND_PRODUCER;
	struct st_str host = str_of(s, out ? ST_KEY(server_address) : ST_KEY(client_address));
	int64_t port = out ? int_of(s, ST_KEY(server_port)) : 0;

	if (!host.len) {
		host = str_of(s, ST_KEY(network_peer_address));
		port = out ? int_of(s, ST_KEY(network_peer_port)) : 0;
	}
	endpoint(r->peer, sizeof(r->peer), host, port, utf8);
}

/* error.type is the status code in digits when that is all there is to say. */
static void fill_error(struct st_row *r, const struct st_span *s, bool utf8)
{
	struct st_str type = str_of(s, ST_KEY(error_type));
	char code[8];

	r->error = s->status == ST_STATUS_ERROR;
	snprintf(code, sizeof(code), "%u", r->code);
	r->err[0] = '\0';
	if (type.len && !st_str_eq(type, st_str_of(code)))
		st_term__clean(r->err, sizeof(r->err), type, utf8);
}

/* A header's word is another's; every other evidence is of a span that we make ourselves. */
static bool parent_is_remote(const struct st_span *s)
{
	struct st_str evidence = str_of(s, ST_KEY(spantap_parent_evidence));

	if (evidence.len)
		return st_str_eq(evidence, ST_STR("header"));
	if (s->flags & FLAG_HAS_IS_REMOTE)
		return s->flags & FLAG_IS_REMOTE;
	return s->kind == ST_KIND_SERVER || s->kind == ST_KIND_CONSUMER;
}

void st_row__fill(struct st_row *r, const struct st_span *s, bool utf8)
{
	const struct st_attr *incomplete = st_span_find(s, ST_KEY(spantap_incomplete));
	int64_t code = int_of(s, ST_KEY(http_response_status_code));

	memcpy(r->span_id, s->span_id, sizeof(r->span_id));
	memcpy(r->parent_id, s->parent_id, sizeof(r->parent_id));
	r->start_ns = s->start_ns;
	r->end_ns = s->end_ns < s->start_ns ? s->start_ns : s->end_ns;
	r->kind = s->kind;
	r->has_parent = s->has_parent;
	r->remote_parent = s->has_parent && parent_is_remote(s);
	r->orphan = false;
	r->incomplete = incomplete && (incomplete->type != ST_V_BOOL || incomplete->b);
	r->code = code > 0 && code < 1000 ? (uint16_t)code : 0;
	r->next = ST_ROW_NONE;
	st_term__clean(r->name, sizeof(r->name), s->name, utf8);
	st_term__clean(r->service, sizeof(r->service),
		       s->resource ? s->resource->service : st_str(NULL, 0), utf8);
	st_term__clean(r->evidence, sizeof(r->evidence), str_of(s, ST_KEY(spantap_parent_evidence)),
		       utf8);
	fill_peer(r, s, utf8);
	fill_error(r, s, utf8);
}
