/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Resources in recordings. Little endian:
 *   u8 version, i32 pid, u16 attributes, then each: u8 key length, key, u8 enum st_vtype, value;
 *   a string is u16 length and bytes, an array u16 count and strings, int and double 8 bytes,
 *   bool 1 byte. The attribute service.name is the service.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/buf.h"
#include "meta/otelenv.h"
#include "meta/registry.h"
#include "meta/text.h"
#include "spantap/keys.h"

#define PACK_VERSION 1
#define PACK_MAX     (64u << 10) /* bytes of a packed resource */
#define ATTRS_MAX    256u
#define STRS_MAX     64u

static void put_le(struct st_buf *b, uint64_t v, unsigned int n)
{
	for (; n; n--, v >>= 8)
		st_buf__putc(b, (char)(v & 0xff));
}

static void put_text(struct st_buf *b, struct st_str s)
{
	if (s.len > UINT16_MAX)
		b->failed = true;
	put_le(b, s.len, 2);
	st_buf__put(b, s.p, s.len);
}

static void put_value(struct st_buf *b, const struct st_attr *a)
{
	uint64_t bits;

	switch (a->type) {
	case ST_V_STR:
		put_text(b, a->s);
		break;
	case ST_V_INT:
		put_le(b, (uint64_t)a->i, 8);
		break;
	case ST_V_BOOL:
		put_le(b, a->b, 1);
		break;
	case ST_V_DOUBLE:
		memcpy(&bits, &a->d, 8);
		put_le(b, bits, 8);
		break;
	case ST_V_STRS:
		put_le(b, a->strs.cnt, 2);
		for (uint32_t i = 0; i < a->strs.cnt; i++)
			put_text(b, a->strs.v[i]);
		break;
	default:
		b->failed = true;
	}
}

int st_resource__pack(const struct st_resource *res, struct st_buf *out)
{
	size_t start = out->len;

	put_le(out, PACK_VERSION, 1);
	put_le(out, (uint32_t)res->pid, 4);
	put_le(out, res->attr_cnt, 2);
	for (uint16_t i = 0; i < res->attr_cnt; i++) {
		const struct st_attr *a = &res->attrs[i];

		if (a->key->name.len > UINT8_MAX)
			out->failed = true;
		put_le(out, a->key->name.len, 1);
		st_buf__put(out, a->key->name.p, a->key->name.len);
		put_le(out, a->type, 1);
		put_value(out, a);
	}
	return out->failed || out->len - start > PACK_MAX ? -ENOSPC : 0;
}

/* What unpacking fills; the second pass has memory for strings of arrays. */
struct unpack {
	struct st_bytes in;
	struct st_attr *attrs;
	struct st_str *strs;
	uint32_t attr_cnt, strs_cnt;
	bool bad;
};

static uint64_t get_le(struct unpack *u, unsigned int n)
{
	uint64_t v = 0;

	if (st_bytes_left(&u->in) < n) {
		u->bad = true;
		return 0;
	}
	for (unsigned int i = 0; i < n; i++)
		v |= (uint64_t)u->in.p[i] << (8 * i);
	u->in.p += n;
	return v;
}

static struct st_str get_text(struct unpack *u, unsigned int len_sz)
{
	size_t n = get_le(u, len_sz);
	struct st_str s = {0};

	if (u->bad || st_bytes_left(&u->in) < n) {
		u->bad = true;
		return s;
	}
	s = st_str((const char *)u->in.p, n);
	u->in.p += n;
	if (!st_text__utf8(s))
		u->bad = true;
	return s;
}

static void get_strs(struct unpack *u, struct st_attr *a)
{
	uint32_t cnt = (uint32_t)get_le(u, 2);

	if (cnt > STRS_MAX)
		u->bad = true;
	a->strs.v = u->strs ? u->strs + u->strs_cnt : NULL;
	a->strs.cnt = cnt;
	for (uint32_t i = 0; i < cnt && !u->bad; i++) {
		struct st_str s = get_text(u, 2);

		if (u->strs)
			u->strs[u->strs_cnt] = s;
		u->strs_cnt++;
	}
}

static void get_value(struct unpack *u, struct st_attr *a)
{
	uint64_t bits;

	a->type = (uint8_t)get_le(u, 1);
	switch (a->type) {
	case ST_V_STR:
		a->s = get_text(u, 2);
		break;
	case ST_V_INT:
		a->i = (int64_t)get_le(u, 8);
		break;
	case ST_V_BOOL:
		bits = get_le(u, 1);
		u->bad |= bits > 1;
		a->b = bits != 0;
		break;
	case ST_V_DOUBLE:
		bits = get_le(u, 8);
		memcpy(&a->d, &bits, 8);
		break;
	case ST_V_STRS:
		get_strs(u, a);
		break;
	default:
		u->bad = true;
	}
}

/*
 * Reads all attributes. With u->attrs the keys are interned and the values kept; without, the
 * bytes are only checked and the strings of arrays counted. Returns the count in the bytes.
 */
static uint32_t get_attrs(struct unpack *u)
{
	uint32_t cnt = (uint32_t)get_le(u, 2);

	if (cnt > ATTRS_MAX)
		u->bad = true;
	for (uint32_t i = 0; i < cnt && !u->bad; i++) {
		struct st_str name = get_text(u, 1);
		struct st_attr a = {0};

		if (!name.len)
			u->bad = true;
		get_value(u, &a);
		if (u->bad || !u->attrs)
			continue;
		a.key = st_key__intern(name);
		if (a.key)
			u->attrs[u->attr_cnt++] = a;
	}
	return cnt;
}

/* One allocation: resource, attributes, array strings, and a copy of the bytes for the text. */
int st_resource__unpack(struct st_str packed, struct st_resource **out)
{
	struct unpack u = {.in = st_bytes(packed.p, packed.len)};
	struct st_resource *r;
	uint32_t cnt;
	int32_t pid;
	char *copy;

	if (!packed.len || packed.len > PACK_MAX || get_le(&u, 1) != PACK_VERSION)
		return -EINVAL;
	pid = (int32_t)get_le(&u, 4);
	cnt = get_attrs(&u);
	if (u.bad || st_bytes_left(&u.in))
		return -EINVAL;
	r = calloc(1,
		   sizeof(*r) + cnt * sizeof(*u.attrs) + u.strs_cnt * sizeof(*u.strs) + packed.len);
	if (!r)
		return -ENOMEM;
	u.attrs = (struct st_attr *)(r + 1);
	u.strs = (struct st_str *)(u.attrs + cnt);
	copy = (char *)(u.strs + u.strs_cnt);
	memcpy(copy, packed.p, packed.len);
	u.strs_cnt = 0;
	u.in = st_bytes(copy + 5, packed.len - 5);
	get_attrs(&u);
	r->pid = pid;
	r->attrs = u.attrs;
	r->attr_cnt = (uint16_t)u.attr_cnt;
	for (uint32_t i = 0; i < u.attr_cnt; i++)
		if (u.attrs[i].key == ST_KEY(service_name) && u.attrs[i].type == ST_V_STR)
			r->service = u.attrs[i].s;
	*out = r;
	return 0;
}
