/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/proctab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void hash_add(struct st_proctab *t, uint32_t i)
{
	uint32_t b = st_proctab__bucket(t, t->items[i].tgid);

	while (t->hash[b] != ST_PROCTAB_NONE)
		b = (b + 1) & t->hash_mask;
	t->hash[b] = i;
}

/* Takes an item out and moves those behind it up, so that no mark of deletion is needed. */
static void hash_del(struct st_proctab *t, uint32_t i)
{
	uint32_t b = st_proctab__bucket(t, t->items[i].tgid), hole;

	while (t->hash[b] != i)
		b = (b + 1) & t->hash_mask;
	hole = b;
	for (;;) {
		uint32_t home;

		b = (b + 1) & t->hash_mask;
		if (t->hash[b] == ST_PROCTAB_NONE)
			break;
		home = st_proctab__bucket(t, t->items[t->hash[b]].tgid);
		/* Stays when its home lies behind the hole, in the ring's order. */
		if (((b - home) & t->hash_mask) < ((b - hole) & t->hash_mask))
			continue;
		t->hash[hole] = t->hash[b];
		hole = b;
	}
	t->hash[hole] = ST_PROCTAB_NONE;
}

static void exited_add(struct st_proctab *t, uint32_t i)
{
	struct st_proc_item *it = &t->items[i];

	it->prev = t->exited_last;
	it->next = ST_PROCTAB_NONE;
	*(it->prev == ST_PROCTAB_NONE ? &t->exited_first : &t->items[it->prev].next) = i;
	t->exited_last = i;
	t->exited_cnt++;
}

static void exited_del(struct st_proctab *t, uint32_t i)
{
	struct st_proc_item *it = &t->items[i];

	*(it->prev == ST_PROCTAB_NONE ? &t->exited_first : &t->items[it->prev].next) = it->next;
	*(it->next == ST_PROCTAB_NONE ? &t->exited_last : &t->items[it->next].prev) = it->prev;
	t->exited_cnt--;
}

void st_proctab__set_exited(struct st_proctab *t, uint32_t i, uint64_t exited_ns)
{
	if (t->items[i].exited_ns)
		exited_del(t, i);
	t->items[i].exited_ns = exited_ns;
	if (exited_ns)
		exited_add(t, i);
}

void st_proctab__drop(struct st_proctab *t, uint32_t i)
{
	struct st_proc_item *it = &t->items[i];

	hash_del(t, i);
	st_proctab__set_exited(t, i, 0);
	free(it->exec);
	memset(it, 0, sizeof(*it));
	it->next = t->free_head;
	t->free_head = i;
}

uint32_t st_proctab__victim(struct st_proctab *t)
{
	for (;;) {
		uint32_t i = t->hand;
		struct st_proc_item *it = &t->items[i];

		t->hand = (i + 1) % t->max;
		if (it->tgid && !it->seen && !it->pinned)
			return i;
		it->seen = false;
	}
}

uint32_t st_proctab__add(struct st_proctab *t, int tgid)
{
	uint32_t i = t->free_head;

	t->free_head = t->items[i].next;
	t->items[i] = (struct st_proc_item){.tgid = tgid};
	hash_add(t, i);
	return i;
}

int st_proctab__init(struct st_proctab *t, uint32_t max)
{
	uint32_t bits = 4;

	/* A table twice as large as it is full at most. */
	while ((1u << bits) < 2 * max)
		bits++;
	*t = (struct st_proctab){
		.max = max, .hash_shift = 32 - bits, .hash_mask = (1u << bits) - 1};
	t->exited_first = t->exited_last = ST_PROCTAB_NONE;
	t->hash = malloc(sizeof(*t->hash) << bits);
	t->items = calloc(max, sizeof(*t->items));
	if (!t->hash || !t->items)
		return -ENOMEM;
	memset(t->hash, 0xff, sizeof(*t->hash) << bits);
	for (uint32_t i = 0; i < max; i++)
		t->items[i].next = i + 1 < max ? i + 1 : ST_PROCTAB_NONE;
	return 0;
}

void st_proctab__free(struct st_proctab *t)
{
	for (uint32_t i = 0; t->items && i < t->max; i++)
		free(t->items[i].exec);
	free(t->items);
	free(t->hash);
}
