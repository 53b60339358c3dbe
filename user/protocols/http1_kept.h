/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Heads as they stood on the wire. A connection keeps its last one in each direction: most
 * clients send the same head again and again, and comparing bytes costs a tenth of parsing them.
 * An exchange keeps its request's head instead of copies of its fields. One thread.
 */
#ifndef ST_PROTOCOLS_HTTP1_KEPT_H
#define ST_PROTOCOLS_HTTP1_KEPT_H

#include "protocols/http1_head.h"
#include "spantap/span.h"

#define ST_HTTP1_TMPL_ATTRS 24
#define ST_HTTP1_TMPL_TEXT  768

/* A span of this request's head and of a response with that status and size, ids and times aside. */
struct st_http1_tmpl {
	uint64_t id; /* st_span.tmpl */
	uint64_t req_body;
	uint64_t resp_body;
	uint16_t http_status;
	uint16_t attr_cnt;
	uint8_t status;	  /* enum st_status */
	uint8_t evidence; /* of the parent */
	uint32_t flags;
	uint32_t room; /* bytes behind this */
	struct st_str name;
	struct st_str fallback;
	struct st_attr attrs[]; /* attr_cnt; then what they point to besides the head */
};

struct st_http1_kept {
	uint32_t refs;
	uint32_t len;	   /* bytes of the head */
	uint32_t room;	   /* capacity of bytes */
	uint32_t hits;	   /* times that the same bytes came again */
	uint64_t body_len; /* plain: of its body */
	bool plain;	   /* its message ends with a known length, and it changes nothing else */
	struct st_http1_head head;  /* its slices lie in bytes */
	struct st_http1_tmpl *tmpl; /* owned; NULL: none yet */
	struct st_http1_kept *next; /* free ones */
	char bytes[];
};

/* Do these bytes begin with the very head that is kept? */
static inline bool st_http1_kept__match(const struct st_http1_kept *k, const uint8_t *p,
					uint32_t len)
{
	return k && len >= k->len && !memcmp(p, k->bytes, k->len);
}

/* A copy of a parsed head of len bytes, with one reference. NULL when memory runs out. */
struct st_http1_kept *st_http1_kept__new(const uint8_t *p, uint32_t len,
					 const struct st_http1_head *head);

static inline struct st_http1_kept *st_http1_kept__ref(struct st_http1_kept *k)
{
	if (k)
		k->refs++;
	return k;
}

/* NULL is safe. */
void st_http1_kept__unref(struct st_http1_kept *k);

/*
 * Keeps a finished span as the template of this request's head; spans that do not fit are not
 * kept. Slices into the request's head stay, others are copied.
 */
void st_http1_kept__learn(struct st_http1_kept *k, uint16_t status, uint64_t req_body,
			  uint64_t resp_body, const struct st_span *s, struct st_str fallback);

/* Fills the span from the template if it fits; false when none does. Its flags and evidence stand. */
bool st_http1_kept__recall(const struct st_http1_kept *k, uint16_t status, uint64_t req_body,
			   uint64_t resp_body, struct st_span *s, struct st_str *fallback);

#endif
