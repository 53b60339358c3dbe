/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/memory.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* A mapping as /proc/self/smaps shows it. */
struct mapping {
	unsigned long from, to;
	bool clean_file; /* private, not writable, of a file */
};

static bool read_head(const char *line, struct mapping *m)
{
	unsigned long from, to, inode;
	char perms[8];

	if (sscanf(line, "%lx-%lx %7s %*x %*x:%*x %lu", &from, &to, perms, &inode) != 4)
		return false;
	*m = (struct mapping){from, to, inode && perms[1] == '-' && perms[3] == 'p'};
	return true;
}

/* Anonymous: pages that were written to and are the process's own since. */
static void shed_mapping(const struct mapping *m, const char *line)
{
	unsigned long own_kb;

	if (m->clean_file && sscanf(line, "Anonymous: %lu kB", &own_kb) == 1 && !own_kb)
		madvise((void *)m->from, m->to - m->from, MADV_DONTNEED);
}

void st_memory__shed(void)
{
	struct mapping m = {0};
	char line[512];
	bool begins = true;
	FILE *f = fopen("/proc/self/smaps", "re");

	while (f && fgets(line, sizeof(line), f)) {
		/* The rest of a long line is none of its own. */
		if (begins && !read_head(line, &m))
			shed_mapping(&m, line);
		begins = strchr(line, '\n');
	}
	if (f)
		fclose(f);
	malloc_trim(0);
}
