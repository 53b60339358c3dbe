/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The header that the kernel fills in: what st_propagate__inject writes, with places instead of digits. */
#include <string.h>

#include "core/propagate.h"
#include "spantap/abi.h"

#define DIGITS (ST_HEADER_SPAN + 16u) /* of both ids */

/* All digits are 1, but for one that is 2; it is sampled or not. */
static size_t write_out(const struct st_propagators *order, uint32_t odd, bool sampled, char *buf)
{
	struct st_remote r = {.sampled_known = true, .flags = sampled ? ST_TRACE_SAMPLED : 0};
	uint8_t ids[DIGITS / 2];

	memset(ids, 0x11, sizeof(ids));
	if (odd < DIGITS)
		ids[odd / 2] = odd & 1 ? 0x12 : 0x21;
	memcpy(r.trace_id, ids, sizeof(r.trace_id));
	memcpy(r.span_id, ids + sizeof(r.trace_id), sizeof(r.span_id));
	return st_propagate__inject(order, &r, buf, ST_HEADER_MAX);
}

/* Where the two differ stands this digit. */
static void mark(const char *plain, const char *other, size_t len, uint32_t digit, uint8_t *text)
{
	for (size_t i = 0; i < len; i++)
		if (plain[i] != other[i])
			text[i] = (uint8_t)(ST_HEADER_DIGIT | digit);
}

int st_propagate__template(const struct st_propagators *order, struct st_wire_header *out)
{
	static const struct st_propagators w3c = {.v = {ST_PROPAGATOR_TRACECONTEXT}, .cnt = 1};
	char plain[ST_HEADER_MAX], other[ST_HEADER_MAX];
	size_t len;

	if (!order->given)
		order = &w3c;
	len = write_out(order, DIGITS, true, plain);
	if (!len)
		return -1;
	memcpy(out->text, plain, len);
	for (uint32_t digit = 0; digit < DIGITS; digit++)
		if (write_out(order, digit, true, other) == len)
			mark(plain, other, len, digit, out->text);
	if (write_out(order, DIGITS, false, other) == len)
		mark(plain, other, len, ST_HEADER_SAMPLED, out->text);
	out->len = (uint32_t)len;
	return 0;
}
