/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Spans for the exporters' tests: a typical one, and random ones from a seed. */
#ifndef ST_TEST_EXPORT_SPANS_H
#define ST_TEST_EXPORT_SPANS_H

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "export/batch.h"
#include "spantap/keys.h"

static const struct st_limits no_limits = {
	.attr_cnt = 128,
	.attr_len = UINT32_MAX,
	.event_cnt = 128,
	.link_cnt = 128,
	.event_attr_cnt = 128,
	.link_attr_cnt = 128,
};

#define STR_ATTR(id, lit) {.key = ST_KEY(id), .type = ST_V_STR, .s = {(lit), sizeof(lit) - 1}}
#define INT_ATTR(id, v)	  {.key = ST_KEY(id), .type = ST_V_INT, .i = (v)}

static const struct st_attr shop_attrs[] = {
	STR_ATTR(service_name, "shop"),
	STR_ATTR(service_instance_id, "6f1d3c2a-0b7e-4a6f-9d53-6c1f0a2b3c4d"),
	INT_ATTR(process_pid, 4711),
	STR_ATTR(host_name, "node-1"),
	STR_ATTR(telemetry_sdk_name, "spantap"),
};

static const struct st_attr stock_attrs[] = {
	STR_ATTR(service_name, "stock"),
	INT_ATTR(process_pid, 4712),
};

static const struct st_resource shop = {
	.index = 0,
	.generation = 1,
	.service = {"shop", 4},
	.pid = 4711,
	.attrs = shop_attrs,
	.attr_cnt = sizeof(shop_attrs) / sizeof(shop_attrs[0]),
};

static const struct st_resource stock = {
	.index = 1,
	.generation = 1,
	.service = {"stock", 5},
	.pid = 4712,
	.attrs = stock_attrs,
	.attr_cnt = sizeof(stock_attrs) / sizeof(stock_attrs[0]),
};

/* A SERVER span of HTTP with the 16 attributes that the stable conventions give one. */
static inline void span_http(struct st_span *s, const struct st_resource *r)
{
	*s = (struct st_span){
		.kind = ST_KIND_SERVER,
		.start_ns = 1763724201507000123,
		.end_ns = 1763724201530410456,
		.has_parent = true,
		.flags = 0x301,
		.resource = r,
	};
	for (unsigned int i = 0; i < 16; i++)
		s->trace_id[i] = (uint8_t)(0x10 + i);
	for (unsigned int i = 0; i < 8; i++) {
		s->span_id[i] = (uint8_t)(0xa0 + i);
		s->parent_id[i] = (uint8_t)(0xb0 + i);
	}
	s->name = ST_STR("GET /orders/{id}");
	st_span_str(s, ST_KEY(http_request_method), ST_STR("GET"));
	st_span_int(s, ST_KEY(http_response_status_code), 200);
	st_span_str(s, ST_KEY(url_scheme), ST_STR("http"));
	st_span_str(s, ST_KEY(url_path), ST_STR("/orders/81934"));
	st_span_str(s, ST_KEY(spantap_route), ST_STR("/orders/{id}"));
	st_span_str(s, ST_KEY(server_address), ST_STR("shop.example.com"));
	st_span_int(s, ST_KEY(server_port), 8080);
	st_span_str(s, ST_KEY(client_address), ST_STR("192.168.17.202"));
	st_span_str(s, ST_KEY(network_peer_address), ST_STR("192.168.17.202"));
	st_span_int(s, ST_KEY(network_peer_port), 49152);
	st_span_str(s, ST_KEY(network_protocol_name), ST_STR("http"));
	st_span_str(s, ST_KEY(network_protocol_version), ST_STR("1.1"));
	st_span_str(s, ST_KEY(user_agent_original), ST_STR("Mozilla/5.0 (X11; Linux x86_64)"));
	st_span_int(s, ST_KEY(http_response_body_size), 18345);
	st_span_int(s, ST_KEY(thread_id), 4713);
	st_span_str(s, ST_KEY(spantap_parent_evidence), ST_STR("header"));
}

/* Random spans: everything that one span points to lives in `mem` until the next is made. */
struct span_gen {
	uint64_t state;
	bool nul_bytes; /* strings may hold NUL */
	char *mem;
	size_t used;
	struct st_event events[8];
	struct st_link links[8];
};

#define SPAN_GEN_MEM (8u << 20)

static inline uint64_t gen_next(struct span_gen *g)
{
	g->state ^= g->state << 13;
	g->state ^= g->state >> 7;
	g->state ^= g->state << 17;
	return g->state;
}

static inline uint32_t gen_below(struct span_gen *g, uint32_t n)
{
	return (uint32_t)((gen_next(g) >> 20) % n);
}

static inline void *gen_alloc(struct span_gen *g, size_t n)
{
	size_t at = (g->used + 15) & ~(size_t)15;

	assert_true(at + n <= SPAN_GEN_MEM);
	g->used = at + n;
	return g->mem + at;
}

static inline uint32_t gen_len(struct span_gen *g)
{
	static const uint32_t lens[] = {0,   1,	  2,   3,   4,	 5,   7,     8,	    9,
					12,  15,  16,  17,  31,	 60,  90,    100,   110,
					126, 127, 128, 129, 200, 300, 16200, 16384, 20000};
	uint32_t i = gen_below(g, 60);

	return i < sizeof(lens) / sizeof(lens[0]) ? lens[i] : gen_below(g, 40);
}

/* Mostly ASCII; sometimes other characters, sometimes bytes of any value. */
static inline struct st_str gen_str(struct span_gen *g)
{
	static const char *const chars[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "z"};
	uint32_t len = gen_len(g), kind = gen_below(g, 8), off = 0;
	char *p = gen_alloc(g, len + 8);

	while (off < len) {
		if (kind == 0) {
			p[off++] = (char)gen_next(g);
		} else if (kind == 1) {
			const char *c = chars[gen_below(g, 4)];

			memcpy(p + off, c, strlen(c));
			off += (uint32_t)strlen(c);
		} else {
			p[off++] = (char)(' ' + gen_below(g, 95));
		}
		if (!g->nul_bytes && !p[off - 1])
			p[off - 1] = 'N';
	}
	return st_str(p, off);
}

static inline int64_t gen_int(struct span_gen *g)
{
	return (int64_t)(gen_next(g) >> gen_below(g, 64)) * (gen_below(g, 4) ? 1 : -1);
}

static inline void gen_attr(struct span_gen *g, struct st_attr *a)
{
	struct st_str *v;

	a->key = st_key__by_index((uint16_t)gen_below(g, st_key__cnt()));
	a->type = gen_below(g, 2) ? ST_V_STR : (uint8_t)(1 + gen_below(g, 5));
	if (a->type == ST_V_STR) {
		a->s = gen_str(g);
	} else if (a->type == ST_V_INT) {
		a->i = gen_int(g);
	} else if (a->type == ST_V_BOOL) {
		a->b = gen_below(g, 2);
	} else if (a->type == ST_V_DOUBLE) {
		a->d = (double)gen_int(g) / 1000;
	} else {
		a->strs.cnt = gen_below(g, 5);
		v = gen_alloc(g, 5 * sizeof(*v));
		for (uint32_t i = 0; i < a->strs.cnt; i++)
			v[i] = gen_str(g);
		a->strs.v = v;
	}
}

static inline const struct st_attr *gen_attrs(struct span_gen *g, uint16_t *cnt)
{
	struct st_attr *v = gen_alloc(g, 6 * sizeof(*v));

	*cnt = (uint16_t)gen_below(g, 6);
	for (uint16_t i = 0; i < *cnt; i++)
		gen_attr(g, &v[i]);
	return v;
}

static inline void gen_bytes(struct span_gen *g, uint8_t *p, size_t n)
{
	while (n--)
		*p++ = (uint8_t)gen_next(g);
}

static inline uint32_t gen_dropped(struct span_gen *g)
{
	return gen_below(g, 4) ? 0 : gen_below(g, 1000);
}

static inline void gen_event(struct span_gen *g, struct st_event *ev)
{
	ev->time_ns = gen_below(g, 8) ? gen_next(g) : 0;
	ev->name = gen_str(g);
	ev->attrs = gen_attrs(g, &ev->attr_cnt);
	ev->dropped_attr_cnt = gen_dropped(g);
}

static inline void gen_link(struct span_gen *g, struct st_link *l)
{
	gen_bytes(g, l->trace_id, 16);
	gen_bytes(g, l->span_id, 8);
	l->trace_state = gen_str(g);
	l->attrs = gen_attrs(g, &l->attr_cnt);
	l->dropped_attr_cnt = gen_dropped(g);
	l->flags = gen_below(g, 2) ? gen_below(g, 0x400) : 0;
}

static inline void gen_span(struct span_gen *g, struct st_span *s, const struct st_resource *r)
{
	g->used = 0;
	memset(s, 0, sizeof(*s));
	gen_bytes(g, s->trace_id, 16);
	gen_bytes(g, s->span_id, 8);
	s->has_parent = gen_below(g, 2);
	if (s->has_parent)
		gen_bytes(g, s->parent_id, 8);
	s->start_ns = gen_below(g, 16) ? gen_next(g) : 0;
	s->end_ns = gen_below(g, 16) ? gen_next(g) : 0;
	s->kind = (uint8_t)gen_below(g, 6);
	s->status = (uint8_t)gen_below(g, 3);
	s->flags = gen_below(g, 2) ? gen_below(g, 0x400) : 0;
	s->name = gen_str(g);
	s->status_message = gen_below(g, 3) ? (struct st_str){0} : gen_str(g);
	s->trace_state = gen_below(g, 3) ? (struct st_str){0} : gen_str(g);
	s->dropped_attr_cnt = gen_dropped(g);
	s->dropped_event_cnt = gen_dropped(g);
	s->dropped_link_cnt = gen_dropped(g);
	s->resource = r;
	s->attrs = s->own;
	s->attr_cnt = (uint16_t)gen_below(g, ST_SPAN_ATTR_MAX + 1);
	for (uint16_t i = 0; i < s->attr_cnt; i++)
		gen_attr(g, &s->own[i]);
	s->event_cnt = (uint16_t)(gen_below(g, 2) ? 0 : gen_below(g, 8));
	for (uint16_t i = 0; i < s->event_cnt; i++)
		gen_event(g, &g->events[i]);
	s->events = g->events;
	s->link_cnt = (uint16_t)(gen_below(g, 2) ? 0 : gen_below(g, 8));
	for (uint16_t i = 0; i < s->link_cnt; i++)
		gen_link(g, &g->links[i]);
	s->links = g->links;
}

static inline void gen_init(struct span_gen *g, uint64_t seed)
{
	*g = (struct span_gen){.state = seed * 2654435769u + 88172645463325252u};
	g->mem = malloc(SPAN_GEN_MEM);
	assert_non_null(g->mem);
}

#endif
