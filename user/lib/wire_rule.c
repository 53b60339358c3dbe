/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "lib/wire_rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/units.h"

#define V4_BITS 96u /* in front of an IPv4 address that is written as IPv6 (RFC 4291 2.5.5.2) */

struct st_wire_rule st_wire_rule__all(bool allow)
{
	return (struct st_wire_rule){.used = 1, .allow = allow};
}

static struct st_str from(struct st_str s, size_t at)
{
	return st_str(s.p + at, s.len - at);
}

/* Where the last c is; s.len: nowhere. */
static size_t last_of(struct st_str s, char c)
{
	for (size_t i = s.len; i-- > 0;)
		if (s.p[i] == c)
			return i;
	return s.len;
}

static int set_port(struct st_str s, struct st_wire_rule *r)
{
	uint64_t port;

	if (st_units__uint(s, UINT16_MAX, &port) || !port)
		return -EINVAL;
	r->port = (uint16_t)port;
	return 0;
}

static int set_bits(struct st_str s, uint32_t max, struct st_wire_rule *r)
{
	uint64_t bits;

	if (st_units__uint(s, max, &bits))
		return -EINVAL;
	r->bits = 128 - max + (uint32_t)bits;
	return 0;
}

static int set_addr(struct st_str s, struct st_wire_rule *r)
{
	size_t slash = last_of(s, '/');
	char text[INET6_ADDRSTRLEN];
	uint32_t max = 128;

	if (slash >= sizeof(text))
		return -EINVAL;
	memcpy(text, s.p, slash);
	text[slash] = 0;
	if (inet_pton(AF_INET, text, &r->addr[3]) == 1) {
		r->addr[2] = htonl(0xffff);
		max = 32;
	} else if (inet_pton(AF_INET6, text, r->addr) != 1) {
		return -EINVAL;
	}
	r->bits = 128;
	return slash < s.len ? set_bits(from(s, slash + 1), max, r) : 0;
}

/* "[" address "]" with or without ":" port. */
static int in_brackets(struct st_str s, struct st_wire_rule *r)
{
	size_t end = last_of(s, ']');
	int err;

	if (end == s.len)
		return -EINVAL;
	err = set_addr(st_str(s.p + 1, end - 1), r);
	s = from(s, end + 1);
	if (err || !s.len)
		return err;
	return *s.p == ':' ? set_port(from(s, 1), r) : -EINVAL;
}

/* A colon that is the only one stands in front of a port. */
static int plain(struct st_str s, struct st_wire_rule *r)
{
	const char *colon = memchr(s.p, ':', s.len);
	size_t at = last_of(s, ':');
	int err;

	if (!colon || (size_t)(colon - s.p) != at)
		return set_addr(s, r);
	err = at ? set_addr(st_str(s.p, at), r) : 0;
	return err ? err : set_port(from(s, at + 1), r);
}

int st_wire_rule__parse(struct st_str s, struct st_wire_rule *out)
{
	*out = st_wire_rule__all(true);
	if (s.len && *s.p == '!') {
		out->allow = 0;
		s = from(s, 1);
	}
	if (!s.len)
		return -EINVAL;
	return *s.p == '[' ? in_brackets(s, out) : plain(s, out);
}
