/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Recordings of any bytes: as a file as it is, and as the items of a block whose checksum is right.
 * What is read lies within the file; what was written is read back; the core takes what passes.
 */
#include <stdlib.h>

#include "core/core.h"
#include "core/recording.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_SZ (192u << 10)

static const struct st_resource resource = {.index = 1, .generation = 1, .service = {"r", 1}};

static void on_span(void *ctx, const struct st_span *s)
{
	(*(uint64_t *)ctx)++;
	MUST(s->start_ns <= s->end_ns);
}

static const struct st_resource *on_resource(void *ctx, uint32_t tgid, uint64_t now_ns)
{
	(void)ctx;
	(void)tgid;
	(void)now_ns;
	return &resource;
}

static void end_core(struct st_core *core, const uint64_t *spans)
{
	struct st_core_stats st;

	st_core__end(core, UINT64_MAX / 4);
	st_core__stats(core, &st);
	MUST(st.open == 0 && st.requests == st.spans + st.lost_requests && st.spans == *spans);
	st_core__free(core);
}

/* Reads to the end or the fault; says how many items there were. */
static uint32_t read_all(const uint8_t *p, size_t len, int *last)
{
	static _Alignas(8) uint8_t room[ST_RECORD_ROOM];
	uint64_t spans = 0;
	struct st_core_config cfg = {
		.ops = {.span = on_span, .resource = on_resource},
		.ctx = &spans,
		.max_conns = 16,
		.id_key = {1, 2},
	};
	struct st_core *core = st_core__new(&cfg);
	struct st_recording r;
	struct st_item item;
	uint32_t cnt = 0;

	MUST(core);
	*last = st_recording__open(&r, p, len);
	while (!*last && st_recording__next(&r, &item) == 1) {
		cnt++;
		MUST((const uint8_t *)item.data.p >= p && item.data.len <= len);
		MUST((const uint8_t *)item.data.p + item.data.len <= p + len);
		MUST(((uintptr_t)item.data.p & 7) == 0);
		if (item.type == ST_ITEM_RECORD &&
		    !st_recording__record(&item, (struct st_rec *)room))
			st_core__feed(core, (struct st_rec *)room);
	}
	MUST(r.off <= len);
	end_core(core, &spans);
	return cnt;
}

/* The input as the bytes of a block: its checksum is right, its items need not be. */
static void as_block(const uint8_t *data, size_t size)
{
	struct st_buf body = st_buf__init(ST_RECORDING_BLOCK_MAX), out = st_buf__init(1u << 20);
	int last;

	MUST(!st_recording__put_header(&out));
	if (size >= 8)
		st_buf__put(&body, data, size & ~(size_t)7);
	MUST(!st_recording__put_block(&out, &body));
	read_all(out.p, out.len, &last);
	st_buf__free(&body);
	st_buf__free(&out);
}

/* Items of sizes that the input names, in blocks; then cut where it says. */
static void round_trip(const uint8_t *data, size_t size)
{
	struct st_buf body = st_buf__init(ST_RECORDING_BLOCK_MAX), out = st_buf__init(1u << 20);
	uint32_t made = 0;
	size_t at = 0;
	int last;

	MUST(!st_recording__put_header(&out));
	while (at < size && made < 1000) {
		size_t n = data[at] < size - at ? data[at] : size - at;

		MUST(!st_recording__put_item(&body, (enum st_item_type)(1 + data[at] % 6),
					     data + at, n / 2, data + at + n / 2, n - n / 2));
		made++;
		if (data[at] & 1)
			MUST(!st_recording__put_block(&out, &body));
		at += n ? n : 1;
	}
	MUST(!st_recording__put_block(&out, &body));
	MUST(read_all(out.p, out.len, &last) == made);
	if (size)
		MUST(read_all(out.p, out.len - out.len * data[0] / 256, &last) <= made);
	st_buf__free(&body);
	st_buf__free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;
	int last;

	if (!size || size > MAX_SZ)
		return 0;
	/* The last byte says what the others are. Aligned, as a mapped file is, and its end watched. */
	size--;
	copy = malloc(size ? size : 1);
	MUST(copy);
	memcpy(copy, data, size);
	if (data[size] % 3 == 0)
		as_block(copy, size);
	else if (data[size] % 3 == 1)
		round_trip(copy, size);
	else
		read_all(copy, size, &last);
	free(copy);
	return 0;
}
