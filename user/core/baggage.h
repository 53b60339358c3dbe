/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * W3C Baggage: the members of a request's baggage fields, in order. Nothing is copied: keys and
 * values are the header's own bytes, values percent-encoded as they came.
 */
#ifndef ST_CORE_BAGGAGE_H
#define ST_CORE_BAGGAGE_H

#include "core/propagate_list.h"

/* What every platform must be able to pass on (Baggage, "Limits"): no more is read. */
#define ST_BAGGAGE_MEMBERS_MAX 64u
#define ST_BAGGAGE_BYTES_MAX   8192u

struct st_baggage {
	struct st_list list;
	unsigned cnt;	    /* members told so far */
	uint32_t bytes;	    /* of them, and of the commas between */
	uint32_t malformed; /* members that were passed over */
	uint32_t dropped;   /* beyond a limit: members, and fields that the carrier did not keep */
};

struct st_baggage_member {
	struct st_str key;   /* a token (RFC 9110 5.6.2), as it is */
	struct st_str value; /* for st_baggage__decode(); may be empty */
	struct st_str props; /* for st_baggage__property(); most have none */
};

struct st_baggage_property {
	struct st_str key;
	struct st_str value; /* p is NULL when there is no "=" */
};

/* Begins with the first member of what c carries, which must outlive *b. Nothing is to be freed. */
void st_baggage__init(struct st_baggage *b, const struct st_carrier *c);

/*
 * The next well-formed member; false behind the last one. A key may come again: by OpenTelemetry's
 * specification (baggage/api.md) the later value counts then.
 */
bool st_baggage__next(struct st_baggage *b, struct st_baggage_member *m);

/*
 * Takes the next well-formed property off the front of a member's props; false when there are no
 * more.
 */
bool st_baggage__property(struct st_str *props, struct st_baggage_property *out);

/*
 * Percent-decodes a value (RFC 3986 2.1) into buf, size bytes, which the result never exceeds if it
 * holds raw.len. Returns the length; -EPROTO when a percent sign is not followed by two hexadecimal
 * digits, -ENOSPC when buf is too small. What is not UTF-8 is told as it is: exporters replace it.
 */
int st_baggage__decode(struct st_str raw, char *buf, size_t size);

#endif
