/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A receiver's answer: two bytes of flags and code, a byte of length for each of the two gRPC
 * trailers, the trailers, and the body. Whatever it says, the reason is text that ends.
 */
#include <stdio.h>
#include <stdlib.h>

#include "export/otlp_response.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct st_str take(const uint8_t **p, const uint8_t *end, size_t want)
{
	size_t left = (size_t)(end - *p), len = want < left ? want : left;
	struct st_str s = st_str((const char *)*p, len);

	*p += len;
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data + 4, *end = data + size;
	struct st_answer a = {.retry_after_s = -1};
	struct st_outcome out;
	char decoded[64];

	if (size < 4 || size > ST_ANSWER_MAX_SZ)
		return 0;
	a.grpc = data[0] & 1;
	a.otlp = data[0] & 2;
	a.json = data[0] & 4;
	a.http = data[0] & 8 ? 200 : 100 + data[1] * 2;
	a.grpc_status = data[0] & 16 ? (int)data[1] : (data[0] & 32) ? 0 : -1;
	a.grpc_message = take(&p, end, data[2]);
	a.grpc_details = take(&p, end, data[3]);
	a.body = take(&p, end, SIZE_MAX);
	st_answer__judge(&a, &out);
	MUST(memchr(out.reason, 0, sizeof(out.reason)));
	MUST(out.verdict == ST_ACCEPTED || out.verdict == ST_RETRY || out.verdict == ST_REFUSED);
	MUST(out.verdict == ST_ACCEPTED || out.reason[0]);
	MUST(out.delay_ns <= 3601 * 1000000000ull);
	MUST(st_percent_decode(decoded, sizeof(decoded), a.body) < sizeof(decoded));
	MUST(st_percent_decode(decoded, 0, a.body) == 0);
	return 0;
}
