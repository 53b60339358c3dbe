/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What user probes need of an ELF file: where a symbol lies, which file offset an address has, and
 * what stands at an address, a pointer included that the dynamic loader will only fill in. From
 * the file alone, never from a process's memory. The file belongs to the traced side: every offset
 * is checked, every size capped, and nothing is mapped, so that a file that shrinks harms nobody.
 *
 * Sources: System V ABI, chapters 4 and 5, its x86-64 supplement and AAELF64 (relocations).
 */
#ifndef ST_KERN_ELFSYM_H
#define ST_KERN_ELFSYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct st_elf;

struct st_sym {
	uint64_t addr; /* as the file has it, before it is loaded somewhere */
	uint64_t size; /* 0: not known */
	uint64_t off;  /* in the file: what a user probe takes */
	uint8_t type;  /* STT_* */
};

struct st_section {
	uint64_t addr;
	uint64_t off;
	uint64_t size;
	bool no_bits; /* takes no room in the file */
};

/*
 * Opens by any path, also /proc/PID/root/... or /proc/PID/map_files/...; 64 bit, little endian.
 * -ENOEXEC: no such file; else -errno. Owned by the caller: end with st_elf__close.
 */
int st_elf__open(const char *path, struct st_elf **out);
void st_elf__close(struct st_elf *e);

uint16_t st_elf__machine(const struct st_elf *e); /* EM_* */
/* Address of the program's first instruction. */
uint64_t st_elf__entry(const struct st_elf *e);
/* Which file it is: two paths to one file have the same. */
void st_elf__id(const struct st_elf *e, dev_t *dev, ino_t *ino);

/*
 * A defined function or object: from .dynsym, else from .symtab. -ENOENT; -ENOTUNIQ when there are
 * several local ones of the name at different addresses.
 */
int st_elf__symbol(struct st_elf *e, const char *name, struct st_sym *out);
/* The function symbol at this very address, the one with a size first. -ENOENT. */
int st_elf__symbol_at(struct st_elf *e, uint64_t addr, struct st_sym *out);
/* Where the next function symbol above addr begins; -ENOENT. */
int st_elf__symbol_above(struct st_elf *e, uint64_t addr, uint64_t *out);

/* By name, such as ".data". -ENOENT. */
int st_elf__section(struct st_elf *e, const char *name, struct st_section *out);
/* The end of the section that addr lies in. -ENOENT. */
int st_elf__section_end(struct st_elf *e, uint64_t addr, uint64_t *end);
/* Address of .eh_frame_hdr, by the program headers. -ENOENT. */
int st_elf__eh_frame_hdr(const struct st_elf *e, uint64_t *addr);

/* File offset of an address that is loaded from the file. -ERANGE. */
int st_elf__offset(const struct st_elf *e, uint64_t addr, uint64_t *off);
/* Does addr lie in what is loaded executable? */
bool st_elf__is_code(const struct st_elf *e, uint64_t addr);
/* All n bytes, or -ERANGE or -errno. */
int st_elf__read(const struct st_elf *e, uint64_t addr, void *buf, size_t n);
/* A string with its NUL into sz bytes; -ENAMETOOLONG when it does not fit. */
int st_elf__string(const struct st_elf *e, uint64_t addr, char *buf, size_t sz);

/* The pointer at addr as it will be after loading; 0 when it is another file's symbol. */
int st_elf__pointer(struct st_elf *e, uint64_t addr, uint64_t *out);
/*
 * A section (at most 64 MiB) as pointers, as they will be after loading. The caller frees *words.
 */
int st_elf__words(struct st_elf *e, const struct st_section *s, uint64_t **words, size_t *cnt);

#endif
