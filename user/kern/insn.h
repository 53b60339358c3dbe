/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a user probe on an instruction costs, by how the kernel gets past it: it emulates a few and
 * steps over a copy of the others, which takes two traps (about 1 us on hardware, 15 us and more
 * where a hypervisor sees each of them).
 *
 * Source: Linux arch/x86/kernel/uprobes.c (uprobe_init_insn, branch_setup_xol_ops,
 * push_setup_xol_ops).
 */
#ifndef ST_KERN_INSN_H
#define ST_KERN_INSN_H

#include <stddef.h>
#include <stdint.h>

enum st_site_cost {
	ST_SITE_EMULATED = 0, /* push, jump, relative call, one-byte nop: some 0.2 to 0.5 us */
	ST_SITE_STEPPED = 1,
	ST_SITE_REFUSED = 2, /* the kernel takes no probe here */
};

/* Of the instruction that these n bytes begin with; n up to 15. Longer nops count as stepped:
 * kernels before 6.18 step over them.
 */
enum st_site_cost st_insn__cost(const uint8_t *code, size_t n);

const char *st_site_cost__name(enum st_site_cost cost);

#endif
