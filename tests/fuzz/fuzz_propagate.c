/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Header fields of any bytes: a context or none, and what must hold of it; what is found is written
 * in each format and found again. The first byte chooses the propagators, the rest is the fields.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "core/baggage.h"
#include "core/propagate.h"
#include "protocols/http1_head.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_zero(const uint8_t *id, size_t n)
{
	while (n && !id[n - 1])
		n--;
	return !n;
}

/* The request with these fields, to be freed; NULL when they end in no head. */
static char *parse(const void *fields, size_t len, struct st_http1_head *h)
{
	static const char line[] = "GET / HTTP/1.1\r\n";
	size_t n = sizeof(line) - 1 + len + 4;
	char *p = malloc(n);

	memcpy(p, line, sizeof(line) - 1);
	memcpy(p + sizeof(line) - 1, fields, len);
	memcpy(p + n - 4, "\r\n\r\n", 4);
	if (st_http1_head__parse(st_bytes(p, n), NULL, h) > 0)
		return p;
	free(p);
	return NULL;
}

static struct st_propagators order_of(uint8_t choice)
{
	struct st_propagators p = {.cnt = 0};

	if (choice >= 0x80) {
		st_propagate__defaults(&p);
		return p;
	}
	for (unsigned i = 0; i < 6; i++) {
		uint8_t which = (uint8_t)(1 + (i + choice) % 6);

		if (choice >> i & 1 || choice < 8)
			p.v[p.cnt++] = which;
	}
	return p;
}

static void result_is_sound(const struct st_propagators *order, const struct st_carrier *c, int ret,
			    const struct st_remote *r)
{
	MUST(ret == 1 || ret == 0 || ret == -EPROTO);
	MUST(is_zero(r->trace_id, 16) == (ret != 1) && is_zero(r->span_id, 8) == (ret != 1));
	MUST(ret != -EPROTO || r->malformed);
	MUST(ret != 0 || !r->malformed);
	MUST(!r->format || st_propagators_has(order, r->format));
	MUST(ret == 1 ? r->format != 0 : !r->format == !r->sampled_known);
	MUST(!(r->flags & ~(ST_TRACE_SAMPLED | ST_TRACE_RANDOM)));
	MUST(r->sampled_known || !r->flags);
	MUST(!r->debug || r->flags & ST_TRACE_SAMPLED);
	MUST(r->format == ST_PROPAGATOR_TRACECONTEXT ||
	     (!r->trace_state.len && !r->state_bad && !r->state_cut));
	MUST(c->seen || ret == 0);
}

/* The digits of traceparent, one by one. */
static void w3c_is_what_stands_there(const struct st_carrier *c, const struct st_remote *r)
{
	struct st_str s = st_carrier_get(c, ST_CARRIER_TRACEPARENT);

	MUST(s.len >= 55 && !(c->twice & ST_CARRIER_BIT(ST_CARRIER_TRACEPARENT)));
	for (unsigned i = 0; i < 52; i++) {
		static const char digits[] = "0123456789abcdef";
		const uint8_t *id = i < 35 ? r->trace_id : r->span_id;
		unsigned at = i < 35 ? i - 3 : i - 36;

		if (i == 2 || i == 35)
			MUST(s.p[i] == '-');
		else if (i > 2)
			MUST(s.p[i] == digits[id[at / 2] >> (at % 2 ? 0 : 4) & 15]);
		else
			MUST(isxdigit((unsigned char)s.p[i]) && !isupper((unsigned char)s.p[i]));
	}
	MUST(!r->state_bad || c->seen & ST_CARRIER_BIT(ST_CARRIER_TRACESTATE));
}

/* Nothing in it can end a line, and a key stands in front of each equals sign. */
static void state_is_sound(const struct st_remote *r)
{
	unsigned members = 0;

	for (uint32_t i = 0; i < r->trace_state.len; i++) {
		char c = r->trace_state.p[i];

		MUST((c >= ' ' && c < 0x7f) || c == '\t');
		members += c == '=';
		MUST(c != '=' || (i && strchr("_-*/@", r->trace_state.p[i - 1])) ||
		     islower((unsigned char)r->trace_state.p[i - 1]) ||
		     isdigit((unsigned char)r->trace_state.p[i - 1]));
	}
	MUST(members <= 32 && !members == !r->trace_state.len);
}

static void written_is_found(const struct st_remote *r)
{
	static const uint8_t formats[] = {ST_PROPAGATOR_TRACECONTEXT, ST_PROPAGATOR_B3,
					  ST_PROPAGATOR_B3MULTI, ST_PROPAGATOR_JAEGER,
					  ST_PROPAGATOR_XRAY};
	size_t size = ST_PROPAGATE_ROOM + r->trace_state.len, n;
	struct st_http1_head h;
	struct st_remote got;

	for (unsigned i = 0; i < sizeof(formats); i++) {
		struct st_propagators order = {.v = {formats[i]}, .cnt = 1};
		char *buf = malloc(size), *head;

		n = st_propagate__inject(&order, r, buf, size);
		MUST(n && n <= size);
		head = parse(buf, n - 2, &h);
		MUST(head && st_propagate__extract(&order, &h.carrier, &got) == 1);
		MUST(!memcmp(got.trace_id, r->trace_id, 16) && !memcmp(got.span_id, r->span_id, 8));
		MUST((got.flags ^ r->flags) % 2 == 0 && (!got.debug || r->debug));
		if (i == 0)
			MUST(got.flags == r->flags && st_str_eq(got.trace_state, r->trace_state));
		MUST(!st_propagate__inject(&order, r, buf, n - 1));
		free(head);
		free(buf);
	}
}

static void decoded_fits(struct st_str value)
{
	char *buf = malloc(value.len ? value.len : 1);
	int n = st_baggage__decode(value, buf, value.len);

	MUST(n == -EPROTO || (n >= 0 && n <= (int)value.len));
	MUST(memchr(value.len ? value.p : "", '%', value.len) || n == (int)value.len);
	if (n > 0)
		MUST(st_baggage__decode(value, buf, (size_t)n - 1) == -ENOSPC);
	free(buf);
}

static void baggage_is_sound(const struct st_carrier *c)
{
	struct st_baggage_property p;
	struct st_baggage_member m;
	unsigned cnt = 0, bytes = 0;
	struct st_baggage b;

	st_baggage__init(&b, c);
	for (; st_baggage__next(&b, &m); cnt++) {
		MUST(m.key.len && m.value.p);
		for (uint32_t i = 0; i < m.key.len; i++)
			MUST(m.key.p[i] > ' ' && !strchr("\"(),/:;<=>?@[\\]{}\x7f", m.key.p[i]));
		for (uint32_t i = 0; i < m.value.len; i++)
			MUST(m.value.p[i] > ' ' && !strchr("\",;\\\x7f", m.value.p[i]));
		decoded_fits(m.value);
		bytes += m.key.len + 1 + m.value.len;
		while (st_baggage__property(&m.props, &p))
			MUST(p.key.len && (p.value.p || !p.value.len));
	}
	MUST(cnt <= ST_BAGGAGE_MEMBERS_MAX && bytes <= ST_BAGGAGE_BYTES_MAX && cnt == b.cnt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct st_propagators order = order_of(size ? *data : 0);
	struct st_http1_head h;
	struct st_remote r;
	char *head;
	int ret;

	if (!size || !(head = parse(data + 1, size - 1, &h)))
		return 0;
	memset(&r, 0xff, sizeof(r));
	ret = st_propagate__extract(&order, &h.carrier, &r);
	result_is_sound(&order, &h.carrier, ret, &r);
	state_is_sound(&r);
	if (r.format == ST_PROPAGATOR_TRACECONTEXT)
		w3c_is_what_stands_there(&h.carrier, &r);
	if (ret == 1)
		written_is_found(&r);
	baggage_is_sound(&h.carrier);
	free(head);
	return 0;
}
