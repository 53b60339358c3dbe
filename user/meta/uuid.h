/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* UUIDs made of names (RFC 9562, version 5): equal names give equal UUIDs. */
#ifndef ST_META_UUID_H
#define ST_META_UUID_H

#include <stddef.h>
#include <stdint.h>

#define ST_UUID_SZ 37 /* text with its NUL */

/* The namespace that OpenTelemetry gives for service.instance.id (semantic conventions). */
extern const uint8_t st_uuid_service_instance[16];

/* SHA-1 (RFC 3174) of n bytes, n below 2^32. */
void st_sha1(const void *data, size_t n, uint8_t out[20]);

void st_uuid__v5(const uint8_t space[16], const void *name, size_t n, char out[ST_UUID_SZ]);

#endif
