/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "latency.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/hist.h"
#include "ui/term.h"

struct row {
	char service[64];
	struct st_hist_key key;
	struct st_hist h;
};

struct st_latency {
	struct row *rows;
	uint32_t cnt, cap;
};

struct st_latency *st_latency__new(void)
{
	return calloc(1, sizeof(struct st_latency));
}

void st_latency__free(struct st_latency *l)
{
	if (!l)
		return;
	free(l->rows);
	free(l);
}

static struct row *find(const struct st_latency *l, const char *service,
			const struct st_hist_key *k)
{
	for (uint32_t i = 0; i < l->cnt; i++) {
		struct row *r = &l->rows[i];

		if (r->key.role == k->role && r->key.port == k->port &&
		    r->key.status == k->status && r->key.proto == k->proto &&
		    !strcmp(r->service, service))
			return r;
	}
	return NULL;
}

static struct row *append(struct st_latency *l, const char *service, const struct st_hist_key *k)
{
	uint32_t cap = l->cap ? l->cap * 2 : 8;
	struct row *r;

	if (l->cnt == l->cap) {
		r = realloc(l->rows, cap * sizeof(*r));
		if (!r)
			return NULL;
		l->rows = r;
		l->cap = cap;
	}
	r = &l->rows[l->cnt++];
	memset(r, 0, sizeof(*r));
	snprintf(r->service, sizeof(r->service), "%s", service);
	r->key = *k;
	r->key.tgid = 0;
	return r;
}

/* Roles and classes are few: their rows of others are not counted against the limit. */
static struct row *row_of(struct st_latency *l, const char *service, const struct st_hist_key *k)
{
	struct row *r = find(l, service, k);
	struct st_hist_key others = *k;

	if (r)
		return r;
	if (l->cnt < ST_LATENCY_MAX)
		return append(l, service, k);
	others.port = 0;
	others.proto = 0;
	r = find(l, ST_LATENCY_OTHERS, &others);
	return r ? r : append(l, ST_LATENCY_OTHERS, &others);
}

int st_latency__add(struct st_latency *l, struct st_str service, const struct st_hist_key *key,
		    const struct st_hist *h)
{
	char name[sizeof(l->rows->service)];
	struct row *r;

	st_term__clean(name, sizeof(name), service, false);
	r = row_of(l, name, key);
	if (!r)
		return -ENOMEM;
	r->h.cnt += h->cnt;
	r->h.sum_ns += h->sum_ns;
	for (uint32_t b = 0; b < ST_HIST_BUCKETS; b++)
		r->h.bucket[b] += h->bucket[b];
	return 0;
}

int st_latency__join(struct st_latency *l, const struct st_latency *from)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < from->cnt; i++) {
		const struct row *r = &from->rows[i];

		err = st_latency__add(l, st_str(r->service, strlen(r->service)), &r->key, &r->h);
	}
	return err;
}

uint64_t st_latency__total(const struct st_latency *l)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < l->cnt; i++)
		sum += l->rows[i].h.cnt;
	return sum;
}

bool st_latency__row(const struct st_latency *l, uint32_t n, const char **service,
		     struct st_hist_key *key, struct st_hist *h)
{
	if (n >= l->cnt)
		return false;
	*service = l->rows[n].service;
	*key = l->rows[n].key;
	*h = l->rows[n].h;
	return true;
}

static int by_count(const void *a, const void *b)
{
	uint64_t x = ((const struct row *)a)->h.cnt, y = ((const struct row *)b)->h.cnt;

	return (x < y) - (x > y);
}

/* 80 columns. The prefix of messages would cost nine of them. */
static void print_row(const struct row *r)
{
	static const double q[] = {0.50, 0.95, 0.99};
	char code[8] = "-", n[32], t[3][ST_TERM_DURATION_SZ];

	if (r->key.status)
		snprintf(code, sizeof(code), "%uxx", r->key.status);
	for (int i = 0; i < 3; i++)
		st_term__duration(t[i], st_hist__quantile_ns(&r->h, q[i]), false);
	fprintf(stderr, "%-20.20s %s %5u %4s %11s %9s %9s %9s\n", r->service,
		r->key.role == ST_ROLE_CLIENT ? "client" : "server", r->key.port, code,
		st_term__count(n, r->h.cnt), t[0], t[1], t[2]);
}

void st_latency__print(struct st_latency *l)
{
	if (!l->cnt)
		return;
	qsort(l->rows, l->cnt, sizeof(*l->rows), by_count);
	fprintf(stderr, "%-20s %s %5s %4s %11s %9s %9s %9s\n", "service", "role  ", "port", "code",
		"requests", "p50", "p95", "p99");
	for (uint32_t i = 0; i < l->cnt; i++)
		print_row(&l->rows[i]);
}
