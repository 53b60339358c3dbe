/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/gosym.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kern/elfsym.h"

#define TABLE_MAX   (512u << 20)
#define FNS_MAX	    (8u << 20)
#define MAGIC_116   0xfffffffau
#define MAGIC_118   0xfffffff0u
#define MAGIC_120   0xfffffff1u
#define MODULE_TEXT 176u /* offset of text in runtime.moduledata, 1.18 and later */

struct st_go {
	struct st_elf *elf;
	uint8_t *p; /* the table and what follows in its section */
	uint64_t size, addr;
	bool wide; /* before 1.18: addresses of 8 bytes, not offsets of 4 */
	uint64_t text;
	uint32_t cnt;
	uint64_t names, deltas, fns; /* offsets in the table */
	char version[40];
	int minor;
};

static uint64_t word(const struct st_go *g, uint64_t off)
{
	uint64_t v = 0;

	if (off < g->size && g->size - off >= 8)
		memcpy(&v, g->p + off, 8);
	return v;
}

static uint32_t half(const struct st_go *g, uint64_t off)
{
	uint32_t v = 0;

	if (off < g->size && g->size - off >= 4)
		memcpy(&v, g->p + off, 4);
	return v;
}

/* ---- the table's place and head ---- */

static bool is_head(const uint8_t *p)
{
	uint32_t magic;

	memcpy(&magic, p, 4);
	/* Two zeros, instructions of any length, pointers of 8 bytes. */
	return (magic == MAGIC_116 || magic == MAGIC_118 || magic == MAGIC_120) &&
	       !memcmp(p + 4, "\0\0\1\10", 4);
}

static int read_section(struct st_go *g, const struct st_section *s)
{
	if (s->no_bits || s->size < 128 || s->size > TABLE_MAX)
		return -ENOENT;
	free(g->p);
	g->p = malloc(s->size);
	g->size = s->size;
	g->addr = s->addr;
	return g->p ? st_elf__read(g->elf, s->addr, g->p, s->size) : -ENOMEM;
}

static int read_head(struct st_go *g)
{
	uint32_t magic;
	uint64_t at;

	memcpy(&magic, g->p, 4);
	g->wide = magic == MAGIC_116;
	at = g->wide ? 24 : 32;
	if (word(g, 8) > FNS_MAX || !word(g, 8))
		return -EINVAL;
	g->cnt = (uint32_t)word(g, 8);
	g->names = word(g, at);
	g->deltas = word(g, at + 24);
	g->fns = word(g, at + 32);
	if (g->names >= g->size || g->deltas >= g->size || g->fns >= g->size ||
	    (g->size - g->fns) / (g->wide ? 16 : 8) < g->cnt)
		return -EINVAL;
	return 0;
}

/* A linker that knows no Go puts the table among other data: it is aligned to 32 bytes there. */
static int search(struct st_go *g, const struct st_section *s)
{
	int err = read_section(g, s);
	uint64_t size = g->size;
	uint8_t *all = g->p;

	for (uint64_t at = 0; !err && at + 128 <= size; at += 8) {
		if (!is_head(all + at))
			continue;
		g->p = all + at;
		g->size = size - at;
		if (read_head(g))
			continue;
		g->addr = s->addr + at;
		memmove(all, all + at, size - at);
		g->p = all;
		return 0;
	}
	g->p = all;
	return err ? err : -ENOENT;
}

static int find_table(struct st_go *g)
{
	static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	struct st_section s;
	int err;

	for (int i = 0; i < 2; i++) {
		if (st_elf__section(g->elf, names[i], &s))
			continue;
		err = read_section(g, &s);
		if (!err)
			err = is_head(g->p) ? read_head(g) : -ENOTSUP;
		return err;
	}
	/* Not worth a search in programs of other languages. */
	if (st_elf__section(g->elf, ".go.buildinfo", &s) ||
	    st_elf__section(g->elf, ".data.rel.ro", &s))
		return -ENOENT;
	return search(g, &s);
}

/* ---- functions ---- */

/* Of row i; the row behind the last one has the end of the code. */
static uint64_t row_addr(const struct st_go *g, uint64_t i)
{
	uint64_t v = 0;

	if (!g->wide)
		return g->text + half(g, g->fns + 8 * i);
	/* The loader moves these when the program is position independent. */
	st_elf__pointer(g->elf, g->addr + g->fns + 16 * i, &v);
	return v;
}

/* Offset of row i's struct _func in the table; its first field is the entry. */
static uint64_t row_fn(const struct st_go *g, uint64_t i)
{
	return g->fns + (g->wide ? word(g, g->fns + 16 * i + 8) : half(g, g->fns + 8 * i + 4));
}

static const char *fn_name(const struct st_go *g, uint64_t fn)
{
	uint64_t at = g->names + half(g, fn + (g->wide ? 8 : 4));

	if (at >= g->size || !memchr(g->p + at, '\0', g->size - at))
		return "";
	return (const char *)g->p + at;
}

int st_go__at(const struct st_go *g, uint32_t i, struct st_go_fn *out, const char **name)
{
	uint64_t fn;

	if (i >= g->cnt)
		return -ENOENT;
	fn = row_fn(g, i);
	*out = (struct st_go_fn){.addr = row_addr(g, i), .pcsp = half(g, fn + (g->wide ? 20 : 16))};
	out->size = row_addr(g, i + 1ull) - out->addr;
	*name = fn_name(g, fn);
	return st_elf__offset(g->elf, out->addr, &out->off);
}

int st_go__find(const struct st_go *g, const char *name, struct st_go_fn *out)
{
	uint32_t found = UINT32_MAX;
	const char *its;

	for (uint32_t i = 0; i < g->cnt; i++) {
		if (strcmp(fn_name(g, row_fn(g, i)), name))
			continue;
		if (found != UINT32_MAX)
			return -ENOTUNIQ;
		found = i;
	}
	return found == UINT32_MAX ? -ENOENT : st_go__at(g, found, out, &its);
}

static uint32_t varint(const struct st_go *g, uint64_t *at)
{
	uint32_t v = 0, shift = 0;

	while (*at < g->size && shift < 32) {
		uint8_t b = g->p[(*at)++];

		v |= (uint32_t)(b & 0x7f) << shift;
		shift += 7;
		if (!(b & 0x80))
			break;
	}
	return v;
}

int st_go__stack_delta(const struct st_go *g, const struct st_go_fn *fn, uint64_t pc, int32_t *out)
{
	uint64_t at = g->deltas + fn->pcsp, upto = fn->addr;
	int32_t value = -1;

	if (!fn->pcsp || pc < fn->addr || pc >= fn->addr + fn->size)
		return -EINVAL;
	for (bool first = true; at < g->size; first = false) {
		uint32_t v = varint(g, &at);

		if (!v && !first)
			break;
		value += v & 1 ? (int32_t)~(v >> 1) : (int32_t)(v >> 1);
		upto += varint(g, &at);
		if (pc < upto) {
			*out = value;
			return 0;
		}
	}
	return -EINVAL;
}

/* ---- where the code begins ---- */

/* The entry point of the program is a function of the table; of C's start code when C linked it. */
static bool fits_entry(struct st_go *g, uint64_t text)
{
	struct st_go_fn fn;

	g->text = text;
	return !st_go__find(g, "_rt0_amd64_linux", &fn) && fn.addr == st_elf__entry(g->elf);
}

static int find_text(struct st_go *g)
{
	struct st_section s;
	struct st_sym sym;
	uint64_t head;

	if (g->wide)
		return 0;
	/* In the head until 1.25; then in moduledata, which has a section of its own. */
	if (!st_elf__pointer(g->elf, g->addr + 24, &g->text) && g->text)
		return 0;
	if (!st_elf__section(g->elf, ".go.module", &s) && !st_elf__pointer(g->elf, s.addr, &head) &&
	    head == g->addr && !st_elf__pointer(g->elf, s.addr + MODULE_TEXT, &g->text) && g->text)
		return 0;
	if (!st_elf__symbol(g->elf, "runtime.text", &sym)) {
		g->text = sym.addr;
		return 0;
	}
	return !st_elf__section(g->elf, ".text", &s) && fits_entry(g, s.addr) ? 0 : -ENOTSUP;
}

/* ---- version ---- */

/* From 1.18 on the text stands behind a head of 32 bytes, else pointers to Go strings. */
static int version_text(const struct st_go *g, const struct st_section *s, char *buf, size_t sz)
{
	uint8_t head[34];
	uint64_t str, p, len;
	int err = st_elf__read(g->elf, s->addr, head, sizeof(head));

	memset(buf, 0, sz);
	if (err && st_elf__read(g->elf, s->addr, head, 32))
		return err;
	if (memcmp(head, "\xff Go buildinf:", 14))
		return -ENOENT;
	if (head[15] & 2) {
		len = head[32];
		p = s->addr + 33;
		/* 128 bytes and more take a longer number: no version that is known. */
		if (err || len & 0x80)
			return -ENOENT;
	} else if (st_elf__pointer(g->elf, s->addr + 16, &str) ||
		   st_elf__pointer(g->elf, str, &p) ||
		   st_elf__read(g->elf, str + 8, &len, sizeof(len))) {
		return -ENOENT;
	}
	return st_elf__read(g->elf, p, buf, len < sz - 1 ? len : sz - 1);
}

static void read_version(struct st_go *g)
{
	struct st_section s;
	const char *number;

	if (st_elf__section(g->elf, ".go.buildinfo", &s) ||
	    version_text(g, &s, g->version, sizeof(g->version)))
		g->version[0] = '\0';
	for (char *c = g->version; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	/* "devel go1.27-8c3b2f" too. */
	number = strstr(g->version, "go1.");
	if (number)
		g->minor = atoi(number + 4);
}

/* ---- */

int st_go__new(struct st_elf *e, struct st_go **out, char *why, size_t why_sz)
{
	struct st_go *g = calloc(1, sizeof(*g));
	int err;

	*out = NULL;
	*why = '\0';
	if (!g)
		return -ENOMEM;
	g->elf = e;
	err = st_elf__machine(e) == EM_X86_64 ? find_table(g) : -ENOTSUP;
	if (err) {
		snprintf(why, why_sz, "%s",
			 err == -ENOENT	   ? "it has no Go function table"
			 : err == -ENOTSUP ? "its Go function table has an unknown form"
					   : strerror(-err));
		goto fail;
	}
	read_version(g);
	err = find_text(g);
	if (err) {
		snprintf(why, why_sz, "nothing says where its Go code begins");
		goto fail;
	}
	*out = g;
	return 0;
fail:
	st_go__free(g);
	return err;
}

void st_go__free(struct st_go *g)
{
	if (!g)
		return;
	free(g->p);
	free(g);
}

const char *st_go__version(const struct st_go *g)
{
	return g->version;
}

int st_go__minor(const struct st_go *g)
{
	return g->minor;
}

uint32_t st_go__fn_cnt(const struct st_go *g)
{
	return g->cnt;
}

struct st_elf *st_go__elf(const struct st_go *g)
{
	return g->elf;
}
