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

/* What follows "pid (comm) " in /proc/PID/stat: the name may hold anything, so the last ) counts. */
static const char *stat_fields(uint32_t pid, char *buf, size_t sz)
{
	char path[64], *p;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	if (read_file(path, buf, sz) <= 0)
		return NULL;
	p = strrchr(buf, ')');
	return p && p[1] ? p + 2 : NULL;
}

int st_procs__parent(uint32_t pid)
{
	char buf[1024];
	const char *p = stat_fields(pid, buf, sizeof(buf));

	return p && *p && p[1] ? atoi(p + 2) : -ESRCH;
}

int st_procs__tgid(uint32_t tid)
{
	return status_value(tid, "\nTgid:");
}

bool st_procs__alive(uint32_t pid)
{
	char buf[1024];
	const char *p = stat_fields(pid, buf, sizeof(buf));

	return p && *p && *p != 'Z' && *p != 'X';
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

struct relative {
	uint32_t pid, parent;
	enum { NOT_KNOWN, IN, OUT } family;
};

struct relatives {
	struct relative *p;
	size_t cnt, cap;
};

static void collect(void *ctx, uint32_t pid, uint32_t parent)
{
	struct relatives *all = ctx;

	if (all->cnt == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 256;
		void *p = realloc(all->p, cap * sizeof(*all->p));

		if (!p)
			return;
		all->p = p;
		all->cap = cap;
	}
	all->p[all->cnt++] = (struct relative){pid, parent, NOT_KNOWN};
}

static int by_pid(const void *a, const void *b)
{
	uint32_t x = ((const struct relative *)a)->pid, y = ((const struct relative *)b)->pid;

	return (x > y) - (x < y);
}

static struct relative *find(const struct relatives *all, uint32_t pid)
{
	struct relative key = {.pid = pid};

	return all->cnt ? bsearch(&key, all->p, all->cnt, sizeof(key), by_pid) : NULL;
}

/*
 * Goes up until somebody's family is known, then settles it for all on the way. Numbers that were
 * used again while they were read could make a circle: the steps are bounded.
 */
static void settle(const struct relatives *all, struct relative *r)
{
	struct relative *top = r;
	int family = OUT;

	for (size_t steps = 0; top && steps < all->cnt; steps++) {
		if (top->family != NOT_KNOWN) {
			family = top->family;
			break;
		}
		top = find(all, top->parent);
	}
	for (; r && r->family == NOT_KNOWN; r = find(all, r->parent))
		r->family = family;
}

int st_procs__families(st_proc_is is_root, st_proc_fn fn, void *ctx)
{
	struct relatives all = {0};
	int err = st_procs__each(collect, &all), cnt = 0;

	if (all.cnt)
		qsort(all.p, all.cnt, sizeof(*all.p), by_pid);
	for (size_t i = 0; !err && i < all.cnt; i++) {
		if (!is_root(ctx, all.p[i].pid))
			continue;
		all.p[i].family = IN;
		fn(ctx, all.p[i].pid, all.p[i].parent);
	}
	for (size_t i = 0; !err && i < all.cnt; i++) {
		bool root = all.p[i].family == IN;

		settle(&all, &all.p[i]);
		if (!root && all.p[i].family == IN)
			fn(ctx, all.p[i].pid, all.p[i].parent);
		cnt += all.p[i].family == IN;
	}
	free(all.p);
	return err ? err : cnt;
}

struct one {
	uint32_t pid;
	st_proc_fn fn;
	void *ctx;
};

static bool is_one(void *ctx, uint32_t pid)
{
	return ((struct one *)ctx)->pid == pid;
}

static void pass_on(void *ctx, uint32_t pid, uint32_t parent)
{
	struct one *o = ctx;

	o->fn(o->ctx, pid, parent);
}

int st_procs__family(uint32_t pid, st_proc_fn fn, void *ctx)
{
	struct one o = {pid, fn, ctx};
	int cnt = st_procs__families(is_one, pass_on, &o);

	return cnt ? cnt : -ESRCH;
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
