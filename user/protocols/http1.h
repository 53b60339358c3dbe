/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* HTTP/1.x (RFC 9110, RFC 9112): messages, their bodies' ends, and exchanges. */
#ifndef ST_PROTOCOLS_HTTP1_H
#define ST_PROTOCOLS_HTTP1_H

#include "protocols/http1_head.h"
#include "protocols/http1_kept.h"
#include "spantap/keys.h"
#include "spantap/protocol.h"

extern const struct st_proto_ops st_proto_http1;

/* Header fields that --capture asks for; keys[i] is the attribute of names[i]. Before any data. */
void st_http1__capture(const struct st_http1_capture *cap, const struct st_key *const *keys);

/* What an exchange keeps of its messages (in st_xchg.priv). */
struct st_http1_xchg {
	struct st_http1_kept *req; /* a reference; NULL when memory ran out */
	uint64_t req_body;
	uint64_t resp_body;
	uint16_t status; /* 0: none yet */
	bool req_body_known;
	bool resp_body_known;
};

_Static_assert(sizeof(struct st_http1_xchg) <= ST_XCHG_PRIV, "fits the exchange");

static inline struct st_http1_xchg *st_http1_of(struct st_xchg *x)
{
	return (struct st_http1_xchg *)x->priv;
}

/* Name and attributes, see st_proto_ops; http1_span.c. */
void st_http1__span(struct st_xchg *x, struct st_span *s, struct st_str *fallback);
bool st_http1__recall(struct st_xchg *x, struct st_span *s, struct st_str *fallback);
void st_http1__learn(struct st_xchg *x, const struct st_span *s, struct st_str fallback);

/* What --capture asked for; http1.c. */
const struct st_http1_capture *st_http1__captured(const struct st_key *const **keys);

#endif
