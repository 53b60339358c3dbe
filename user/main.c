/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <stdio.h>

#include "check.h"
#include "cli.h"
#include "lib/log.h"
#include "list.h"
#include "replay.h"
#include "trace.h"

int main(int argc, char **argv)
{
	static struct st_config cfg;
	int code = st_cli__parse(argc, argv, &cfg);

	if (code)
		return code;
	switch (cfg.command) {
	case ST_CMD_HELP:
		st_cli__help(stdout);
		return ST_EXIT_OK;
	case ST_CMD_VERSION:
		st_cli__version(stdout);
		return ST_EXIT_OK;
	case ST_CMD_CHECK:
		return st_check__run(&cfg);
	case ST_CMD_LIST:
		return st_list__run(&cfg);
	case ST_CMD_REPLAY:
		return st_replay__run(&cfg);
	case ST_CMD_TRACE:
		break;
	}
	if (cfg.disabled) {
		st_info("OTEL_SDK_DISABLED is true: nothing is traced");
		return ST_EXIT_OK;
	}
	return st_trace__run(&cfg);
}
