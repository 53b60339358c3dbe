/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* W3C Trace Context, levels 1 and 2: traceparent (3.2) and tracestate (3.3). */
#include "core/propagate_int.h"
#include "core/propagate_list.h"

#include <errno.h>

/* "00-" 32 digits "-" 16 digits "-" 2 digits; later versions may have "-" and more behind it. */
#define TRACEPARENT_LEN 55
#define VERSION_INVALID 0xffu
#define MEMBER_MAX	32
#define KEY_MAX		256
#define VALUE_MAX	256

/* What level 1 calls a key's characters and level 2 takes anywhere but in front: '@' too. */
#define KEY_CHAR	1
#define VALUE_CHAR	2

static const uint8_t chars[256] = {
	[' '] = VALUE_CHAR,
	['!' ... ')'] = VALUE_CHAR,
	['*'] = KEY_CHAR | VALUE_CHAR,
	['+'] = VALUE_CHAR,
	['-'] = KEY_CHAR | VALUE_CHAR,
	['.'] = VALUE_CHAR,
	['/' ... '9'] = KEY_CHAR | VALUE_CHAR,
	[':' ... '<'] = VALUE_CHAR,
	['>' ... '?'] = VALUE_CHAR,
	['@'] = KEY_CHAR | VALUE_CHAR,
	['A' ... '^'] = VALUE_CHAR,
	['_'] = KEY_CHAR | VALUE_CHAR,
	['`'] = VALUE_CHAR,
	['a' ... 'z'] = KEY_CHAR | VALUE_CHAR,
	['{' ... '~'] = VALUE_CHAR,
};

/* 3.2.2; a higher version is read as version 00 as far as that goes, and of its flags one bit. */
static bool traceparent(struct st_str s, struct st_remote *out)
{
	const char *p = s.p;
	uint8_t version;

	if (s.len < TRACEPARENT_LEN || p[2] != '-' || p[35] != '-' || p[52] != '-')
		return false;
	if (!st_hex_byte(&version, p) || !st_hex_decode(out->trace_id, p + 3, 16) ||
	    !st_hex_decode(out->span_id, p + 36, 8) || !st_hex_byte(&out->flags, p + 53))
		return false;
	if (version == 0) {
		if (s.len != TRACEPARENT_LEN)
			return false;
		out->flags &= ST_TRACE_SAMPLED | ST_TRACE_RANDOM;
	} else {
		if (version == VERSION_INVALID || (s.len > TRACEPARENT_LEN && p[55] != '-'))
			return false;
		out->flags &= ST_TRACE_SAMPLED;
	}
	return !st_is_zero(out->trace_id, 16) && !st_is_zero(out->span_id, 8);
}

static size_t span_of(const char *p, const char *end, uint8_t class)
{
	const char *q = p;

	while (q < end && chars[(uint8_t)*q] & class)
		q++;
	return (size_t)(q - p);
}

/* key "=" value, trimmed: so a value does not end in a blank (3.3.1.3). */
static bool is_member(struct st_str s)
{
	const char *p = s.p, *end = s.p + s.len;
	size_t key = span_of(p, end, KEY_CHAR), value;
	bool begins = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');

	if (!begins || key > KEY_MAX || p + key == end || p[key] != '=')
		return false;
	p += key + 1;
	value = span_of(p, end, VALUE_CHAR);
	return value && value <= VALUE_MAX && p + value == end;
}

/* How many there are; -EPROTO when one is malformed or they are too many. */
static int member_cnt(struct st_list l)
{
	struct st_str member;
	int cnt = 0;

	while (st_list_next(&l, &member))
		if (++cnt > MEMBER_MAX || !is_member(member))
			return -EPROTO;
	return cnt;
}

static bool has_line_end(struct st_str s)
{
	return memchr(s.p, '\r', s.len) || memchr(s.p, '\n', s.len);
}

/* Joins the members in out->room; those that do not fit are left out from the end on (3.3.1.5). */
static void join(struct st_list l, struct st_remote *out)
{
	struct st_put w = {out->room, out->room + sizeof(out->room), false};
	struct st_str member;
	char *end = w.p;

	while (st_list_next(&l, &member)) {
		if (end != out->room)
			st_put_str(&w, ST_STR(","));
		st_put_str(&w, member);
		if (w.full)
			break;
		end = w.p;
	}
	out->state_cut = w.full || l.lost;
	out->trace_state = st_str(out->room, (size_t)(end - out->room));
}

/* What is malformed in one place is discarded as a whole; traceparent stands without it (3.3.1). */
static void tracestate(const struct st_carrier *c, struct st_remote *out)
{
	struct st_list l = st_list_of(c, ST_CARRIER_TRACESTATE);
	struct st_str first = st_carrier_get(c, ST_CARRIER_TRACESTATE);
	int cnt = member_cnt(l);

	out->state_bad = cnt < 0;
	if (cnt <= 0)
		return;
	if (l.cnt == 1 && !has_line_end(first))
		out->trace_state = first;
	else
		join(l, out);
}

int st_w3c__extract(const struct st_carrier *c, struct st_remote *out)
{
	if (c->twice & ST_CARRIER_BIT(ST_CARRIER_TRACEPARENT) ||
	    !traceparent(st_carrier_get(c, ST_CARRIER_TRACEPARENT), out))
		return -EPROTO;
	out->sampled_known = true;
	if (c->seen & ST_CARRIER_BIT(ST_CARRIER_TRACESTATE))
		tracestate(c, out);
	return 1;
}

/* May it be written as it is? */
static bool is_writable(struct st_str state)
{
	struct st_carrier c = {.base = state.p};

	return state.len && !has_line_end(state) &&
	       st_carrier_add(&c, ST_CARRIER_TRACESTATE, state) &&
	       member_cnt(st_list_of(&c, ST_CARRIER_TRACESTATE)) > 0;
}

void st_w3c__inject(const struct st_remote *r, struct st_put *w)
{
	uint8_t flags = r->flags & (ST_TRACE_SAMPLED | ST_TRACE_RANDOM);

	st_put_str(w, ST_STR("traceparent: 00-"));
	st_put_hex(w, r->trace_id, 16);
	st_put_str(w, ST_STR("-"));
	st_put_hex(w, r->span_id, 8);
	st_put_str(w, ST_STR("-"));
	st_put_hex(w, &flags, 1);
	st_put_str(w, ST_STR("\r\n"));
	if (!is_writable(r->trace_state))
		return;
	st_put_str(w, ST_STR("tracestate: "));
	st_put_str(w, r->trace_state);
	st_put_str(w, ST_STR("\r\n"));
}
