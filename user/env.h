/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The settings of the environment, by OpenTelemetry's specification
 * (configuration/sdk-environment-variables.md, protocol/exporter.md, trace/sdk.md).
 */
#ifndef ST_ENV_H
#define ST_ENV_H

#include "spantap/config.h"

/* What a timeout of 0 ("no limit" in the specification) becomes. */
#define ST_ENV_NO_LIMIT_MS 0x7fffffffu

/*
 * Lays OTEL_* and NO_COLOR under what *c already holds: outputs and a sampler that the command
 * line chose stay (c->output_cnt not 0; c->sampler or c->sample_ratio not 0), as do quiet and
 * verbose; all of c->exp and c->propagators is set. Without any output c gets "tree".
 * st_cli__parse calls it; who calls it alone hands in a zeroed *c.
 *
 * A malformed value is named in one warning and its default used; an empty one is as if unset.
 * Strings point into the environment, which must not change afterwards. Returns 0.
 */
int st_env__apply(struct st_config *c);

/*
 * The log level that OTEL_LOG_LEVEL asks for (enum st_log_level), ST_LOG_INFO when unset; an
 * unknown word is named in a warning.
 */
int st_env__log_level(void);

#endif
