/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* FastCGI records (FastCGI Specification 1.0, sections 3.3 and 8), and the bytes that they carry. */
#ifndef ST_PROTOCOLS_FASTCGI_REC_H
#define ST_PROTOCOLS_FASTCGI_REC_H

#include "spantap/bytes.h"

#define ST_FCGI_HEADER 8u
#define ST_FCGI_BODY   8u /* of BEGIN_REQUEST and END_REQUEST */

enum st_fcgi_type {
	ST_FCGI_BEGIN = 1,
	ST_FCGI_ABORT = 2,
	ST_FCGI_END = 3,
	ST_FCGI_PARAMS = 4,
	ST_FCGI_STDIN = 5,
	ST_FCGI_STDOUT = 6,
	ST_FCGI_STDERR = 7,
	ST_FCGI_DATA = 8,
	ST_FCGI_GET_VALUES = 9,
	ST_FCGI_GET_VALUES_RESULT = 10,
	ST_FCGI_UNKNOWN_TYPE = 11,
};

#define ST_FCGI_KEEP_CONN 1u /* flag of BEGIN_REQUEST */

struct st_fcgi_header {
	uint8_t type; /* enum st_fcgi_type */
	uint8_t pad;
	uint16_t id;
	uint16_t len;
};

/*
 * The header on the eight bytes at p; is_request: of the direction of requests. False when no record
 * of that direction begins so.
 */
bool st_fcgi__header(const uint8_t *p, bool is_request, struct st_fcgi_header *out);

/* Body of END_REQUEST. */
struct st_fcgi_end {
	uint32_t app_status;
	uint8_t protocol_status; /* 0: the request is complete */
};

/* The sixteen bytes at p: a header and its body. */
struct st_fcgi_end st_fcgi__end(const uint8_t *p);

/* Do these sixteen bytes end a request, by the strict reading of st_fcgi__detect? */
bool st_fcgi__is_end(const uint8_t *p, uint16_t *id);

/*
 * Could these bytes begin a turn? 1 of requests, 2 of responses, 0 undecided (too few), -EPROTO no.
 * Stricter than the specification: reserved bytes are zero, records padded to eight bytes or not at
 * all, a response's head begins with a field's name.
 */
int st_fcgi__detect(struct st_bytes b);

/* Takes a name and its value off the front of PARAMS; false when none is whole. */
bool st_fcgi__pair(struct st_bytes *b, struct st_str *name, struct st_str *value);

/* The head of a response (RFC 3875 6.2), taken apart as it comes; zero-initialised is the start. */
struct st_fcgi_head {
	uint16_t number; /* of Status */
	uint8_t digits;
	uint8_t state;
	uint8_t col;   /* in the line, up to 255 */
	uint8_t alive; /* bit per name that the line may begin with */
	bool location; /* there is such a field */
	bool done;
};

/* Returns how many bytes belong to the head: all of them until it is done. */
uint32_t st_fcgi_head__feed(struct st_fcgi_head *h, const uint8_t *p, uint32_t len);

/* Of a head that is done: its status. */
uint16_t st_fcgi_head__status(const struct st_fcgi_head *h);

#endif
