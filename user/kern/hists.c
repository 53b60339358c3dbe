/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/hists.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GRACE_US 20000

/* All keys with their indices at one moment, and room for a value of each CPU. */
struct look {
	struct st_hist_key *keys;
	uint32_t *idx;
	uint32_t cnt;
	struct st_hist *per_cpu;
	int cpus;
};

static void look_free(struct look *l)
{
	free(l->keys);
	free(l->idx);
	free(l->per_cpu);
}

static int look_alloc(const struct st_hists *s, struct look *l)
{
	*l = (struct look){.cpus = libbpf_num_possible_cpus(), .cnt = s->max};
	if (l->cpus < 0)
		return l->cpus;
	l->keys = calloc(s->max, sizeof(*l->keys));
	l->idx = calloc(s->max, sizeof(*l->idx));
	l->per_cpu = calloc((size_t)l->cpus, sizeof(*l->per_cpu));
	return l->keys && l->idx && l->per_cpu ? 0 : -ENOMEM;
}

static int look(const struct st_hists *s, struct look *l)
{
	uint64_t batch[2];
	int err = look_alloc(s, l);

	/* ENOENT: there are no more than these. */
	if (!err && bpf_map_lookup_batch(s->keys, NULL, batch, l->keys, l->idx, &l->cnt, NULL) &&
	    errno != ENOENT)
		err = -errno;
	if (err)
		look_free(l);
	return err;
}

/* false: it could not be read. */
static bool read_sum(const struct st_hists *s, const struct look *l, uint32_t i,
		     struct st_hist *sum)
{
	memset(sum, 0, sizeof(*sum));
	if (bpf_map_lookup_elem(s->values, &l->idx[i], l->per_cpu))
		return false;
	for (int c = 0; c < l->cpus; c++) {
		sum->cnt += l->per_cpu[c].cnt;
		sum->sum_ns += l->per_cpu[c].sum_ns;
		for (uint32_t b = 0; b < ST_HIST_BUCKETS; b++)
			sum->bucket[b] += l->per_cpu[c].bucket[b];
	}
	return true;
}

int st_hists__each(const struct st_hists *s, st_hist_fn fn, void *ctx)
{
	struct st_hist sum;
	struct look l;
	int err = look(s, &l);

	if (err)
		return err;
	for (uint32_t i = 0; i < l.cnt; i++)
		if (read_sum(s, &l, i, &sum))
			fn(ctx, &l.keys[i], &sum);
	look_free(&l);
	return 0;
}

int st_hists__groups(const struct st_hists *s, uint32_t *tgids)
{
	struct look l;
	int err = look(s, &l);

	if (err)
		return err;
	for (uint32_t i = 0; i < l.cnt; i++)
		tgids[i] = l.keys[i].tgid;
	look_free(&l);
	return (int)l.cnt;
}

/* Keeps those that are gone; their keys are deleted. */
static void forget_gone(const struct st_hists *s, struct look *l, st_hist_is gone, void *ctx)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < l->cnt; i++) {
		if (!gone(ctx, l->keys[i].tgid) || bpf_map_delete_elem(s->keys, &l->keys[i]))
			continue;
		l->keys[kept] = l->keys[i];
		l->idx[kept++] = l->idx[i];
	}
	l->cnt = kept;
}

/*
 * No program finds these indices any more: keys are gone and what slots remember is of an older
 * round. Those that run now may have found one before; they are over when a grace period of RCU
 * is, for which membarrier(2) waits, except where it is not allowed to (CPUs without ticks).
 */
static void wait_for_programs(const struct st_hists *s)
{
	__atomic_add_fetch(&s->ctl->hist_round, 1, __ATOMIC_SEQ_CST);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(GRACE_US);
}

static void give_back(const struct st_hists *s, const struct look *l, uint32_t i)
{
	memset(l->per_cpu, 0, (size_t)l->cpus * sizeof(*l->per_cpu));
	if (!bpf_map_update_elem(s->values, &l->idx[i], l->per_cpu, BPF_ANY))
		bpf_map_update_elem(s->free, NULL, &l->idx[i], BPF_ANY);
}

int st_hists__take(const struct st_hists *s, st_hist_is gone, void *gone_ctx, st_hist_fn fn,
		   void *ctx)
{
	struct st_hist sum;
	struct look l;
	int err = look(s, &l);

	if (err)
		return err;
	forget_gone(s, &l, gone, gone_ctx);
	if (l.cnt)
		wait_for_programs(s);
	for (uint32_t i = 0; i < l.cnt; i++) {
		if (!read_sum(s, &l, i, &sum))
			continue;
		fn(ctx, &l.keys[i], &sum);
		give_back(s, &l, i);
	}
	look_free(&l);
	return (int)l.cnt;
}
