/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel's histograms: read, and given back. */
#ifndef ST_KERN_HISTS_H
#define ST_KERN_HISTS_H

#include <stdbool.h>
#include <stdint.h>

#include "spantap/abi.h"

/* The maps (bpf/maps.h), none of them owned. */
struct st_hists {
	int keys;   /* hist_keys */
	int values; /* hists */
	int free;   /* free_hists */
	uint32_t max;
	struct st_ctl *ctl;
};

typedef void (*st_hist_fn)(void *ctx, const struct st_hist_key *key, const struct st_hist *h);
typedef bool (*st_hist_is)(void *ctx, uint32_t tgid);

/* Calls fn for each, summed over the CPUs. Returns 0 or -errno. */
int st_hists__each(const struct st_hists *s, st_hist_fn fn, void *ctx);

/* The thread group of each, some more than once; room for s->max. Returns how many, or -errno. */
int st_hists__groups(const struct st_hists *s, uint32_t *tgids);

/*
 * Hands those of thread groups that `gone` says yes to over to fn, once and for all: the kernel
 * forgets them and uses their room for others. What it counts for such a group later begins a new
 * one. Blocks for some 10 ms when there are any. Returns how many, or -errno.
 */
int st_hists__take(const struct st_hists *s, st_hist_is gone, void *gone_ctx, st_hist_fn fn,
		   void *ctx);

#endif
