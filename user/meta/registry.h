/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who a process is: thread group id -> resource. The first look-up reads /proc, later ones cost
 * a hash look-up. Used from one thread, the pipeline's.
 *
 * A resource is valid until the forget callback was called for it (see struct st_resource): the
 * pipeline asks anew when a span ends and never keeps the pointer across records.
 */
#ifndef ST_META_REGISTRY_H
#define ST_META_REGISTRY_H

#include "spantap/config.h"
#include "lib/buf.h"

#define ST_REGISTRY_DEFAULT_MAX 2048u

struct st_registry;

/* Counted, never silent. */
struct st_registry_stats {
	uint32_t live;		/* resources held now, those of ended processes included */
	uint64_t made;		/* resources made since the start */
	uint64_t evicted;	/* forgotten because the table was full */
	uint64_t unreadable;	/* processes that were gone before /proc was read */
	uint64_t attr_dropped;	/* attributes of OTEL_RESOURCE_ATTRIBUTES that found no room */
	uint64_t env_malformed; /* OTEL_RESOURCE_ATTRIBUTES values that were discarded */
};

/*
 * A registry of at most max processes (0: ST_REGISTRY_DEFAULT_MAX). cfg gives the tracer's own
 * OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES (may be NULL: none) and must outlive it. Reads
 * the host's attributes once. NULL when memory runs out.
 */
struct st_registry *st_registry__new(const struct st_config *cfg, uint32_t max);

/* Calls forget for all that it still holds. free(NULL) is safe. */
void st_registry__free(struct st_registry *r);

/* Never read /proc from now on: resources come from __put alone (replay). */
void st_registry__set_offline(struct st_registry *r);

/* cb is called before a resource's memory and index are reused; hand it to st_exporter_ops.forget. */
void st_registry__on_forget(struct st_registry *r,
			    void (*cb)(void *ctx, const struct st_resource *res), void *ctx);

/* cb is called when a process got a (new) resource, once per resource: --record writes it down. */
void st_registry__on_new(struct st_registry *r,
			 void (*cb)(void *ctx, int tgid, const struct st_resource *res), void *ctx);

/*
 * The resource of a process; never NULL: when nothing is known of it and it is gone, one with
 * service.name "unknown_service". now_ns: CLOCK_MONOTONIC, for the checks that a process id was
 * not used anew (every 10 s, by its start time).
 */
const struct st_resource *st_registry__get(struct st_registry *r, int tgid, uint64_t now_ns);

/*
 * A process image began: what the kernel said of it. The next get reads /proc; when the process
 * is gone by then, these facts make the resource. args: NUL separated, may be cut. Strings are
 * copied.
 */
void st_registry__exec(struct st_registry *r, int tgid, struct st_str comm, struct st_str filename,
		       struct st_str args);

/*
 * A process began as a copy of another. When it is gone before anybody asked for it, it is what the
 * other one is.
 */
void st_registry__fork(struct st_registry *r, int tgid, int parent);

/*
 * A process ended; its resource stays for 30 s, since its spans end with it or later, or until half
 * of the registry are ended ones.
 */
void st_registry__exit(struct st_registry *r, int tgid, uint64_t now_ns);

/* Forgets what is due; call it about once a second. */
void st_registry__tick(struct st_registry *r, uint64_t now_ns);

/*
 * A resource from a recording for that process, from now on (st_resource__pack's bytes).
 * Returns 0, -EINVAL for bytes that are no resource, -ENOMEM.
 */
int st_registry__put(struct st_registry *r, int tgid, struct st_str packed);

/* The resource of the tracer itself, for its own spans and metrics. */
const struct st_resource *st_registry__self(struct st_registry *r);

void st_registry__stats(const struct st_registry *r, struct st_registry_stats *out);

/*
 * Appends a resource's pid, service name and attributes to out, for recordings: little endian,
 * lengths before bytes, no padding. Returns 0 or -ENOSPC.
 */
int st_resource__pack(const struct st_resource *res, struct st_buf *out);

/*
 * A resource from such bytes, in one piece of memory that ends with free(). `index` and
 * `generation` are 0. Keys are interned. Attributes whose key finds no room are left out.
 * Returns 0, -EINVAL (cut, too long, wrong type, text that is not UTF-8, left-over bytes), or
 * -ENOMEM.
 */
int st_resource__unpack(struct st_str packed, struct st_resource **out);

#endif
