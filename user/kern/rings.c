/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/rings.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/clock.h"

/* Consumed space is given back after so many records: a store that every producer's CPU sees. */
#define GIVE_BACK 256

struct ring {
	volatile unsigned long *consumer;
	const volatile unsigned long *producer;
	const uint8_t *data;
	unsigned long pos;   /* of the next record */
	unsigned long end;   /* producer's position when the round began */
	unsigned long given; /* consumer position as last stored */
};

struct st_rings {
	uint32_t cnt;
	uint32_t mask;
	size_t page;
	uint64_t read_until;
	struct ring ring[];
};

static int map_ring(struct st_rings *r, struct ring *g, int fd)
{
	size_t sz = (size_t)r->mask + 1;
	void *p = mmap(NULL, r->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	g->consumer = p;
	/* The producer's page, then the data twice in a row, so that records never wrap. */
	p = mmap(NULL, r->page + 2 * sz, PROT_READ, MAP_SHARED, fd, (off_t)r->page);
	if (p == MAP_FAILED)
		return -errno;
	g->producer = p;
	g->data = (const uint8_t *)p + r->page;
	g->pos = g->given = *g->consumer;
	return 0;
}

int st_rings__new(const int *fds, uint32_t cnt, uint32_t ring_sz, struct st_rings **out)
{
	struct st_rings *r = calloc(1, sizeof(*r) + cnt * sizeof(r->ring[0]));
	int err;

	if (!r)
		return -ENOMEM;
	r->mask = ring_sz - 1;
	r->page = (size_t)sysconf(_SC_PAGESIZE);
	for (uint32_t i = 0; i < cnt; i++) {
		if (fds[i] < 0)
			continue;
		err = map_ring(r, &r->ring[r->cnt++], fds[i]);
		if (err) {
			st_rings__free(r);
			return err;
		}
	}
	*out = r;
	return 0;
}

void st_rings__free(struct st_rings *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->cnt; i++) {
		struct ring *g = &r->ring[i];

		if (g->consumer)
			munmap((void *)g->consumer, r->page);
		if (g->producer)
			munmap((void *)g->producer, r->page + 2 * ((size_t)r->mask + 1));
	}
	free(r);
}

bool st_rings__pending(const struct st_rings *r)
{
	for (uint32_t i = 0; i < r->cnt; i++)
		if (__atomic_load_n(r->ring[i].producer, __ATOMIC_ACQUIRE) != r->ring[i].pos)
			return true;
	return false;
}

static void give_back(struct ring *g)
{
	if (g->given == g->pos)
		return;
	g->given = g->pos;
	__atomic_store_n(g->consumer, g->pos, __ATOMIC_RELEASE);
}

/* The ring's next record: 1 and *rec, 0 when the round is over for it, -EBUSY when one is busy. */
static int peek(const struct st_rings *r, struct ring *g, const struct st_rec **rec, uint32_t *len)
{
	while (g->pos != g->end) {
		const uint32_t *hdr = (const uint32_t *)(g->data + (g->pos & r->mask));
		uint32_t word = __atomic_load_n(hdr, __ATOMIC_ACQUIRE);

		if (word & BPF_RINGBUF_BUSY_BIT)
			return -EBUSY;
		*len = ((word & ~BPF_RINGBUF_DISCARD_BIT) + BPF_RINGBUF_HDR_SZ + 7) & ~7u;
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			*rec = (const struct st_rec *)((const uint8_t *)hdr + BPF_RINGBUF_HDR_SZ);
			return 1;
		}
		g->pos += *len;
	}
	return 0;
}

/* One ring alone needs no merge: the common case of one busy CPU. */
static uint64_t drain_one(struct st_rings *r, struct ring *g, uint64_t until, uint64_t max,
			  st_rec_fn fn, void *ctx)
{
	const struct st_rec *rec;
	uint64_t n = 0;
	uint32_t len;

	while (n < max && peek(r, g, &rec, &len) == 1 && rec->time_ns <= until) {
		fn(ctx, rec);
		g->pos += len;
		if (++n % GIVE_BACK == 0)
			give_back(g);
	}
	give_back(g);
	return n;
}

/* The ring whose next record is the oldest; NULL when there is none, or one is busy. */
static struct ring *oldest(struct st_rings *r, const struct st_rec **rec, uint32_t *len)
{
	struct ring *best = NULL;

	for (uint32_t i = 0; i < r->cnt; i++) {
		const struct st_rec *cand;
		uint32_t cand_len;
		int rc = peek(r, &r->ring[i], &cand, &cand_len);

		if (rc == -EBUSY)
			return NULL;
		if (rc && (!best || cand->time_ns < (*rec)->time_ns)) {
			best = &r->ring[i];
			*rec = cand;
			*len = cand_len;
		}
	}
	return best;
}

static uint64_t drain_merged(struct st_rings *r, uint64_t until, uint64_t max, st_rec_fn fn,
			     void *ctx)
{
	const struct st_rec *rec;
	struct ring *g;
	uint64_t n = 0;
	uint32_t len;

	while (n < max && (g = oldest(r, &rec, &len)) && rec->time_ns <= until) {
		fn(ctx, rec);
		g->pos += len;
		if (++n % GIVE_BACK == 0)
			give_back(g);
	}
	for (uint32_t i = 0; i < r->cnt; i++)
		give_back(&r->ring[i]);
	return n;
}

uint32_t st_rings__fill(const struct st_rings *r)
{
	unsigned long most = 0;

	for (uint32_t i = 0; i < r->cnt; i++) {
		const struct ring *g = &r->ring[i];
		unsigned long n = __atomic_load_n(g->producer, __ATOMIC_ACQUIRE) - g->given;

		if (n > most)
			most = n;
	}
	return (uint32_t)(most * 100 / ((unsigned long)r->mask + 1));
}

uint64_t st_rings__read_until(const struct st_rings *r)
{
	return r->read_until;
}

/* Was everything handed over that is older than `until`? */
static bool is_drained(struct st_rings *r, uint64_t until)
{
	const struct st_rec *rec;
	uint32_t len;

	for (uint32_t i = 0; i < r->cnt; i++) {
		int rc = peek(r, &r->ring[i], &rec, &len);

		if (rc < 0 || (rc && rec->time_ns <= until))
			return false;
	}
	return true;
}

uint64_t st_rings__drain(struct st_rings *r, uint64_t max, st_rec_fn fn, void *ctx)
{
	/*
	 * First the time, then the positions: a record is stamped after its space was taken, so
	 * whatever is older than this time lies before these positions.
	 */
	uint64_t until = st_clock__mono_ns();
	struct ring *only = NULL;
	uint32_t busy = 0;
	uint64_t n = 0;

	for (uint32_t i = 0; i < r->cnt; i++) {
		struct ring *g = &r->ring[i];

		g->end = __atomic_load_n(g->producer, __ATOMIC_ACQUIRE);
		if (g->end != g->pos) {
			only = g;
			busy++;
		}
	}
	if (busy)
		n = busy == 1 ? drain_one(r, only, until, max, fn, ctx)
			      : drain_merged(r, until, max, fn, ctx);
	if (is_drained(r, until))
		r->read_until = until;
	return n;
}
