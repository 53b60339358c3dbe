/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The chunked coding in whatever pieces it comes. Framing goes byte by byte, data, extensions and
 * trailers in bulk. All that is kept between calls is counters, so pieces cannot change a result.
 */
#include "protocols/http1_head.h"

#include <errno.h>

#define SIZE_LINE_MAX	  4096u
#define TRAILERS_MAX	  65536u
#define TRAILER_LINES_MAX 64
#define DIGITS_MAX	  16 /* of a 64-bit size */

enum chunk_state {
	SIZE = 0,   /* hexadecimal digits */
	SIZE_SPACE, /* whitespace behind them, which some servers pad with */
	SIZE_EXT,   /* an extension, to the line's end */
	SIZE_LF,    /* CR was seen */
	DATA,	    /* `left` bytes */
	DATA_CR,    /* the line end behind the data */
	DATA_LF,
	TRAILER, /* at a trailer line's first byte; `left` counts the section's bytes */
	TRAILER_LINE,
	TRAILER_LF, /* CR was the line's first byte */
	DONE,
	MALFORMED,
};

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint8_t size_end(struct st_http1_chunks *c)
{
	c->digits = 0;
	c->line_len = 0;
	return c->left ? DATA : TRAILER;
}

static uint8_t behind_digits(struct st_http1_chunks *c, uint8_t b)
{
	switch (b) {
	case '\r':
		return SIZE_LF;
	case '\n':
		return size_end(c);
	case ';':
		return SIZE_EXT;
	case ' ':
	case '\t':
		return SIZE_SPACE;
	}
	return MALFORMED;
}

static uint8_t size_digit(struct st_http1_chunks *c, uint8_t b)
{
	int v = hex_value(b);

	if (v < 0)
		return c->digits ? behind_digits(c, b) : MALFORMED;
	if (c->digits == DIGITS_MAX)
		return MALFORMED;
	c->digits++;
	c->left = c->left << 4 | (uint64_t)v;
	return SIZE;
}

/* The state behind byte b, in the states that go byte by byte. A line may end in LF alone. */
static uint8_t step(struct st_http1_chunks *c, uint8_t b)
{
	switch (c->state) {
	case SIZE:
		return size_digit(c, b);
	case SIZE_SPACE:
		return behind_digits(c, b);
	case SIZE_LF:
		return b == '\n' ? size_end(c) : MALFORMED;
	case DATA_CR:
		if (b == '\r')
			return DATA_LF;
		return b == '\n' ? SIZE : MALFORMED;
	case DATA_LF:
		return b == '\n' ? SIZE : MALFORMED;
	case TRAILER:
		if (b == '\r')
			return TRAILER_LF;
		return b == '\n' ? DONE : TRAILER_LINE;
	case TRAILER_LF:
		return b == '\n' ? DONE : MALFORMED;
	}
	return MALFORMED;
}

/* Counts n bytes of a size line or of the trailers. */
static bool within_bounds(struct st_http1_chunks *c, size_t n)
{
	if (c->state >= TRAILER) {
		c->left += n;
		return c->left <= TRAILERS_MAX;
	}
	if (c->state > SIZE_LF)
		return true;
	if (n > SIZE_LINE_MAX - c->line_len)
		return false;
	c->line_len = (uint16_t)(c->line_len + n);
	return true;
}

static const uint8_t *data(struct st_http1_chunks *c, struct st_bytes b)
{
	size_t n = st_bytes_left(&b);

	if (n > c->left)
		n = (size_t)c->left;
	c->left -= n;
	c->body_len += n;
	if (!c->left)
		c->state = DATA_CR;
	return b.p + n;
}

/* To the end of a line that nobody reads. */
static const uint8_t *to_line_end(struct st_http1_chunks *c, struct st_bytes b)
{
	const uint8_t *lf = memchr(b.p, '\n', st_bytes_left(&b));
	const uint8_t *next = lf ? lf + 1 : b.end;

	if (!within_bounds(c, (size_t)(next - b.p)))
		c->state = MALFORMED;
	else if (lf)
		c->state = c->state == SIZE_EXT ? size_end(c) : TRAILER;
	return next;
}

/* A line of a trailer section: a token and a colon. */
static bool is_field(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *colon = memchr(p, ':', (size_t)(end - p));

	if (!colon || colon == p)
		return false;
	for (; p < colon; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return false;
	return true;
}

static bool is_zero_size(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *q = p;

	while (q < end && *q == '0')
		q++;
	return q > p && (q == end || *q == ';' || *q == ' ');
}

bool st_http1_chunks__ends(struct st_bytes b)
{
	const uint8_t *end = b.end - 2, *line;

	if (st_bytes_left(&b) < 5 || memcmp(b.end - 4, "\r\n\r\n", 4))
		return false;
	/* end: behind the CR LF of the line that is looked at next, from the last one up. */
	for (int i = 0; i < TRAILER_LINES_MAX && end - b.p >= 3; i++) {
		line = memrchr(b.p, '\n', (size_t)(end - b.p) - 1);
		line = line ? line + 1 : b.p;
		if (end[-2] != '\r')
			return false;
		if (is_zero_size(line, end - 2))
			return true;
		if (!is_field(line, end - 2))
			return false;
		end = line;
	}
	return false;
}

int64_t st_http1_chunks__feed(struct st_http1_chunks *c, struct st_bytes b, bool *done)
{
	const uint8_t *start = b.p;

	while (b.p < b.end && c->state < DONE) {
		if (c->state == DATA)
			b.p = data(c, b);
		else if (c->state == SIZE_EXT || c->state == TRAILER_LINE)
			b.p = to_line_end(c, b);
		else
			c->state = within_bounds(c, 1) ? step(c, *b.p++) : MALFORMED;
	}
	*done = c->state == DONE;
	return c->state == MALFORMED ? -EPROTO : b.p - start;
}
