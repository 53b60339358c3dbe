/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a piece of a path is: a word, a number, a date, a hash, ... Used by route.c alone. */
#ifndef ST_LIB_ROUTE_KINDS_H
#define ST_LIB_ROUTE_KINDS_H

#include "spantap/bytes.h"

#define ST_ROUTE_UUID_LEN 36u

enum char_class {
	DIGIT = 0x01,
	LOWER = 0x02,
	UPPER = 0x04,
	HEX = 0x08,	/* besides one of those */
	JOIN = 0x10,	/* joins words: - _ . ~ */
	DELIM = 0x20,	/* the other characters of RFC 3986 3.3 */
	FOREIGN = 0x40, /* what may not stand in a path, and the percent sign */
	END = 0x80,	/* ends a segment */
	ALNUM = DIGIT | LOWER | UPPER,
};

extern const uint8_t st_route_classes[256];

enum kind {
	WORD,  /* stays */
	MIXED, /* a word with digits at two places: stays when it is the only oddity */
	SMALL, /* a number of one or two digits: stays where words are joined */
	NUMBER,
	WORD_NR, /* a word with a number behind */
	NR_WORD,
	DATE,
	UUID,
	HASH,
	EMAIL,
	TOKEN,
	QUOTED, /* a text in quotes */
};

static inline uint8_t class_of(char c)
{
	return st_route_classes[(uint8_t)c];
}

static inline bool is_digit(char c)
{
	return (uint8_t)(c - '0') < 10;
}

static inline bool is_hex(char c)
{
	return class_of(c) & HEX;
}

static inline bool is_one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

/* The next character behind s[0..n) does not continue a word. */
static inline bool ends_at(struct st_str s, uint32_t n)
{
	return n == s.len || !(class_of(s.p[n]) & ALNUM);
}

static inline struct st_str from(struct st_str s, uint32_t off)
{
	return st_str(s.p + off, s.len - off);
}

static inline struct st_str upto(struct st_str s, uint32_t len)
{
	return st_str(s.p, len);
}

/* The length of the date, perhaps with a time, that s begins with; 0 when there is none. */
uint32_t st_route__date_len(struct st_str s);

/* 8-4-4-4-12 hexadecimal digits (RFC 9562 4) at the start of s, and nothing of the word behind. */
bool st_route__begins_uuid(struct st_str s);

/*
 * Of a segment with or without its file extension: WORD when its parts have to be looked at. seen
 * has the class of each of its characters, and may have more.
 */
enum kind st_route__whole_kind(struct st_str s, uint8_t seen);

/* Of a part, which is letters and digits only. */
enum kind st_route__part_kind(struct st_str s);

/* Digits at the start and at the end of a part. */
uint32_t st_route__lead_digits(struct st_str s);
uint32_t st_route__tail_digits(struct st_str s);

/* The length of ".ext" behind a file's name, 0 when there is none. */
uint32_t st_route__extension_len(struct st_str s);

#endif
