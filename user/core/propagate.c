/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/propagate.h"
#include "core/propagate_int.h"

#include <errno.h>
#include <strings.h>

#define BIT(field) ST_CARRIER_BIT(ST_CARRIER_##field)

struct format {
	const char *name;
	uint32_t fields; /* without one of these there is nothing to read */
	int (*extract)(const struct st_carrier *c, struct st_remote *out);
	void (*inject)(const struct st_remote *r, struct st_put *w);
};

#define B3_FIELDS (BIT(B3) | BIT(B3_TRACE_ID) | BIT(B3_SPAN_ID) | BIT(B3_SAMPLED) | BIT(B3_FLAGS))

/* A request without any of these is of a trace of its own. */
#define ANY_FIELD (BIT(TRACEPARENT) | B3_FIELDS | BIT(UBER_TRACE_ID) | BIT(AMZN_TRACE_ID))

/* Both of B3 read either form and differ in what they write (api-propagators.md, "B3"). */
static const struct format formats[ST_PROPAGATOR_CNT] = {
	[ST_PROPAGATOR_NONE] = {"none", 0, NULL, NULL},
	[ST_PROPAGATOR_TRACECONTEXT] = {"tracecontext", BIT(TRACEPARENT), st_w3c__extract,
					st_w3c__inject},
	[ST_PROPAGATOR_BAGGAGE] = {"baggage", 0, NULL, NULL},
	[ST_PROPAGATOR_B3] = {"b3", B3_FIELDS, st_b3__extract, st_b3__inject_single},
	[ST_PROPAGATOR_B3MULTI] = {"b3multi", B3_FIELDS, st_b3__extract, st_b3__inject_multi},
	[ST_PROPAGATOR_JAEGER] = {"jaeger", BIT(UBER_TRACE_ID), st_jaeger__extract,
				  st_jaeger__inject},
	[ST_PROPAGATOR_XRAY] = {"xray", BIT(AMZN_TRACE_ID), st_xray__extract, st_xray__inject},
};

int st_propagate__named(struct st_str name)
{
	for (int i = 0; i < ST_PROPAGATOR_CNT; i++)
		if (name.len == strlen(formats[i].name) &&
		    !strncasecmp(name.p, formats[i].name, name.len))
			return i;
	return -1;
}

void st_propagate__defaults(struct st_propagators *out)
{
	*out = (struct st_propagators){
		.v = {ST_PROPAGATOR_XRAY, ST_PROPAGATOR_JAEGER, ST_PROPAGATOR_B3,
		      ST_PROPAGATOR_TRACECONTEXT, ST_PROPAGATOR_BAGGAGE},
		.cnt = 5,
	};
}

/* A decision that came without ids; a context found later in the list wins over it. */
struct decision {
	uint8_t format; /* NONE: there is none */
	uint8_t flags;
	bool debug;
};

/* No context was found by that format. */
static void not_found(struct decision *d, uint8_t format, int err, struct st_remote *out)
{
	if (err)
		out->malformed |= (uint8_t)(1u << format);
	else if (out->sampled_known && !d->format)
		*d = (struct decision){format, out->flags, out->debug};
	st_remote_undecide(out);
}

/* Nor by any other. */
static int only_decision(const struct decision *d, struct st_remote *out)
{
	memset(out->trace_id, 0, sizeof(out->trace_id));
	memset(out->span_id, 0, sizeof(out->span_id));
	out->format = d->format;
	out->flags = d->flags;
	out->debug = d->debug;
	out->sampled_known = d->format != ST_PROPAGATOR_NONE;
	return out->malformed ? -EPROTO : 0;
}

/* The last one that finds a context wins: it is asked first. */
int st_propagate__extract(const struct st_propagators *order, const struct st_carrier *c,
			  struct st_remote *out)
{
	struct decision decision = {0};

	memset(out, 0, offsetof(struct st_remote, room));
	if (!(c->seen & ANY_FIELD))
		return 0;
	for (unsigned i = order->cnt; i--;) {
		const struct format *f = &formats[order->v[i]];
		int ret;

		if (!(c->seen & f->fields))
			continue;
		ret = f->extract(c, out);
		if (ret > 0) {
			out->format = order->v[i];
			return 1;
		}
		not_found(&decision, order->v[i], ret, out);
	}
	return only_decision(&decision, out);
}

size_t st_propagate__inject(const struct st_propagators *order, const struct st_remote *r,
			    char *buf, size_t size)
{
	struct st_put w = {buf, buf + size, false};

	if (st_is_zero(r->trace_id, sizeof(r->trace_id)) ||
	    st_is_zero(r->span_id, sizeof(r->span_id)))
		return 0;
	for (unsigned i = 0; i < order->cnt; i++)
		if (formats[order->v[i]].inject)
			formats[order->v[i]].inject(r, &w);
	return w.full ? 0 : (size_t)(w.p - buf);
}
