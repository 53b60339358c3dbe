/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the kernel side counted, read from its maps and programs. */
#ifndef ST_KERN_COUNTERS_H
#define ST_KERN_COUNTERS_H

#include "spantap/abi.h"

#include <stdint.h>

struct bpf_object;

/* Sum of the map's values over the CPUs; ST_C_MAX values. 0 or -errno. */
int st_counters__sum(int cpus_fd, uint64_t out[ST_C_MAX]);

/*
 * How often the kernel skipped one of the object's programs, because it interrupted itself on the
 * same CPU (bpf_prog_info.recursion_misses, 5.12: 9ed9e9ba2337). Of any process, traced or not.
 */
uint64_t st_counters__nested(const struct bpf_object *obj);

#endif
