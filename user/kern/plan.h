/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Climbs down the ladder until every need has a hook that loads and attaches. */
#ifndef ST_KERN_PLAN_H
#define ST_KERN_PLAN_H

#include "kern/tracer.h"

struct bpf_object;
/* For messages about what was refused; see docs/permissions.md. */
#define ST_NEEDED_CAPS                                                                             \
	"needs root, or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (before "     \
	"Linux 5.11 CAP_SYS_RESOURCE too); 'spantap check' tells what is missing"

struct st_plan;

struct st_plan_ops {
	int (*size)(void *ctx, struct bpf_object *obj);	   /* before the load */
	int (*prepare)(void *ctx, struct bpf_object *obj); /* after the load, before any attach */
	void (*discard)(void *ctx);			   /* the object is about to be closed */
};

/*
 * Tries until it stands. rung: force this one where a need has it, -1 for the best. Owns the
 * object. Returns 0 or -errno after having said what stands in the way.
 */
int st_plan__run(const struct st_bpf_config *cfg, int rung, const struct st_plan_ops *ops,
		 void *ctx, struct st_plan **out);
void st_plan__free(struct st_plan *p);
/* Attaches what serves a need on demand (st_need__on_demand). 0 or -errno. */
int st_plan__attach(struct st_plan *p, enum st_need need);
/* Takes every link away. */
void st_plan__detach(struct st_plan *p);

const struct st_tracer_need *st_plan__need(const struct st_plan *p, enum st_need need);
const char *st_plan__rungs(const struct st_plan *p);

#endif
