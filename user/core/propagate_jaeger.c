/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Jaeger's uber-trace-id, {trace-id}:{span-id}:{parent-span-id}:{flags} (jaegertracing.io, "Client
 * libraries: propagation format"): digits in either case, leading zeros left out, colons perhaps
 * percent-encoded.
 */
#include "core/propagate_int.h"

#include <endian.h>
#include <errno.h>

#define FLAG_SAMPLED 1u
#define FLAG_DEBUG   2u

struct number {
	uint64_t hi, lo;
};

/* Takes the digits, at least one and at most `max`, up to 32, off the front of s. */
static bool take_number(struct st_str *s, unsigned max, struct number *out)
{
	const uint8_t *p = (const uint8_t *)s->p, *end = p + s->len, *q = p;
	struct number n = {0, 0};

	for (; q < end && st_hex_digit[*q]; q++) {
		n.hi = n.hi << 4 | n.lo >> 60;
		n.lo = n.lo << 4 | (st_hex_digit[*q] & 15);
	}
	*s = st_str((const char *)q, (size_t)(end - q));
	*out = n;
	return q > p && (size_t)(q - p) <= max;
}

static void store(uint8_t *id, uint64_t n)
{
	n = htobe64(n);
	memcpy(id, &n, sizeof(n));
}

static bool take_colon(struct st_str *s)
{
	size_t len = 1;

	if (s->len >= 3 && s->p[0] == '%' && s->p[1] == '3' && (s->p[2] | 0x20) == 'a')
		len = 3;
	else if (!s->len || *s->p != ':')
		return false;
	*s = st_str(s->p + len, s->len - len);
	return true;
}

/* The parent's id is out of use, and 0 when there is none. Debug counts with sampled alone. */
int st_jaeger__extract(const struct st_carrier *c, struct st_remote *out)
{
	struct st_str s = st_carrier_get(c, ST_CARRIER_UBER_TRACE_ID);
	struct number trace, span, parent, flags;

	if (c->twice & ST_CARRIER_BIT(ST_CARRIER_UBER_TRACE_ID))
		return -EPROTO;
	if (!take_number(&s, 32, &trace) || !take_colon(&s) || !take_number(&s, 16, &span) ||
	    !take_colon(&s) || !take_number(&s, 16, &parent) || !take_colon(&s) ||
	    !take_number(&s, 2, &flags) || s.len)
		return -EPROTO;
	if (!(trace.hi | trace.lo) || !span.lo)
		return -EPROTO;
	store(out->trace_id, trace.hi);
	store(out->trace_id + 8, trace.lo);
	store(out->span_id, span.lo);
	st_remote_decide(out, flags.lo & FLAG_SAMPLED);
	out->debug = (flags.lo & FLAG_SAMPLED) && (flags.lo & FLAG_DEBUG);
	return 1;
}

void st_jaeger__inject(const struct st_remote *r, struct st_put *w)
{
	st_put_str(w, ST_STR("uber-trace-id: "));
	st_put_hex(w, r->trace_id, 16);
	st_put_str(w, ST_STR(":"));
	st_put_hex(w, r->span_id, 8);
	if (r->debug)
		st_put_str(w, ST_STR(":0:3\r\n"));
	else
		st_put_str(w,
			   r->flags & ST_TRACE_SAMPLED ? ST_STR(":0:1\r\n") : ST_STR(":0:0\r\n"));
}
