/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Strings that a traced process chose: cut, compared and made fit for a terminal and for OTLP. */
#ifndef ST_META_TEXT_H
#define ST_META_TEXT_H

#include "spantap/bytes.h"

static inline bool st_text__starts(struct st_str s, const char *z)
{
	size_t n = strlen(z);

	return s.len >= n && !memcmp(s.p, z, n);
}

static inline bool st_text__ends(struct st_str s, const char *z)
{
	size_t n = strlen(z);

	return s.len >= n && !memcmp(s.p + s.len - n, z, n);
}

static inline bool st_text__is(struct st_str s, const char *z)
{
	return st_str_eq(s, st_str_of(z));
}

/* s without its first n bytes (all of it when it is shorter). */
static inline struct st_str st_text__skip(struct st_str s, uint32_t n)
{
	return n < s.len ? st_str(s.p + n, s.len - n) : st_str(s.p, 0);
}

/* The bytes before the first c, or all. */
struct st_str st_text__until(struct st_str s, char c);

/* s without spaces and tabs at both ends. */
struct st_str st_text__trim(struct st_str s);

/* True when one of the words in list (separated by single spaces) is s. */
bool st_text__in(struct st_str s, const char *list);

/* What stands behind the last '/', trailing ones ignored. */
struct st_str st_text__base(struct st_str path);

/* What stands before the last '/'; "/" for a file of the root, empty without a '/'. */
struct st_str st_text__dir(struct st_str path);

/* dir/path (or path alone when absolute) without "." and ".." into out; false: does not fit. */
bool st_text__join(struct st_str dir, struct st_str path, char *out, size_t out_sz);

/* Whether s is UTF-8 by RFC 3629 (no surrogates, no overlong forms, no NUL). */
bool st_text__utf8(struct st_str s);

/*
 * Copies s NUL-terminated, cut at a character's border, with '?' for control characters and for
 * bytes that are not UTF-8. Returns the length.
 */
size_t st_text__clean(char *out, size_t out_sz, struct st_str s);

/* The next NUL-separated item of *rest; false at the end. */
bool st_text__item(struct st_str *rest, struct st_str *item);

/* The value of NAME in an environment block ("A=1\0B=2\0"), as getenv(3): the first. */
bool st_text__env(struct st_str block, const char *name, struct st_str *value);

/*
 * The string value of a top-level key of a JSON object; the text may be cut at its end. False
 * when it is absent, is no plain string (an escape within), or the text is no object.
 */
bool st_text__json(struct st_str json, const char *key, struct st_str *value);

#endif
