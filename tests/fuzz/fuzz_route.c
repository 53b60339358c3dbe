/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Templates of any bytes: bounds, alphabet, independence of what other segments hold. */
#include <stdlib.h>

#include "lib/route.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* {id}, {uuid}, ... at p; its length or 0. */
static uint32_t placeholder_len(const char *p, uint32_t left)
{
	static const char *const all[] = {"{id}",   "{uuid}",  "{hash}",
					  "{date}", "{email}", "{token}"};
	unsigned i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (left >= strlen(all[i]) && !memcmp(p, all[i], strlen(all[i])))
			return (uint32_t)strlen(all[i]);
	return 0;
}

static bool has_placeholder_and_is_clean(const char *p, uint32_t n)
{
	bool any = false;
	uint32_t i, len;

	for (i = 0; i < n; i += len) {
		len = placeholder_len(p + i, n - i);
		any |= len > 0;
		if (len)
			continue;
		len = 1;
		MUST(p[i] > ' ' && p[i] < 127 && !strchr(";?#<>\"\\^`|[]{}", p[i]));
	}
	return any;
}

/* No literal stretch between slashes is longer than a segment may be. */
static void segments_are_short(const char *p, uint32_t n)
{
	uint32_t i, len = 0;

	for (i = 0; i < n; i++) {
		len = p[i] == '/' ? 0 : len + 1;
		MUST(len <= 40 * 3 + 24 * 7);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *path = malloc(size + 2), *out = malloc(ST_ROUTE_MAX), again[ST_ROUTE_MAX];
	bool replaced, twice, any;
	uint32_t n, m;

	memcpy(path, data, size);
	n = st_route__template(st_str(path, size), out, &replaced);
	MUST(n >= 1 && n <= ST_ROUTE_MAX);
	any = has_placeholder_and_is_clean(out, n);
	MUST(replaced || !any);
	segments_are_short(out, n);
	if (!replaced && size && !memchr(path, '%', size) && !memchr(path, '?', size) &&
	    !memchr(path, '#', size) && !memchr(path, ' ', size))
		MUST(n == size && !memcmp(out, path, n));
	/* a template of words alone is its own template */
	if (!any && !replaced) {
		m = st_route__template(st_str(out, n), again, &twice);
		MUST(m == n && !twice && !memcmp(out, again, n));
	}
	/* the same path with another segment in front gives the same behind it */
	memmove(path + 2, path, size);
	memcpy(path, "/a", 2);
	if (size && path[2] == '/') {
		m = st_route__template(st_str(path, size + 2), again, &twice);
		if (n + 2 <= ST_ROUTE_MAX && !memchr(out, '*', n))
			MUST(m == n + 2 && twice == replaced && !memcmp(again + 2, out, n));
	}
	free(path);
	free(out);
	return 0;
}
