/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* spantap list: which processes can be traced here, what is seen of them, and what is not. */
#ifndef ST_LIST_H
#define ST_LIST_H

#include "lib/buf.h"
#include "spantap/config.h"

/*
 * Without -p the processes that have stream sockets; with -p what each of these processes is made
 * of. Prints to stdout, at 80 columns or as JSON (cfg->json). Returns the exit code: 0, or 1 when
 * a process of -p does not exist.
 */
int st_list__run(const struct st_config *cfg);

/*
 * The processes of -p alone, appended to out: pages with an empty line before each, or a JSON array
 * (cfg->json). Returns the exit code.
 */
int st_list__append(const struct st_config *cfg, struct st_buf *out);

#endif
