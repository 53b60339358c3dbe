/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* spantap list: which processes can be traced here, what is seen of them, and what is not. */
#ifndef ST_LIST_H
#define ST_LIST_H

#include "spantap/config.h"

/*
 * Without -p the processes that have stream sockets; with -p what each of these processes is made
 * of. Prints to stdout, at 80 columns or as JSON (cfg->json). Returns the exit code: 0, or 1 when
 * a process of -p does not exist.
 */
int st_list__run(const struct st_config *cfg);

#endif
