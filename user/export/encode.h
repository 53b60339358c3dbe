/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a format is: pure functions that turn spans into bytes, without a socket. A batch
 * (batch.h) collects them, and a format joins what was collected into one request's body.
 */
#ifndef ST_EXPORT_ENCODE_H
#define ST_EXPORT_ENCODE_H

#include "export/export.h"
#include "lib/buf.h"
#include "spantap/keys.h"

struct st_batch;
struct st_enc;

/*
 * A key as the format writes it, made once per key. `pad` has its first bytes, for a copy of
 * constant size. fast_end is the format's own: string values below that length take its fast
 * path; 0 while the piece is not made.
 */
#define ST_PIECE_PAD 32
struct st_piece {
	uint8_t pad[ST_PIECE_PAD];
	uint8_t *p; /* NULL: not made yet */
	uint32_t len;
	uint32_t fast_end;
} __attribute__((aligned(64)));

struct st_format {
	const char *content_type;
	uint32_t tmpl_sz; /* bytes that are kept of a span's template (tmpl.h), a multiple of 8 */
	/* All but join append and return false when the buffer is full or memory ran out. */
	bool (*key)(struct st_buf *b, struct st_str name);
	/* st_piece.fast_end for a piece of that length; NULL: 0. */
	uint32_t (*fast_end)(const struct st_limits *lim, uint32_t piece_len);
	bool (*span)(struct st_enc *enc, struct st_buf *b, const struct st_span *s);
	bool (*resource)(struct st_enc *enc, struct st_buf *b, const struct st_resource *r);
	/* The whole request from a batch, into an empty buffer. */
	bool (*join)(const struct st_batch *bt, struct st_buf *body);
};

extern const struct st_format st_format_otlp;	/* otlp_encode.c: protobuf */
extern const struct st_format st_format_json;	/* json_encode.c: OTLP/JSON */
extern const struct st_format st_format_zipkin; /* zipkin_encode.c: Zipkin v2 JSON */

/* An encoder: one format's keys and limits. Used by one thread. */
struct st_enc {
	struct st_piece keys[ST_KEY_MAX]; /* first: a key's index then is its offset */
	const struct st_format *format;
	struct st_limits lim;
	uint8_t *tmpls; /* tmpl.h; NULL until the first is kept */
};

void st_enc__init(struct st_enc *enc, const struct st_format *f, const struct st_limits *lim);
void st_enc__free(struct st_enc *enc);

/* Makes a key's piece; NULL when memory ran out. */
const struct st_piece *st_enc__make_key(struct st_enc *enc, const struct st_key *key);

static inline const struct st_piece *st_enc__key(struct st_enc *enc, const struct st_key *key)
{
	const struct st_piece *k = &enc->keys[key->index];

	return __builtin_expect(k->p != NULL, 1) ? k : st_enc__make_key(enc, key);
}

static inline uint32_t st_min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

#endif
