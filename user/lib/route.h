/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Low-cardinality route templates from paths, without help from the application. */
#ifndef ST_LIB_ROUTE_H
#define ST_LIB_ROUTE_H

#include "spantap/bytes.h"

#define ST_ROUTE_MAX 256

/*
 * Writes the template of a path (no query) to out (ST_ROUTE_MAX bytes), not NUL-terminated:
 * segments that are numbers, UUIDs, hashes, dates, e-mail addresses, base64 or long tokens become
 * {id}, {uuid}, {hash}, {date}, {email}, {token}. Returns its length. *replaced says whether any
 * segment was replaced. A path longer than fits ends in a whole segment, then a slash and a star.
 */
uint32_t st_route__template(struct st_str path, char *out, bool *replaced);

/* Per-service name limiter: at most `max` names, then the overflow name is used and counted. */
struct st_names;

/* max: names at most (1,000). NULL when memory runs out. Owns its strings. */
struct st_names *st_names__new(uint32_t max);
void st_names__free(struct st_names *n);

/*
 * True when the name is known or was added; false when the limit is reached (counted).
 * No allocation for a known name. hash-based; names longer than 512 bytes count as over the limit.
 */
bool st_names__admit(struct st_names *n, struct st_str name);
uint64_t st_names__overflow(const struct st_names *n);

#endif
