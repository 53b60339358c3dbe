/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/recording.h"

#include <errno.h>
#include <zlib.h>

static const char magic[8] = "SPANTAP";
#define BLOCK_MAGIC 0x4b425453u /* "STBK" */

struct file_header {
	char magic[8];
	uint32_t version;
	uint32_t abi;
};

struct block_header {
	uint32_t magic;
	uint32_t len; /* of the items */
	uint32_t crc; /* CRC-32 (ISO 3309) of the items */
	uint32_t zero;
};

struct item_header {
	uint16_t type;
	uint16_t zero;
	uint32_t len;
};

static size_t aligned(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

int st_recording__put_header(struct st_buf *out)
{
	struct file_header h = {.version = ST_RECORDING_VERSION, .abi = ST_ABI_VERSION};

	memcpy(h.magic, magic, sizeof(magic));
	return st_buf__put(out, &h, sizeof(h)) ? 0 : -ENOSPC;
}

int st_recording__put_item(struct st_buf *body, enum st_item_type type, const void *a, size_t a_len,
			   const void *b, size_t b_len)
{
	struct item_header h = {.type = (uint16_t)type, .len = (uint32_t)(a_len + b_len)};
	static const uint8_t zero[8];
	size_t pad = aligned(h.len) - h.len;

	if (!st_buf__room(body, sizeof(h) + h.len + pad))
		return -ENOSPC;
	st_buf__put(body, &h, sizeof(h));
	st_buf__put(body, a, a_len);
	st_buf__put(body, b, b_len);
	st_buf__put(body, zero, pad);
	return 0;
}

int st_recording__put_block(struct st_buf *out, struct st_buf *body)
{
	struct block_header h = {.magic = BLOCK_MAGIC, .len = (uint32_t)body->len};

	if (!body->len)
		return 0;
	h.crc = (uint32_t)crc32(0, body->p, (uInt)body->len);
	if (!st_buf__room(out, sizeof(h) + body->len))
		return -ENOSPC;
	st_buf__put(out, &h, sizeof(h));
	st_buf__put(out, body->p, body->len);
	st_buf__reset(body);
	return 0;
}

int st_recording__open(struct st_recording *r, const void *p, size_t len)
{
	const struct file_header *h = p;

	*r = (struct st_recording){.p = p, .len = len};
	if (len < sizeof(*h) || memcmp(h->magic, magic, sizeof(magic)))
		return -EPROTO;
	if (h->version != ST_RECORDING_VERSION || h->abi != ST_ABI_VERSION)
		return -ENOTSUP;
	r->off = r->block_end = sizeof(*h);
	return 0;
}

/* 1: a block was entered; 0: no more; -EBADMSG. */
static int enter_block(struct st_recording *r)
{
	const struct block_header *h = (const struct block_header *)(r->p + r->off);
	size_t left = r->len - r->off;

	if (!left)
		return 0;
	if (left < sizeof(*h)) {
		r->truncated = true;
		return 0;
	}
	if (h->magic != BLOCK_MAGIC || h->zero || h->len % 8 || h->len > ST_RECORDING_BLOCK_MAX)
		return -EBADMSG;
	if (h->len > left - sizeof(*h)) {
		r->truncated = true;
		return 0;
	}
	if ((uint32_t)crc32(0, r->p + r->off + sizeof(*h), h->len) != h->crc)
		return -EBADMSG;
	r->off += sizeof(*h);
	r->block_end = r->off + h->len;
	return 1;
}

int st_recording__next(struct st_recording *r, struct st_item *item)
{
	const struct item_header *h;
	int rc;

	while (r->off == r->block_end) {
		rc = enter_block(r);
		if (rc <= 0)
			return rc;
	}
	h = (const struct item_header *)(r->p + r->off);
	if (r->block_end - r->off < sizeof(*h) ||
	    aligned(h->len) > r->block_end - r->off - sizeof(*h))
		return -EBADMSG;
	item->type = h->type;
	item->off = r->off;
	item->data = st_str((const char *)(h + 1), h->len);
	r->off += sizeof(*h) + aligned(h->len);
	return 1;
}

int st_recording__record(const struct st_item *item, struct st_rec *room)
{
	if (item->data.len < sizeof(*room) || item->data.len > ST_RECORD_ROOM)
		return -EBADMSG;
	memcpy(room, item->data.p, item->data.len);
	if (room->len != item->data.len - sizeof(*room) || room->len > room->payload_sz)
		return -EBADMSG;
	return 0;
}
