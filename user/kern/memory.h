/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the tracer itself keeps resident. */
#ifndef ST_KERN_MEMORY_H
#define ST_KERN_MEMORY_H

/*
 * Gives back what only the start needed: the heap's free pages, and the pages of program and
 * libraries (the BPF objects within the program, libraries' initialisation), of which those still
 * in use come back from the page cache. Only mappings of files without a page of their own are
 * dropped: relocations and breakpoints stay. Costs about a millisecond. Errors leave all as it is.
 */
void st_memory__shed(void);

#endif
