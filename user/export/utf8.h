/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Strings as OTLP wants them: valid UTF-8 whatever the traced process sent. Each maximal part of
 * an ill-formed sequence becomes one U+FFFD (Unicode 15, section 3.9, "U+FFFD Substitution of
 * Maximal Subparts"). Nearly all strings are ASCII, which costs a copy by words and one test.
 */
#ifndef ST_EXPORT_UTF8_H
#define ST_EXPORT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ST_UTF8_REPLACEMENT "\xef\xbf\xbd"
/* One ill-formed byte becomes three. */
#define ST_UTF8_WORST	    3

/*
 * Bytes of the character at p (p < end): how many to go on by. *valid tells whether they are
 * one, or the maximal part of an ill-formed sequence.
 */
uint32_t st_utf8__step(const uint8_t *p, const uint8_t *end, bool *valid);

/* Bytes that st_utf8__write would write. */
size_t st_utf8__size(const char *s, uint32_t len, uint32_t max_chars);

/* Writes at most max_chars characters of s to `to`, made valid; returns the end of it. */
uint8_t *st_utf8__write(uint8_t *to, const char *s, uint32_t len, uint32_t max_chars);

static inline uint64_t st_word_copy8(uint8_t *to, const char *s)
{
	uint64_t w;

	memcpy(&w, s, 8);
	memcpy(to, &w, 8);
	return w;
}

static inline uint32_t st_word_copy4(uint8_t *to, const char *s)
{
	uint32_t w;

	memcpy(&w, s, 4);
	memcpy(to, &w, 4);
	return w;
}

/*
 * Copies len bytes; reads and writes nothing beyond. Returns the OR of words that hold all of
 * them: st_ascii(it) tells whether all are ASCII, also of several copies' results ORed.
 */
static inline uint64_t st_copy_or(uint8_t *to, const char *s, size_t len)
{
	uint64_t all;

	if (len > 8) {
		size_t last = len - 8;

		all = st_word_copy8(to + last, s + last);
		for (size_t i = 0; i < last; i += 8)
			all |= st_word_copy8(to + i, s + i);
		return all;
	}
	if (len >= 4)
		return st_word_copy4(to, s) | st_word_copy4(to + len - 4, s + len - 4);
	if (!len)
		return 0;
	/* One to three bytes: the first, the middle and the last are all of them. */
	all = to[0] = (uint8_t)s[0];
	all |= to[len / 2] = (uint8_t)s[len / 2];
	return all | (to[len - 1] = (uint8_t)s[len - 1]);
}

static inline bool st_ascii(uint64_t all)
{
	return !(all & 0x8080808080808080u);
}

#endif
