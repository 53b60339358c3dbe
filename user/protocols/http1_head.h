/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One-pass parser of HTTP/1.x message heads (RFC 9112), tolerant as RFC 9112 2.2 and 3 allow. */
#ifndef ST_PROTOCOLS_HTTP1_HEAD_H
#define ST_PROTOCOLS_HTTP1_HEAD_H

#include "spantap/bytes.h"
#include "spantap/carrier.h"

#define ST_HTTP1_HEAD_MAX    65536u
#define ST_HTTP1_CAPTURE_MAX 16

enum st_http1_flag {
	ST_H1_CHUNKED = 0x0001,	   /* the last transfer coding is chunked */
	ST_H1_TE_OTHER = 0x0002,   /* transfer codings whose last is not chunked */
	ST_H1_HAS_LENGTH = 0x0004, /* a valid Content-Length (equal repetitions allowed) */
	ST_H1_BAD_LENGTH = 0x0008, /* an invalid one, or several that differ */
	ST_H1_CLOSE = 0x0010,	   /* Connection: close */
	ST_H1_KEEP_ALIVE = 0x0020, /* Connection: keep-alive */
	ST_H1_UPGRADE = 0x0040,	   /* Connection: upgrade and an Upgrade field */
	ST_H1_EXPECT = 0x0080,	   /* Expect: 100-continue */
};

/* Names of header fields whose values are wanted besides the built-in ones (--capture). */
struct st_http1_capture {
	struct st_str names[ST_HTTP1_CAPTURE_MAX]; /* lower case */
	uint32_t cnt;
	uint32_t letters; /* by st_http1_capture__prepare(); 0 works too but costs at each parse */
};

/* To be called once when the names stand. */
void st_http1_capture__prepare(struct st_http1_capture *cap);

/* A parsed head. Slices point into the parsed bytes. Absent fields have len 0 and p NULL. */
struct st_http1_head {
	bool is_response;
	uint8_t version;	 /* 10 or 11 (1.x with x > 1 counts as 11) */
	uint16_t status;	 /* response: 100..999 */
	uint16_t flags;		 /* enum st_http1_flag */
	uint64_t content_length; /* when ST_H1_HAS_LENGTH */
	struct st_str method;	 /* request; any token */
	struct st_str target;	 /* request: as on the wire */
	struct st_str host;
	struct st_str user_agent;
	struct st_str upgrade;
	struct st_str captured[ST_HTTP1_CAPTURE_MAX]; /* first value of each wanted name */
	struct st_carrier carrier;		      /* request; based on the first byte parsed */
};

/*
 * Parses the head at the start of [b.p, b.end).
 * Returns its length in bytes (end of the empty line), 0 when more bytes are needed (decided by
 * the bytes alone: a prefix of a possible head of at most ST_HTTP1_HEAD_MAX bytes), or -EPROTO
 * when these bytes cannot begin an HTTP/1.x message, -E2BIG when the head is too long.
 * One pass over the bytes, no allocation. cap may be NULL. Up to two leading CRLF (RFC 9112 2.2)
 * are skipped and count in the length. Lines may end in LF alone. Obsolete folding is accepted: a
 * folded value keeps the line ends inside it. out holds a head only when the length is returned.
 */
int st_http1_head__parse(struct st_bytes b, const struct st_http1_capture *cap,
			 struct st_http1_head *out);

/*
 * Could these bytes begin an HTTP/1.x message? 1 a request, 2 a response, 0 undecided (too few),
 * -EPROTO no. Looks at no more than 64 bytes but for a long target; used on each new turn.
 */
int st_http1_head__detect(struct st_bytes b);

/* Incremental decoder of the chunked coding (RFC 9112 7.1); zero-initialised is the start. */
struct st_http1_chunks {
	uint64_t left;	   /* bytes of the current chunk's data (and CRLF) to skip */
	uint64_t body_len; /* data bytes so far */
	uint8_t state;
	uint8_t digits;
	uint16_t line_len; /* of the size or trailer line under way */
};

/*
 * Consumes bytes. Returns how many it used (all of them unless the end was reached), sets *done
 * when the last one used ends the message (trailers included); -EPROTO when malformed.
 */
int64_t st_http1_chunks__feed(struct st_http1_chunks *c, struct st_bytes b, bool *done);

/*
 * Do these bytes, from anywhere in a chunked body, look like its end: the last chunk, trailers and
 * an empty line? For bodies of which not all was seen; what a chunk holds may look so too.
 */
bool st_http1_chunks__ends(struct st_bytes b);

#endif
