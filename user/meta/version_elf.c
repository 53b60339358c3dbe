/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ELF sections, Go's build info (go/src/debug/buildinfo), the mark that rustc leaves. */
#include "meta/version.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "meta/files.h"
#include "meta/text.h"

#define SECTIONS_MAX  512u
#define NAMES_MAX     (64u << 10)
#define BUILDINFO_MAX (64u << 10) /* the module list of a very large program */
#define COMMENT_MAX   4096u

struct elf {
	int fd;
	uint16_t shnum, shentsize, shstrndx;
	uint64_t shoff;
	bool is_32bit;
	char *table; /* section headers */
	char *names;
	uint32_t names_sz;
};

struct section {
	uint32_t name;
	uint32_t type;
	uint64_t off, size;
};

static int read_header(struct elf *e, struct st_elf_info *out)
{
	union {
		Elf64_Ehdr h64;
		Elf32_Ehdr h32;
	} h;
	int err = st_files__pread(e->fd, &h, sizeof(h.h32), 0);

	if (err || memcmp(h.h64.e_ident, ELFMAG, SELFMAG))
		return err && err != -ENODATA ? err : -ENOEXEC;
	out->is_elf = true;
	out->machine = h.h64.e_machine; /* at the same place in both */
	out->is_32bit = e->is_32bit = h.h64.e_ident[EI_CLASS] == ELFCLASS32;
	/* Of a foreign byte order nothing runs here but under emulation. */
	if (h.h64.e_ident[EI_DATA] != ELFDATA2LSB)
		return 0;
	if (e->is_32bit) {
		e->shoff = h.h32.e_shoff;
		e->shnum = h.h32.e_shnum;
		e->shentsize = h.h32.e_shentsize;
		e->shstrndx = h.h32.e_shstrndx;
		return 0;
	}
	err = st_files__pread(e->fd, &h, sizeof(h.h64), 0);
	if (err)
		return err == -ENODATA ? -ENOEXEC : err;
	e->shoff = h.h64.e_shoff;
	e->shnum = h.h64.e_shnum;
	e->shentsize = h.h64.e_shentsize;
	e->shstrndx = h.h64.e_shstrndx;
	return 0;
}

/* All section headers at once; those beyond SECTIONS_MAX are left out. */
static bool read_table(struct elf *e)
{
	size_t least = e->is_32bit ? sizeof(Elf32_Shdr) : sizeof(Elf64_Shdr);
	size_t sz;

	if (e->shnum > SECTIONS_MAX)
		e->shnum = SECTIONS_MAX;
	sz = (size_t)e->shnum * e->shentsize;
	if (!sz || e->shentsize < least || e->shentsize > 2 * sizeof(Elf64_Shdr))
		return false;
	e->table = malloc(sz);
	return e->table && !st_files__pread(e->fd, e->table, sz, e->shoff);
}

static bool read_section(const struct elf *e, uint32_t i, struct section *s)
{
	const char *p = e->table + (size_t)i * e->shentsize;
	Elf64_Shdr h64;
	Elf32_Shdr h32;

	if (i >= e->shnum)
		return false;
	if (e->is_32bit) {
		memcpy(&h32, p, sizeof(h32));
		*s = (struct section){h32.sh_name, h32.sh_type, h32.sh_offset, h32.sh_size};
	} else {
		memcpy(&h64, p, sizeof(h64));
		*s = (struct section){h64.sh_name, h64.sh_type, h64.sh_offset, h64.sh_size};
	}
	return true;
}

static bool read_names(struct elf *e)
{
	struct section s;

	if (!read_section(e, e->shstrndx, &s) || !s.size || s.size > NAMES_MAX)
		return false;
	e->names = malloc(s.size);
	if (!e->names || st_files__pread(e->fd, e->names, s.size, s.off))
		return false;
	e->names_sz = (uint32_t)s.size;
	return true;
}

static struct st_str section_name(const struct elf *e, const struct section *s)
{
	if (s->name >= e->names_sz)
		return st_str(NULL, 0);
	return st_text__until(st_str(e->names + s->name, e->names_sz - s->name), '\0');
}

/* A length as encoding/binary's Uvarint, then that many bytes. */
static bool varint_string(struct st_str *in, struct st_str *out)
{
	uint64_t n = 0;

	for (unsigned int shift = 0; shift < 35; shift += 7) {
		uint8_t b;

		if (!in->len)
			return false;
		b = (uint8_t)*in->p;
		*in = st_text__skip(*in, 1);
		n |= (uint64_t)(b & 0x7f) << shift;
		if (b & 0x80)
			continue;
		if (n > in->len)
			return false;
		*out = st_str(in->p, (size_t)n);
		*in = st_text__skip(*in, (uint32_t)n);
		return true;
	}
	return false;
}

static struct st_str field(struct st_str *line)
{
	struct st_str f = st_text__until(*line, '\t');

	*line = st_text__skip(*line, f.len + 1);
	return f;
}

void st_version__go_modinfo(struct st_str text, struct st_elf_info *out)
{
	static const char rev[] = "vcs.revision=";
	struct st_str line, key;

	while (text.len) {
		line = st_text__until(text, '\n');
		text = st_text__skip(text, line.len + 1);
		key = field(&line);
		if (st_text__is(key, "path")) {
			st_text__clean(out->module, sizeof(out->module), line);
		} else if (st_text__is(key, "mod")) {
			field(&line);
			line = field(&line);
			if (line.len && !st_text__is(line, "(devel)"))
				st_text__clean(out->version, sizeof(out->version), line);
		} else if (st_text__is(key, "build") && st_text__starts(line, rev) &&
			   !out->version[0]) {
			/* Built from a checkout: its revision, as git shortens it. */
			line = st_text__skip(line, sizeof(rev) - 1);
			line.len = line.len < 12 ? line.len : 12;
			st_text__clean(out->version, sizeof(out->version), line);
		}
	}
}

/* Go 1.18 and later: 32 bytes of header whose bit 1 of byte 15 says that strings follow inline. */
static void go_buildinfo(const struct elf *e, const struct section *s, struct st_elf_info *out)
{
	static const char magic[] = "\xff Go buildinf:";
	size_t n = s->size < BUILDINFO_MAX ? s->size : BUILDINFO_MAX;
	struct st_str in, version, mod;
	char *p;

	out->language = "go";
	if (n < 32)
		return;
	p = malloc(n);
	if (!p)
		return;
	if (st_files__pread(e->fd, p, n, s->off) || memcmp(p, magic, sizeof(magic) - 1) ||
	    !(p[15] & 2))
		goto out;
	in = st_str(p + 32, n - 32);
	if (!varint_string(&in, &version))
		goto out;
	st_text__clean(out->go_version, sizeof(out->go_version), st_text__until(version, ' '));
	/* The module text lies between two marks of 16 bytes. */
	if (varint_string(&in, &mod) && mod.len >= 33)
		st_version__go_modinfo(st_str(mod.p + 16, mod.len - 32), out);
out:
	free(p);
}

static void comment(const struct elf *e, const struct section *s, struct st_elf_info *out)
{
	char text[COMMENT_MAX];
	size_t n = s->size < sizeof(text) ? s->size : sizeof(text);

	if (n && !st_files__pread(e->fd, text, n, s->off) && memmem(text, n, "rustc version", 13) &&
	    !out->language)
		out->language = "rust";
}

int st_version__elf(int fd, struct st_elf_info *out)
{
	struct elf e = {.fd = fd};
	struct section s;
	int err;

	memset(out, 0, sizeof(*out));
	err = read_header(&e, out);
	if (err)
		return err;
	out->has_section_info = read_table(&e) && read_names(&e);
	for (uint32_t i = 0; out->has_section_info && read_section(&e, i, &s); i++) {
		struct st_str name = section_name(&e, &s);

		if (s.type == SHT_NOBITS)
			continue;
		if (st_text__is(name, ".go.buildinfo"))
			go_buildinfo(&e, &s, out);
		else if (st_text__is(name, ".note.go.buildid"))
			out->language = "go";
		else if (st_text__is(name, ".comment"))
			comment(&e, &s, out);
	}
	free(e.table);
	free(e.names);
	return 0;
}
