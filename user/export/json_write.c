/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/utf8.h"

/* A control character becomes six bytes. */
#define JSON_WORST 6

#define ONES	   0x0101010101010101u
#define TOPS	   0x8080808080808080u

/* Whether a word holds a byte that is no plain ASCII: control, quote, backslash, or above. */
static bool word_special(uint64_t w)
{
	uint64_t quote = w ^ ONES * '"', slash = w ^ ONES * '\\';
	/* (x - n) borrows into the top bit where a byte is below n; false alarms cost no more. */
	uint64_t low = (w - ONES * 0x20) | (quote - ONES) | (slash - ONES);

	return ((low | w) & TOPS) != 0;
}

static uint8_t *put_escape(uint8_t *to, uint8_t c)
{
	static const char short_of[] = "btn?fr"; /* 8, 9, 10, 12, 13 */
	static const char digits[] = "0123456789abcdef";

	*to++ = '\\';
	if (c == '"' || c == '\\') {
		*to++ = c;
	} else if (c >= 8 && c <= 13 && c != 11) {
		*to++ = (uint8_t)short_of[c - 8];
	} else {
		memcpy(to, "u00", 3);
		to[3] = (uint8_t)digits[c >> 4];
		to[4] = (uint8_t)digits[c & 15];
		to += 5;
	}
	return to;
}

/* One character, which may be ill-formed; returns the bytes it took. */
static uint32_t put_char(uint8_t **to, const uint8_t *p, const uint8_t *end)
{
	bool valid;
	uint32_t n;

	if (*p < 0x80) {
		if (*p < ' ' || *p == '"' || *p == '\\')
			*to = put_escape(*to, *p);
		else
			*(*to)++ = *p;
		return 1;
	}
	n = st_utf8__step(p, end, &valid);
	memcpy(*to, valid ? (const char *)p : ST_UTF8_REPLACEMENT, valid ? n : 3);
	*to += valid ? n : 3;
	return n;
}

static uint8_t *put_text(uint8_t *to, const uint8_t *p, const uint8_t *end, uint32_t max_chars)
{
	while (p < end && max_chars) {
		if (end - p >= 8 && max_chars >= 8) {
			uint64_t w;

			memcpy(&w, p, 8);
			if (!word_special(w)) {
				memcpy(to, &w, 8);
				to += 8;
				p += 8;
				max_chars -= 8;
				continue;
			}
		}
		p += put_char(&to, p, end);
		max_chars--;
	}
	return to;
}

void st_json__text(struct st_buf *b, struct st_str s, uint32_t max_chars)
{
	uint8_t *to = st_buf__room(b, (size_t)s.len * JSON_WORST + 1);
	const uint8_t *p = (const uint8_t *)s.p;

	if (to)
		b->len = (size_t)(put_text(to, p, p + s.len, max_chars) - b->p);
}

void st_json__str(struct st_buf *b, struct st_str s, uint32_t max_chars)
{
	st_buf__putc(b, '"');
	st_json__text(b, s, max_chars);
	st_buf__putc(b, '"');
}

/* 00 to 99: two digits a division. */
#define ROW(t) t "0" t "1" t "2" t "3" t "4" t "5" t "6" t "7" t "8" t "9"
static const char pairs[] =
	ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7") ROW("8") ROW("9");

void st_json__uint(struct st_buf *b, uint64_t v)
{
	char digits[20], *p = digits + sizeof(digits);

	for (; v >= 100; v /= 100)
		memcpy(p -= 2, pairs + v % 100 * 2, 2);
	if (v >= 10)
		memcpy(p -= 2, pairs + v * 2, 2);
	else
		*--p = (char)('0' + v);
	st_buf__put(b, p, (size_t)(digits + sizeof(digits) - p));
}

void st_json__int(struct st_buf *b, int64_t v)
{
	if (v >= 0) {
		st_json__uint(b, (uint64_t)v);
		return;
	}
	st_buf__putc(b, '-');
	st_json__uint(b, 0 - (uint64_t)v);
}

void st_json__double(struct st_buf *b, double v)
{
	char text[40], *comma;

	if (isnan(v) || isinf(v)) {
		st_buf__puts(b, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	/* A locale may have its own decimal point. */
	comma = strchr(text, ',');
	if (comma)
		*comma = '.';
	st_buf__puts(b, text);
}

void st_json__hex(struct st_buf *b, const uint8_t *p, uint32_t n)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *to = st_buf__room(b, (size_t)n * 2 + 2);

	if (!to)
		return;
	*to++ = '"';
	while (n--) {
		*to++ = (uint8_t)digits[*p >> 4];
		*to++ = (uint8_t)digits[*p++ & 15];
	}
	*to++ = '"';
	b->len = (size_t)(to - b->p);
}

static void new_line(struct st_buf *b, int depth)
{
	st_buf__putc(b, '\n');
	while (depth-- > 0)
		st_json__lit(b, "  ");
}

/* The end of the string that begins at p[i], its quotes included. */
static size_t string_end(const char *p, size_t i, size_t len)
{
	for (i++; i < len && p[i] != '"'; i++)
		if (p[i] == '\\')
			i++;
	return i < len ? i + 1 : len;
}

static bool is_open(char c)
{
	return c == '{' || c == '[';
}

static bool is_close(char c)
{
	return c == '}' || c == ']';
}

static void pretty_char(struct st_buf *b, const char *p, size_t i, size_t len, int *depth)
{
	if (is_close(p[i])) {
		(*depth)--;
		if (!i || !is_open(p[i - 1]))
			new_line(b, *depth);
	}
	st_buf__putc(b, p[i]);
	if (is_open(p[i])) {
		(*depth)++;
		if (i + 1 < len && !is_close(p[i + 1]))
			new_line(b, *depth);
	} else if (p[i] == ',') {
		new_line(b, *depth);
	} else if (p[i] == ':') {
		st_buf__putc(b, ' ');
	}
}

bool st_json__pretty(struct st_buf *b, const char *p, size_t len)
{
	int depth = 0;

	for (size_t i = 0; i < len;) {
		if (p[i] == '"') {
			size_t end = string_end(p, i, len);

			st_buf__put(b, p + i, end - i);
			i = end;
		} else {
			pretty_char(b, p, i++, len, &depth);
		}
	}
	return !b->failed;
}
