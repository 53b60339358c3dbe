/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The text up to the first NUL is an expression, what follows the values of a span. What compiles
 * must match the same twice, and its negation must not.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/filter.h"
#include "spantap/keys.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct st_span *s, struct st_resource *res, struct st_attr *attr, const uint8_t *p,
		 size_t len)
{
	struct st_str text = st_str((const char *)p, len);
	int64_t n = 0;

	memset(s, 0, sizeof(*s));
	memcpy(&n, p, len < sizeof(n) ? len : sizeof(n));
	attr->key = ST_KEY(host_name);
	attr->type = ST_V_DOUBLE;
	memcpy(&attr->d, &n, sizeof(n));
	*res = (struct st_resource){.service = text, .attrs = attr, .attr_cnt = 1};
	s->resource = res;
	s->name = text;
	s->kind = (uint8_t)(n % 6);
	s->status = (uint8_t)(n % 3);
	s->end_ns = (uint64_t)n;
	st_span_int(s, ST_KEY(http_response_status_code), n);
	st_span_str(s, ST_KEY(url_path), text);
	st_span_bool(s, ST_KEY(spantap_incomplete), n & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	size_t len = nul ? (size_t)(nul - data) : size;
	char expr[ST_FILTER_EXPR_MAX + 8], err[160];
	struct st_filter *f, *not;
	struct st_resource res;
	struct st_attr attr;
	struct st_span s;
	bool yes;

	if (len > ST_FILTER_EXPR_MAX - 4)
		return 0;
	memcpy(expr, data, len);
	expr[len] = '\0';
	err[0] = '\0';
	f = st_filter__new(expr, err, sizeof(err));
	/* Refused with a message, or taken without one. */
	MUST(!f == !!err[0]);
	if (!f)
		return 0;
	fill(&s, &res, &attr, data + len, size - len);
	yes = st_filter__match(f, &s);
	MUST(yes == st_filter__match(f, &s));
	snprintf(expr, sizeof(expr), "!(%.*s)", (int)len, (const char *)data);
	not = st_filter__new(expr, err, sizeof(err));
	/* Two signs more may be one too deep. */
	MUST(!not|| yes != st_filter__match(not, &s));
	st_filter__free(not);
	st_filter__free(f);
	return 0;
}
