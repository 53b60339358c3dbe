/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The unwind tables of an ELF file: where a function (or the cold part that a compiler cut off it)
 * begins and ends, and whether the stack is at some place as it was on entry. Found by the sorted
 * table of .eh_frame_hdr, a few reads for a look-up; stripping leaves both.
 *
 * Sources: Linux Standard Base Core 5.0, 10.6 (.eh_frame, .eh_frame_hdr); DWARF 5, 6.4 (call
 * frame instructions).
 */
#ifndef ST_KERN_EHFRAME_H
#define ST_KERN_EHFRAME_H

#include <stdint.h>

struct st_elf;

struct st_fde {
	uint64_t start, end; /* of the code it is for */
	uint64_t addr;	     /* of the entry itself */
};

/* The entry whose code holds addr. -ENOENT: none; -ENOTSUP: a table of another form. */
int st_ehframe__find(struct st_elf *e, uint64_t addr, struct st_fde *out);

/*
 * 1 when on reaching addr the return address is on top of the stack, as on a function's entry; 0
 * when not; -errno when the entry does not say it.
 */
int st_ehframe__as_on_entry(struct st_elf *e, const struct st_fde *fde, uint64_t addr);

#endif
