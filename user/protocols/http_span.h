/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Name and attributes of an HTTP exchange by OpenTelemetry's HTTP semantic conventions
 * (docs/http/http-spans.md, stable), whatever protocol carries it.
 */
#ifndef ST_PROTOCOLS_HTTP_SPAN_H
#define ST_PROTOCOLS_HTTP_SPAN_H

#include "spantap/protocol.h"

/* What an exchange says of itself. Slices outlive the span; those that are not there are empty. */
struct st_http_msg {
	struct st_str method;	 /* any token */
	struct st_str scheme;	 /* of the URL */
	struct st_str authority; /* of the URL, host[:port]; empty: the connection's peer */
	struct st_str path;
	struct st_str query;	/* as it came: its values are redacted here */
	struct st_str server;	/* host[:port] of who is asked; what it lacks is the connection's */
	struct st_str protocol; /* that carries it, when it is not HTTP itself */
	struct st_str version;	/* of that */
	struct st_str user_agent;
	uint64_t req_body; /* bytes */
	uint64_t resp_body;
	bool resp_body_known;
	uint16_t status; /* 0: none came */
	/* Header fields that --capture asks for: captured[i] is the value of keys[i]. */
	const struct st_str *captured;
	const struct st_key *const *keys;
	uint32_t captured_cnt;
};

/* Cuts the query off a request target; returns it without its question mark. */
struct st_str st_http__take_query(struct st_str *path);

/* See st_proto_ops.span. */
void st_http__span(const struct st_xchg *x, const struct st_http_msg *m, struct st_span *s,
		   struct st_str *fallback);

#endif
