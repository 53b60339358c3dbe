/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What --capture asks for, told to the protocols. */
#ifndef ST_CAPTURES_H
#define ST_CAPTURES_H

#include "spantap/config.h"

/*
 * Before any data. The attribute of header:X-Tenant is http.request.header.x-tenant, as OpenTelemetry
 * names it. Returns 0, -EINVAL when it is too much, after having said so.
 */
int st_captures__set(const struct st_config *cfg);

#endif
