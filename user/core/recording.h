/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Recordings: what the core was fed, so that it can be fed again. A file is a header and blocks;
 * a block is a header with length and CRC-32 and whole items, each aligned to 8 bytes. A crash
 * costs the last block at most. Little endian. Pure: bytes in memory.
 */
#ifndef ST_CORE_RECORDING_H
#define ST_CORE_RECORDING_H

#include "lib/buf.h"
#include "spantap/abi.h"
#include "spantap/bytes.h"

#define ST_RECORDING_VERSION   1u
#define ST_RECORDING_BLOCK_MAX (256u << 10)

enum st_item_type {
	ST_ITEM_START = 1,    /* struct st_item_start; the first item of a file */
	ST_ITEM_RECORD = 2,   /* struct st_rec and its valid payload bytes */
	ST_ITEM_RESOURCE = 3, /* u32 tgid, u32 0, then st_resource__pack's bytes */
	ST_ITEM_CLOCK = 4,    /* i64: what to add to CLOCK_MONOTONIC from here on */
	ST_ITEM_END = 5,      /* u64: CLOCK_MONOTONIC when the tracer ended */
	ST_ITEM_TICK = 6, /* u64: CLOCK_MONOTONIC; what waited for evidence until then was due */
};

struct st_item_start {
	uint32_t abi; /* ST_ABI_VERSION */
	uint32_t max_conns;
	uint64_t id_key[2];
	int64_t epoch_off_ns;
};

struct st_item {
	uint16_t type; /* enum st_item_type */
	struct st_str data;
	uint64_t off; /* of the item in the file */
};

/* ---- writing ---- */

/* The file's header. Returns 0 or -ENOSPC. */
int st_recording__put_header(struct st_buf *out);
/* An item behind those already in the block's body. */
int st_recording__put_item(struct st_buf *body, enum st_item_type type, const void *a, size_t a_len,
			   const void *b, size_t b_len);
/* The block around a body; the body is reset. */
int st_recording__put_block(struct st_buf *out, struct st_buf *body);

/* ---- reading ---- */

struct st_recording {
	const uint8_t *p;
	size_t len;
	size_t off; /* where reading stands, or where the fault is */
	size_t block_end;
	bool truncated; /* the last block is not whole */
};

/*
 * Reads the header. Returns 0; -EPROTO: not a recording; -ENOTSUP: of another version. The bytes
 * must stay, aligned to 8.
 */
int st_recording__open(struct st_recording *r, const void *p, size_t len);

/*
 * The next item. Returns 1, 0 at the end (r->truncated says whether a block was cut), -EBADMSG
 * when a block's checksum or an item's length is wrong (r->off says where).
 */
int st_recording__next(struct st_recording *r, struct st_item *item);

/*
 * The record of an ST_ITEM_RECORD, checked so that the core may read it: copied to *room, which
 * holds sizeof(struct st_rec) + 64 KiB. Returns 0 or -EBADMSG.
 */
int st_recording__record(const struct st_item *item, struct st_rec *room);
#define ST_RECORD_ROOM (sizeof(struct st_rec) + 65536u)

#endif
