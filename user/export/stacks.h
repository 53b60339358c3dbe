/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Folded stacks of spans' self time, for flame graphs: pure, no file. A span's stack is the
 * names from its root down, each service's name before the first span of it; its self time is
 * its duration without what its children cover. Spans wait in a window for parents and children;
 * when it is full the trace with the oldest span is settled as far as it is known.
 */
#ifndef ST_EXPORT_STACKS_H
#define ST_EXPORT_STACKS_H

#include "lib/buf.h"
#include "spantap/span.h"

struct st_stacks; /* stacks.c */

/* window: spans that wait at most, a power of two. NULL when memory ran out. */
struct st_stacks *st_stacks__new(uint32_t window);
void st_stacks__free(struct st_stacks *st);

void st_stacks__span(struct st_stacks *st, const struct st_span *s);

/*
 * Settles all that waits and writes "service;name;name MICROSECONDS" lines, the order of their
 * first appearance. Returns false when b did not take them.
 */
bool st_stacks__write(struct st_stacks *st, struct st_buf *b);

#endif
