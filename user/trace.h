/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef ST_TRACE_H
#define ST_TRACE_H

#include "spantap/config.h"

/* Traces until told to stop. Returns the exit code. */
int st_trace__run(const struct st_config *cfg);

#endif
