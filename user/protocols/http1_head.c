/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The parser runs once per message, so it looks at most bytes once and sixteen at a time: a line's
 * end is searched, the first letter of the line says whether a wanted field can be there, and words
 * of eight bytes decide. Fields that nobody wants cost the search for their end only.
 *
 * What is refused is refused by a complete start line or earlier; behind it no byte can make a head
 * malformed. So an answer other than "more" never changes when more bytes arrive.
 */
#include "protocols/http1_head.h"
#include "protocols/http1_field.h"

#include <errno.h>

/* With the separator behind it a method stays within the 64 bytes that detection may look at. */
#define METHOD_MAX 63

enum start_kind { START_MORE = 0, START_REQUEST = 1, START_RESPONSE = 2 };

/* RFC 9110 5.6.2 */
static const uint8_t tchar[256] = {
	['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['!'] = 1, ['#'] = 1, ['$'] = 1,
	['%'] = 1,	   ['&'] = 1,	      ['\''] = 1,	 ['*'] = 1, ['+'] = 1, ['-'] = 1,
	['.'] = 1,	   ['^'] = 1,	      ['_'] = 1,	 ['`'] = 1, ['|'] = 1, ['~'] = 1,
};

/* RFC 9112 2.2: empty lines before a message are skipped; some clients send one after a body. */
static int skip_empty_lines(struct scan *s)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (s->p == s->end)
			return 0;
		if (*s->p > '\r')
			return 1;
		if (*s->p == '\r') {
			if (s->p + 1 == s->end)
				return 0;
			if (s->p[1] != '\n')
				return -EPROTO;
			s->p++;
		}
		if (*s->p != '\n')
			return -EPROTO;
		s->p++;
	}
	return s->p < s->end;
}

static always_inline bool is_http1(const uint8_t *p)
{
	return st_load4(p) == st_load4("HTTP") && st_load4(p + 3) == st_load4("P/1.");
}

/* What may stand behind the three digits; the reason phrase is not looked at. */
static always_inline int status_end(struct scan *s, const uint8_t *p, struct st_http1_head *h)
{
	if (p == s->end || (*p == '\r' && p + 1 == s->end))
		return START_MORE;
	if (!is_ws(*p) && *p != '\n' && (*p != '\r' || p[1] != '\n'))
		return -EPROTO;
	h->is_response = true;
	s->p = p;
	return START_RESPONSE;
}

/* HTTP/1.x SP 3DIGIT, where more whitespace is suffered (RFC 9112 4). */
static __attribute__((noinline)) int status_line_slow(struct scan *s, struct st_http1_head *h)
{
	const uint8_t *p = s->p + sizeof("HTTP/1.") - 1, *end = s->end;
	unsigned i;

	if (p == end)
		return START_MORE;
	if (!is_digit(*p))
		return -EPROTO;
	h->version = *p == '0' ? 10 : 11;
	if (++p < end && !is_ws(*p))
		return -EPROTO;
	while (p < end && is_ws(*p))
		p++;
	h->status = 0;
	for (i = 0; i < 3; i++, p++) {
		if (p == end)
			return START_MORE;
		if (!is_digit(*p) || (!i && *p == '0'))
			return -EPROTO;
		h->status = (uint16_t)(h->status * 10 + (*p - '0'));
	}
	return status_end(s, p, h);
}

static always_inline int status_line(struct scan *s, struct st_http1_head *h)
{
	const uint8_t *p = s->p;

	if (unlikely(s->end - p < 14 || !is_digit(p[7]) || p[8] != ' ' || p[9] == '0' ||
		     !is_digit(p[9]) || !is_digit(p[10]) || !is_digit(p[11])))
		return status_line_slow(s, h);
	h->version = p[7] == '0' ? 10 : 11;
	h->status = (uint16_t)(p[9] * 100 + p[10] * 10 + p[11] - '0' * 111);
	return status_end(s, p + 12, h);
}

/*
 * What stands behind the method of a line without end. Only an origin-form may go on with anything
 * (clients do send spaces there); behind other forms the version must come, so that prose and other
 * protocols' lines are refused early.
 */
static int unfinished_target(const struct scan *s, const uint8_t *p)
{
	const uint8_t *e = s->end;
	size_t n;

	if (e[-1] == '\r')
		e--;
	if (has_ctl(s, p, e))
		return -EPROTO;
	while (p < e && is_ws(*p))
		p++;
	if (p == e || *p == '/')
		return START_MORE;
	while (p < e && !is_ws(*p))
		p++;
	while (p < e && is_ws(*p))
		p++;
	n = (size_t)(e - p) < 7 ? (size_t)(e - p) : 7;
	return n && memcmp(p, "HTTP/1.", n) ? -EPROTO : START_MORE;
}

/*
 * [p, e) is the line behind the method: whitespace, target, whitespace, version and perhaps more
 * whitespace (RFC 9112 3). p is at whitespace, e at the line's end.
 */
static __attribute__((noinline)) int target_and_version_slow(const uint8_t *p, const uint8_t *e,
							     struct st_http1_head *h)
{
	const uint8_t *v, *t;

	for (p++; p < e && is_ws(*p);)
		p++;
	while (e > p && is_ws(e[-1]))
		e--;
	v = e - 8;
	if (e - p < 10 || !is_http1(v) || !is_digit(v[7]) || !is_ws(v[-1]))
		return -EPROTO;
	h->version = v[7] == '0' ? 10 : 11;
	for (t = v - 1; t > p && is_ws(t[-1]);)
		t--;
	h->target = st_str((const char *)p, (size_t)(t - p));
	if (*p != '/')
		for (; p < t; p++)
			if (is_ws(*p))
				return -EPROTO;
	return START_REQUEST;
}

static always_inline int target_and_version(const uint8_t *p, const uint8_t *e,
					    struct st_http1_head *h)
{
	const uint8_t *v = e - 8;

	if (unlikely(v - p < 3 || p[1] != '/' || v[-2] == ' ' || v[-2] == '\t' || v[-1] != ' ' ||
		     !is_http1(v) || !is_digit(v[7])))
		return target_and_version_slow(p, e, h);
	h->version = v[7] == '0' ? 10 : 11;
	h->target = st_str((const char *)p + 1, (size_t)(v - p) - 2);
	return START_REQUEST;
}

static always_inline int request_line(struct scan *s, struct st_http1_head *h)
{
	const uint8_t *p = s->p, *lim = s->end, *e;

	if (lim - p > METHOD_MAX + 1)
		lim = p + METHOD_MAX + 1;
	if (likely(lim - p > 4) && st_load4(p) == st_load4("GET "))
		p += 3;
	while (p < lim && tchar[*p])
		p++;
	if (unlikely(p == lim))
		return lim == s->end ? START_MORE : -EPROTO;
	if (unlikely(p == s->p || !is_ws(*p)))
		return -EPROTO;
	h->method = st_str((const char *)s->p, (size_t)(p - s->p));
	if (unlikely(!next_lf(s, &e)))
		return unfinished_target(s, p);
	s->p = e + 1;
	if (likely(e[-1] == '\r'))
		e--;
	if (has_ctl(s, p, e))
		return -EPROTO;
	return target_and_version(p, e, h);
}

/* On success s->p stands behind the request line, or somewhere in the status line. */
static always_inline int start_line(struct scan *s, struct st_http1_head *h)
{
	size_t left;

	if (unlikely(s->p == s->end || *s->p <= '\r')) {
		int ret = skip_empty_lines(s);

		if (ret <= 0)
			return ret;
	}
	s->beyond = s->p;
	left = (size_t)(s->end - s->p);
	if (likely(left >= 8)) {
		if (is_http1(s->p))
			return status_line(s, h);
	} else if (!memcmp(s->p, "HTTP/1.", left < 7 ? left : 7)) {
		return left < 7 ? START_MORE : status_line_slow(s, h);
	}
	return request_line(s, h);
}

void st_http1_capture__prepare(struct st_http1_capture *cap)
{
	cap->letters = first_letters(cap, capture_cnt(cap));
}

static always_inline struct scan scan_of(struct st_bytes b)
{
	if (unlikely(st_bytes_left(&b) > ST_HTTP1_HEAD_MAX))
		b.end = b.p + ST_HTTP1_HEAD_MAX;
	return (struct scan){.lo = b.p, .p = b.p, .end = b.end};
}

/* Nothing was decided: is that because more bytes are not allowed? */
static always_inline bool is_full(const struct scan *s)
{
	return s->end - s->lo == ST_HTTP1_HEAD_MAX;
}

int st_http1_head__detect(struct st_bytes b)
{
	struct scan s = scan_of(b);
	struct st_http1_head h;
	int ret = start_line(&s, &h);

	return ret == START_MORE && is_full(&s) ? -EPROTO : ret;
}

static always_inline int finish(struct st_http1_head *h, const uint8_t *lo, const uint8_t *end)
{
	unsigned f = h->flags;

	if (unlikely(f & (SEEN_UPGRADE | ST_H1_BAD_LENGTH))) {
		if (f & SEEN_UPGRADE && h->upgrade.p)
			f |= ST_H1_UPGRADE;
		if (f & ST_H1_BAD_LENGTH) {
			f &= ~(unsigned)ST_H1_HAS_LENGTH;
			h->content_length = 0;
		}
		h->flags = (uint16_t)(f & ~SEEN_UPGRADE);
	}
	return (int)(end - lo);
}

/*
 * e ends a line, and the next line begins with a space or less. *e moves to the end of the field's
 * last line (RFC 9112 5.2); *end is behind the empty line that follows, NULL when there is none.
 * False when that cannot be told yet.
 */
static always_inline bool after_line(struct scan *s, const uint8_t **e, const uint8_t **end)
{
	const uint8_t *p = *e + 1;

	while (unlikely(is_ws(*p))) {
		if (!next_lf(s, e) || *e + 1 == s->end)
			return false;
		p = *e + 1;
	}
	if (*p == '\r' && ++p == s->end)
		return false;
	*end = *p == '\n' ? p + 1 : NULL;
	return true;
}

static always_inline int fields(struct scan *s, const struct st_http1_capture *cap,
				struct st_http1_head *h)
{
	unsigned cnt = cap ? capture_cnt(cap) : 0;
	uint32_t letters = cap && cap->letters ? cap->letters : first_letters(cap, cnt);
	uint32_t wanted = letters | LETTERS | (h->is_response ? 0 : CARRIED);
	const uint8_t *p = s->p, *e, *end = NULL;

	for (; !end; p = e + 1) {
		if (unlikely(!next_lf(s, &e) || e + 1 == s->end))
			return 0;
		if (unlikely(e[1] <= ' ') && !after_line(s, &e, &end))
			return 0;
		if (!(wanted >> (*p & 31) & 1))
			continue;
		field(h, p, e);
		if (unlikely(letters >> (*p & 31) & 1))
			captured(h, cap, cnt, p, e);
	}
	return finish(h, s->lo, end);
}

/* From s->p on, the first byte behind the start line. */
static always_inline int header(struct scan *s, const struct st_http1_capture *cap,
				struct st_http1_head *h)
{
	const uint8_t *p = s->p;

	if (p == s->end)
		return 0;
	if (unlikely(*p <= '\r')) {
		if (*p == '\r' && ++p == s->end)
			return 0;
		if (*p == '\n')
			return finish(h, s->lo, p + 1);
	}
	return fields(s, cap, h);
}

/* memset() of all would become a string instruction, which takes longer than the parse. */
static always_inline void clear(struct st_http1_head *h)
{
	_Static_assert(ST_HTTP1_CAPTURE_MAX == 16, "four quarters");

	_Static_assert(offsetof(struct st_http1_head, captured) == 96, "64 and 32");
	memset(h, 0, 64);
	memset((uint8_t *)h + 64, 0, 32);
	memset(&h->captured[0], 0, 4 * sizeof(h->captured[0]));
	memset(&h->captured[4], 0, 4 * sizeof(h->captured[0]));
	memset(&h->captured[8], 0, 4 * sizeof(h->captured[0]));
	memset(&h->captured[12], 0, 4 * sizeof(h->captured[0]));
	h->carrier.seen = h->carrier.twice = 0;
}

int st_http1_head__parse(struct st_bytes b, const struct st_http1_capture *cap,
			 struct st_http1_head *out)
{
	struct scan s = scan_of(b);
	int ret;

	clear(out);
	out->carrier.base = (const char *)b.p;
	ret = start_line(&s, out);
	if (ret == START_RESPONSE)
		s.p = next_lf(&s, &s.p) ? s.p + 1 : s.end;
	if (likely(ret > 0))
		ret = header(&s, cap, out);
	return unlikely(!ret) && is_full(&s) ? -E2BIG : ret;
}
