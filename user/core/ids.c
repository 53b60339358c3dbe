/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Ids are functions of the connection, the turn and the request's place in it, under a key that is
 * random per run: the kernel can compute the same ones without asking.
 */
#include "core/conn.h"

/* splitmix64's finaliser: a bijection whose output bits depend on all input bits. */
static uint64_t mix(uint64_t v)
{
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
	return v ^ (v >> 31);
}

static uint64_t place(const struct st_core *c, uint64_t conn_id, uint32_t turn, uint32_t nth)
{
	return mix(c->cfg.id_key[0] ^ conn_id) + ((uint64_t)turn << 16 | (nth & 0xffff));
}

/* All-zero ids are invalid (W3C Trace Context 3.2.2.3). */
uint64_t st_ids__span(const struct st_core *c, uint64_t conn_id, uint32_t turn, uint32_t nth)
{
	uint64_t span = mix(place(c, conn_id, turn, nth) ^ c->cfg.id_key[1]);

	return span | !span;
}

void st_ids__trace(const struct st_core *c, uint64_t conn_id, uint32_t turn, uint32_t nth,
		   uint8_t id[16])
{
	uint64_t v = place(c, conn_id, turn, nth), span = mix(v ^ c->cfg.id_key[1]);
	uint64_t hi = mix((span | !span) + c->cfg.id_key[0]), lo = mix(hi ^ v);

	lo |= !lo;
	memcpy(id, &hi, 8);
	memcpy(id + 8, &lo, 8);
}
