/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The header fields of a request that say which trace it belongs to, whatever protocol carries
 * them: W3C Trace Context and Baggage, B3, Jaeger, AWS X-Ray, and the ids that proxies give to
 * requests. A parser notes in passing where their values lie; user/core/propagate.h reads what they
 * mean.
 */
#ifndef SPANTAP_CARRIER_H
#define SPANTAP_CARRIER_H

#include "spantap/bytes.h"
#include "lib/fold.h"

enum st_carrier_field {
	ST_CARRIER_TRACESTATE = 0, /* the two lists come first: they may come in several fields */
	ST_CARRIER_BAGGAGE = 1,
	ST_CARRIER_TRACEPARENT = 2,
	ST_CARRIER_B3 = 3,
	ST_CARRIER_B3_TRACE_ID = 4,
	ST_CARRIER_B3_SPAN_ID = 5,
	ST_CARRIER_B3_PARENT_SPAN_ID = 6,
	ST_CARRIER_B3_SAMPLED = 7,
	ST_CARRIER_B3_FLAGS = 8,
	ST_CARRIER_UBER_TRACE_ID = 9,
	ST_CARRIER_AMZN_TRACE_ID = 10,
	ST_CARRIER_REQUEST_ID = 11,
	ST_CARRIER_CORRELATION_ID = 12,
	ST_CARRIER_CNT = 13,
};

#define ST_CARRIER_BIT(field) (1u << (field))

#define ST_CARRIER_LISTS      2u /* tracestate and baggage */
#define ST_CARRIER_LIST_MAX   4u /* fields of one list that are kept */

/* Bytes of a value, counted from the carrier's base. */
struct st_carrier_value {
	uint16_t off;
	uint16_t len;
};

/*
 * Which fields a request has. Only `seen` and `twice` need be zeroed before the first is added. The
 * values lie in one stretch of memory, which the carrier does not own: when that is copied, `base`
 * is all that changes.
 */
struct st_carrier {
	const char *base;
	uint32_t seen;	/* ST_CARRIER_BIT(): this field's value, maybe empty, is in v */
	uint32_t twice; /* it came more than once; v has the first */
	struct st_carrier_value v[ST_CARRIER_CNT];
	/* Lists that came more than once: the further ones, and how often, 65,535 at most. */
	struct st_carrier_value more[ST_CARRIER_LISTS][ST_CARRIER_LIST_MAX - 1];
	uint16_t cnt[ST_CARRIER_LISTS];
};

#define ST_CARRIER_NAME(name, lit, field)                                                          \
	(st_fold_eq(name, lit, sizeof(lit) - 1) ? (int)ST_CARRIER_##field : -1)

/*
 * The field of that name (enum st_carrier_field), whatever its case; -1 when it is none of them.
 * len is the name's, without a colon. Length and a letter leave one to compare with.
 */
static inline int st_carrier_find(const char *name, size_t len)
{
	switch (len) {
	case 2:
		return ST_CARRIER_NAME(name, "b3", B3);
	case 7:
		return ST_CARRIER_NAME(name, "baggage", BAGGAGE);
	case 10:
		if ((*name | 0x20) == 't')
			return ST_CARRIER_NAME(name, "tracestate", TRACESTATE);
		return ST_CARRIER_NAME(name, "x-b3-flags", B3_FLAGS);
	case 11:
		if ((*name | 0x20) == 't')
			return ST_CARRIER_NAME(name, "traceparent", TRACEPARENT);
		return ST_CARRIER_NAME(name, "x-b3-spanid", B3_SPAN_ID);
	case 12:
		if ((name[2] | 0x20) == 'r')
			return ST_CARRIER_NAME(name, "x-request-id", REQUEST_ID);
		if ((name[5] | 0x20) == 't')
			return ST_CARRIER_NAME(name, "x-b3-traceid", B3_TRACE_ID);
		return ST_CARRIER_NAME(name, "x-b3-sampled", B3_SAMPLED);
	case 13:
		return ST_CARRIER_NAME(name, "uber-trace-id", UBER_TRACE_ID);
	case 15:
		return ST_CARRIER_NAME(name, "x-amzn-trace-id", AMZN_TRACE_ID);
	case 16:
		return ST_CARRIER_NAME(name, "x-correlation-id", CORRELATION_ID);
	case 17:
		return ST_CARRIER_NAME(name, "x-b3-parentspanid", B3_PARENT_SPAN_ID);
	default:
		return -1;
	}
}

/* One more field of a list, behind the first. */
static inline void st_carrier_add_more(struct st_carrier *c, enum st_carrier_field field,
				       struct st_carrier_value v)
{
	uint16_t *cnt = &c->cnt[field];

	if (!(c->twice & ST_CARRIER_BIT(field)))
		*cnt = 1;
	if (*cnt < ST_CARRIER_LIST_MAX)
		c->more[field][*cnt - 1] = v;
	*cnt += *cnt < UINT16_MAX;
}

/*
 * Notes a field whose value is s, without white space around it: bytes of the 64 KiB from c->base
 * on. A value that lies elsewhere is left out, and false is returned. Of a field that comes again
 * the first value stays; of tracestate and baggage, which may be split, ST_CARRIER_LIST_MAX do.
 */
static inline bool st_carrier_add(struct st_carrier *c, enum st_carrier_field field,
				  struct st_str s)
{
	size_t off = (size_t)(s.p - c->base);
	struct st_carrier_value v = {(uint16_t)off, (uint16_t)s.len};

	if ((off | s.len) > UINT16_MAX)
		return false;
	if (!(c->seen & ST_CARRIER_BIT(field))) {
		c->seen |= ST_CARRIER_BIT(field);
		c->v[field] = v;
		return true;
	}
	if (field < (enum st_carrier_field)ST_CARRIER_LISTS)
		st_carrier_add_more(c, field, v);
	c->twice |= ST_CARRIER_BIT(field);
	return true;
}

/* The field's value, the first one if it came more than once; p is NULL when it did not come. */
static inline struct st_str st_carrier_get(const struct st_carrier *c, enum st_carrier_field field)
{
	if (!(c->seen & ST_CARRIER_BIT(field)))
		return st_str(NULL, 0);
	return st_str(c->base + c->v[field].off, c->v[field].len);
}

/* How often a list came: tracestate or baggage. */
static inline unsigned st_carrier_list_cnt(const struct st_carrier *c, enum st_carrier_field list)
{
	if (!(c->twice & ST_CARRIER_BIT(list)))
		return c->seen >> list & 1;
	return c->cnt[list];
}

/* A list's i-th value from 0 in the order that they came, i < ST_CARRIER_LIST_MAX and the count. */
static inline struct st_str st_carrier_list(const struct st_carrier *c, enum st_carrier_field list,
					    unsigned i)
{
	const struct st_carrier_value *v = i ? &c->more[list][i - 1] : &c->v[list];

	return st_str(c->base + v->off, v->len);
}

#endif
