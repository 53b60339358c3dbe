/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* --propagate: the programs that put ids on the wire and take them off it (bpf/propagate.bpf.c). */
#ifndef ST_KERN_PROPAGATION_H
#define ST_KERN_PROPAGATION_H

#include <stdbool.h>
#include <stdint.h>

#include "spantap/abi.h"

struct st_tracer;
struct st_propagation;

struct st_propagation_config {
	uint32_t ways; /* ST_PROPAGATE_*, those that the tracer was opened with */
	/* Which destinations are told: the first rule that fits decides; none: they are. */
	const struct st_wire_rule *rules;
	uint32_t rule_cnt;
	const struct st_wire_header *header; /* what is inserted: text and len */
};

/*
 * Loads and attaches; tries on a connection of its own whether this kernel inserts without harm.
 * Nothing stays attached when the process ends. Returns 0 or -errno after having said why.
 */
int st_propagation__open(struct st_tracer *t, const struct st_propagation_config *cfg,
			 struct st_propagation **out);
/* Takes the programs away; what they counted stays. Both are safe with NULL. */
void st_propagation__detach(struct st_propagation *p);
void st_propagation__close(struct st_propagation *p);

/*
 * Connections that are older than the tracer, of the processes that it traces now, tell as well.
 * Returns 0, or -errno: this kernel cannot (6.12 can).
 */
int st_propagation__enroll_old(struct st_propagation *p);

/* Sums over the CPUs; ST_W_MAX values. 0 or -errno. */
int st_propagation__counts(const struct st_propagation *p, uint64_t out[ST_W_MAX]);

#endif
