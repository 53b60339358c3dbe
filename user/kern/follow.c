/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/follow.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kern/elfsym.h"
#include "kern/procs.h"
#include "kern/runtime.h"
#include "kern/uprobes.h"
#include "lib/log.h"
#include "tasks.skel.h"

#define PROCS_MAX 4096
#define FILES_MAX 8
#define PATH_SZ	  512

/* A file that a process has probes in. */
struct file {
	dev_t dev;
	ino_t ino;
	const struct st_rt_ops *ops;
};

struct proc {
	struct proc *next;
	uint32_t tgid;
	struct st_runtime rt;
	struct file file[FILES_MAX];
	uint32_t file_cnt;
};

/* What a file's finders said, so that it is read once, however many processes have it. */
struct plan {
	struct plan *next;
	dev_t dev;
	ino_t ino;
	const struct st_rt_ops *ops;
	struct st_rt_plan *plan; /* NULL: nothing to probe */
};

struct st_follow {
	struct st_tracer *tracer;
	struct bpf_object *obj;
	struct st_uprobes *probes;
	bool failed; /* the object does not load here */
	struct proc *procs;
	uint32_t proc_cnt;
	struct plan *plans;
};

struct st_follow *st_follow__new(struct st_tracer *t)
{
	struct st_follow *f = calloc(1, sizeof(*f));

	if (f)
		f->tracer = t;
	return f;
}

void st_follow__forget(struct st_follow *f, uint32_t tgid)
{
	struct proc **at = &f->procs, *p;

	while ((p = *at) && p->tgid != tgid)
		at = &p->next;
	if (!p)
		return;
	*at = p->next;
	f->proc_cnt--;
	bpf_map_delete_elem(st_tracer__map(f->tracer, "runtimes"), &tgid);
	if (f->probes)
		st_uprobes__detach_pid(f->probes, (int)tgid);
	free(p);
}

void st_follow__free(struct st_follow *f)
{
	if (!f)
		return;
	while (f->procs)
		st_follow__forget(f, f->procs->tgid);
	while (f->plans) {
		struct plan *p = f->plans;

		f->plans = p->next;
		free(p->plan);
		free(p);
	}
	st_uprobes__free(f->probes);
	bpf_object__close(f->obj);
	free(f);
}

/* ---- the object ---- */

static int load(struct st_follow *f)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "spantap_tasks");
	struct bpf_program *prog;
	const void *elf;
	size_t sz;
	int err;

	if (f->obj || f->failed)
		return f->failed ? -ENOTSUP : 0;
	f->failed = true;
	elf = st_tasks__elf_bytes(&sz);
	f->obj = bpf_object__open_mem(elf, sz, &opts);
	if (!f->obj)
		return -errno;
	err = st_uprobes__new(ST_UPROBE_BEST, &f->probes);
	if (err)
		return err;
	bpf_object__for_each_program(prog, f->obj) {
		bpf_program__set_autoload(prog, true);
		err = err ? err : st_uprobes__prepare(f->probes, prog);
	}
	if (!err)
		err = st_tracer__share_maps(f->tracer, f->obj);
	if (!err)
		err = bpf_object__load(f->obj);
	f->failed = err != 0;
	return err;
}

/* ---- files ---- */

static struct plan *find_plan(struct st_follow *f, const struct st_rt_ops *ops, const char *path,
			      const struct stat *st)
{
	struct plan *p = f->plans;
	struct st_elf *e;
	int err;

	while (p && (p->dev != st->st_dev || p->ino != st->st_ino || p->ops != ops))
		p = p->next;
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	*p = (struct plan){.next = f->plans, .dev = st->st_dev, .ino = st->st_ino, .ops = ops};
	p->plan = calloc(1, sizeof(*p->plan));
	f->plans = p;
	if (!p->plan || st_elf__open(path, &e))
		return p;
	err = ops->find(e, p->plan);
	st_elf__close(e);
	if (err && err != -ENOENT)
		st_debug("%s: tasks of %s are not followed: %s", path, ops->name, p->plan->why);
	if (err) {
		free(p->plan);
		p->plan = NULL;
	}
	return p;
}

/* The sites of one program are attached at once. */
static int attach_prog(struct st_follow *f, uint32_t tgid, const char *path,
		       const struct st_rt_plan *plan, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(f->obj, name);
	struct st_uprobe_site sites[ST_RT_SITES_MAX];
	uint32_t cnt = 0;
	char why[128];
	int err;

	for (uint32_t i = 0; i < plan->cnt; i++)
		if (!strcmp(plan->site[i].prog, name))
			sites[cnt++] = plan->site[i].at;
	if (!prog)
		return -ENOENT;
	err = st_uprobes__attach(f->probes, prog, path, (int)tgid, sites, cnt, why, sizeof(why));
	if (err)
		st_debug("%s: %s: %s", path, name, why);
	return err;
}

static int attach(struct st_follow *f, uint32_t tgid, const char *path,
		  const struct st_rt_plan *plan)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < plan->cnt; i++) {
		bool done = false;

		for (uint32_t k = 0; k < i; k++)
			done = done || !strcmp(plan->site[k].prog, plan->site[i].prog);
		if (!done)
			err = attach_prog(f, tgid, path, plan, plan->site[i].prog);
	}
	return err;
}

static bool has_file(const struct proc *p, const struct stat *st, const struct st_rt_ops *ops)
{
	for (uint32_t i = 0; i < p->file_cnt; i++)
		if (p->file[i].dev == st->st_dev && p->file[i].ino == st->st_ino &&
		    p->file[i].ops == ops)
			return true;
	return false;
}

static int probe_file(struct st_follow *f, struct proc *p, const struct st_rt_ops *ops,
		      const char *path, const struct stat *st)
{
	struct plan *plan;
	int err;

	/* The loop's wait matters to Node.js alone. */
	if (ops == &st_rt_libc && p->rt.kind != ST_RUNTIME_NODE)
		return 0;
	plan = find_plan(f, ops, path, st);
	if (!plan || !plan->plan || p->file_cnt == FILES_MAX)
		return 0;
	err = load(f);
	if (err) {
		st_debug("tasks: the programs do not load: %s", strerror(-err));
		return err;
	}
	p->file[p->file_cnt++] = (struct file){.dev = st->st_dev, .ino = st->st_ino, .ops = ops};
	err = attach(f, p->tgid, path, plan->plan);
	if (plan->plan->rt.kind)
		p->rt = plan->plan->rt;
	return err;
}

/* ---- processes ---- */

static struct proc *proc_of(struct st_follow *f, uint32_t tgid)
{
	struct proc *p = f->procs;

	while (p && p->tgid != tgid)
		p = p->next;
	if (p || f->proc_cnt >= PROCS_MAX)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->tgid = tgid;
	p->next = f->procs;
	f->procs = p;
	f->proc_cnt++;
	return p;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A file that the process has mapped to run code from. */
static void look_at(struct st_follow *f, struct proc *p, const char *file, const char *exe)
{
	bool is_exe = !strcmp(file, exe);
	char path[PATH_SZ + 32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/root%s", p->tgid, file);
	for (int i = 0; st_runtimes[i]; i++) {
		if (st_runtimes[i]->may_be(last_part(file), is_exe) && !stat(path, &st) &&
		    !has_file(p, &st, st_runtimes[i]))
			probe_file(f, p, st_runtimes[i], path, &st);
	}
}

static void each_file(struct st_follow *f, struct proc *p, FILE *maps, const char *exe)
{
	char line[PATH_SZ + 128], last[PATH_SZ] = "", file[PATH_SZ], perms[8];

	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%*s %7s %*s %*s %*s %511[^\n]", perms, file) != 2 ||
		    perms[2] != 'x' || file[0] != '/' || !strcmp(file, last))
			continue;
		snprintf(last, sizeof(last), "%s", file);
		look_at(f, p, file, exe);
	}
}

static void tell(struct st_follow *f, const struct proc *p)
{
	if (!p->rt.kind)
		return;
	bpf_map_update_elem(st_tracer__map(f->tracer, "runtimes"), &p->tgid, &p->rt, BPF_ANY);
	st_tracer__mark(f->tracer, p->tgid, ST_MARK_TASKS);
}

void st_follow__forked(struct st_follow *f, uint32_t parent, uint32_t child)
{
	const struct proc *p = f->procs;

	while (p && p->tgid != parent)
		p = p->next;
	if (p && p->rt.kind)
		st_follow__process(f, child);
}

int st_follow__process(struct st_follow *f, uint32_t tgid)
{
	struct proc *p = proc_of(f, tgid);
	char exe[PATH_SZ], path[32];
	FILE *maps;

	if (!p || st_procs__exe(tgid, exe, sizeof(exe)))
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/maps", tgid);
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	each_file(f, p, maps, exe);
	fclose(maps);
	tell(f, p);
	return (int)p->file_cnt;
}
