/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The head parser against what must hold for any bytes, and its answers against a slow reading of
 * the same head, line by line and byte by byte.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "protocols/http1_head.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct st_http1_capture cap = {
	{ST_STR("traceparent"), ST_STR("host"), ST_STR("b3"), ST_STR("x-request-id"),
	 ST_STR("user-agent"), ST_STR("uber-trace-id"), ST_STR("upgrade")},
	7,
	0,
};

static bool inside(struct st_str s, const uint8_t *p, size_t len)
{
	const uint8_t *q = (const uint8_t *)s.p;

	return !q ? !s.len : q >= p && q <= p + len && s.len <= (size_t)(p + len - q);
}

static void slices_are_inside(const struct st_http1_head *h, const uint8_t *p, size_t len)
{
	unsigned i;

	MUST(inside(h->method, p, len) && inside(h->target, p, len) && inside(h->host, p, len));
	MUST(inside(h->user_agent, p, len) && inside(h->upgrade, p, len));
	for (i = 0; i < ST_HTTP1_CAPTURE_MAX; i++)
		MUST(inside(h->captured[i], p, len));
}

static void fields_make_sense(const struct st_http1_head *h)
{
	MUST(h->version == 10 || h->version == 11);
	MUST(!(h->flags & ST_H1_HAS_LENGTH) || !(h->flags & ST_H1_BAD_LENGTH));
	MUST(h->flags & ST_H1_HAS_LENGTH || !h->content_length);
	MUST(!(h->flags & ST_H1_CHUNKED) || !(h->flags & ST_H1_TE_OTHER));
	MUST(!(h->flags & ST_H1_UPGRADE) || h->upgrade.p);
	MUST(!(h->flags & 0xff00));
	MUST(h->captured[1].p == h->host.p && h->captured[1].len == h->host.len);
	MUST(h->captured[4].p == h->user_agent.p && h->captured[6].p == h->upgrade.p);
	if (h->is_response)
		MUST(h->status >= 100 && h->status <= 999 && !h->method.p && !h->target.p);
	else
		MUST(!h->status && h->method.len && h->method.len < 64 && h->target.len);
}

/* Where the head ends: behind the first empty line that is not one of the two in front. */
static size_t slow_end(const uint8_t *p, size_t len)
{
	size_t i = 0, line;

	while (i < len && (p[i] == '\r' || p[i] == '\n'))
		i++;
	for (line = i; i < len; i++) {
		if (p[i] != '\n')
			continue;
		if (i == line || (i == line + 1 && p[line] == '\r'))
			return i + 1;
		line = i + 1;
	}
	return 0;
}

static bool is_name(const uint8_t *p, size_t len, struct st_str name)
{
	uint32_t i;

	if (len <= name.len || p[name.len] != ':')
		return false;
	for (i = 0; i < name.len; i++)
		if (tolower(p[i]) != name.p[i])
			return false;
	return true;
}

/* The line at which the first field of that name begins, NULL when there is none. */
static const uint8_t *slow_field(const uint8_t *p, size_t len, struct st_str name)
{
	const uint8_t *end = p + len, *lf;

	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	for (; (lf = memchr(p, '\n', (size_t)(end - p))) && lf + 1 < end; p = lf + 1)
		if (is_name(lf + 1, (size_t)(end - lf - 1), name))
			return lf + 1;
	return NULL;
}

static void captures_are_the_first(const struct st_http1_head *h, const uint8_t *p, size_t len)
{
	const uint8_t *line;
	unsigned i;

	for (i = 0; i < cap.cnt; i++) {
		line = slow_field(p, len, cap.names[i]);
		MUST(!line == !h->captured[i].p);
		MUST(!line || (const uint8_t *)h->captured[i].p > line + cap.names[i].len);
		MUST(!h->captured[i].len || !isspace((unsigned char)h->captured[i].p[0]) ||
		     h->captured[i].p[0] == '\v' || h->captured[i].p[0] == '\f');
	}
}

/* Each carried value is that of a field of its name, and nothing else is carried. */
static void carried_are_there(const struct st_http1_head *h, const uint8_t *p, size_t len)
{
	static const struct st_str names[ST_CARRIER_CNT] = {
		[ST_CARRIER_TRACESTATE] = ST_STR("tracestate"),
		[ST_CARRIER_BAGGAGE] = ST_STR("baggage"),
		[ST_CARRIER_TRACEPARENT] = ST_STR("traceparent"),
		[ST_CARRIER_B3] = ST_STR("b3"),
		[ST_CARRIER_B3_TRACE_ID] = ST_STR("x-b3-traceid"),
		[ST_CARRIER_B3_SPAN_ID] = ST_STR("x-b3-spanid"),
		[ST_CARRIER_B3_PARENT_SPAN_ID] = ST_STR("x-b3-parentspanid"),
		[ST_CARRIER_B3_SAMPLED] = ST_STR("x-b3-sampled"),
		[ST_CARRIER_B3_FLAGS] = ST_STR("x-b3-flags"),
		[ST_CARRIER_UBER_TRACE_ID] = ST_STR("uber-trace-id"),
		[ST_CARRIER_AMZN_TRACE_ID] = ST_STR("x-amzn-trace-id"),
		[ST_CARRIER_REQUEST_ID] = ST_STR("x-request-id"),
		[ST_CARRIER_CORRELATION_ID] = ST_STR("x-correlation-id"),
	};
	const struct st_carrier *c = &h->carrier;
	unsigned i, k;

	MUST(!h->is_response || !c->seen);
	MUST(!(c->twice & ~c->seen) && !(c->seen >> ST_CARRIER_CNT));
	for (i = 0; i < ST_CARRIER_CNT && !h->is_response; i++) {
		const uint8_t *line = slow_field(p, len, names[i]);
		struct st_str v = st_carrier_get(c, i);

		MUST(!line == !v.p && inside(v, p, len));
		MUST(!line || (const uint8_t *)v.p > line + names[i].len);
	}
	for (i = 0; i < ST_CARRIER_LISTS; i++)
		for (k = 1; k < ST_CARRIER_LIST_MAX && k < st_carrier_list_cnt(c, i); k++)
			MUST(inside(st_carrier_list(c, i, k), p, len) &&
			     st_carrier_list(c, i, k).p > st_carrier_list(c, i, k - 1).p);
}

/* A prefix of a head is undecided; a refusal stays one; detection agrees with both. */
static void prefixes_agree(const uint8_t *p, size_t len, int ret)
{
	size_t step = len / 16 + 1, n;
	struct st_http1_head h;
	int got, before = 0, now;

	for (n = 0; n < len; n += step) {
		got = st_http1_head__parse(st_bytes(p, n), &cap, &h);
		now = st_http1_head__detect(st_bytes(p, n));
		MUST(!before || now == before);
		MUST((got == -EPROTO) == (now == -EPROTO) || got == -E2BIG);
		if (ret > 0)
			MUST(got == ((int)n < ret ? 0 : ret));
		else if (ret == 0)
			MUST(got == 0);
		if (got == -EPROTO)
			MUST(ret == -EPROTO);
		before = now;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1); /* so that the first byte behind is watched */
	struct st_http1_head h;
	int ret;

	memcpy(exact, data, size);
	ret = st_http1_head__parse(st_bytes(exact, size), &cap, &h);
	MUST(ret >= -E2BIG || ret == -EPROTO);
	MUST(ret <= (int)size && ret <= (int)ST_HTTP1_HEAD_MAX);
	if (ret > 0) {
		MUST((size_t)ret == slow_end(exact, size));
		slices_are_inside(&h, exact, (size_t)ret);
		fields_make_sense(&h);
		captures_are_the_first(&h, exact, (size_t)ret);
		carried_are_there(&h, exact, (size_t)ret);
		MUST(st_http1_head__detect(st_bytes(exact, size)) == (h.is_response ? 2 : 1));
	}
	prefixes_agree(exact, size, ret);
	free(exact);
	return 0;
}
