/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The first byte says how the rest is cut: pieces must not change what the whole gives. */
#include <errno.h>
#include <stdlib.h>

#include "protocols/http1_head.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	int64_t used; /* or -EPROTO */
	uint64_t body_len;
	bool done;
};

static struct result feed_all(const uint8_t *p, size_t len, size_t step)
{
	struct st_http1_chunks c = {0};
	struct result r = {0};
	size_t i, n;
	int64_t ret;

	for (i = 0; i < len && !r.done; i += n) {
		n = len - i < step ? len - i : step;
		ret = st_http1_chunks__feed(&c, st_bytes(p + i, n), &r.done);
		MUST(ret == -EPROTO || (ret >= 0 && (size_t)ret <= n));
		MUST(ret < 0 || r.done || (size_t)ret == n);
		MUST(ret >= 0 || !r.done);
		r.used = ret < 0 ? ret : r.used + ret;
		if (ret < 0)
			break;
	}
	r.body_len = c.body_len;
	MUST(r.body_len <= len);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result whole, cut;
	uint8_t *exact;

	if (!size)
		return 0;
	exact = malloc(size);
	memcpy(exact, data + 1, size - 1);
	whole = feed_all(exact, size - 1, size);
	cut = feed_all(exact, size - 1, data[0] % 61 + 1u);
	MUST(whole.used == cut.used && whole.done == cut.done && whole.body_len == cut.body_len);
	/* what was used is the message: alone it gives the same, and a byte less is not complete */
	if (whole.done) {
		cut = feed_all(exact, (size_t)whole.used, size);
		MUST(cut.done && cut.used == whole.used && cut.body_len == whole.body_len);
		cut = feed_all(exact, (size_t)whole.used - 1, size);
		MUST(!cut.done && cut.used == whole.used - 1);
	}
	free(exact);
	return 0;
}
