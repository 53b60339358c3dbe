/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a span is, by OpenTelemetry's specification (trace/api.md, trace/v1/trace.proto).
 * A span and all that it points to is valid during the call that it is handed to; who wants
 * to keep it copies it. Nothing here allocates.
 */
#ifndef SPANTAP_SPAN_H
#define SPANTAP_SPAN_H

#include "spantap/bytes.h"

#define ST_SCOPE_NAME "spantap"
#define ST_SCHEMA_URL "https://opentelemetry.io/schemas/1.37.0"

/* Values are OTLP's SpanKind. */
enum st_kind {
	ST_KIND_INTERNAL = 1,
	ST_KIND_SERVER = 2,
	ST_KIND_CLIENT = 3,
	ST_KIND_PRODUCER = 4,
	ST_KIND_CONSUMER = 5,
};

/* Values are OTLP's StatusCode. */
enum st_status {
	ST_STATUS_UNSET = 0,
	ST_STATUS_OK = 1,
	ST_STATUS_ERROR = 2,
};

/*
 * An attribute's key: one static object per name (user/core/keys.c, or made at start for
 * --capture). `index` numbers them from 0 without holes, so that an exporter can keep a table
 * of pre-encoded keys.
 */
struct st_key {
	struct st_str name;
	uint16_t index;
};

enum st_vtype {
	ST_V_STR = 1,
	ST_V_INT = 2,
	ST_V_BOOL = 3,
	ST_V_DOUBLE = 4,
	ST_V_STRS = 5, /* array of strings */
};

struct st_attr {
	const struct st_key *key;
	uint8_t type; /* enum st_vtype */
	union {
		struct st_str s;
		int64_t i;
		bool b;
		double d;
		struct {
			const struct st_str *v;
			uint32_t cnt;
		} strs;
	};
};

struct st_event {
	uint64_t time_ns; /* Unix epoch */
	struct st_str name;
	const struct st_attr *attrs;
	uint16_t attr_cnt;
	uint32_t dropped_attr_cnt;
};

struct st_link {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	struct st_str trace_state;
	const struct st_attr *attrs;
	uint16_t attr_cnt;
	uint32_t dropped_attr_cnt;
	uint32_t flags;
};

/*
 * A resource: one per service instance. Owned by the registry that made it and valid until the
 * program ends or st_exporter_ops.forget was called for it; `index` is small and reused only
 * after forget.
 */
struct st_resource {
	uint32_t index;
	uint32_t generation;   /* changes when the index is used anew or attributes changed */
	struct st_str service; /* service.name, also among attrs */
	int32_t pid;	       /* of the process, in the tracer's namespace; 0: none */
	const struct st_attr *attrs;
	uint16_t attr_cnt;
};

#define ST_SPAN_ATTR_MAX 40

struct st_span {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_id[8]; /* zero: root */
	uint64_t start_ns;    /* Unix epoch */
	uint64_t end_ns;      /* Unix epoch, >= start_ns */
	uint8_t kind;	      /* enum st_kind */
	uint8_t status;	      /* enum st_status */
	bool has_parent;
	uint8_t evidence; /* enum st_evidence of the parent, also among attrs */
	uint16_t attr_cnt;
	uint32_t flags; /* OTLP span flags: W3C trace flags, bits 8-9 remote parent */
	uint32_t dropped_attr_cnt;
	uint32_t dropped_event_cnt;
	uint32_t dropped_link_cnt;
	uint16_t event_cnt;
	uint16_t link_cnt;
	struct st_str name;
	struct st_str status_message;
	struct st_str trace_state;
	/*
	 * Not 0: every span with this number has the same name, kind, status, flags and attributes,
	 * and neither trace state, events nor links, so that an encoder may keep what it wrote.
	 */
	uint64_t tmpl;
	const struct st_resource *resource;
	const struct st_event *events;
	const struct st_link *links;
	const struct st_attr *attrs;	      /* attr_cnt; own, or a template's */
	struct st_attr own[ST_SPAN_ATTR_MAX]; /* where st_span_attr() adds */
};

/* Room for one more attribute, or NULL when the span is full (then it is counted as dropped). */
static inline struct st_attr *st_span_attr(struct st_span *s, const struct st_key *key)
{
	struct st_attr *a;

	if (s->attr_cnt >= ST_SPAN_ATTR_MAX) {
		s->dropped_attr_cnt++;
		return NULL;
	}
	if (s->attrs != s->own) {
		if (s->attr_cnt)
			memcpy(s->own, s->attrs, s->attr_cnt * sizeof(*s->attrs));
		s->attrs = s->own;
	}
	a = &s->own[s->attr_cnt++];
	a->key = key;
	return a;
}

static inline void st_span_str(struct st_span *s, const struct st_key *key, struct st_str v)
{
	struct st_attr *a = st_span_attr(s, key);

	if (a) {
		a->type = ST_V_STR;
		a->s = v;
	}
}

static inline void st_span_int(struct st_span *s, const struct st_key *key, int64_t v)
{
	struct st_attr *a = st_span_attr(s, key);

	if (a) {
		a->type = ST_V_INT;
		a->i = v;
	}
}

static inline void st_span_bool(struct st_span *s, const struct st_key *key, bool v)
{
	struct st_attr *a = st_span_attr(s, key);

	if (a) {
		a->type = ST_V_BOOL;
		a->b = v;
	}
}

/* The attribute with that key, or NULL. */
static inline const struct st_attr *st_span_find(const struct st_span *s, const struct st_key *key)
{
	for (uint16_t i = 0; i < s->attr_cnt; i++)
		if (s->attrs[i].key == key)
			return &s->attrs[i];
	return NULL;
}

#endif
