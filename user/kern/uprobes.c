/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/uprobes.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kern/uprobe_multi.h"

#define SITES_MAX 65536u
#define ENOTSUPP  524 /* the kernel's own: an instruction that it does not probe */
#define HANDLE_SZ 128
#define HANDLE_ID 0x200 /* AT_HANDLE_FID: to compare only, so every file system has it (6.5) */

struct file {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	uint32_t handle_sz; /* 0: none */
	uint8_t handle[HANDLE_SZ];
};

/* One program on one file. */
struct attached {
	const struct bpf_program *prog;
	struct file file;
	int pid;
	int multi; /* the link's descriptor, or -1 */
	struct bpf_link **link;
	uint32_t cnt; /* sites */
};

struct st_uprobes {
	enum st_uprobe_way way;
	struct attached *v;
	uint32_t cnt;
};

int st_uprobes__new(enum st_uprobe_way way, struct st_uprobes **out)
{
	struct st_uprobes *u;

	*out = NULL;
	if (way != ST_UPROBE_EVENTS) {
		bool multi = st_uprobe_multi__works();

		if (!multi && way == ST_UPROBE_MULTI)
			return -ENOTSUP;
		way = multi ? ST_UPROBE_MULTI : ST_UPROBE_EVENTS;
	}
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->way = way;
	*out = u;
	return 0;
}

void st_uprobes__free(struct st_uprobes *u)
{
	if (!u)
		return;
	st_uprobes__detach(u);
	free(u->v);
	free(u);
}

enum st_uprobe_way st_uprobes__way(const struct st_uprobes *u)
{
	return u->way;
}

int st_uprobes__prepare(const struct st_uprobes *u, struct bpf_program *prog)
{
	int type = u->way == ST_UPROBE_MULTI ? ST_TRACE_UPROBE_MULTI : 0;

	return bpf_program__set_expected_attach_type(prog, (enum bpf_attach_type)type);
}

/* ---- attaching ---- */

static const char *reason(int err)
{
	switch (-err) {
	case ENOTSUPP:
		return "the kernel takes no probe on one of these instructions";
	case EOPNOTSUPP:
		return "this kernel gives programs no cookie of their site (5.15 does)";
	case ESRCH:
		return "there is no such process";
	case EMFILE:
		return "too many open files; raise the limit (ulimit -n)";
	case EPERM:
	case EACCES:
		return "not permitted; CAP_PERFMON and CAP_BPF, or CAP_SYS_ADMIN, are needed";
	}
	return strerror(-err);
}

static int by_off(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Two sites in one place would run the program twice a hit. */
static bool has_double(const struct st_uprobe_site *sites, uint32_t cnt, uint64_t *offs)
{
	for (uint32_t i = 0; i < cnt; i++)
		offs[i] = sites[i].off;
	qsort(offs, cnt, sizeof(*offs), by_off);
	for (uint32_t i = 1; i < cnt; i++)
		if (offs[i] == offs[i - 1])
			return true;
	return false;
}

static int attach_multi(struct attached *a, const char *path, const struct st_uprobe_site *sites,
			uint64_t *offs, uint64_t *cookies)
{
	for (uint32_t i = 0; i < a->cnt; i++) {
		offs[i] = sites[i].off;
		cookies[i] = sites[i].cookie;
	}
	a->multi = st_uprobe_multi__link(bpf_program__fd(a->prog), path, offs, cookies, a->cnt,
					 a->pid);
	return a->multi < 0 ? a->multi : 0;
}

static int attach_events(struct attached *a, const char *path, const struct st_uprobe_site *sites)
{
	a->link = calloc(a->cnt, sizeof(struct bpf_link *));
	if (!a->link)
		return -ENOMEM;
	for (uint32_t i = 0; i < a->cnt; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = sites[i].cookie);

		a->link[i] = bpf_program__attach_uprobe_opts(a->prog, a->pid ? a->pid : -1, path,
							     sites[i].off, &opts);
		if (!a->link[i])
			return -errno;
	}
	return 0;
}

static void undo(struct attached *a)
{
	if (a->multi >= 0)
		close(a->multi);
	for (uint32_t i = 0; a->link && i < a->cnt; i++)
		bpf_link__destroy(a->link[i]);
	free(a->link);
}

/* The same bytes at the end: a file of an overlay has those of the real one behind its own. */
static bool is_same_handle(const struct file *a, const struct file *b)
{
	uint32_t n = a->handle_sz < b->handle_sz ? a->handle_sz : b->handle_sz;

	return n && !memcmp(a->handle + a->handle_sz - n, b->handle + b->handle_sz - n, n);
}

/*
 * The kernel probes the real file below an overlay. Two containers of one image see it as two
 * devices: a probe on each would hit twice.
 */
static bool is_same_file(const struct file *a, const struct file *b)
{
	if (a->ino != b->ino)
		return false;
	return a->dev == b->dev || (a->size == b->size && a->mtime.tv_sec == b->mtime.tv_sec &&
				    a->mtime.tv_nsec == b->mtime.tv_nsec && is_same_handle(a, b));
}

static bool is_same(const struct attached *a, const struct attached *b)
{
	return a->prog == b->prog && a->pid == b->pid && is_same_file(&a->file, &b->file);
}

static int identify(const char *path, struct file *f)
{
	union {
		struct file_handle h;
		uint8_t room[sizeof(struct file_handle) + HANDLE_SZ];
	} u = {.h = {.handle_bytes = HANDLE_SZ}};
	struct stat st;
	int mount;

	if (stat(path, &st))
		return -errno;
	*f = (struct file){
		.dev = st.st_dev, .ino = st.st_ino, .size = st.st_size, .mtime = st.st_mtim};
	if (name_to_handle_at(AT_FDCWD, path, &u.h, &mount, HANDLE_ID | AT_SYMLINK_FOLLOW))
		return 0;
	f->handle_sz = u.h.handle_bytes;
	memcpy(f->handle, u.h.f_handle, f->handle_sz);
	return 0;
}

/* 1: attached already. */
static int make_room(struct st_uprobes *u, const struct attached *a)
{
	struct attached *v;

	for (uint32_t i = 0; i < u->cnt; i++)
		if (is_same(&u->v[i], a))
			return 1;
	v = realloc(u->v, (u->cnt + 1) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	u->v = v;
	return 0;
}

static int attach(struct st_uprobes *u, struct attached *a, const char *path,
		  const struct st_uprobe_site *sites)
{
	uint64_t *offs = calloc(2ul * a->cnt, sizeof(*offs));
	int err;

	if (!offs)
		return -ENOMEM;
	if (has_double(sites, a->cnt, offs))
		err = -EEXIST;
	else if (u->way == ST_UPROBE_MULTI)
		err = attach_multi(a, path, sites, offs, offs + a->cnt);
	else
		err = attach_events(a, path, sites);
	free(offs);
	if (err)
		undo(a);
	else
		u->v[u->cnt++] = *a;
	return err;
}

static int refuse(char *why, size_t why_sz, const char *path, const char *text, int err)
{
	snprintf(why, why_sz, "%s: %s", path, text);
	return err;
}

int st_uprobes__attach(struct st_uprobes *u, const struct bpf_program *prog, const char *path,
		       int pid, const struct st_uprobe_site *sites, uint32_t cnt, char *why,
		       size_t why_sz)
{
	struct attached a = {.prog = prog, .pid = pid, .multi = -1, .cnt = cnt};
	int err;

	*why = '\0';
	if (!cnt || cnt > SITES_MAX || pid < 0)
		return refuse(why, why_sz, path, "no site, or too many", -EINVAL);
	err = identify(path, &a.file);
	if (err)
		return refuse(why, why_sz, path, strerror(-err), err);
	err = make_room(u, &a);
	if (err)
		return err < 0 ? refuse(why, why_sz, path, strerror(-err), err) : 0;
	err = attach(u, &a, path, sites);
	if (err == -EEXIST)
		return refuse(why, why_sz, path, "two sites in one place", -EINVAL);
	if (err)
		return refuse(why, why_sz, path, reason(err), err == -ENOTSUPP ? -ENOTSUP : err);
	return 0;
}

/* ---- detaching ---- */

void st_uprobes__detach_pid(struct st_uprobes *u, int pid)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < u->cnt; i++) {
		if (u->v[i].pid == pid)
			undo(&u->v[i]);
		else
			u->v[kept++] = u->v[i];
	}
	u->cnt = kept;
}

void st_uprobes__detach(struct st_uprobes *u)
{
	while (u->cnt)
		undo(&u->v[--u->cnt]);
}

uint32_t st_uprobes__cnt(const struct st_uprobes *u)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < u->cnt; i++)
		n += u->v[i].cnt;
	return n;
}
