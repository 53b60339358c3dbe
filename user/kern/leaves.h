/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Cheap places that tell that a function is being left. A return instruction is stepped over
 * (1 us on hardware, 15 us and more on virtual machines); the jumps behind a function's last call
 * are emulated, and a conditional one tells by the processor's flags which way it goes. Each way
 * from there on leads to a return without another call, so a hit is as good as the return's.
 */
#ifndef ST_KERN_LEAVES_H
#define ST_KERN_LEAVES_H

#include <stdbool.h>
#include <stdint.h>

#include "kern/insn.h"

struct st_elf;

#define ST_COND_ALWAYS 16

struct st_leave {
	uint64_t addr;
	uint64_t off; /* in the file */
	enum st_site_cost cost;
	uint8_t cond;  /* condition code (bpf/leave.h) under which it counts, or ST_COND_ALWAYS */
	uint8_t value; /* the register that holds what will be returned, ST_REG_* (kern/code.h) */
	bool shared;   /* of a function that is tail called: it returns to others as well */
};

#define ST_LEAVES_MAX 64

struct st_leaves {
	struct st_leave v[ST_LEAVES_MAX];
	uint32_t cnt;
	uint32_t stepped_cnt; /* of them, not cheap: seldom more than those after an error */
	char why[96];	      /* of a refusal */
};

/*
 * Each way out of the function at addr hits one of them, once. Of a function that is tail called
 * its own are taken. early: the place may be the last call, if it is to a known function and the
 * value lies ready in a register that a call keeps; for functions whose value matters (a new object's
 * address), not the moment. -errno with `why`: then the returns (kern/retsites.h) are left.
 */
int st_leaves__find(struct st_elf *e, uint64_t addr, bool early, struct st_leaves *out);

#endif
