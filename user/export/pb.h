/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Protocol Buffers' wire format, written by hand: varints, fixed fields. No bounds are checked. */
#ifndef ST_EXPORT_PB_H
#define ST_EXPORT_PB_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Wire types of a tag's low three bits. */
#define ST_PB_VARINT	       0
#define ST_PB_I64	       1
#define ST_PB_LEN	       2
#define ST_PB_I32	       5
#define ST_PB_TAG(field, type) ((uint8_t)((field) << 3 | (type)))

/* A 64-bit varint is ten bytes at most. */
#define ST_PB_VARINT_MAX       10

static inline uint8_t *st_pb_varint(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

/* Bytes of a varint: its bits divided by 7, rounded up, without a division. */
static inline uint32_t st_pb_varint_sz(uint64_t v)
{
	uint32_t bits = 64 - (uint32_t)__builtin_clzll(v | 1);

	return (bits * 9 + 64) / 64;
}

/* A length-delimited field of a one-byte tag, with len bytes of content. */
static inline size_t st_pb_field_sz(size_t len)
{
	return 1 + st_pb_varint_sz(len) + len;
}

static inline uint8_t *st_pb_fixed64(uint8_t *p, uint8_t tag, uint64_t v)
{
	v = htole64(v);
	*p++ = tag;
	memcpy(p, &v, 8);
	return p + 8;
}

static inline uint8_t *st_pb_bytes(uint8_t *p, uint8_t tag, const void *from, uint32_t len)
{
	*p++ = tag;
	p = st_pb_varint(p, len);
	memcpy(p, from, len);
	return p + len;
}

/* A varint field of a one-byte tag, left out when zero, as proto3 does. */
static inline uint8_t *st_pb_uint(uint8_t *p, uint8_t tag, uint64_t v)
{
	if (!v)
		return p;
	*p++ = tag;
	return st_pb_varint(p, v);
}

#endif
