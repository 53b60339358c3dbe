/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The command line. */
#ifndef ST_CLI_H
#define ST_CLI_H

#include <stdio.h>

#include "spantap/config.h"

#define ST_EXIT_OK     0
#define ST_EXIT_FAILED 1
#define ST_EXIT_USAGE  2

/*
 * Fills *out with the command line laid over the environment (st_env__apply, called here) and the
 * defaults, and sets the log level (-q, -v, OTEL_LOG_LEVEL). Strings point into argv and the
 * environment. For ST_CMD_HELP and ST_CMD_VERSION nothing but out->command counts.
 *
 * Returns 0, or the exit code to leave with (ST_EXIT_USAGE) after one message that names the
 * argument, the reason and the cure. argv is not reordered. Not for two threads (getopt_long).
 */
int st_cli__parse(int argc, char **argv, struct st_config *out);

/* What --help and --version print; at most 80 columns. */
void st_cli__help(FILE *to);
void st_cli__version(FILE *to);

#endif
