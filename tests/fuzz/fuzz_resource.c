/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A packed resource of a recording: what is taken gives the same bytes again. */
#include <stdlib.h>

#include "meta/registry.h"
#include "meta/text.h"
#include "spantap/keys.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct st_buf once = st_buf__init(1 << 17), twice = st_buf__init(1 << 17);
	struct st_resource *res, *again;
	uint16_t cnt;

	if (st_resource__unpack(st_str((const char *)data, size), &res))
		return 0;
	cnt = res->attr_cnt;
	for (uint16_t i = 0; i < cnt; i++) {
		MUST(res->attrs[i].key->name.len > 0);
		MUST(res->attrs[i].type != ST_V_STR || st_text__utf8(res->attrs[i].s));
	}
	MUST(!st_resource__pack(res, &once));
	/* Keys that found no room are left out, so it can only be shorter. */
	MUST(once.len <= size);
	MUST(st_key__cnt() == ST_KEY_MAX || once.len == size);
	MUST(!st_resource__unpack(st_str((const char *)once.p, once.len), &again));
	MUST(again->attr_cnt == cnt && again->pid == res->pid);
	MUST(!st_resource__pack(again, &twice));
	MUST(twice.len == once.len && !memcmp(twice.p, once.p, once.len));
	free(res);
	free(again);
	st_buf__free(&once);
	st_buf__free(&twice);
	return 0;
}
