/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * B3 (openzipkin/b3-propagation), in one field and in several. Where both came the one field
 * counts, unless it is malformed (OpenTelemetry, context/api-propagators.md, "B3 Extract").
 */
#include "core/propagate_int.h"

#include <errno.h>
#include <strings.h>

#define MULTI_ONCE                                                                                 \
	(ST_CARRIER_BIT(ST_CARRIER_B3_TRACE_ID) | ST_CARRIER_BIT(ST_CARRIER_B3_SPAN_ID) |          \
	 ST_CARRIER_BIT(ST_CARRIER_B3_SAMPLED) | ST_CARRIER_BIT(ST_CARRIER_B3_FLAGS))

/* 16 or 32 digits; the shorter ones are the id's right half. */
static bool trace_id(struct st_remote *out, const char *p, size_t len)
{
	if (len == 32)
		return st_hex_decode(out->trace_id, p, 16) && !st_is_zero(out->trace_id, 16);
	memset(out->trace_id, 0, 8);
	return len == 16 && st_hex_decode(out->trace_id + 8, p, 8) &&
	       !st_is_zero(out->trace_id + 8, 8);
}

static bool span_id(struct st_remote *out, const char *p, size_t len)
{
	return len == 16 && st_hex_decode(out->span_id, p, 8) && !st_is_zero(out->span_id, 8);
}

/* The sampling state: deny, accept, debug. */
static bool state(struct st_remote *out, char c)
{
	if (c != '0' && c != '1' && c != 'd')
		return false;
	st_remote_decide(out, c != '0');
	out->debug = c == 'd';
	return true;
}

/* What stands behind the span id: "", "-" state, or "-" state "-" parent. */
static bool rest(struct st_remote *out, const char *p, size_t len)
{
	uint8_t parent[8];

	if (!len)
		return true;
	if (len < 2 || p[0] != '-' || !state(out, p[1]))
		return false;
	return len == 2 || (len == 19 && p[2] == '-' && st_hex_decode(parent, p + 3, 8));
}

static int single(const struct st_carrier *c, struct st_remote *out)
{
	struct st_str s = st_carrier_get(c, ST_CARRIER_B3);
	size_t id = s.len > 32 && s.p[32] == '-' ? 32 : 16, end = id + 17;

	if (c->twice & ST_CARRIER_BIT(ST_CARRIER_B3))
		return -EPROTO;
	if (s.len == 1)
		return state(out, *s.p) ? 0 : -EPROTO;
	if (s.len < end || s.p[id] != '-' || !trace_id(out, s.p, id) ||
	    !span_id(out, s.p + id + 1, 16) || !rest(out, s.p + end, s.len - end))
		return -EPROTO;
	return 1;
}

static bool is(struct st_str s, struct st_str want)
{
	return s.len == want.len && !strncasecmp(s.p, want.p, s.len);
}

/* X-B3-Sampled, of which old senders make a word, and X-B3-Flags, whose 1 is debug. */
static bool decision(const struct st_carrier *c, struct st_remote *out)
{
	struct st_str sampled = st_carrier_get(c, ST_CARRIER_B3_SAMPLED);

	if (st_str_eq(st_carrier_get(c, ST_CARRIER_B3_FLAGS), ST_STR("1")))
		return state(out, 'd');
	if (!sampled.p)
		return true;
	if (sampled.len == 1)
		return *sampled.p != 'd' && state(out, *sampled.p);
	if (is(sampled, ST_STR("true")))
		return state(out, '1');
	return is(sampled, ST_STR("false")) && state(out, '0');
}

static int multi(const struct st_carrier *c, struct st_remote *out)
{
	struct st_str trace = st_carrier_get(c, ST_CARRIER_B3_TRACE_ID);
	struct st_str span = st_carrier_get(c, ST_CARRIER_B3_SPAN_ID);

	if (c->twice & MULTI_ONCE || !decision(c, out))
		return -EPROTO;
	if (!trace.p && !span.p)
		return 0;
	return trace_id(out, trace.p, trace.len) && span_id(out, span.p, span.len) ? 1 : -EPROTO;
}

int st_b3__extract(const struct st_carrier *c, struct st_remote *out)
{
	int one = 0, ret = 0;

	if (c->seen & ST_CARRIER_BIT(ST_CARRIER_B3)) {
		one = single(c, out);
		if (one >= 0)
			return one;
		st_remote_undecide(out);
	}
	if (c->seen & MULTI_ONCE)
		ret = multi(c, out);
	return ret ? ret : one;
}

static void put_ids(const struct st_remote *r, struct st_put *w, struct st_str between)
{
	st_put_hex(w, r->trace_id, 16);
	st_put_str(w, between);
	st_put_hex(w, r->span_id, 8);
}

void st_b3__inject_single(const struct st_remote *r, struct st_put *w)
{
	st_put_str(w, ST_STR("b3: "));
	put_ids(r, w, ST_STR("-"));
	if (r->debug)
		st_put_str(w, ST_STR("-d"));
	else if (r->sampled_known)
		st_put_str(w, r->flags & ST_TRACE_SAMPLED ? ST_STR("-1") : ST_STR("-0"));
	st_put_str(w, ST_STR("\r\n"));
}

void st_b3__inject_multi(const struct st_remote *r, struct st_put *w)
{
	st_put_str(w, ST_STR("X-B3-TraceId: "));
	put_ids(r, w, ST_STR("\r\nX-B3-SpanId: "));
	if (r->debug)
		st_put_str(w, ST_STR("\r\nX-B3-Flags: 1"));
	else if (r->sampled_known)
		st_put_str(w, r->flags & ST_TRACE_SAMPLED ? ST_STR("\r\nX-B3-Sampled: 1")
							  : ST_STR("\r\nX-B3-Sampled: 0"));
	st_put_str(w, ST_STR("\r\n"));
}
