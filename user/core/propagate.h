/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Contexts of traces as header fields carry them: W3C Trace Context (levels 1 and 2), B3 in one
 * field and in several, Jaeger's uber-trace-id and AWS X-Ray's X-Amzn-Trace-Id. Pure: fields in,
 * ids out, and the other way round.
 */
#ifndef ST_CORE_PROPAGATE_H
#define ST_CORE_PROPAGATE_H

#include "spantap/abi.h"
#include "spantap/carrier.h"
#include "spantap/propagators.h"

/* W3C trace-flags. */
#define ST_TRACE_SAMPLED    0x01u
#define ST_TRACE_RANDOM	    0x02u /* level 2: the trace id's last seven bytes are random */

/* What Trace Context wants to be passed on at least (level 1, 3.3.1.5). */
#define ST_TRACE_STATE_ROOM 512u

/* The span that a request says it comes from. */
struct st_remote {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t flags;	    /* ST_TRACE_* */
	uint8_t format;	    /* enum st_propagator: whose fields were read; NONE: nobody's */
	uint8_t malformed;  /* 1 << enum st_propagator: whose fields were there and malformed */
	bool sampled_known; /* false: the decision is left to who is asked (B3, X-Ray) */
	bool debug;	    /* B3, Jaeger: to be kept come what may; sampled is set then too */
	bool state_bad;	    /* tracestate was malformed and is left out */
	bool state_cut;	    /* tracestate's last members are: it came in too many pieces */
	/*
	 * tracestate (W3C), else empty: the field's own bytes; or, when it came in several fields
	 * or on several lines, what was put together in room. So this must not be copied while that
	 * is used.
	 */
	struct st_str trace_state;
	char room[ST_TRACE_STATE_ROOM];
};

/*
 * The propagator of that name (OpenTelemetry, sdk-environment-variables.md: OTEL_PROPAGATORS), in
 * either case, "none" included; -1 when there is none of that name.
 */
int st_propagate__named(struct st_str name);

/*
 * What is read when OTEL_PROPAGATORS does not say: all formats, W3C before B3 before Jaeger before
 * X-Ray where a request has several, and baggage.
 */
void st_propagate__defaults(struct st_propagators *out);

/*
 * Reads a request's context. By OpenTelemetry's specification (context/api-propagators.md) the
 * propagators are applied in order, and one that finds a context replaces what the former found:
 * of those that find one the last in `order` wins. out is filled in any case:
 *
 *   1        a context was found: both ids are set and not zero
 *   0        there is none; ids are zero. sampled_known tells whether a decision came alone, as B3
 *            ("b3: 0") and X-Ray allow; it is format's
 *   -EPROTO  there is none, and out->malformed is not 0: to be ignored, and counted. A decision
 *            may stand as above
 *
 * Fields that must come once and came more often are malformed. Formats in front of the one found
 * are not looked at. out points into what the carrier points to.
 */
int st_propagate__extract(const struct st_propagators *order, const struct st_carrier *c,
			  struct st_remote *out);

/* Room for the fields of all formats, tracestate aside. */
#define ST_PROPAGATE_ROOM 512u

/*
 * Writes r as header fields ("name: value" CR LF each) of the formats in `order`, one behind the
 * other. r's ids, flags, sampled_known, debug and trace_state are used; a trace_state that is
 * malformed is left out. Returns how many bytes were written; 0 when there is nothing to write (no
 * format, an id that is zero) or when it is more than size, and then buf holds anything. Nothing
 * ends in NUL.
 */
size_t st_propagate__inject(const struct st_propagators *order, const struct st_remote *r,
			    char *buf, size_t size);

/*
 * The same fields for the kernel to fill in (st_wire_header.text and .len); where OTEL_PROPAGATORS was
 * not given, traceparent alone. Returns 0, or -1: there is nothing to write.
 */
int st_propagate__template(const struct st_propagators *order, struct st_wire_header *out);

#endif
