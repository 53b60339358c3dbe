/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "protocols/fastcgi_rec.h"

#include <errno.h>

#define VERSION		    1
#define ROLE_MAX	    3 /* responder, authorizer, filter */
#define PROTOCOL_STATUS_MAX 3

/* Bits of the types that each side sends. */
#define BIT(type)	    (1u << (type))
#define ASKED                                                                                      \
	(BIT(ST_FCGI_BEGIN) | BIT(ST_FCGI_ABORT) | BIT(ST_FCGI_PARAMS) | BIT(ST_FCGI_STDIN) |      \
	 BIT(ST_FCGI_DATA) | BIT(ST_FCGI_GET_VALUES))
#define ANSWERED                                                                                   \
	(BIT(ST_FCGI_END) | BIT(ST_FCGI_STDOUT) | BIT(ST_FCGI_STDERR) |                            \
	 BIT(ST_FCGI_GET_VALUES_RESULT) | BIT(ST_FCGI_UNKNOWN_TYPE))
#define FIXED (BIT(ST_FCGI_BEGIN) | BIT(ST_FCGI_END) | BIT(ST_FCGI_UNKNOWN_TYPE))

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

bool st_fcgi__header(const uint8_t *p, bool is_request, struct st_fcgi_header *out)
{
	uint8_t type = p[1];

	if (p[0] != VERSION || type > ST_FCGI_UNKNOWN_TYPE ||
	    !((is_request ? ASKED : ANSWERED) >> type & 1))
		return false;
	out->type = type;
	out->id = be16(p + 2);
	out->len = be16(p + 4);
	out->pad = p[6];
	if ((out->id == 0) != (type >= ST_FCGI_GET_VALUES))
		return false;
	return !(FIXED >> type & 1) || out->len == ST_FCGI_BODY;
}

struct st_fcgi_end st_fcgi__end(const uint8_t *p)
{
	struct st_fcgi_end e = {
		.app_status = (uint32_t)be16(p + 8) << 16 | be16(p + 10),
		.protocol_status = p[12],
	};

	return e;
}

/* ---- detection ---- */

static bool is_zero(const uint8_t *p, size_t from, size_t to, size_t len)
{
	for (; from < to && from < len; from++)
		if (p[from])
			return false;
	return true;
}

/* Of a header that may not have come whole: nothing speaks against it. */
static bool may_be_header(const uint8_t *p, size_t len)
{
	if (p[0] != VERSION)
		return false;
	if (len > 1 && (!p[1] || p[1] >= ST_FCGI_GET_VALUES))
		return false;
	return len < 4 || be16(p + 2);
}

static bool is_padded(const struct st_fcgi_header *h)
{
	return !h->pad || (h->pad < 8 && (h->len + h->pad) % 8 == 0);
}

/* BEGIN_REQUEST, sixteen bytes of it or fewer. */
static int detect_begin(const uint8_t *p, size_t len)
{
	if (!is_zero(p, 6, 9, len) || !is_zero(p, 11, 16, len))
		return -EPROTO;
	if (len > 9 && (!p[9] || p[9] > ROLE_MAX))
		return -EPROTO;
	if (len > 10 && p[10] > ST_FCGI_KEEP_CONN)
		return -EPROTO;
	return len >= ST_FCGI_HEADER + ST_FCGI_BODY;
}

bool st_fcgi__is_end(const uint8_t *p, uint16_t *id)
{
	struct st_fcgi_header h;

	if (!st_fcgi__header(p, false, &h) || h.type != ST_FCGI_END || h.pad || p[7] ||
	    p[12] > PROTOCOL_STATUS_MAX || !is_zero(p, 13, 16, 16))
		return false;
	*id = h.id;
	return true;
}

static int detect_end(const uint8_t *p, size_t len)
{
	uint16_t id;

	if (len < ST_FCGI_HEADER + ST_FCGI_BODY)
		return 0;
	return st_fcgi__is_end(p, &id) ? 2 : -EPROTO;
}

/* RFC 9110 5.6.2, which RFC 3875 6.3 goes by. */
static bool is_token(uint8_t c)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c && strchr(others, c));
}

#define NAME_MAX_LEN 64

static int detect_head(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && i < NAME_MAX_LEN && is_token(p[i]))
		i++;
	if (i == len)
		return 0;
	return i && p[i] == ':' ? 2 : -EPROTO;
}

static int detect_text(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && i < 8 && p[i] >= ' ' && p[i] < 0x7f)
		i++;
	return i == 8 ? 2 : i == len ? 0 : -EPROTO;
}

static int detect_output(const uint8_t *p, size_t len, const struct st_fcgi_header *h)
{
	size_t n = len - ST_FCGI_HEADER;

	if (!h->len)
		return -EPROTO;
	p += ST_FCGI_HEADER;
	if (n > h->len)
		n = h->len;
	return h->type == ST_FCGI_STDOUT ? detect_head(p, n) : detect_text(p, n);
}

/* The last, empty record of a body, which some read only when the next request has come. */
static int detect_left(struct st_bytes b)
{
	size_t len = st_bytes_left(&b);

	if (!is_zero(b.p, 4, ST_FCGI_HEADER, len))
		return -EPROTO;
	if (len <= ST_FCGI_HEADER)
		return 0;
	b.p += ST_FCGI_HEADER;
	return len > ST_FCGI_HEADER + 1 && b.p[1] != ST_FCGI_BEGIN ? -EPROTO : st_fcgi__detect(b);
}

int st_fcgi__detect(struct st_bytes b)
{
	size_t len = st_bytes_left(&b);
	struct st_fcgi_header h;

	if (!len)
		return 0;
	if (!may_be_header(b.p, len))
		return -EPROTO;
	if (len > 1 && b.p[1] == ST_FCGI_STDIN)
		return detect_left(b);
	if (len < ST_FCGI_HEADER)
		return 0;
	if (!st_fcgi__header(b.p, b.p[1] == ST_FCGI_BEGIN, &h) || b.p[7] || !is_padded(&h))
		return -EPROTO;
	if (h.type == ST_FCGI_BEGIN)
		return detect_begin(b.p, len);
	return h.type == ST_FCGI_END ? detect_end(b.p, len) : detect_output(b.p, len, &h);
}

/* ---- PARAMS ---- */

/* A length: one byte, or four whose first has its top bit set (3.4). */
static bool take_len(struct st_bytes *b, uint32_t *n)
{
	size_t left = st_bytes_left(b);

	if (!left)
		return false;
	*n = *b->p;
	if (!(*n & 0x80)) {
		b->p++;
		return true;
	}
	if (left < 4)
		return false;
	*n = (uint32_t)(be16(b->p) & 0x7fff) << 16 | be16(b->p + 2);
	b->p += 4;
	return true;
}

bool st_fcgi__pair(struct st_bytes *b, struct st_str *name, struct st_str *value)
{
	struct st_bytes at = *b;
	uint32_t n, v;

	if (!take_len(&at, &n) || !take_len(&at, &v))
		return false;
	if ((uint64_t)n + v > st_bytes_left(&at))
		return false;
	*name = st_str((const char *)at.p, n);
	*value = st_str((const char *)at.p + n, v);
	b->p = at.p + n + v;
	return true;
}
