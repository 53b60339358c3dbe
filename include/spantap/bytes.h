/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Bounded slices of bytes: what parsers read. Nothing here owns memory. */
#ifndef SPANTAP_BYTES_H
#define SPANTAP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A slice: `len` bytes at `p`, not NUL-terminated; p may be NULL when len is 0. */
struct st_str {
	const char *p;
	uint32_t len;
};

/* A cursor: bytes from `p` up to, not including, `end`. */
struct st_bytes {
	const uint8_t *p;
	const uint8_t *end;
};

#define ST_STR(lit) ((struct st_str){(lit), sizeof(lit) - 1})

static inline struct st_str st_str(const char *p, size_t len)
{
	return (struct st_str){p, (uint32_t)len};
}

static inline struct st_str st_str_of(const char *z)
{
	return (struct st_str){z, z ? (uint32_t)strlen(z) : 0};
}

static inline bool st_str_eq(struct st_str a, struct st_str b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

static inline struct st_bytes st_bytes(const void *p, size_t len)
{
	return (struct st_bytes){p, (const uint8_t *)p + len};
}

static inline size_t st_bytes_left(const struct st_bytes *b)
{
	return (size_t)(b->end - b->p);
}

#endif
