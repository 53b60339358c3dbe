/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/uuid.h"

#include <stdio.h>
#include <string.h>

const uint8_t st_uuid_service_instance[16] = {0x4d, 0x63, 0x00, 0x9a, 0x8d, 0x0f, 0x11, 0xee,
					      0xaa, 0xd7, 0x4c, 0x79, 0x6e, 0xd8, 0xe3, 0x20};

static uint32_t rol(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

/* RFC 3174, section 6.1 */
static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (int t = 0; t < 16; t++)
		w[t] = (uint32_t)p[4 * t] << 24 | (uint32_t)p[4 * t + 1] << 16 |
		       (uint32_t)p[4 * t + 2] << 8 | p[4 * t + 3];
	for (int t = 16; t < 80; t++)
		w[t] = rol(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (int t = 0; t < 80; t++) {
		uint32_t f = t < 20   ? (b & c) | (~b & d)
			     : t < 40 ? b ^ c ^ d
			     : t < 60 ? (b & c) | (b & d) | (c & d)
				      : b ^ c ^ d;
		uint32_t k = t < 20   ? 0x5a827999
			     : t < 40 ? 0x6ed9eba1
			     : t < 60 ? 0x8f1bbcdc
				      : 0xca62c1d6;
		uint32_t next = rol(a, 5) + f + e + w[t] + k;

		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void st_sha1(const void *data, size_t n, uint8_t out[20])
{
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	const uint8_t *p = data;
	uint8_t last[128] = {0};
	size_t left = n, last_sz;

	for (; left >= 64; left -= 64, p += 64)
		sha1_block(h, p);
	if (left)
		memcpy(last, p, left);
	last[left] = 0x80;
	last_sz = left < 56 ? 64 : 128;
	for (int i = 0; i < 8; i++)
		last[last_sz - 1 - (size_t)i] = (uint8_t)((uint64_t)n * 8 >> (8 * i));
	sha1_block(h, last);
	if (last_sz == 128)
		sha1_block(h, last + 64);
	for (int i = 0; i < 20; i++)
		out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

void st_uuid__v5(const uint8_t space[16], const void *name, size_t n, char out[ST_UUID_SZ])
{
	uint8_t text[16 + 256], d[20];

	if (n > sizeof(text) - 16)
		n = sizeof(text) - 16;
	memcpy(text, space, 16);
	memcpy(text + 16, name, n);
	st_sha1(text, 16 + n, d);
	d[6] = (d[6] & 0x0f) | 0x50;
	d[8] = (d[8] & 0x3f) | 0x80;
	snprintf(out, ST_UUID_SZ,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0], d[1],
		 d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13], d[14],
		 d[15]);
}
