/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A set of strings with open addressing. It grows in steps, so that a service with ten routes costs
 * no more than ten; strings stand behind one another in an arena, with their length in front.
 */
#include "lib/route.h"

#include <stdlib.h>

#define NAME_MAX_SZ 512
#define NAMES_MAX   (1u << 20) /* keeps the arena's offsets within 32 bits */
#define SLOTS_MIN   8u
#define ARENA_MIN   128u
#define ARENA_OFF   2u /* offset 0 says that a slot is empty */
#define LEN_SZ	    sizeof(uint16_t)

struct slot {
	uint32_t hash, off;
};

struct st_names {
	struct slot *slots;
	uint32_t mask, cnt, max;
	char *arena;
	uint32_t arena_len, arena_sz;
	uint64_t seed, overflow;
};

static inline uint64_t mix(uint64_t x)
{
	unsigned __int128 m = (unsigned __int128)x * 0x9e3779b97f4a7c15ull;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t load_upto8(const char *p, uint32_t n)
{
	uint32_t a, b;
	uint64_t w = 0;

	if (n >= 4) {
		memcpy(&a, p, 4);
		memcpy(&b, p + n - 4, 4);
		return (uint64_t)a << 32 | b;
	}
	while (n--)
		w = w << 8 | (uint8_t)p[n];
	return w;
}

static inline uint32_t hash_of(const struct st_names *n, struct st_str s)
{
	uint64_t h = n->seed ^ s.len, w;
	uint32_t left = s.len;
	const char *p = s.p;

	if (left <= 8)
		return (uint32_t)mix(mix(h ^ load_upto8(p, left)));
	for (; left > 8; left -= 8, p += 8) {
		memcpy(&w, p, 8);
		h = mix(h ^ w);
	}
	memcpy(&w, s.p + s.len - 8, 8);
	return (uint32_t)mix(h ^ w);
}

struct st_names *st_names__new(uint32_t max)
{
	struct st_names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->slots = calloc(SLOTS_MIN, sizeof(*n->slots));
	n->arena = malloc(ARENA_MIN);
	if (!n->slots || !n->arena) {
		st_names__free(n);
		return NULL;
	}
	n->mask = SLOTS_MIN - 1;
	n->max = max < NAMES_MAX ? max : NAMES_MAX;
	n->arena_len = ARENA_OFF;
	n->arena_sz = ARENA_MIN;
	/* where memory lies is unknown outside, and no answer depends on the order of slots */
	n->seed = mix((uint64_t)(uintptr_t)n ^ (uint64_t)(uintptr_t)n->slots << 32);
	return n;
}

void st_names__free(struct st_names *n)
{
	if (!n)
		return;
	free(n->slots);
	free(n->arena);
	free(n);
}

uint64_t st_names__overflow(const struct st_names *n)
{
	return n->overflow;
}

static inline bool is_at(const struct st_names *n, uint32_t off, struct st_str name)
{
	const char *p = n->arena + off;
	uint16_t len;

	memcpy(&len, p, LEN_SZ);
	return len == name.len && (!len || !memcmp(p + LEN_SZ, name.p, len));
}

static bool grow_slots(struct st_names *n)
{
	uint32_t old_cnt = n->mask + 1, mask = old_cnt * 2 - 1, i, at;
	struct slot *slots = calloc((size_t)mask + 1, sizeof(*slots));

	if (!slots)
		return false;
	for (i = 0; i < old_cnt; i++) {
		if (!n->slots[i].off)
			continue;
		for (at = n->slots[i].hash & mask; slots[at].off; at = (at + 1) & mask)
			;
		slots[at] = n->slots[i];
	}
	free(n->slots);
	n->slots = slots;
	n->mask = mask;
	return true;
}

static bool grow_arena(struct st_names *n, uint32_t need)
{
	uint32_t size = n->arena_sz;
	char *p;

	while (size - n->arena_len < need)
		size *= 2;
	if (size == n->arena_sz)
		return true;
	p = realloc(n->arena, size);
	if (!p)
		return false;
	n->arena = p;
	n->arena_sz = size;
	return true;
}

static __attribute__((noinline)) bool add(struct st_names *n, struct st_str name, uint32_t hash)
{
	uint16_t len = (uint16_t)name.len;
	uint32_t at;

	if (n->cnt >= n->max || name.len > NAME_MAX_SZ)
		return false;
	if (!grow_arena(n, (uint32_t)LEN_SZ + len))
		return false;
	if (n->cnt > n->mask / 2 && !grow_slots(n))
		return false;
	for (at = hash & n->mask; n->slots[at].off; at = (at + 1) & n->mask)
		;
	n->slots[at] = (struct slot){hash, n->arena_len};
	memcpy(n->arena + n->arena_len, &len, LEN_SZ);
	if (len)
		memcpy(n->arena + n->arena_len + LEN_SZ, name.p, len);
	n->arena_len += (uint32_t)LEN_SZ + len;
	n->cnt++;
	return true;
}

bool st_names__admit(struct st_names *n, struct st_str name)
{
	uint32_t hash, at;

	if (name.len <= NAME_MAX_SZ) {
		hash = hash_of(n, name);
		for (at = hash & n->mask; n->slots[at].off; at = (at + 1) & n->mask)
			if (n->slots[at].hash == hash && is_at(n, n->slots[at].off, name))
				return true;
		if (add(n, name, hash))
			return true;
	}
	n->overflow++;
	return false;
}
