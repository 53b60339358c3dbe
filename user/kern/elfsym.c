/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/elfsym.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kern/elfrela.h"

#define LOADS_MAX  32
#define TABLE_MAX  (512u << 20) /* bytes of a symbol or string table */
#define WORDS_MAX  (64u << 20)
#define STRING_MAX 4096u

struct load {
	uint64_t addr, off, size;
	bool code;
};

/* A symbol table with its strings; .entries is libelf's. */
struct table {
	Elf_Data *entries;
	size_t strings; /* section index */
	size_t cnt;
};

struct st_elf {
	int fd;
	Elf *elf;
	uint16_t machine;
	uint64_t entry;
	dev_t dev;
	ino_t ino;
	struct load load[LOADS_MAX];
	int load_cnt;
	uint64_t eh_frame_hdr;
	struct table table[2]; /* dynamic, static */
	struct st_relas relas;
	bool has_relas;
};

static int read_segments(struct st_elf *e)
{
	size_t n;

	if (elf_getphdrnum(e->elf, &n))
		return -ENOEXEC;
	for (size_t i = 0; i < n && i < 4096; i++) {
		GElf_Phdr p;

		if (!gelf_getphdr(e->elf, (int)i, &p))
			return -ENOEXEC;
		if (p.p_type == PT_GNU_EH_FRAME)
			e->eh_frame_hdr = p.p_vaddr;
		if (p.p_type != PT_LOAD || e->load_cnt == LOADS_MAX)
			continue;
		if (p.p_vaddr + p.p_filesz < p.p_vaddr || p.p_offset + p.p_filesz < p.p_offset)
			return -ENOEXEC;
		e->load[e->load_cnt++] = (struct load){.addr = p.p_vaddr,
						       .off = p.p_offset,
						       .size = p.p_filesz,
						       .code = p.p_flags & PF_X};
	}
	return e->load_cnt ? 0 : -ENOEXEC;
}

static void find_tables(struct st_elf *e)
{
	Elf_Scn *s = NULL;

	while ((s = elf_nextscn(e->elf, s))) {
		GElf_Shdr h;
		struct table *t;

		if (!gelf_getshdr(s, &h) || (h.sh_type != SHT_DYNSYM && h.sh_type != SHT_SYMTAB))
			continue;
		t = &e->table[h.sh_type == SHT_SYMTAB];
		if (t->entries || h.sh_size > TABLE_MAX || h.sh_entsize != sizeof(Elf64_Sym))
			continue;
		t->entries = elf_getdata(s, NULL);
		t->strings = h.sh_link;
		t->cnt = t->entries ? t->entries->d_size / sizeof(Elf64_Sym) : 0;
	}
}

static int read_file(struct st_elf *e, const char *path)
{
	const char *ident;
	struct stat st;
	GElf_Ehdr h;
	int err;

	e->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (e->fd < 0 || fstat(e->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	e->dev = st.st_dev;
	e->ino = st.st_ino;
	elf_version(EV_CURRENT);
	e->elf = elf_begin(e->fd, ELF_C_READ, NULL);
	if (!e->elf || elf_kind(e->elf) != ELF_K_ELF || !gelf_getehdr(e->elf, &h))
		return -ENOEXEC;
	ident = elf_getident(e->elf, NULL);
	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	e->machine = h.e_machine;
	e->entry = h.e_entry;
	err = read_segments(e);
	if (!err)
		find_tables(e);
	return err;
}

int st_elf__open(const char *path, struct st_elf **out)
{
	struct st_elf *e = calloc(1, sizeof(*e));
	int err;

	*out = NULL;
	if (!e)
		return -ENOMEM;
	e->fd = -1;
	err = read_file(e, path);
	if (err) {
		st_elf__close(e);
		return err;
	}
	*out = e;
	return 0;
}

void st_elf__close(struct st_elf *e)
{
	if (!e)
		return;
	st_relas__free(&e->relas);
	elf_end(e->elf);
	if (e->fd >= 0)
		close(e->fd);
	free(e);
}

uint16_t st_elf__machine(const struct st_elf *e)
{
	return e->machine;
}

uint64_t st_elf__entry(const struct st_elf *e)
{
	return e->entry;
}

void st_elf__id(const struct st_elf *e, dev_t *dev, ino_t *ino)
{
	*dev = e->dev;
	*ino = e->ino;
}

/* ---- symbols ---- */

static bool get_symbol(const struct table *t, size_t i, GElf_Sym *s)
{
	return gelf_getsym(t->entries, (int)i, s) && s->st_shndx != SHN_UNDEF &&
	       s->st_shndx < SHN_LORESERVE;
}

static bool is_function(const GElf_Sym *s)
{
	return GELF_ST_TYPE(s->st_info) == STT_FUNC || GELF_ST_TYPE(s->st_info) == STT_GNU_IFUNC;
}

static bool has_place(const GElf_Sym *s)
{
	return is_function(s) || GELF_ST_TYPE(s->st_info) == STT_OBJECT ||
	       GELF_ST_TYPE(s->st_info) == STT_NOTYPE;
}

static void fill(const struct st_elf *e, const GElf_Sym *s, struct st_sym *out)
{
	*out = (struct st_sym){
		.addr = s->st_value, .size = s->st_size, .type = GELF_ST_TYPE(s->st_info)};
	st_elf__offset(e, out->addr, &out->off); /* .bss has none */
}

/* A global one wins; of local ones (one a source file) there may be several. */
static int find_in(const struct st_elf *e, const struct table *t, const char *name,
		   struct st_sym *out)
{
	int found = 0;
	GElf_Sym s;

	for (size_t i = 1; i < t->cnt; i++) {
		const char *its;

		if (!get_symbol(t, i, &s) || !has_place(&s))
			continue;
		its = elf_strptr(e->elf, t->strings, s.st_name);
		if (!its || strcmp(its, name))
			continue;
		if (GELF_ST_BIND(s.st_info) != STB_LOCAL) {
			fill(e, &s, out);
			return 0;
		}
		if (found && out->addr != s.st_value)
			found = 2;
		else if (!found)
			found = 1;
		fill(e, &s, out);
	}
	return found == 1 ? 0 : found ? -ENOTUNIQ : -ENOENT;
}

int st_elf__symbol(struct st_elf *e, const char *name, struct st_sym *out)
{
	int err = find_in(e, &e->table[0], name, out);

	return err == -ENOENT ? find_in(e, &e->table[1], name, out) : err;
}

int st_elf__symbol_at(struct st_elf *e, uint64_t addr, struct st_sym *out)
{
	int err = -ENOENT;
	GElf_Sym s;

	for (int k = 0; k < 2; k++)
		for (size_t i = 1; i < e->table[k].cnt; i++) {
			if (!get_symbol(&e->table[k], i, &s) || s.st_value != addr ||
			    !is_function(&s))
				continue;
			if (!err && out->size >= s.st_size)
				continue;
			fill(e, &s, out);
			err = 0;
		}
	return err;
}

int st_elf__symbol_above(struct st_elf *e, uint64_t addr, uint64_t *out)
{
	uint64_t best = UINT64_MAX;
	GElf_Sym s;

	for (int k = 0; k < 2; k++)
		for (size_t i = 1; i < e->table[k].cnt; i++)
			if (get_symbol(&e->table[k], i, &s) && is_function(&s) &&
			    s.st_value > addr && s.st_value < best)
				best = s.st_value;
	*out = best;
	return best == UINT64_MAX ? -ENOENT : 0;
}

/* ---- sections and addresses ---- */

static void fill_section(const GElf_Shdr *h, struct st_section *out)
{
	*out = (struct st_section){.addr = h->sh_addr,
				   .off = h->sh_offset,
				   .size = h->sh_size,
				   .no_bits = h->sh_type == SHT_NOBITS};
}

int st_elf__section(struct st_elf *e, const char *name, struct st_section *out)
{
	Elf_Scn *s = NULL;
	size_t names;

	if (elf_getshdrstrndx(e->elf, &names))
		return -ENOENT;
	while ((s = elf_nextscn(e->elf, s))) {
		const char *its;
		GElf_Shdr h;

		if (!gelf_getshdr(s, &h))
			continue;
		its = elf_strptr(e->elf, names, h.sh_name);
		if (!its || strcmp(its, name))
			continue;
		fill_section(&h, out);
		return 0;
	}
	return -ENOENT;
}

int st_elf__section_end(struct st_elf *e, uint64_t addr, uint64_t *end)
{
	Elf_Scn *s = NULL;

	while ((s = elf_nextscn(e->elf, s))) {
		GElf_Shdr h;

		if (gelf_getshdr(s, &h) && h.sh_flags & SHF_ALLOC && addr >= h.sh_addr &&
		    addr - h.sh_addr < h.sh_size) {
			*end = h.sh_addr + h.sh_size;
			return 0;
		}
	}
	return -ENOENT;
}

int st_elf__eh_frame_hdr(const struct st_elf *e, uint64_t *addr)
{
	*addr = e->eh_frame_hdr;
	return e->eh_frame_hdr ? 0 : -ENOENT;
}

static const struct load *load_of(const struct st_elf *e, uint64_t addr)
{
	for (int i = 0; i < e->load_cnt; i++)
		if (addr >= e->load[i].addr && addr - e->load[i].addr < e->load[i].size)
			return &e->load[i];
	return NULL;
}

int st_elf__offset(const struct st_elf *e, uint64_t addr, uint64_t *off)
{
	const struct load *l = load_of(e, addr);

	if (!l)
		return -ERANGE;
	*off = addr - l->addr + l->off;
	return 0;
}

bool st_elf__is_code(const struct st_elf *e, uint64_t addr)
{
	const struct load *l = load_of(e, addr);

	return l && l->code;
}

static int read_at(const struct st_elf *e, uint64_t off, void *buf, size_t n)
{
	uint8_t *p = buf;

	while (n) {
		ssize_t got = pread(e->fd, p, n, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -ERANGE;
		p += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int st_elf__read(const struct st_elf *e, uint64_t addr, void *buf, size_t n)
{
	const struct load *l = load_of(e, addr);

	if (!l || l->size - (addr - l->addr) < n)
		return -ERANGE;
	return read_at(e, addr - l->addr + l->off, buf, n);
}

int st_elf__string(const struct st_elf *e, uint64_t addr, char *buf, size_t sz)
{
	const struct load *l = load_of(e, addr);
	uint64_t left;
	int err;

	if (!l || !sz)
		return -ERANGE;
	left = l->size - (addr - l->addr);
	if (sz > left)
		sz = (size_t)left;
	err = read_at(e, addr - l->addr + l->off, buf, sz);
	if (err)
		return err;
	return memchr(buf, '\0', sz) ? 0 : -ENAMETOOLONG;
}

/* ---- pointers ---- */

/* Of a relocation by symbol: what the file itself defines. */
static uint64_t symbol_value(const struct st_elf *e, uint32_t i)
{
	GElf_Sym s;

	return i < e->table[0].cnt && get_symbol(&e->table[0], i, &s) ? s.st_value : 0;
}

static uint64_t resolve(const struct st_elf *e, const struct st_rela *r)
{
	uint64_t base = r->sym ? symbol_value(e, r->sym) : 0;

	return r->sym && !base ? 0 : base + (uint64_t)r->addend;
}

static int need_relas(struct st_elf *e)
{
	int err;

	if (e->has_relas)
		return 0;
	err = st_relas__read(&e->relas, e->elf, e->machine);
	e->has_relas = !err;
	return err;
}

int st_elf__pointer(struct st_elf *e, uint64_t addr, uint64_t *out)
{
	const struct st_rela *r;
	int err = need_relas(e);

	if (err)
		return err;
	r = st_relas__from(&e->relas, addr);
	if (!r || r->addr != addr)
		return st_elf__read(e, addr, out, sizeof(*out));
	*out = resolve(e, r);
	return 0;
}

int st_elf__words(struct st_elf *e, const struct st_section *s, uint64_t **words, size_t *cnt)
{
	uint64_t n = s->size / 8;
	const struct st_rela *r;
	uint64_t *w;
	int err = need_relas(e);

	*words = NULL;
	*cnt = 0;
	if (err)
		return err;
	if (s->no_bits || s->addr % 8 || s->size > WORDS_MAX)
		return -ERANGE;
	w = malloc(n * 8 + 8);
	if (!w)
		return -ENOMEM;
	err = st_elf__read(e, s->addr, w, n * 8);
	if (err) {
		free(w);
		return err;
	}
	for (r = st_relas__from(&e->relas, s->addr); r && r->addr - s->addr < n * 8;
	     r = st_relas__next(&e->relas, r))
		if (!(r->addr % 8))
			w[(r->addr - s->addr) / 8] = resolve(e, r);
	*words = w;
	*cnt = n;
	return 0;
}
