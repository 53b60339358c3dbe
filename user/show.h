/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How check and list write: 80 columns for people, JSON for programs. */
#ifndef ST_SHOW_H
#define ST_SHOW_H

#include "lib/buf.h"
#include "spantap/bytes.h"

#define ST_SHOW_COLUMNS 80u

/* Blanks up to that column (from 0) of the line; at least one when it is already passed. */
void st_show__to(struct st_buf *b, size_t column);

/* Text broken at blanks, its further lines indented; ends without a line's end. */
void st_show__wrap(struct st_buf *b, size_t indent, const char *text);

/* Text cut to width columns, the end of a longer one replaced by "..". */
void st_show__cut(struct st_buf *b, size_t width, const char *text);

/* A JSON string with its quotes; what is no UTF-8 becomes '?'. */
void st_show__json(struct st_buf *b, struct st_str s);

/* "key":"value" with a comma before it when one is needed. */
void st_show__json_pair(struct st_buf *b, const char *key, const char *value);

/* "key": likewise */
void st_show__json_key(struct st_buf *b, const char *key);

/* Writes all to stdout. Returns 0, or -errno after having said so. */
int st_show__flush(struct st_buf *b);

#endif
