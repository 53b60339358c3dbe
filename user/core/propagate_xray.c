/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * AWS X-Ray's X-Amzn-Trace-Id: Root=1-{8 digits}-{24 digits};Parent={16 digits};Sampled={0|1|?} in
 * any order, with others between that are not looked at (AWS X-Ray developer guide, "Tracing
 * header").
 */
#include "core/propagate_int.h"
#include "core/propagate_list.h"

#include <errno.h>

#define HAS_ROOT    1u
#define HAS_PARENT  2u
#define HAS_SAMPLED 4u

static bool root(struct st_remote *out, struct st_str v)
{
	return v.len == 35 && v.p[0] == '1' && v.p[1] == '-' && v.p[10] == '-' &&
	       st_hex_decode(out->trace_id, v.p + 2, 4) &&
	       st_hex_decode(out->trace_id + 4, v.p + 11, 12) && !st_is_zero(out->trace_id, 16);
}

static bool parent(struct st_remote *out, struct st_str v)
{
	return v.len == 16 && st_hex_decode(out->span_id, v.p, 8) && !st_is_zero(out->span_id, 8);
}

/* "?" asks for a decision in the answer: it is left to who is asked. */
static bool sampled(struct st_remote *out, struct st_str v)
{
	if (v.len != 1 || (*v.p != '0' && *v.p != '1' && *v.p != '?'))
		return false;
	if (*v.p != '?')
		st_remote_decide(out, *v.p == '1');
	return true;
}

/* One "key=value"; *has gets what it is. False when it is ours and malformed, or came twice. */
static bool take(struct st_remote *out, struct st_str pair, unsigned *has)
{
	struct st_str key = st_list_piece(&pair, '='), v = st_list_trim(pair);
	unsigned had = *has;
	bool ok;

	if (st_str_eq(key, ST_STR("Root"))) {
		*has |= HAS_ROOT;
		ok = root(out, v);
	} else if (st_str_eq(key, ST_STR("Parent"))) {
		*has |= HAS_PARENT;
		ok = parent(out, v);
	} else if (st_str_eq(key, ST_STR("Sampled"))) {
		*has |= HAS_SAMPLED;
		ok = sampled(out, v);
	} else {
		return true;
	}
	return ok && *has != had;
}

/* A load balancer that begins a trace sends a root without a parent: no span to be a child of. */
int st_xray__extract(const struct st_carrier *c, struct st_remote *out)
{
	struct st_str s = st_carrier_get(c, ST_CARRIER_AMZN_TRACE_ID);
	bool ok = !(c->twice & ST_CARRIER_BIT(ST_CARRIER_AMZN_TRACE_ID));
	unsigned has = 0;

	while (ok && s.p)
		ok = take(out, st_list_piece(&s, ';'), &has);
	if (!ok)
		return -EPROTO;
	return (has & (HAS_ROOT | HAS_PARENT)) == (HAS_ROOT | HAS_PARENT);
}

void st_xray__inject(const struct st_remote *r, struct st_put *w)
{
	st_put_str(w, ST_STR("X-Amzn-Trace-Id: Root=1-"));
	st_put_hex(w, r->trace_id, 4);
	st_put_str(w, ST_STR("-"));
	st_put_hex(w, r->trace_id + 4, 12);
	st_put_str(w, ST_STR(";Parent="));
	st_put_hex(w, r->span_id, 8);
	if (!r->sampled_known)
		st_put_str(w, ST_STR(";Sampled=?\r\n"));
	else
		st_put_str(w, r->flags & ST_TRACE_SAMPLED ? ST_STR(";Sampled=1\r\n")
							  : ST_STR(";Sampled=0\r\n"));
}
