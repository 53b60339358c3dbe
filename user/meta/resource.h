/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From what is known of a process to a resource's attributes (docs/services.md has the rules). */
#ifndef ST_META_RESOURCE_H
#define ST_META_RESOURCE_H

#include "meta/host.h"
#include "meta/otelenv.h"
#include "meta/process.h"
#include "spantap/span.h"

/* Keys that processes' environments may make, all together; the table of keys is small. */
#define ST_RESOURCE_KEYS_MAX 96

/* What is the same for all resources of this tracer. */
struct st_resource_env {
	struct st_host host;
	struct st_str service_name; /* the tracer's OTEL_SERVICE_NAME, empty: none */
	struct st_otel_attrs attrs; /* the tracer's OTEL_RESOURCE_ATTRIBUTES */
	uint32_t key_cnt;	    /* keys made so far */
	uint64_t attr_dropped;	    /* attributes whose key found no room */
};

/*
 * Makes a resource in one piece of memory that ends with free(); the host's strings in env are
 * shared. index and generation are 0. NULL when memory runs out.
 */
struct st_resource *st_resource__build(struct st_resource_env *env, const struct st_process *p);

/*
 * The one of a process that a fork made and that is gone: what its parent's says, but for what is
 * each process's own. NULL when memory runs out.
 */
struct st_resource *st_resource__of_child(struct st_resource_env *env,
					  const struct st_resource *parent, int pid);

/* One of a process that nothing is known of but its number. */
struct st_resource *st_resource__build_unknown(struct st_resource_env *env, int pid);

/* Why the name is what it is, for `list`: the source that __build used. */
enum st_name_source st_resource__name(const struct st_resource_env *env, const struct st_process *p,
				      struct st_str *name);

#endif
