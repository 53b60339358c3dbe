/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a C function is left: its return instructions and its tail calls, so that probes there do
 * what a return probe would, without touching the stack. A return probe on a function that an
 * exception, a longjmp or a switched stack leaves kills the process; these are only not hit then.
 */
#ifndef ST_KERN_RETSITES_H
#define ST_KERN_RETSITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/insn.h"

struct st_elf;

enum st_exit_kind {
	ST_EXIT_RET = 0,
	ST_EXIT_TAIL = 1,    /* jumps to another function, which returns in its place */
	ST_EXIT_TAIL_IF = 2, /* jumps there or goes on: a probe here does not tell which */
};

struct st_exit {
	uint64_t addr;
	uint64_t off;	 /* in the file */
	uint64_t target; /* of a tail call; 0: not known */
	enum st_exit_kind kind;
	enum st_site_cost cost;
	bool shared; /* of a function that is tail called: it returns to others as well */
};

#define ST_EXITS_MAX 64

struct st_retsites {
	struct st_exit v[ST_EXITS_MAX];
	uint32_t cnt;
	uint32_t ret_cnt; /* of them, returns */
	/*
	 * Where to probe the entry: its first instruction, or the one behind endbr64 when that is
	 * cheaper. Registers and stack are the same there.
	 */
	uint64_t entry_off;
	enum st_site_cost entry_cost;
	uint64_t size; /* bytes of all parts */
	uint32_t insn_cnt;
	char why[96]; /* of a refusal */
};

/* addr: the function's first byte. 0, or -errno with `why` filled in. */
int st_retsites__find(struct st_elf *e, uint64_t addr, struct st_retsites *out);

/*
 * The same with each tail call replaced by the exits of the function called, so that only returns
 * are left; -ENOENT when one leads to an unknown place or into another file. Where a compiler turned
 * `return make(x);` into a jump, this is where the value can be seen.
 */
int st_retsites__follow(struct st_elf *e, uint64_t addr, struct st_retsites *out);

#endif
