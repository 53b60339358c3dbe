/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* FastCGI 1.0: what web servers speak with PHP-FPM and others. Its requests are those of HTTP. */
#ifndef ST_PROTOCOLS_FASTCGI_H
#define ST_PROTOCOLS_FASTCGI_H

#include "lib/buf.h"
#include "protocols/fastcgi_rec.h"
#include "spantap/keys.h"
#include "spantap/protocol.h"

extern const struct st_proto_ops st_proto_fastcgi;

/* PARAMS of one request; longer ones are lost. A carrier reaches no further. */
#define ST_FCGI_PARAMS_MAX  65535u
#define ST_FCGI_CAPTURE_MAX 16u

/*
 * Header fields that --capture asks for, their names in lower case; keys[i] is the attribute of
 * names[i]. Both are copied, the texts are not. Before any data.
 */
void st_fcgi__capture(const struct st_str *names, const struct st_key *const *keys, uint32_t cnt);

/* What --capture asked for; fastcgi_req.c. */
uint32_t st_fcgi__captured(const struct st_key *const **keys);

/* A request: from BEGIN_REQUEST on the connection's, from the end of its PARAMS on its exchange's. */
struct st_fcgi_req {
	struct st_fcgi_req *next; /* begun later */
	struct st_chunk first;	  /* where it began; without its bytes */
	struct st_buf params;
	uint16_t id;
	bool keep; /* the connection stays when it is answered */
	/* Of the params, when they are whole. */
	struct st_str method;
	struct st_str uri;
	struct st_str script;
	struct st_str query;
	struct st_str scheme;
	struct st_str https;
	struct st_str host;
	struct st_str name;
	struct st_str port;
	struct st_str length; /* of its body, as who asked says */
	struct st_str user_agent;
	struct st_carrier carrier;
	struct st_str captured[ST_FCGI_CAPTURE_MAX];
};

/* NULL when memory runs out; NULL is safe to free. */
struct st_fcgi_req *st_fcgi_req__new(const struct st_fcgi_header *h, uint8_t flags,
				     const struct st_chunk *c);
void st_fcgi_req__free(struct st_fcgi_req *r);
/* Its params are whole: takes them apart. What is cut in the middle is left out. */
void st_fcgi_req__read(struct st_fcgi_req *r);

/* What an exchange keeps (in st_xchg.priv). */
struct st_fcgi_xchg {
	struct st_fcgi_req *req;
	uint64_t req_body;
	uint64_t resp_body;
	struct st_fcgi_head head;
	uint16_t id;
	bool req_ended; /* the last record of its body was seen */
	bool aborted;	/* by who asked */
	bool req_hole; /* bytes of the body, or the answer, were not seen: their sizes are not known */
	bool resp_hole;
	bool head_lost; /* of its answer */
	bool whole;	/* END_REQUEST came */
};

_Static_assert(sizeof(struct st_fcgi_xchg) <= ST_XCHG_PRIV, "fits the exchange");

static inline struct st_fcgi_xchg *st_fcgi_of(struct st_xchg *x)
{
	return (struct st_fcgi_xchg *)x->priv;
}

/* 0: none was seen. */
static inline uint16_t st_fcgi_xchg__status(const struct st_fcgi_xchg *f)
{
	return f->head.done && !f->head_lost ? st_fcgi_head__status(&f->head) : 0;
}

/* See st_proto_ops; fastcgi_span.c. */
void st_fcgi__span(struct st_xchg *x, struct st_span *s, struct st_str *fallback);

#endif
