/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* spantap check: what works here, by which hooks, and what would give the rest. */
#ifndef ST_CHECK_H
#define ST_CHECK_H

#include "spantap/config.h"

/*
 * Prints to stdout, at 80 columns or as JSON (cfg->json). Attaches for a moment what tracing would
 * attach. Returns the exit code: 0 when tracing can work here, else 1.
 */
int st_check__run(const struct st_config *cfg);

#endif
