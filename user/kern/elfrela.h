/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Relocations that put a pointer somewhere (R_*_RELATIVE, an absolute symbol), in the order of
 * their addresses. Those packed as RELR have their value in place already and need no entry.
 */
#ifndef ST_KERN_ELFRELA_H
#define ST_KERN_ELFRELA_H

#include <libelf.h>
#include <stddef.h>
#include <stdint.h>

struct st_rela {
	uint64_t addr;
	int64_t addend;
	uint32_t sym; /* index in .dynsym; 0: none */
};

struct st_relas {
	struct st_rela *v;
	size_t cnt;
};

/* -ENOMEM; a file without relocations has none. machine: EM_*. */
int st_relas__read(struct st_relas *r, Elf *elf, uint16_t machine);
void st_relas__free(struct st_relas *r);

/* The first at addr or above, and the one that follows; NULL at the end. */
const struct st_rela *st_relas__from(const struct st_relas *r, uint64_t addr);
const struct st_rela *st_relas__next(const struct st_relas *r, const struct st_rela *after);

#endif
