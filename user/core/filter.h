/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * --filter EXPR: which spans are wanted. Pure; compiled once, matched without allocation.
 *
 *	expr    = and { "||" and }
 *	and     = term { "&&" term }
 *	term    = "!" term | "(" expr ")" | name [ op value ]
 *	op      = "==" | "!=" | "<" | "<=" | ">" | ">=" | "=~"
 *	name    = duration | status | name | kind | service | an attribute's name
 *	value   = "text" | 'text' | text without blanks, parentheses, quotes, and any of & | ! = < >
 *
 * An attribute is looked for among the span's, then among its resource's. An absent one makes its
 * comparison false, != too; a name alone asks whether it is there. =~ takes * and ? as in file
 * names. Numbers compare as numbers with numeric attributes, quoted ones as text. duration wants a
 * unit (ns, us, ms, s, m, h). Of an attribute with several values one must match; != wants all to
 * differ. A backslash in quotes takes the next character as it is.
 */
#ifndef ST_CORE_FILTER_H
#define ST_CORE_FILTER_H

#include "spantap/span.h"

#define ST_FILTER_EXPR_MAX 4096 /* bytes */
#define ST_FILTER_TERM_MAX 64	/* comparisons */
#define ST_FILTER_DEEP_MAX 32	/* parentheses and negations within each other */

struct st_filter;

/*
 * Compiles expr, which is copied. Returns NULL after having put one line into err, which names
 * the column (from 1) and the cure; end with st_filter__free.
 */
struct st_filter *st_filter__new(const char *expr, char *err, size_t err_sz);
void st_filter__free(struct st_filter *f);

bool st_filter__match(const struct st_filter *f, const struct st_span *s);

#endif
