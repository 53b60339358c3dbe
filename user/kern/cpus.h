/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef ST_KERN_CPUS_H
#define ST_KERN_CPUS_H

#include <stdbool.h>
#include <stdint.h>

/* Marks the CPUs that are online; numbers from max on are left out. Returns how many, or -errno. */
int st_cpus__online(bool *online, uint32_t max);

#endif
