/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is the same for all processes of this host; read once. */
#ifndef ST_META_HOST_H
#define ST_META_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "spantap/bytes.h"

struct st_host {
	char name[65];
	char id[65];	     /* /etc/machine-id, "" when there is none */
	char boot_id[40];    /* of this boot, for the names of processes */
	char arch[16];	     /* a value of host.arch */
	char os_name[65];    /* "Debian GNU/Linux" */
	char os_version[65]; /* "12" */
	char os_description[129];
	int64_t boot_ns;   /* CLOCK_REALTIME less CLOCK_BOOTTIME at the start */
	uint32_t ticks_hz; /* unit of /proc/PID/stat's start time */
};

/* Fills out; what cannot be read stays empty. */
void st_host__read(struct st_host *out);

/* One value of os-release(5), quotes removed; false when the key is absent. Pure. */
bool st_host__os_release(struct st_str text, const char *key, char *out, size_t out_sz);

/* The user's name by /etc/passwd (no name service, which could wait), else the number. */
void st_host__owner(uint32_t uid, char *out, size_t out_sz);

/* The time at which a process began, as ISO 8601 with milliseconds and 'Z'. */
void st_host__creation_time(const struct st_host *h, uint64_t start_ticks, char out[32]);

#endif
