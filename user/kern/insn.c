/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/insn.h"

#include <stdbool.h>
#include <string.h>

struct head {
	bool wide;   /* prefix 66: AMD and Intel differ in what a branch then is */
	bool bad;    /* a prefix that the kernel refuses */
	uint8_t rex; /* 0: none */
	size_t len;  /* of all prefixes */
};

static struct head read_head(const uint8_t *code, size_t n)
{
	struct head h = {0};

	for (; h.len < n; h.len++) {
		uint8_t b = code[h.len];

		if (b == 0x66)
			h.wide = true;
		else if (memchr("\x26\x2e\x36\x3e\xf0", b, 5))
			h.bad = true;
		else if (!memchr("\x64\x65\x67\xf2\xf3", b, 5))
			break;
	}
	if (h.len < n && (code[h.len] & 0xf0) == 0x40)
		h.rex = code[h.len++];
	return h;
}

static bool is_branch(uint8_t op, uint8_t second)
{
	return op == 0xe8 || op == 0xe9 || op == 0xeb || (op & 0xf0) == 0x70 ||
	       (op == 0x0f && (second & 0xf0) == 0x80);
}

/* Not for user code, or a probe would mask the trap that ends the step. */
static bool is_forbidden(uint8_t op)
{
	static const uint8_t ops[] = {
		0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62,
		0x6c, 0x6d, 0x6e, 0x6f, 0x82, 0x8e, 0x9a, 0x9d, 0xcc, 0xcd, 0xce, 0xcf, 0xd4, 0xd5,
		0xd6, 0xe4, 0xe5, 0xe6, 0xe7, 0xea, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf4, 0xfa, 0xfb,
	};

	return memchr(ops, op, sizeof(ops));
}

enum st_site_cost st_insn__cost(const uint8_t *code, size_t n)
{
	struct head h = read_head(code, n);
	uint8_t op, second;

	if (h.len >= n || h.bad)
		return ST_SITE_REFUSED;
	op = code[h.len];
	second = h.len + 1 < n ? code[h.len + 1] : 0;
	if (is_branch(op, second))
		return h.wide ? ST_SITE_REFUSED : ST_SITE_EMULATED;
	if (op == 0x90 && !(h.rex & 1))
		return ST_SITE_EMULATED;
	if ((op & 0xf8) == 0x50 && (!h.len || (h.len == 1 && h.rex == 0x41)))
		return ST_SITE_EMULATED;
	return is_forbidden(op) ? ST_SITE_REFUSED : ST_SITE_STEPPED;
}

const char *st_site_cost__name(enum st_site_cost cost)
{
	static const char *const names[] = {"emulated", "stepped", "refused"};

	return (unsigned int)cost < 3 ? names[cost] : "?";
}
