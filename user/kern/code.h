/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A function's instructions, decoded from its start to its end, the part included that a compiler
 * laid elsewhere (foo.cold). Bytes are never searched: what does not decode whole, or whose jumps
 * do not meet instructions, is refused with the reason. x86-64, by libcapstone.
 */
#ifndef ST_KERN_CODE_H
#define ST_KERN_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct st_elf;

enum st_insn_kind {
	ST_INSN_PLAIN = 0,
	ST_INSN_NOP,
	ST_INSN_CALL,	 /* target: 0 when it is not in the instruction */
	ST_INSN_JUMP,	 /* to target, inside */
	ST_INSN_BRANCH,	 /* to target, inside, or on */
	ST_INSN_SWITCH,	 /* by a table, to places inside */
	ST_INSN_TAIL,	 /* leaves for another function; target 0: not known */
	ST_INSN_TAIL_IF, /* the same, or goes on */
	ST_INSN_RET,
	ST_INSN_TRAP, /* nothing follows */
};

/* Registers by the processor's numbers: rax 0, rcx 1, rdx 2, rbx 3, rsp 4, rbp 5, rsi 6, rdi 7, r8... */
#define ST_REG_CNT  16
#define ST_REG_ZERO 16 /* no register: 0 */
#define ST_REG_NONE 17 /* not known */

struct st_insn {
	uint64_t addr;
	uint64_t target;
	int32_t disp;	 /* of its memory operand by a register other than rsp and rip, else -1 */
	uint16_t writes; /* registers that it changes, a bit each */
	uint8_t from; /* it only copies this one, or 0, into the one it writes; else ST_REG_NONE */
	uint8_t bytes[15];
	uint8_t size;
	uint8_t kind; /* enum st_insn_kind */
};

struct st_part {
	uint64_t start, end;
};

#define ST_PARTS_MAX 4

struct st_code {
	struct st_insn *v;
	size_t cnt;
	struct st_part part[ST_PARTS_MAX]; /* the first one has the entry */
	size_t from[ST_PARTS_MAX];	   /* index of each part's first instruction */
	int part_cnt;
};

/* Where the function at addr ends: unwind table, symbol, else the next symbol. -ENOENT. */
int st_code__range(struct st_elf *e, uint64_t addr, struct st_part *out);

/* 0, or -errno and why in words. End with st_code__free, after a failure too. */
int st_code__read(struct st_elf *e, uint64_t addr, struct st_code *out, char *why, size_t why_sz);
/* The same of one stretch whose end the caller knows; there are no other parts then. */
int st_code__read_part(struct st_elf *e, const struct st_part *part, struct st_code *out, char *why,
		       size_t why_sz);
void st_code__free(struct st_code *c);

/* Index of the instruction at addr, or -1. */
long st_code__index(const struct st_code *c, uint64_t addr);

#endif
