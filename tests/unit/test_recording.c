/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Recordings: what was written is read back; a file that was cut anywhere gives whole blocks up to
 * there; a byte that was changed anywhere is noticed; nothing is read beyond the end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/recording.h"

#define BLOCKS	  5
#define ITEMS	  7 /* a block */
#define HEADER_SZ 16

struct file {
	struct st_buf buf;
	size_t block_end[BLOCKS];
};

static uint8_t content(uint32_t item, size_t i)
{
	return (uint8_t)(item * 31 + i * 7 + 3);
}

static size_t content_sz(uint32_t item)
{
	return item * 13 % 97;
}

static void write_item(struct st_buf *body, uint32_t item)
{
	uint8_t data[97];
	size_t n = content_sz(item), cut = n / 3;

	for (size_t i = 0; i < n; i++)
		data[i] = content(item, i);
	assert_int_equal(st_recording__put_item(body, (enum st_item_type)(1 + item % 5), data, cut,
						data + cut, n - cut),
			 0);
}

static void write_file(struct file *f)
{
	struct st_buf body = st_buf__init(ST_RECORDING_BLOCK_MAX);

	f->buf = st_buf__init(1u << 20);
	assert_int_equal(st_recording__put_header(&f->buf), 0);
	for (uint32_t b = 0; b < BLOCKS; b++) {
		for (uint32_t i = 0; i < ITEMS; i++)
			write_item(&body, b * ITEMS + i);
		assert_int_equal(st_recording__put_block(&f->buf, &body), 0);
		assert_int_equal(body.len, 0);
		f->block_end[b] = f->buf.len;
	}
	st_buf__free(&body);
}

/* Items that are there, each as it was written. Returns what ended the reading. */
static int read_items(const void *p, size_t len, uint32_t *cnt, struct st_recording *r)
{
	struct st_item item;
	int rc = st_recording__open(r, p, len);

	*cnt = 0;
	if (rc)
		return rc;
	while ((rc = st_recording__next(r, &item)) == 1) {
		assert_int_equal(item.type, 1 + *cnt % 5);
		assert_int_equal(item.data.len, content_sz(*cnt));
		for (size_t i = 0; i < item.data.len; i++)
			assert_int_equal((uint8_t)item.data.p[i], content(*cnt, i));
		(*cnt)++;
	}
	return rc;
}

static void written_is_read(void **state)
{
	struct st_recording r;
	struct file f;
	uint32_t cnt;

	(void)state;
	write_file(&f);
	assert_int_equal(read_items(f.buf.p, f.buf.len, &cnt, &r), 0);
	assert_int_equal(cnt, BLOCKS * ITEMS);
	assert_false(r.truncated);
	assert_int_equal(r.off, f.buf.len);
	st_buf__free(&f.buf);
}

/* In memory of its very size, so that a sanitizer sees a read beyond. */
static void cut_anywhere(void **state)
{
	struct st_recording r;
	struct file f;
	uint32_t cnt;

	(void)state;
	write_file(&f);
	for (size_t len = 0; len < f.buf.len; len++) {
		uint8_t *copy = malloc(len ? len : 1);
		uint32_t whole = 0;
		int rc;

		assert_non_null(copy);
		memcpy(copy, f.buf.p, len);
		while (whole < BLOCKS && f.block_end[whole] <= len)
			whole++;
		rc = read_items(copy, len, &cnt, &r);
		if (len < HEADER_SZ) {
			assert_int_equal(rc, -EPROTO);
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(cnt, whole * ITEMS);
			assert_int_equal(r.truncated,
					 len != (whole ? f.block_end[whole - 1] : HEADER_SZ));
		}
		free(copy);
	}
	st_buf__free(&f.buf);
}

static void changed_anywhere(void **state)
{
	struct st_recording r;
	struct file f;
	uint32_t cnt;

	(void)state;
	write_file(&f);
	for (size_t at = 0; at < f.buf.len; at++) {
		size_t begin = HEADER_SZ;
		uint32_t block = 0;
		int rc;

		while (at >= f.block_end[block])
			begin = f.block_end[block++];
		f.buf.p[at] ^= 0x5a;
		rc = read_items(f.buf.p, f.buf.len, &cnt, &r);
		f.buf.p[at] ^= 0x5a;
		if (at < HEADER_SZ) {
			assert_true(rc == -EPROTO || rc == -ENOTSUP);
			continue;
		}
		assert_int_equal(cnt, block * ITEMS);
		/* A length that grew beyond the file looks like a cut; all else is broken. */
		if (rc == 0)
			assert_true(r.truncated);
		else
			assert_int_equal(rc, -EBADMSG);
		assert_int_equal(r.off, begin);
	}
	st_buf__free(&f.buf);
}

/* A checksum that is right over items that are not. */
static void items_beyond_their_block(void **state)
{
	static const uint32_t lens[] = {9,	    16,		4096,	   0x7fffffff,
					0xfffffff0, 0xfffffff9, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct st_buf body = st_buf__init(4096), out = st_buf__init(8192);
		struct st_recording r;
		struct st_item item;

		st_recording__put_header(&out);
		assert_int_equal(st_recording__put_item(&body, ST_ITEM_END, "12345678", 8, NULL, 0),
				 0);
		memcpy(body.p + 4, &lens[i], 4);
		assert_int_equal(st_recording__put_block(&out, &body), 0);
		assert_int_equal(st_recording__open(&r, out.p, out.len), 0);
		assert_int_equal(st_recording__next(&r, &item), -EBADMSG);
		st_buf__free(&body);
		st_buf__free(&out);
	}
}

static void records_are_checked(void **state)
{
	_Alignas(8) static uint8_t room[ST_RECORD_ROOM], data[ST_RECORD_ROOM + 8];
	struct st_rec *rec = (struct st_rec *)data;
	struct st_item item = {.type = ST_ITEM_RECORD};

	(void)state;
	rec->len = 100;
	rec->payload_sz = 128;
	for (uint32_t len = 0; len <= sizeof(*rec) + 300; len++) {
		item.data = st_str((const char *)data, len);
		assert_int_equal(st_recording__record(&item, (struct st_rec *)room),
				 len == sizeof(*rec) + 100 ? 0 : -EBADMSG);
	}
	rec->payload_sz = 99;
	item.data = st_str((const char *)data, sizeof(*rec) + 100);
	assert_int_equal(st_recording__record(&item, (struct st_rec *)room), -EBADMSG);
	rec->len = rec->payload_sz = 65535;
	item.data = st_str((const char *)data, sizeof(*rec) + 65535);
	assert_int_equal(st_recording__record(&item, (struct st_rec *)room), 0);
	item.data.len = ST_RECORD_ROOM + 1;
	assert_int_equal(st_recording__record(&item, (struct st_rec *)room), -EBADMSG);
}

static void buffers_that_are_full(void **state)
{
	struct st_buf body = st_buf__init(64), out = st_buf__init(64);
	uint8_t data[56] = {0};

	(void)state;
	assert_int_equal(st_recording__put_item(&body, ST_ITEM_END, data, 56, NULL, 0), 0);
	assert_int_equal(st_recording__put_item(&body, ST_ITEM_END, data, 1, NULL, 0), -ENOSPC);
	assert_int_equal(body.len, 64);
	assert_int_equal(st_recording__put_block(&out, &body), -ENOSPC);
	st_buf__free(&body);
	st_buf__free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_is_read),     cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(changed_anywhere),    cmocka_unit_test(items_beyond_their_block),
		cmocka_unit_test(records_are_checked), cmocka_unit_test(buffers_that_are_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
