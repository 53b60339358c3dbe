/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The fields of a head, for http1_head.c, which alone includes this: which of them are wanted, and
 * what their values say.
 */
#ifndef ST_PROTOCOLS_HTTP1_FIELD_H
#define ST_PROTOCOLS_HTTP1_FIELD_H

#include "protocols/http1_head.h"
#include "protocols/http1_scan.h"

/* Bodies of 10^18 bytes and more do not exist, and their digits could overflow. */
#define LENGTH_DIGITS	 18
/* In `flags` while parsing: Connection named upgrade. */
#define SEEN_UPGRADE	 0x8000u

#define TOKEN_IS(s, lit) ((s).len == sizeof(lit) - 1 && st_fold_eq((s).p, lit, sizeof(lit) - 1))

static always_inline struct st_str trimmed(const uint8_t *p, const uint8_t *e)
{
	while (p < e && is_lws(*p))
		p++;
	while (e > p && is_lws(e[-1]))
		e--;
	return st_str((const char *)p, (size_t)(e - p));
}

/* The next element of a comma-separated list without its parameters; empty ones are skipped. */
static bool next_token(struct st_str *list, struct st_str *tok)
{
	const char *p = list->p, *e = p + list->len, *t;

	while (p < e && (*p == ',' || is_lws((uint8_t)*p)))
		p++;
	for (t = p; t < e && *t != ',' && *t != ';' && !is_lws((uint8_t)*t);)
		t++;
	*tok = st_str(p, (size_t)(t - p));
	while (t < e && *t != ',')
		t++;
	*list = st_str(t, (size_t)(e - t));
	return p < e;
}

/*
 * Takes a number and the whitespace behind it off the front of v, a part of a line: its end is the
 * line's or a separator, no digit.
 */
static always_inline bool take_number(struct st_str *v, uint64_t *n)
{
	const uint8_t *p = (const uint8_t *)v->p, *e = p + v->len, *digits;

	for (*n = 0; unlikely(*p == '0') && is_digit(p[1]);)
		p++;
	for (digits = p; is_digit(*p); p++)
		*n = *n * 10 + (uint64_t)(*p - '0');
	if (p == digits || p - digits > LENGTH_DIGITS)
		return false;
	*v = likely(p == e) ? st_str(NULL, 0) : trimmed(p, e);
	return true;
}

/* RFC 9112 6.3: a list of equal values, which a merge of repeated fields makes, is one value. */
static void content_length(struct st_http1_head *h, struct st_str v)
{
	uint64_t n;

	for (;;) {
		if (!take_number(&v, &n))
			break;
		if (h->flags & ST_H1_HAS_LENGTH && h->content_length != n)
			break;
		h->content_length = n;
		h->flags |= ST_H1_HAS_LENGTH;
		if (!v.len)
			return;
		if (*v.p != ',')
			break;
		v = trimmed((const uint8_t *)v.p + 1, (const uint8_t *)v.p + v.len);
	}
	h->flags |= ST_H1_BAD_LENGTH;
}

/*
 * Several fields are one list whose last coding decides (RFC 9112 6.1). RFC 2616 3.6 had a coding
 * "identity" that does nothing and old servers still send.
 */
static void transfer_encoding(struct st_http1_head *h, struct st_str v)
{
	struct st_str tok;

	while (next_token(&v, &tok)) {
		if (TOKEN_IS(tok, "identity"))
			continue;
		h->flags &= (uint16_t)~(ST_H1_CHUNKED | ST_H1_TE_OTHER);
		h->flags |= TOKEN_IS(tok, "chunked") ? ST_H1_CHUNKED : ST_H1_TE_OTHER;
	}
}

static unsigned connection_option(struct st_str v)
{
	if (TOKEN_IS(v, "keep-alive"))
		return ST_H1_KEEP_ALIVE;
	if (TOKEN_IS(v, "close"))
		return ST_H1_CLOSE;
	return TOKEN_IS(v, "upgrade") ? SEEN_UPGRADE : 0;
}

static void connection(struct st_http1_head *h, struct st_str v)
{
	unsigned one = connection_option(v);
	struct st_str tok;

	h->flags |= (uint16_t)one;
	if (one)
		return;
	while (next_token(&v, &tok))
		h->flags |= (uint16_t)connection_option(tok);
}

static void expect(struct st_http1_head *h, struct st_str v)
{
	struct st_str tok;

	while (next_token(&v, &tok))
		if (TOKEN_IS(tok, "100-continue"))
			h->flags |= ST_H1_EXPECT;
}

static always_inline void first(struct st_str *slot, struct st_str v)
{
	if (likely(!slot->p))
		*slot = v;
}

/*
 * The value on [p, e) behind a field's colon. There is a byte to read at e, and two before p, so the
 * usual form, one space in front and CR behind, needs no bounds.
 */
static always_inline struct st_str value(const uint8_t *p, const uint8_t *e)
{
	if (likely(*p == ' ' && p[1] > ' ' && e[-1] == '\r' && e[-2] > ' '))
		return st_str((const char *)p + 1, (size_t)(e - p) - 2);
	return trimmed(p, e);
}

#define LETTER(c) (1u << ((c) & 31))
#define LETTERS	  (LETTER('c') | LETTER('e') | LETTER('h') | LETTER('t') | LETTER('u'))

/* The same of fields that carry a trace's context, and of letters behind the "x-" in their names. */
#define CARRIED	  (LETTER('b') | LETTER('t') | LETTER('u') | LETTER('x'))
#define CARRIED_X (LETTER('a') | LETTER('b') | LETTER('c') | LETTER('r'))

/* May this field, three bytes at least, carry a context? Those of responses are not asked. */
static always_inline bool may_carry(const struct st_http1_head *h, const uint8_t *p)
{
	unsigned letter = *p & 31;

	if (h->is_response || !(CARRIED >> letter & 1) || (p[1] | 0x20) == 'e') /* te: */
		return false;
	return letter != ('x' & 31) || CARRIED_X >> (p[2] & 31) & 1;
}

static __attribute__((noinline)) void carried(struct st_http1_head *h, const uint8_t *p,
					      const uint8_t *e)
{
	const uint8_t *colon = memchr(p, ':', (size_t)(e - p));
	int which = colon ? st_carrier_find((const char *)p, (size_t)(colon - p)) : -1;

	if (which >= 0)
		st_carrier_add(&h->carrier, (enum st_carrier_field)which, value(colon + 1, e));
}

/* The usual one of them, sooner. */
static __attribute__((noinline)) void traceparent(struct st_http1_head *h, const uint8_t *p,
						  const uint8_t *e)
{
	if (!h->is_response)
		st_carrier_add(&h->carrier, ST_CARRIER_TRACEPARENT, value(p, e));
}

/*
 * The field on [p, e), whose name must be followed by the colon at once (RFC 9112 5.1). Behind the
 * first four letters one or two words decide; where they overlap, each byte is compared.
 */
static always_inline void field(struct st_http1_head *h, const uint8_t *p, const uint8_t *e)
{
	size_t n = (size_t)(e - p);
	uint32_t w;

	if (unlikely(n < sizeof("host:") - 1)) {
		if (n >= sizeof("b3:") - 1 && may_carry(h, p))
			carried(h, p, e);
		return;
	}
	w = st_load4(p) | 0x20202020u;
	if (w == st_load4("cont")) {
		if (n >= 15 && st_fold8(p + 7, "-length:") && st_fold4(p + 4, "ent-"))
			content_length(h, value(p + 15, e));
	} else if (w == st_load4("conn")) {
		if (n >= 11 && st_fold8(p + 3, "nection:"))
			connection(h, value(p + 11, e));
	} else if (w == st_load4("host")) {
		if (p[4] == ':')
			first(&h->host, value(p + 5, e));
	} else if (w == st_load4("user")) {
		if (n >= 11 && st_fold8(p + 3, "r-agent:"))
			first(&h->user_agent, value(p + 11, e));
	} else if (w == st_load4("tran")) {
		if (n >= 18 && st_fold8(p + 4, "sfer-enc") && st_fold8(p + 10, "ncoding:"))
			transfer_encoding(h, value(p + 18, e));
	} else if (w == st_load4("upgr")) {
		if (n >= 8 && st_fold4(p + 4, "ade:"))
			first(&h->upgrade, value(p + 8, e));
	} else if (w == st_load4("expe")) {
		if (n >= 7 && st_fold4(p + 3, "ect:"))
			expect(h, value(p + 7, e));
	} else if (w == st_load4("trac") && n >= 12 && st_fold8(p + 4, "eparent:")) {
		traceparent(h, p + 12, e);
	} else if (may_carry(h, p)) {
		carried(h, p, e);
	}
}

static __attribute__((noinline)) void captured(struct st_http1_head *h,
					       const struct st_http1_capture *cap, unsigned cnt,
					       const uint8_t *p, const uint8_t *e)
{
	const uint8_t *colon = memchr(p, ':', (size_t)(e - p));
	uint32_t len = colon ? (uint32_t)(colon - p) : 0;
	unsigned i;

	if (!len)
		return;
	for (i = 0; i < cnt; i++)
		if (unlikely(cap->names[i].len == len) && st_fold_eq(p, cap->names[i].p, len))
			first(&h->captured[i], value(colon + 1, e));
}

static always_inline unsigned capture_cnt(const struct st_http1_capture *cap)
{
	return cap->cnt < ST_HTTP1_CAPTURE_MAX ? cap->cnt : ST_HTTP1_CAPTURE_MAX;
}

/* LETTER() of each wanted name's first: most fields are ruled out by one test. */
static uint32_t first_letters(const struct st_http1_capture *cap, unsigned cnt)
{
	uint32_t bits = 0;
	unsigned i;

	for (i = 0; i < cnt; i++)
		if (cap->names[i].len)
			bits |= LETTER(cap->names[i].p[0]);
	return bits;
}

#endif
