/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a probe on a way out of a function (user/kern/leaves.h) needs to know. x86-64. */
#ifndef ST_BPF_LEAVE_H
#define ST_BPF_LEAVE_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define ST_FLAG_CF (1ull << 0)
#define ST_FLAG_PF (1ull << 2)
#define ST_FLAG_ZF (1ull << 6)
#define ST_FLAG_SF (1ull << 7)
#define ST_FLAG_OF (1ull << 11)

/*
 * Whether a condition code of the processor's (0 to 15, Intel SDM 1, appendix B) holds; each odd
 * one is the opposite of the even one before it. 16 always does.
 */
static __always_inline bool st_cond_holds(__u64 flags, __u32 cond)
{
	bool less = !(flags & ST_FLAG_SF) != !(flags & ST_FLAG_OF), yes = false;

	switch (cond >> 1) {
	case 0:
		yes = flags & ST_FLAG_OF;
		break;
	case 1:
		yes = flags & ST_FLAG_CF;
		break;
	case 2:
		yes = flags & ST_FLAG_ZF;
		break;
	case 3:
		yes = flags & (ST_FLAG_CF | ST_FLAG_ZF);
		break;
	case 4:
		yes = flags & ST_FLAG_SF;
		break;
	case 5:
		yes = flags & ST_FLAG_PF;
		break;
	case 6:
		yes = less;
		break;
	case 7:
		yes = less || flags & ST_FLAG_ZF;
		break;
	default:
		return true;
	}
	return yes != (cond & 1);
}

/* A register by the processor's number; 0 for 16 (nothing is returned) and above. */
static __always_inline __u64 st_reg_value(const struct pt_regs *r, __u32 number)
{
	/* The verifier takes no variable offset into the context, but one into the stack. */
	__u64 v[16] = {r->ax, r->cx, r->dx,  r->bx,  r->sp,  r->bp,  r->si,  r->di,
		       r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15};

	return number < 16 ? v[number & 15] : 0;
}

#endif
