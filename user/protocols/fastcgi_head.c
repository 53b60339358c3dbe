/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A response's head, byte by byte: it may come in any pieces, and nothing of it is kept. */
#include "protocols/fastcgi_rec.h"

enum { NAME = 0, NUMBER, REST }; /* where in a line; NAME is its start too */

#define STATUS	 1u /* bits of `alive` */
#define LOCATION 2u

#define REDIRECT 302

static void next_line(struct st_fcgi_head *h)
{
	if (h->state == NUMBER && h->digits != 3)
		h->number = 0;
	h->state = NAME;
	h->col = 0;
}

static bool is_letter(uint8_t byte, const char *name, size_t len, uint8_t col)
{
	return col < len && (byte | 0x20) == name[col];
}

static void on_colon(struct st_fcgi_head *h)
{
	h->state = REST;
	if (h->alive & STATUS && h->col == sizeof("status") - 1) {
		h->state = NUMBER;
		h->number = 0;
		h->digits = 0;
	}
	if (h->alive & LOCATION && h->col == sizeof("location") - 1)
		h->location = true;
}

static void on_name(struct st_fcgi_head *h, uint8_t byte)
{
	if (!h->col)
		h->alive = STATUS | LOCATION;
	if (byte == ':') {
		on_colon(h);
		return;
	}
	if (!is_letter(byte, "status", sizeof("status") - 1, h->col))
		h->alive &= (uint8_t)~STATUS;
	if (!is_letter(byte, "location", sizeof("location") - 1, h->col))
		h->alive &= (uint8_t)~LOCATION;
	h->col += h->col < UINT8_MAX;
	/* A line that is nothing but CR may still be the empty one. */
	if (!h->alive && !(byte == '\r' && h->col == 1))
		h->state = REST;
}

static void on_number(struct st_fcgi_head *h, uint8_t byte)
{
	if (!h->digits && (byte == ' ' || byte == '\t'))
		return;
	if (byte >= '0' && byte <= '9' && h->digits < 3) {
		h->number = (uint16_t)(h->number * 10 + (byte - '0'));
		h->digits++;
		return;
	}
	if (h->digits != 3 || (byte != ' ' && byte != '\r'))
		h->number = 0;
	h->state = REST;
}

static bool on_byte(struct st_fcgi_head *h, uint8_t byte)
{
	if (byte == '\n') {
		/* Nothing but a CR stands in the line. */
		if (h->state == NAME && (!h->col || (h->col == 1 && !h->alive)))
			return true;
		next_line(h);
		return false;
	}
	if (h->state == NAME)
		on_name(h, byte);
	else if (h->state == NUMBER)
		on_number(h, byte);
	return false;
}

uint32_t st_fcgi_head__feed(struct st_fcgi_head *h, const uint8_t *p, uint32_t len)
{
	const uint8_t *at = p, *end = p + len;

	while (at < end && !h->done) {
		if (h->state == REST && !(at = memchr(at, '\n', (size_t)(end - at))))
			return len;
		h->done = on_byte(h, *at++);
	}
	return (uint32_t)(at - p);
}

uint16_t st_fcgi_head__status(const struct st_fcgi_head *h)
{
	/* RFC 3875 6.3.3 and 6.2.3: without a Status it is 200, or a redirection. */
	if (h->number >= 100)
		return h->number;
	return h->location ? REDIRECT : 200;
}
