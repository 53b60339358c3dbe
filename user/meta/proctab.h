/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The registry's table: processes by their number, those that ended in the order of their end. */
#ifndef ST_META_PROCTAB_H
#define ST_META_PROCTAB_H

#include <stdbool.h>
#include <stdint.h>

#define ST_PROCTAB_NONE UINT32_MAX

struct st_exec_facts;
struct st_resource;

/* One process. `seen` is the clock algorithm's mark. */
struct st_proc_item {
	const struct st_resource *res; /* not owned; NULL: nobody asked yet */
	struct st_exec_facts *exec;    /* owned; not NULL: an image began since res was made */
	uint64_t check_ns;	       /* from then on the slow path looks at it */
	uint64_t exited_ns;	       /* 0: not known to have ended */
	uint64_t start_ticks;	       /* 0: unknown */
	int32_t tgid;		       /* 0: the item is free */
	int32_t parent;		       /* not 0: it began as that one's copy since res was made */
	uint32_t next, prev;	       /* among those that ended; next: among the free ones */
	bool seen;
	bool pinned; /* it is being made */
};

struct st_proctab {
	uint32_t *hash; /* item index or NONE; open addressing, linear */
	uint32_t hash_mask, hash_shift;
	struct st_proc_item *items;
	uint32_t max, free_head, hand;
	uint32_t exited_first, exited_last; /* items with exited_ns, in the order of their end */
	uint32_t exited_cnt;
};

/* Room for max processes. Returns 0 or -ENOMEM; __free either way. */
int st_proctab__init(struct st_proctab *t, uint32_t max);
void st_proctab__free(struct st_proctab *t);

/* Fibonacci hashing: neighbours among process ids land far apart. */
static inline uint32_t st_proctab__bucket(const struct st_proctab *t, int tgid)
{
	return ((uint32_t)tgid * 2654435769u) >> t->hash_shift;
}

/* An item's index, or NONE. */
static inline uint32_t st_proctab__find(const struct st_proctab *t, int tgid)
{
	for (uint32_t b = st_proctab__bucket(t, tgid);; b = (b + 1) & t->hash_mask) {
		uint32_t i = t->hash[b];

		if (i == ST_PROCTAB_NONE || t->items[i].tgid == tgid)
			return i;
	}
}

/* A new item; there must be room. */
uint32_t st_proctab__add(struct st_proctab *t, int tgid);

/* Frees an item; its resource is the caller's to end. */
void st_proctab__drop(struct st_proctab *t, uint32_t i);

/* The clock algorithm: the first item that nobody asked for since the hand's last turn. */
uint32_t st_proctab__victim(struct st_proctab *t);

/* 0: it lives. */
void st_proctab__set_exited(struct st_proctab *t, uint32_t i, uint64_t exited_ns);

#endif
