/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "spantap/keys.h"

#include <stdlib.h>

#define KEY_ROW(id, lit) {.name = {(lit), sizeof(lit) - 1}, .index = ST_K_##id},
const struct st_key st_keys[ST_KEY_FIXED_CNT] = {ST_KEYS(KEY_ROW)};
#undef KEY_ROW

/* Keys made at start; they live as long as the program. */
static struct st_key made[ST_KEY_MAX - ST_KEY_FIXED_CNT];
static uint16_t made_cnt;

uint16_t st_key__cnt(void)
{
	return (uint16_t)(ST_KEY_FIXED_CNT + made_cnt);
}

const struct st_key *st_key__by_index(uint16_t index)
{
	if (index < ST_KEY_FIXED_CNT)
		return &st_keys[index];
	if (index < st_key__cnt())
		return &made[index - ST_KEY_FIXED_CNT];
	return NULL;
}

static const struct st_key *key_make(struct st_str name)
{
	struct st_key *k = &made[made_cnt];
	char *copy;

	if (st_key__cnt() >= ST_KEY_MAX)
		return NULL;
	copy = malloc((size_t)name.len + 1);
	if (!copy)
		return NULL;
	if (name.len)
		memcpy(copy, name.p, name.len);
	copy[name.len] = '\0';
	k->name = st_str(copy, name.len);
	k->index = st_key__cnt();
	made_cnt++;
	return k;
}

const struct st_key *st_key__intern(struct st_str name)
{
	for (uint16_t i = 0; i < st_key__cnt(); i++) {
		const struct st_key *k = st_key__by_index(i);

		if (st_str_eq(k->name, name))
			return k;
	}
	return key_make(name);
}
