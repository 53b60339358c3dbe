/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Spans as lines of OTLP/JSON on their way to a file descriptor, one request with one span a
 * line. What is not written yet waits in a capped buffer; each line counts as one span.
 */
#ifndef ST_EXPORT_LINES_H
#define ST_EXPORT_LINES_H

#include "export/batch.h"

/* How long a line waits for others, at most. */
#define ST_LINES_DELAY_NS 2000000u
#define ST_LINES_MAX_SZ	  (4u << 20)

struct st_lines {
	struct st_enc enc;
	struct st_res_cache cache;
	struct st_batch *one;
	bool pretty;
	struct st_buf text; /* of the span at hand, when it is made pretty */
	struct st_buf data; /* lines; written up to `done` */
	struct st_buf ends; /* of lines in data, as size_t */
	size_t done;	    /* bytes */
	size_t line;	    /* the line that holds byte `done` */
	uint64_t first_ns;  /* when the first of the waiting lines came; 0: none waits */
	struct st_export_stats st;
};

/* Returns 0 or -ENOMEM. */
int st_lines__init(struct st_lines *l, const struct st_export_config *cfg, bool pretty);
void st_lines__free(struct st_lines *l);

void st_lines__span(struct st_lines *l, const struct st_span *s);
void st_lines__forget(struct st_lines *l, const struct st_resource *r);

/* Lines that wait, the one that is half written included. */
static inline size_t st_lines__cnt(const struct st_lines *l)
{
	return l->ends.len / sizeof(size_t) - l->line;
}

/* Bytes that are left of the first of them; 0 when none waits. */
size_t st_lines__first_sz(const struct st_lines *l);

/* When they are to be written; UINT64_MAX when none waits. */
uint64_t st_lines__due(const struct st_lines *l);

/*
 * Writes to fd once, whole lines of `limit` bytes at most (the rest of a half-written line in any
 * case).
 * Returns the bytes written, 0 when not even one line fits into limit, or -errno.
 */
long st_lines__write(struct st_lines *l, int fd, size_t limit, bool is_socket);

/* Gives up all lines but a half-written one, which would break those after it; counts them. */
void st_lines__drop(struct st_lines *l);
/* Gives up all; counts them. */
void st_lines__drop_all(struct st_lines *l);

void st_lines__stats(const struct st_lines *l, struct st_export_stats *out);
uint32_t st_lines__room(const struct st_lines *l);

#endif
