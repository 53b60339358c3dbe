/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The options of the command line, a row each; only cli.c reads them. */
#ifndef ST_CLI_OPTS_H
#define ST_CLI_OPTS_H

#include "cli.h"
#include "lib/log.h"

/* Commands that an option belongs to. */
#define ON_TRACE  (1u << ST_CMD_TRACE)
#define ON_CHECK  (1u << ST_CMD_CHECK)
#define ON_LIST	  (1u << ST_CMD_LIST)
#define ON_REPLAY (1u << ST_CMD_REPLAY)
#define ON_SPANS  (ON_TRACE | ON_REPLAY)
#define ON_ALL	  (ON_SPANS | ON_CHECK | ON_LIST)

struct st_opt {
	const char *name;
	char letter;	   /* 0: none */
	unsigned commands; /* ON_*; 0: of a later version */
	int has_arg;
	/* Returns 0 or ST_EXIT_USAGE after having said why; arg is NULL without has_arg. */
	int (*set)(struct st_config *c, const char *arg);
};

#define ST_OPT_CNT 31

extern const struct st_opt st_opts[ST_OPT_CNT];

/* Says why and gives the exit code. */
#define st_cli_wrong(...) (st_error(__VA_ARGS__), ST_EXIT_USAGE)

#endif
