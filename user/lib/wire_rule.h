/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Rules of destinations, as --propagate-to has them. Pure. */
#ifndef ST_LIB_WIRE_RULE_H
#define ST_LIB_WIRE_RULE_H

#include "spantap/abi.h"
#include "spantap/bytes.h"

/*
 * One rule: an address with or without a prefix's length, and with or without a port; or a port
 * alone. In front of it "!": not there.
 *
 *   10.0.0.0/8   10.1.2.3:8080   fd00::/8   [fd00::1]:8080   :5432   !:5432
 *
 * Returns 0, or -EINVAL when it is none.
 */
int st_wire_rule__parse(struct st_str s, struct st_wire_rule *out);

/* Fits every destination. */
struct st_wire_rule st_wire_rule__all(bool allow);

#endif
