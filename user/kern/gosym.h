/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Functions of Go programs (1.16 and later, linux/amd64), stripped or not, at fixed addresses or
 * position independent: the runtime cannot do without its table of functions (pclntab), which says
 * where each begins and ends and how far the stack pointer is moved at each instruction.
 *
 * Sources: go/src/debug/gosym/pclntab.go, runtime/symtab.go (pcHeader, moduledata, _func),
 * cmd/link/internal/ld/pcln.go, debug/buildinfo/buildinfo.go; go.dev/s/go12symtab.
 */
#ifndef ST_KERN_GOSYM_H
#define ST_KERN_GOSYM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/insn.h"

struct st_elf;
struct st_go;

struct st_go_fn {
	uint64_t addr;
	uint64_t off;  /* in the file */
	uint64_t size; /* padding included */
	uint32_t pcsp; /* offset of its table of stack deltas; 0: none */
};

/*
 * Reads the table. e must stay open. -ENOENT: no Go program; -ENOTSUP and others with the reason in
 * why. End with st_go__free.
 */
int st_go__new(struct st_elf *e, struct st_go **out, char *why, size_t why_sz);
void st_go__free(struct st_go *g);

/* "go1.26.8"; "" when the program does not say it. */
const char *st_go__version(const struct st_go *g);
/* 26 of go1.26; 0: not known. */
int st_go__minor(const struct st_go *g);
uint32_t st_go__fn_cnt(const struct st_go *g);

/* By the full name, "net/http.(*persistConn).roundTrip". -ENOENT, -ENOTUNIQ. */
int st_go__find(const struct st_go *g, const char *name, struct st_go_fn *out);
/* The i-th function of the table, in the order of addresses; name is the table's. */
int st_go__at(const struct st_go *g, uint32_t i, struct st_go_fn *out, const char **name);

/* How far below its value on entry the stack pointer is at pc; -EINVAL when it is not told. */
int st_go__stack_delta(const struct st_go *g, const struct st_go_fn *fn, uint64_t pc, int32_t *out);

/* ---- probe sites (gosites.c) ---- */

#define ST_GO_RETS_MAX 64

struct st_go_sites {
	/*
	 * Behind the check that makes a goroutine's stack larger, after which the function begins
	 * anew: hit once a call. Argument registers and the stack are as on entry.
	 */
	uint64_t entry_off;
	enum st_site_cost entry_cost;
	uint64_t ret_off[ST_GO_RETS_MAX];
	enum st_site_cost ret_cost[ST_GO_RETS_MAX];
	uint32_t ret_cnt;
	char why[96]; /* of a refusal */
};

/* Decoded from the start to the end and held against the table. 0, or -errno with `why`. */
int st_go__sites(const struct st_go *g, const struct st_go_fn *fn, struct st_go_sites *out);

/* ---- where the runtime and libraries keep things (gooffsets.c) ---- */

struct st_go_offsets {
	uint16_t goid;	       /* in runtime.g */
	uint16_t parent_goid;  /* in runtime.g; 0: before 1.21 */
	uint16_t persist_conn; /* net/http.persistConn.conn, an interface: type, then data */
	uint16_t sysfd;	       /* in net.netFD: the descriptor */
	uint32_t verified;     /* 1u << enum st_go_offset */
};

enum st_go_offset {
	ST_GO_GOID = 0,
	ST_GO_PARENT_GOID = 1,
	ST_GO_PERSIST_CONN = 2,
	ST_GO_SYSFD = 3,
};

/*
 * By the program's version, then held against functions that must use them: -EINVAL when one does
 * not, -ENOTSUP when the version is not known and not all could be confirmed. Functions that
 * are not in the program leave their offset unverified: then nothing uses it either.
 */
int st_go__offsets(const struct st_go *g, struct st_go_offsets *out, char *why, size_t why_sz);

/* Seam between the three files. */
struct st_elf *st_go__elf(const struct st_go *g);

#endif
