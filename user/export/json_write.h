/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* JSON's pieces (RFC 8259): strings made valid and escaped, numbers, and a pretty-printer. */
#ifndef ST_EXPORT_JSON_WRITE_H
#define ST_EXPORT_JSON_WRITE_H

#include "lib/buf.h"
#include "spantap/bytes.h"

/* All append to b; what did not fit shows in b->failed, which is sticky. */

/* A literal, as it is. */
#define st_json__lit(b, lit) st_buf__put((b), (lit), sizeof(lit) - 1)

/* A string with its quotes; at most max_chars characters of it. */
void st_json__str(struct st_buf *b, struct st_str s, uint32_t max_chars);
/* The same without quotes. */
void st_json__text(struct st_buf *b, struct st_str s, uint32_t max_chars);

void st_json__uint(struct st_buf *b, uint64_t v);
void st_json__int(struct st_buf *b, int64_t v);
/* The shortest digits that read back as v; "NaN", "Infinity" and "-Infinity" as strings. */
void st_json__double(struct st_buf *b, double v);
/* Bytes in lower-case hexadecimal, with quotes. */
void st_json__hex(struct st_buf *b, const uint8_t *p, uint32_t n);

/* Writes JSON text again, indented by two spaces a level. The text must be well-formed. */
bool st_json__pretty(struct st_buf *b, const char *p, size_t len);

#endif
