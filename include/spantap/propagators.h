/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The formats in which a trace's context travels: what OTEL_PROPAGATORS chooses from. */
#ifndef SPANTAP_PROPAGATORS_H
#define SPANTAP_PROPAGATORS_H

#include <stdbool.h>
#include <stdint.h>

enum st_propagator {
	ST_PROPAGATOR_NONE = 0,
	ST_PROPAGATOR_TRACECONTEXT = 1,
	ST_PROPAGATOR_BAGGAGE = 2,
	ST_PROPAGATOR_B3 = 3,
	ST_PROPAGATOR_B3MULTI = 4,
	ST_PROPAGATOR_JAEGER = 5,
	ST_PROPAGATOR_XRAY = 6,
	ST_PROPAGATOR_CNT = 7,
};

/* Those in use, each at most once, in the order in which they are applied. */
struct st_propagators {
	uint8_t v[ST_PROPAGATOR_CNT - 1]; /* enum st_propagator */
	uint8_t cnt;
	bool given; /* by OTEL_PROPAGATORS; else the default, which is meant for reading alone */
};

static inline bool st_propagators_has(const struct st_propagators *p, enum st_propagator which)
{
	for (uint8_t i = 0; i < p->cnt; i++)
		if (p->v[i] == which)
			return true;
	return false;
}

#endif
