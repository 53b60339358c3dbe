/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Numbers with units as people write them: "5ms", "2MiB", "4711". Locale-independent. */
#ifndef ST_LIB_UNITS_H
#define ST_LIB_UNITS_H

#include "spantap/bytes.h"

/*
 * A whole number in decimal, nothing around it. Returns 0, -EINVAL when s is none, -ERANGE when
 * it is above max.
 */
int st_units__uint(struct st_str s, uint64_t max, uint64_t *out);

/*
 * A finite number such as "0.25" or "1e-3", nothing around it; sign allowed. Returns 0, -EINVAL,
 * or -ERANGE when it is too large for a double.
 */
int st_units__double(struct st_str s, double *out);

/*
 * A duration in nanoseconds: a number that is not negative and one of ns, us, ms, s, m, h
 * ("5ms", "1.5s"); "0" needs no unit. Returns 0, -EINVAL, or -ERANGE above 2^63 ns.
 */
int st_units__duration(struct st_str s, uint64_t *out_ns);

/* A size in bytes: a whole number and nothing, K, M or G (powers of 1024, "KiB" and "KB" too). */
int st_units__size(struct st_str s, uint64_t *out_sz);

#endif
