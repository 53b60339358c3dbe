/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Head sampling by trace id, as OpenTelemetry's samplers do (trace/sdk.md, "Built-in samplers"). */
#ifndef ST_CORE_SAMPLE_H
#define ST_CORE_SAMPLE_H

#include "spantap/config.h"

struct st_sampler {
	uint64_t threshold; /* traces whose 56 random bits lie below it are left out */
	bool by_parent;	    /* a parent's sampled flag decides, where there is a parent */
};

/* ratio counts for the two ratio samplers only. */
struct st_sampler st_sampler__of(enum st_sampler_kind kind, double ratio);

bool st_sampler__keeps(const struct st_sampler *s, const struct st_span *span);

#endif
