/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int read_file(const char *path, char *buf, size_t sz)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sz - 1);
	err = n < 0 ? -errno : (int)n;
	close(fd);
	if (n >= 0)
		buf[n] = 0;
	return err;
}

/* A number of /proc/PID/status. */
static int status_value(uint32_t pid, const char *name)
{
	char path[64], buf[4096], *p;
	int n;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	n = read_file(path, buf, sizeof(buf));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : n;
	p = strstr(buf, name);
	return p ? atoi(p + strlen(name)) : -ESRCH;
}

int st_procs__parent(uint32_t pid)
{
	return status_value(pid, "\nPPid:");
}

int st_procs__tgid(uint32_t tid)
{
	return status_value(tid, "\nTgid:");
}

bool st_procs__alive(uint32_t pid)
{
	char path[64], buf[1024], *p;
	int n;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	n = read_file(path, buf, sizeof(buf));
	if (n <= 0)
		return false;
	/* "pid (comm) S": the name may hold anything, so the last parenthesis counts. */
	p = strrchr(buf, ')');
	return p && p[1] && p[2] != 'Z' && p[2] != 'X';
}

int st_procs__comm(uint32_t pid, char *buf, size_t sz)
{
	char path[64];
	int n;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	n = read_file(path, buf, sz);
	if (n < 0)
		return n;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

int st_procs__exe(uint32_t pid, char *buf, size_t sz)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, buf, sz - 1);
	if (n < 0)
		return -errno;
	buf[n] = 0;
	return 0;
}

int st_procs__each(st_proc_fn fn, void *ctx)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		char *end;
		unsigned long pid = strtoul(e->d_name, &end, 10);
		int parent;

		if (!pid || *end)
			continue;
		parent = st_procs__parent((uint32_t)pid);
		fn(ctx, (uint32_t)pid, parent > 0 ? (uint32_t)parent : 0);
	}
	closedir(d);
	return 0;
}

struct pairs {
	struct {
		uint32_t pid, parent;
		bool in;
	} *p;
	size_t cnt, cap;
};

static void collect(void *ctx, uint32_t pid, uint32_t parent)
{
	struct pairs *all = ctx;

	if (all->cnt == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 256;
		void *p = realloc(all->p, cap * sizeof(*all->p));

		if (!p)
			return;
		all->p = p;
		all->cap = cap;
	}
	all->p[all->cnt].pid = pid;
	all->p[all->cnt].parent = parent;
	all->p[all->cnt++].in = false;
}

/* Marks the children of marked ones until nothing changes. */
static bool spread(struct pairs *all)
{
	bool changed = false;

	for (size_t i = 0; i < all->cnt; i++) {
		for (size_t k = 0; !all->p[i].in && k < all->cnt; k++) {
			if (!all->p[k].in || all->p[k].pid != all->p[i].parent)
				continue;
			all->p[i].in = true;
			changed = true;
		}
	}
	return changed;
}

int st_procs__family(uint32_t pid, st_proc_fn fn, void *ctx)
{
	struct pairs all = {0};
	int err = st_procs__each(collect, &all), cnt = 0;
	bool found = false;

	for (size_t i = 0; i < all.cnt; i++) {
		all.p[i].in = all.p[i].pid == pid;
		found |= all.p[i].in;
	}
	if (!err && !found)
		err = -ESRCH;
	while (!err && spread(&all))
		;
	for (size_t i = 0; !err && i < all.cnt; i++) {
		if (!all.p[i].in)
			continue;
		fn(ctx, all.p[i].pid, all.p[i].parent);
		cnt++;
	}
	free(all.p);
	return err ? err : cnt;
}

uint64_t st_self__cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

/* Resident bytes; *shared gets those of file and shared mappings (the rings and maps among them). */
uint64_t st_self__resident(uint64_t *shared)
{
	unsigned long size, rss = 0, shr = 0;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	char buf[256];

	if (read_file("/proc/self/statm", buf, sizeof(buf)) > 0 &&
	    sscanf(buf, "%lu %lu %lu", &size, &rss, &shr) != 3)
		rss = shr = 0;
	*shared = shr * page;
	return rss * page;
}
