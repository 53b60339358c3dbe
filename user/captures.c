/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "captures.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "protocols/fastcgi.h"
#include "protocols/http1.h"

_Static_assert(ST_FCGI_CAPTURE_MAX >= ST_HTTP1_CAPTURE_MAX, "room for all");

#define HEADER	     "header:"
#define ATTRIBUTE    "http.request.header."
#define NAME_MAX_LEN 128u

static const struct st_key *key_of(const char *header)
{
	char name[sizeof(ATTRIBUTE) + NAME_MAX_LEN];
	int n = snprintf(name, sizeof(name), ATTRIBUTE "%s", header);

	if (n < 0 || (size_t)n >= sizeof(name))
		return NULL;
	for (char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return st_key__intern(st_str_of(name));
}

static bool has(const struct st_key *const *keys, uint32_t cnt, const struct st_key *k)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (keys[i] == k)
			return true;
	return false;
}

int st_captures__set(const struct st_config *cfg)
{
	const struct st_key *keys[ST_HTTP1_CAPTURE_MAX];
	struct st_http1_capture cap = {.cnt = 0};

	for (int i = 0; i < cfg->capture_cnt; i++) {
		const struct st_key *k = key_of(cfg->captures[i] + strlen(HEADER));

		if (k && has(keys, cap.cnt, k))
			continue;
		if (!k || cap.cnt == ST_HTTP1_CAPTURE_MAX) {
			st_error("--capture %s: at most %u headers, of names of up to %u bytes",
				 cfg->captures[i], ST_HTTP1_CAPTURE_MAX, NAME_MAX_LEN);
			return -EINVAL;
		}
		/* The key's name lives as long as the program. */
		cap.names[cap.cnt] = st_str(k->name.p + strlen(ATTRIBUTE),
					    k->name.len - (uint32_t)strlen(ATTRIBUTE));
		keys[cap.cnt++] = k;
	}
	if (cap.cnt) {
		st_http1__capture(&cap, keys);
		st_fcgi__capture(cap.names, keys, cap.cnt);
	}
	return 0;
}
