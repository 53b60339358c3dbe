/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Text on a terminal: made harmless, measured in columns, cut to fit; durations and counts as
 * people read them. Strings are NUL-terminated; "utf8" tells whether the terminal shows UTF-8,
 * else all output is ASCII.
 */
#ifndef ST_UI_TERM_H
#define ST_UI_TERM_H

#include "spantap/bytes.h"

/* Room that st_term__duration needs with its NUL ("999.99 ms", and µ has two bytes). */
#define ST_TERM_DURATION_SZ   16
/* Columns that a duration takes at most. */
#define ST_TERM_DURATION_COLS 9

/* Whether LC_ALL, LC_CTYPE or LANG, in this order, name UTF-8. */
bool st_term__utf8_locale(void);

/* Columns of the terminal at fd, or 80. */
int st_term__width(int fd);

/*
 * Copies s into dst (dst_sz with the NUL): control characters, escape sequences' starts, what is
 * not UTF-8, and characters that turn or hide text (bidirectional controls, zero width; Unicode
 * TR 36) become '?'. What does not fit is cut in the middle. Returns the length in bytes.
 */
size_t st_term__clean(char *dst, size_t dst_sz, struct st_str s, bool utf8);

/* Columns of a text that st_term__clean made: wide characters count two. */
uint32_t st_term__cols(const char *text);

/*
 * Copies text into dst so that it takes at most cols columns and dst_sz bytes, with an ellipsis
 * in the middle (at a '/' when one is near) or, with at_end, at the end. Returns the columns.
 */
uint32_t st_term__fit(char *dst, size_t dst_sz, const char *text, uint32_t cols, bool utf8);
uint32_t st_term__fit_end(char *dst, size_t dst_sz, const char *text, uint32_t cols, bool utf8);

/* "850 ns", "412 us", "23.41 ms", "3.01 s", "2m 05s", "1h 02m", "3d 04h". Returns columns. */
uint32_t st_term__duration(char dst[ST_TERM_DURATION_SZ], uint64_t ns, bool utf8);

/* The same with two digits, for what is not exact: "1.2 ms", "12 ms", "0.9 s". */
uint32_t st_term__duration_rough(char dst[ST_TERM_DURATION_SZ], uint64_t ns, bool utf8);

/* "1,234,567" into dst (at least 28 bytes); returns dst. */
const char *st_term__count(char *dst, uint64_t n);

#endif
