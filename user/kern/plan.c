/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/plan.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "direct.skel.h"
#include "kern/features.h"
#include "lib/log.h"
#include "probe.skel.h"
#include "typed.skel.h"

#define MAX_LINKS 32
#define MAX_TRIES 24

struct st_plan {
	struct st_bpf_config cfg;
	int forced;
	int choice[ST_NEED_CNT]; /* index into st_hooks, -1: none */
	struct st_tracer_need need[ST_NEED_CNT];
	bool absent[64]; /* per hook: refused for good */
	struct bpf_object *obj;
	struct bpf_link *link[MAX_LINKS];
	int link_cnt;
	struct btf *btf;
	char rungs[64];
};

/* The program that libbpf last complained of, and why. Loading happens in one thread. */
static char failed_prog[64], failed_why[96];

static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512], *p, *q;

	vsnprintf(line, sizeof(line), fmt, ap);
	if (level == LIBBPF_WARN && (p = strstr(line, "prog '")) && (q = strchr(p + 6, '\'')) &&
	    (strstr(q, "load failed") || strstr(q, "failed to find kernel BTF"))) {
		snprintf(failed_prog, sizeof(failed_prog), "%.*s", (int)(q - p - 6), p + 6);
		snprintf(failed_why, sizeof(failed_why), "%.90s", q + 3);
		failed_why[strcspn(failed_why, "\n")] = 0;
	}
	if (level <= LIBBPF_INFO)
		st_debug("libbpf: %.*s", (int)strcspn(line, "\n"), line);
	return 0;
}

static const struct st_hook *hook_of(const struct st_plan *p, int need)
{
	return p->choice[need] < 0 ? NULL : &st_hooks[p->choice[need]];
}

static bool has_rung(int need, int rung)
{
	for (uint32_t i = 0; i < st_hook_cnt; i++)
		if ((int)st_hooks[i].need == need && (int)st_hooks[i].rung == rung)
			return true;
	return false;
}

static int next_choice(const struct st_plan *p, int need)
{
	for (uint32_t i = 0; i < st_hook_cnt; i++) {
		if ((int)st_hooks[i].need != need || p->absent[i])
			continue;
		if (p->forced >= 0 && has_rung(need, p->forced) &&
		    (int)st_hooks[i].rung != p->forced)
			continue;
		/* The last resort taxes every system call of the node: not for an optional need. */
		if (st_hooks[i].rung == ST_RUNG_SYSCALLS && st_need__optional((enum st_need)need) &&
		    p->forced != ST_RUNG_SYSCALLS)
			continue;
		return (int)i;
	}
	return -1;
}

static void refuse(struct st_plan *p, uint32_t hook, const char *why)
{
	const struct st_hook *h = &st_hooks[hook];

	p->absent[hook] = true;
	snprintf(p->need[h->need].why[h->rung], sizeof(p->need[h->need].why[0]), "%s", why);
	st_debug("%s by %s: %s", st_need__name(h->need), st_rung__name(h->rung), why);
}

static bool hook_uses(const struct st_hook *h, const char *prog)
{
	for (int i = 0; i < 4 && h->progs[i]; i++)
		if (!strcmp(h->progs[i], prog))
			return true;
	return false;
}

/* Every chosen hook that stands on this program has to look for another one. */
static bool refuse_prog(struct st_plan *p, const char *prog, const char *why)
{
	bool any = false;

	for (int n = 0; n < ST_NEED_CNT; n++) {
		const struct st_hook *h = hook_of(p, n);

		if (h && hook_uses(h, prog)) {
			refuse(p, (uint32_t)p->choice[n], why);
			any = true;
		}
	}
	return any;
}

static void say_unserved(const struct st_plan *p, enum st_need need)
{
	const char *name = st_need__name(need);

	if (st_features__locked())
		st_error(
			"%s: lockdown=confidentiality refuses every hook that serves it; boot with "
			"lockdown=integrity",
			name);
	else if (p->forced < 0)
		st_error("%s: no hook of this kernel serves it; 'spantap check' says why", name);
	else
		st_error("--rung %s: %s: %s; leave it out for the best that works here",
			 st_rung__name((enum st_rung)p->forced), name,
			 p->need[need].why[p->forced]);
}

static int choose(struct st_plan *p)
{
	for (int n = 0; n < ST_NEED_CNT; n++) {
		if (p->choice[n] >= 0 && !p->absent[p->choice[n]])
			continue;
		p->choice[n] = next_choice(p, n);
		if (p->choice[n] < 0 && !st_need__optional((enum st_need)n)) {
			say_unserved(p, (enum st_need)n);
			return -ENOTSUP;
		}
	}
	return 0;
}

static bool wants_probe_object(const struct st_plan *p)
{
	for (int n = 0; n < ST_NEED_CNT; n++) {
		const struct st_hook *h = hook_of(p, n);

		if (h && h->rung >= ST_RUNG_KPROBE && n != ST_NEED_UNIX_END)
			return true;
	}
	return false;
}

/* The kernel function or tracepoint type that a program of BTF kind attaches to, if it exists. */
static bool target_exists(const struct st_plan *p, const struct bpf_program *prog)
{
	const char *sec = bpf_program__section_name(prog), *slash = strchr(sec, '/');
	char name[80];

	if (*sec == '?')
		sec++;
	if (!slash)
		return true;
	if (!strncmp(sec, "tp_btf/", 7)) {
		snprintf(name, sizeof(name), "btf_trace_%s", slash + 1);
		return btf__find_by_name_kind(p->btf, name, BTF_KIND_TYPEDEF) > 0;
	}
	if (!strncmp(sec, "fentry/", 7) || !strncmp(sec, "fexit/", 6))
		return btf__find_by_name_kind(p->btf, slash + 1, BTF_KIND_FUNC) > 0;
	return true;
}

/*
 * Switches on the programs of one hook; says false when a needed one has no target here.
 * Programs of the wrong object are absent.
 */
static bool enable_hook(struct st_plan *p, const struct st_hook *h)
{
	int found = 0, wanted = 0;

	for (int i = 0; i < 4 && h->progs[i]; i++) {
		struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, h->progs[i]);

		wanted++;
		if (!prog || !target_exists(p, prog))
			continue;
		found++;
		bpf_program__set_autoload(prog, true);
	}
	return h->any ? found > 0 : found == wanted;
}

static int enable_chosen(struct st_plan *p)
{
	for (int n = 0; n < ST_NEED_CNT; n++) {
		const struct st_hook *h = hook_of(p, n);

		if (h && !enable_hook(p, h)) {
			refuse(p, (uint32_t)p->choice[n], "this kernel does not have it");
			return -EAGAIN;
		}
	}
	return 0;
}

static int set_rodata(struct st_plan *p)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, p->obj) {
		const char *name = bpf_map__name(m);
		size_t n = strlen(name);

		if (n > 7 && !strcmp(name + n - 7, ".rodata"))
			return bpf_map__set_initial_value(m, &p->cfg, sizeof(p->cfg));
	}
	return -ENOENT;
}

static int rung_of(const struct st_plan *p, int need)
{
	const struct st_hook *h = hook_of(p, need);

	return h ? (int)h->rung : -1;
}

/* See bpf/maps.h for what the three are. */
static const void *object_bytes(const struct st_plan *p, size_t *sz)
{
	/* Tracing programs may use socket storage since 5.11 (8e4597c627fb). */
	if (wants_probe_object(p) ||
	    btf__find_by_name_kind(p->btf, "bpf_sk_storage_get_tracing", BTF_KIND_FUNC) < 0)
		return st_probe__elf_bytes(sz);
	if (btf__find_by_name_kind(p->btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0)
		return st_typed__elf_bytes(sz);
	return st_direct__elf_bytes(sz);
}

static int open_object(struct st_plan *p)
{
	size_t sz;
	const void *elf = object_bytes(p, &sz);
	struct bpf_program *prog;

	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "spantap");
	p->obj = bpf_object__open_mem(elf, sz, &opts);
	if (!p->obj)
		return -errno;
	bpf_object__for_each_program(prog, p->obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), "ask"));
	/* Programs that serve Unix sockets too must not count TCP twice. */
	p->cfg.tcp_send_end = rung_of(p, ST_NEED_SEND_END) == ST_RUNG_TRACEPOINTS;
	p->cfg.tcp_recv = rung_of(p, ST_NEED_RECV) == ST_RUNG_TRACEPOINTS;
	p->cfg.sys_needs = 0;
	for (int n = 0; n < ST_NEED_CNT; n++)
		if (rung_of(p, n) == ST_RUNG_SYSCALLS)
			p->cfg.sys_needs |= 1u << n;
	return set_rodata(p);
}

static bool linked(const struct st_plan *p, const char *const *done, int cnt, const char *name)
{
	(void)p;
	for (int i = 0; i < cnt; i++)
		if (!strcmp(done[i], name))
			return true;
	return false;
}

static int attach_prog(struct st_plan *p, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, name);
	struct bpf_link *l;

	if (!prog || !bpf_program__autoload(prog))
		return -ENOENT;
	if (bpf_program__expected_attach_type(prog) == BPF_TRACE_ITER)
		return 0; /* attached for each walk */
	if (p->link_cnt == MAX_LINKS)
		return -E2BIG;
	l = bpf_program__attach(prog);
	if (!l)
		return -errno;
	p->link[p->link_cnt++] = l;
	return 0;
}

static int attach_chosen(struct st_plan *p)
{
	const char *done[MAX_LINKS];
	int done_cnt = 0, err, ok;

	/* Processes and states first: what is attached later finds them complete. */
	for (int n = ST_NEED_CNT - 1; n >= 0; n--) {
		const struct st_hook *h = hook_of(p, n);
		char why[96] = "";

		if (st_need__on_demand((enum st_need)n))
			continue;
		ok = 0;
		for (int i = 0; h && i < 4 && h->progs[i]; i++) {
			if (linked(p, done, done_cnt, h->progs[i])) {
				ok++;
				continue;
			}
			err = attach_prog(p, h->progs[i]);
			if (!err) {
				done[done_cnt++] = h->progs[i];
				ok++;
			} else if (err != -ENOENT || !*why) {
				snprintf(why, sizeof(why), "%s does not attach: %s", h->progs[i],
					 strerror(-err));
			}
			if (err && !h->any) {
				refuse_prog(p, h->progs[i], why);
				return -EAGAIN;
			}
		}
		if (h && !ok) {
			refuse(p, (uint32_t)p->choice[n], why);
			return -EAGAIN;
		}
	}
	return 0;
}

int st_plan__attach(struct st_plan *p, enum st_need need)
{
	const struct st_hook *h = hook_of(p, need);
	int err = h ? 0 : -ENOTSUP;

	for (int i = 0; !err && i < 4 && h->progs[i]; i++)
		err = attach_prog(p, h->progs[i]);
	return err;
}

static void undo(struct st_plan *p, const struct st_plan_ops *ops, void *ctx)
{
	st_plan__detach(p);
	ops->discard(ctx);
	bpf_object__close(p->obj);
	p->obj = NULL;
}

/* One try. -EAGAIN: a hook was refused and another one may do. */
static int try_once(struct st_plan *p, const struct st_plan_ops *ops, void *ctx)
{
	int err = open_object(p);

	if (err)
		return err;
	err = enable_chosen(p);
	if (err)
		return err;
	err = ops->size(ctx, p->obj);
	if (err)
		return err;
	failed_prog[0] = 0;
	err = bpf_object__load(p->obj);
	if (err) {
		if (failed_prog[0] && refuse_prog(p, failed_prog, failed_why))
			return -EAGAIN;
		st_error("loading the BPF programs: %s; " ST_NEEDED_CAPS, strerror(-err));
		return err;
	}
	err = ops->prepare(ctx, p->obj);
	return err ? err : attach_chosen(p);
}

static void name_rungs(struct st_plan *p)
{
	bool used[ST_RUNG_CNT] = {false};

	for (int n = 0; n < ST_NEED_CNT; n++) {
		p->need[n].rung = rung_of(p, n);
		/* States and processes have one hook only: they do not name the rung. */
		if (p->need[n].rung >= 0 && n <= ST_NEED_RECV)
			used[p->need[n].rung] = true;
	}
	for (int r = 0; r < ST_RUNG_CNT; r++) {
		size_t len = strlen(p->rungs);

		if (used[r])
			snprintf(p->rungs + len, sizeof(p->rungs) - len, "%s%s", len ? ", " : "",
				 st_rung__name((enum st_rung)r));
	}
}

int st_plan__run(const struct st_bpf_config *cfg, int rung, const struct st_plan_ops *ops,
		 void *ctx, struct st_plan **out)
{
	struct st_plan *p = calloc(1, sizeof(*p));
	int err = 0;

	if (!p)
		return -ENOMEM;
	p->cfg = *cfg;
	p->forced = rung;
	for (int n = 0; n < ST_NEED_CNT; n++)
		p->choice[n] = -1;
	libbpf_set_print(on_libbpf);
	p->btf = btf__load_vmlinux_btf();
	if (!p->btf) {
		err = errno;
		/* libbpf looks in more places, and tells of none. */
		st_error("/sys/kernel/btf/vmlinux: %s; spantap needs a kernel built with "
			 "CONFIG_DEBUG_INFO_BTF",
			 access("/sys/kernel/btf/vmlinux", F_OK) ? "it is not there"
								 : strerror(err));
		free(p);
		return -ENOTSUP;
	}
	for (int i = 0; i < MAX_TRIES; i++) {
		err = choose(p);
		if (!err)
			err = try_once(p, ops, ctx);
		if (!err)
			break;
		undo(p, ops, ctx);
		if (err != -EAGAIN)
			break;
	}
	btf__free(p->btf);
	p->btf = NULL;
	if (err) {
		free(p);
		return err;
	}
	name_rungs(p);
	*out = p;
	return 0;
}

void st_plan__detach(struct st_plan *p)
{
	while (p->link_cnt)
		bpf_link__destroy(p->link[--p->link_cnt]);
}

void st_plan__free(struct st_plan *p)
{
	if (!p)
		return;
	st_plan__detach(p);
	bpf_object__close(p->obj);
	free(p);
}

const struct st_tracer_need *st_plan__need(const struct st_plan *p, enum st_need need)
{
	return &p->need[need];
}

const char *st_plan__rungs(const struct st_plan *p)
{
	return p->rungs;
}
