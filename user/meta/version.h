/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What files say of the program that they hold: Go's build info and the compiler's mark in an ELF
 * file, a jar's manifest. Readers of files that the traced process chose: every offset and length
 * is checked, every size capped.
 */
#ifndef ST_META_VERSION_H
#define ST_META_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spantap/bytes.h"

struct st_elf_info {
	bool is_elf;
	bool is_32bit;
	uint16_t machine;      /* e_machine, EM_* */
	const char *language;  /* "go", "rust" or NULL */
	char go_version[33];   /* "go1.22.1" */
	char module[129];      /* Go: path of the main package */
	char version[65];      /* Go: the main module's version, or the revision */
	bool has_section_info; /* section headers could be read */
};

/* Reads an open ELF file. 0, -ENOEXEC when it is none, -errno. */
int st_version__elf(int fd, struct st_elf_info *out);

/* Go's module text ("path\t...\nmod\t..."): fills module and version. Pure. */
void st_version__go_modinfo(struct st_str text, struct st_elf_info *out);

struct st_jar_info {
	char version[65]; /* Implementation-Version, else Bundle-Version */
	char title[129];  /* Implementation-Title */
};

/* Reads an open jar's META-INF/MANIFEST.MF. 0, -ENOENT (no manifest), -EINVAL (no zip), -errno. */
int st_version__jar(int fd, struct st_jar_info *out);

/* A manifest's main section. Pure. */
void st_version__manifest(struct st_str text, struct st_jar_info *out);

#endif
