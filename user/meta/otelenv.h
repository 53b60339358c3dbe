/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * OTEL_RESOURCE_ATTRIBUTES: key=value,key=value with percent-encoding, in the form of W3C Baggage
 * without metadata. OpenTelemetry's resource SDK specification: all values are strings; on any
 * error the whole value is discarded.
 */
#ifndef ST_META_OTELENV_H
#define ST_META_OTELENV_H

#include "spantap/bytes.h"

#define ST_OTEL_KEY_MAX	  128u	/* bytes of a decoded key; a longer one makes the value malformed */
#define ST_OTEL_VALUE_MAX 1024u /* bytes of a decoded value; likewise */
#define ST_OTEL_ATTR_MAX  64

struct st_otel_attr {
	struct st_str key;   /* within the raw value, or in the text area when it was encoded */
	struct st_str value; /* likewise */
};

struct st_otel_attrs {
	struct st_otel_attr v[ST_OTEL_ATTR_MAX];
	uint32_t cnt;
	uint32_t dropped; /* beyond ST_OTEL_ATTR_MAX */
	uint32_t text_len;
	char text[8192]; /* decoded values; a value that needs more is malformed */
};

/*
 * Parses raw into out; of two equal keys the later one stays. Returns 0, or -EINVAL with no
 * attribute when it is malformed. out points into raw.
 */
int st_otel_attrs__parse(struct st_str raw, struct st_otel_attrs *out);

/* The value of that key; false when it is absent. */
bool st_otel_attrs__find(const struct st_otel_attrs *a, const char *key, struct st_str *value);

#endif
