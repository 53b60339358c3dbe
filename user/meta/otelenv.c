/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/otelenv.h"

#include <errno.h>

#include "meta/text.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Percent-decodes raw into the text area; *out points there. */
static bool decode(struct st_otel_attrs *a, struct st_str raw, struct st_str *out)
{
	uint32_t start = a->text_len, i;

	if (!raw.len || !memchr(raw.p, '%', raw.len)) {
		*out = raw;
		return true;
	}
	if (raw.len > sizeof(a->text) - a->text_len)
		return false;
	for (i = 0; i < raw.len; i++) {
		char c = raw.p[i];

		if (c == '%') {
			int hi = raw.len - i > 2 ? hex(raw.p[i + 1]) : -1;
			int lo = raw.len - i > 2 ? hex(raw.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return false;
			c = (char)(hi * 16 + lo);
			i += 2;
		}
		a->text[a->text_len++] = c;
	}
	*out = st_str(a->text + start, a->text_len - start);
	return true;
}

/*
 * Baggage keys are tokens (RFC 7230, section 3.2.6), but real ones hold '/' too, as Kubernetes'
 * label names do: any printable ASCII.
 */
static bool key_ok(struct st_str key)
{
	if (!key.len || key.len > ST_OTEL_KEY_MAX)
		return false;
	for (uint32_t i = 0; i < key.len; i++)
		if ((uint8_t)key.p[i] <= ' ' || (uint8_t)key.p[i] >= 0x7f)
			return false;
	return true;
}

static void add(struct st_otel_attrs *a, struct st_str key, struct st_str value)
{
	for (uint32_t i = 0; i < a->cnt; i++) {
		if (st_str_eq(a->v[i].key, key)) {
			a->v[i].value = value;
			return;
		}
	}
	if (a->cnt == ST_OTEL_ATTR_MAX)
		a->dropped++;
	else
		a->v[a->cnt++] = (struct st_otel_attr){key, value};
}

static bool parse_one(struct st_otel_attrs *a, struct st_str member)
{
	struct st_str key = st_text__until(member, '='), value;

	if (key.len == member.len)
		return false;
	if (!decode(a, st_text__trim(st_text__skip(member, key.len + 1)), &value) ||
	    !decode(a, st_text__trim(key), &key))
		return false;
	if (!key_ok(key) || value.len > ST_OTEL_VALUE_MAX || !st_text__utf8(value))
		return false;
	add(a, key, value);
	return true;
}

int st_otel_attrs__parse(struct st_str raw, struct st_otel_attrs *out)
{
	out->cnt = out->dropped = out->text_len = 0;
	while (raw.len) {
		struct st_str member = st_text__until(raw, ',');

		raw = st_text__skip(raw, member.len + 1);
		member = st_text__trim(member);
		/* A comma too many is what hands and templates write; nothing is lost by it. */
		if (!member.len)
			continue;
		if (!parse_one(out, member)) {
			out->cnt = out->dropped = 0;
			return -EINVAL;
		}
	}
	return 0;
}

bool st_otel_attrs__find(const struct st_otel_attrs *a, const char *key, struct st_str *value)
{
	for (uint32_t i = 0; i < a->cnt; i++) {
		if (st_text__is(a->v[i].key, key)) {
			*value = a->v[i].value;
			return true;
		}
	}
	return false;
}
