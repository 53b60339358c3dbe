/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The CPythons of this machine: those that pyenv built (shared libraries, with symbols) and the
 * distribution's (one program, stripped).
 */
#ifndef ST_TESTS_PYTHONS_H
#define ST_TESTS_PYTHONS_H

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PYTHONS_MAX 24

struct python {
	char program[160];
	char core[160];	 /* the file that holds the interpreter */
	char queue[160]; /* the module _queue, "" when it is in core */
	int minor;	 /* of 3.x */
};

static inline int python_first(const char *pattern, char *out, size_t sz)
{
	glob_t g;
	int found = !glob(pattern, 0, NULL, &g) && g.gl_pathc;

	snprintf(out, sz, "%s", found ? g.gl_pathv[0] : "");
	globfree(&g);
	return found;
}

/* dir: where bin and lib lie. */
static inline int python_at(const char *dir, int minor, struct python *p)
{
	char pattern[256];

	p->minor = minor;
	snprintf(p->program, sizeof(p->program), "%.100s/bin/python3.%d", dir, minor);
	if (access(p->program, X_OK))
		return 0;
	snprintf(pattern, sizeof(pattern), "%.100s/lib/libpython3.%d*.so.1.0", dir, minor);
	if (!python_first(pattern, p->core, sizeof(p->core)))
		snprintf(p->core, sizeof(p->core), "%s", p->program);
	snprintf(pattern, sizeof(pattern), "%.100s/lib/python3.%d/lib-dynload/_queue.*.so", dir,
		 minor);
	python_first(pattern, p->queue, sizeof(p->queue));
	return 1;
}

/* 3.7 and later: older ones have no contexts. */
static inline int pythons_find(struct python *out)
{
	const char *home = getenv("HOME");
	char pattern[256];
	glob_t g = {0};
	int n = 0, minor;

	for (minor = 7; minor < 20; minor++)
		n += python_at("/usr", minor, &out[n]);
	snprintf(pattern, sizeof(pattern), "%.200s/.pyenv/versions/3.*", home ? home : "");
	glob(pattern, 0, NULL, &g);
	for (size_t i = 0; i < g.gl_pathc && n < PYTHONS_MAX; i++) {
		const char *version = strrchr(g.gl_pathv[i], '/');

		if (sscanf(version, "/3.%d", &minor) == 1 && minor >= 7)
			n += python_at(g.gl_pathv[i], minor, &out[n]);
	}
	globfree(&g);
	return n;
}

#endif
