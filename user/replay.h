/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef ST_REPLAY_H
#define ST_REPLAY_H

#include "spantap/config.h"

/* `spantap replay FILE`. Returns the exit code. */
int st_replay__run(const struct st_config *cfg);

#endif
