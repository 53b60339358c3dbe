/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/elfrela.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdlib.h>

#define RELAS_MAX (16u << 20)

static bool is_pointer(uint16_t machine, uint32_t type)
{
	if (machine == EM_X86_64)
		return type == R_X86_64_RELATIVE || type == R_X86_64_64 ||
		       type == R_X86_64_GLOB_DAT;
	if (machine == EM_AARCH64)
		return type == R_AARCH64_RELATIVE || type == R_AARCH64_ABS64 ||
		       type == R_AARCH64_GLOB_DAT;
	return false;
}

static int by_addr(const void *a, const void *b)
{
	const struct st_rela *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

static int add_section(struct st_relas *r, Elf_Scn *s, const GElf_Shdr *h, uint16_t machine)
{
	Elf_Data *d = elf_getdata(s, NULL);
	size_t n = d ? d->d_size / sizeof(Elf64_Rela) : 0;
	struct st_rela *v;
	GElf_Rela a;

	if (h->sh_entsize != sizeof(Elf64_Rela) || !n || n > RELAS_MAX - r->cnt)
		return 0;
	v = realloc(r->v, (r->cnt + n) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->v = v;
	for (size_t i = 0; i < n; i++)
		if (gelf_getrela(d, (int)i, &a) &&
		    is_pointer(machine, (uint32_t)GELF_R_TYPE(a.r_info)))
			v[r->cnt++] = (struct st_rela){.addr = a.r_offset,
						       .addend = a.r_addend,
						       .sym = (uint32_t)GELF_R_SYM(a.r_info)};
	return 0;
}

int st_relas__read(struct st_relas *r, Elf *elf, uint16_t machine)
{
	Elf_Scn *s = NULL;
	int err = 0;

	*r = (struct st_relas){0};
	while (!err && (s = elf_nextscn(elf, s))) {
		GElf_Shdr h;

		/* What a linker kept for debuggers (--emit-relocs) is not loaded. */
		if (gelf_getshdr(s, &h) && h.sh_type == SHT_RELA && h.sh_flags & SHF_ALLOC)
			err = add_section(r, s, &h, machine);
	}
	if (err)
		st_relas__free(r);
	else if (r->cnt)
		qsort(r->v, r->cnt, sizeof(*r->v), by_addr);
	return err;
}

void st_relas__free(struct st_relas *r)
{
	free(r->v);
	*r = (struct st_relas){0};
}

const struct st_rela *st_relas__from(const struct st_relas *r, uint64_t addr)
{
	size_t lo = 0, hi = r->cnt;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->v[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->cnt ? &r->v[lo] : NULL;
}

const struct st_rela *st_relas__next(const struct st_relas *r, const struct st_rela *after)
{
	return after + 1 < r->v + r->cnt ? after + 1 : NULL;
}
