/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* W3C Baggage: list-member = key OWS "=" OWS value *( OWS ";" OWS property ). */
#include "core/baggage.h"
#include "lib/hex.h"

#include <errno.h>

#define KEY_CHAR   1 /* tchar: RFC 9110 5.6.2 */
#define VALUE_CHAR 2 /* baggage-octet: visible, without '"', ',', ';' and '\' */

static const uint8_t chars[256] = {
	['!'] = KEY_CHAR | VALUE_CHAR,
	['#' ... '\''] = KEY_CHAR | VALUE_CHAR,
	['(' ... ')'] = VALUE_CHAR,
	['*' ... '+'] = KEY_CHAR | VALUE_CHAR,
	['-' ... '.'] = KEY_CHAR | VALUE_CHAR,
	['/'] = VALUE_CHAR,
	['0' ... '9'] = KEY_CHAR | VALUE_CHAR,
	[':'] = VALUE_CHAR,
	['<' ... '@'] = VALUE_CHAR,
	['A' ... 'Z'] = KEY_CHAR | VALUE_CHAR,
	['['] = VALUE_CHAR,
	[']'] = VALUE_CHAR,
	['^' ... 'z'] = KEY_CHAR | VALUE_CHAR,
	['{'] = VALUE_CHAR,
	['|'] = KEY_CHAR | VALUE_CHAR,
	['}'] = VALUE_CHAR,
	['~'] = KEY_CHAR | VALUE_CHAR,
};

static bool all(struct st_str s, uint8_t class)
{
	uint8_t common = class;

	for (uint32_t i = 0; i < s.len; i++)
		common &= chars[(uint8_t)s.p[i]];
	return common;
}

/* key, or key "=" value: value.p is NULL when there is no "=". */
static bool pair(struct st_str s, struct st_str *key, struct st_str *value)
{
	*key = st_list_piece(&s, '=');
	*value = s.p ? st_list_trim(s) : s;
	return key->len && all(*key, KEY_CHAR) && all(*value, VALUE_CHAR);
}

void st_baggage__init(struct st_baggage *b, const struct st_carrier *c)
{
	*b = (struct st_baggage){.list = st_list_of(c, ST_CARRIER_BAGGAGE)};
	b->dropped = b->list.lost;
}

/* Is there room for a member of that length? Behind one that had none there is none for others. */
static bool within_limits(struct st_baggage *b, uint32_t len)
{
	uint32_t sz = len + (b->cnt ? 1 : 0);

	if (b->cnt == ST_BAGGAGE_MEMBERS_MAX || sz > ST_BAGGAGE_BYTES_MAX - b->bytes) {
		b->bytes = ST_BAGGAGE_BYTES_MAX;
		return false;
	}
	b->cnt++;
	b->bytes += sz;
	return true;
}

bool st_baggage__next(struct st_baggage *b, struct st_baggage_member *m)
{
	struct st_str member, rest;

	while (st_list_next(&b->list, &member)) {
		rest = member;
		if (!pair(st_list_piece(&rest, ';'), &m->key, &m->value) || !m->value.p) {
			b->malformed++;
		} else if (!within_limits(b, member.len)) {
			b->dropped++;
		} else {
			m->props = rest;
			return true;
		}
	}
	return false;
}

bool st_baggage__property(struct st_str *props, struct st_baggage_property *out)
{
	while (props->p)
		if (pair(st_list_piece(props, ';'), &out->key, &out->value))
			return true;
	return false;
}

int st_baggage__decode(struct st_str raw, char *buf, size_t size)
{
	size_t n = 0;

	for (uint32_t i = 0; i < raw.len; i++, n++) {
		unsigned hi, lo;

		if (n == size)
			return -ENOSPC;
		buf[n] = raw.p[i];
		if (raw.p[i] != '%')
			continue;
		if (raw.len - i < 3)
			return -EPROTO;
		hi = st_hex_digit[(uint8_t)raw.p[++i]];
		lo = st_hex_digit[(uint8_t)raw.p[++i]];
		if (!hi || !lo)
			return -EPROTO;
		buf[n] = (char)(hi << 4 | (lo & 15));
	}
	return (int)n;
}
