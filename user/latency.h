/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Latencies by service, port, role and status class: what `-o none` prints. A service's processes
 * are one row, those that ended included: which of them took a request is chance.
 */
#ifndef ST_LATENCY_H
#define ST_LATENCY_H

#include "spantap/abi.h"
#include "spantap/bytes.h"

/* Rows; what finds none is added to one named ST_LATENCY_OTHERS of its role and status class. */
#define ST_LATENCY_MAX	  512u
#define ST_LATENCY_OTHERS "(others)"

struct st_latency;

/* Empty; NULL when memory runs out. free(NULL) is safe. */
struct st_latency *st_latency__new(void);
void st_latency__free(struct st_latency *l);

/*
 * Adds a histogram. service: copied, cut and made printable; of the key the thread group does not
 * count. Returns 0, or -ENOMEM when it could not be added.
 */
int st_latency__add(struct st_latency *l, struct st_str service, const struct st_hist_key *key,
		    const struct st_hist *h);

/* All of `from` too. Returns 0 or -ENOMEM. */
int st_latency__join(struct st_latency *l, const struct st_latency *from);

/* Exchanges in all rows. */
uint64_t st_latency__total(const struct st_latency *l);

/* A table of at most 80 columns to stderr, the row with most exchanges first; nothing when empty. */
void st_latency__print(struct st_latency *l);

/* The n-th row; false when there are not so many. */
bool st_latency__row(const struct st_latency *l, uint32_t n, const char **service,
		     struct st_hist_key *key, struct st_hist *h);

#endif
