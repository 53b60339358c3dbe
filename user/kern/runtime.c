/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "kern/leaves.h"
#include "kern/retsites.h"

const struct st_rt_ops *const st_runtimes[] = {
	&st_rt_go, &st_rt_python, &st_rt_python_queue, &st_rt_node, &st_rt_libc, NULL,
};

int st_rt__site(struct st_rt_plan *p, const char *prog, uint64_t off, uint64_t cookie)
{ /* Functions that end in the same one are left at the same places. */
	for (uint32_t i = 0; i < p->cnt; i++)
		if (p->site[i].at.off == off && !strcmp(p->site[i].prog, prog))
			return 0;
	if (p->cnt == ST_RT_SITES_MAX) {
		snprintf(p->why, sizeof(p->why), "more than %u places to probe", ST_RT_SITES_MAX);
		return -E2BIG;
	}
	p->site[p->cnt].prog = prog;
	p->site[p->cnt++].at = (struct st_uprobe_site){.off = off, .cookie = cookie};
	return 0;
}

int st_rt__entry(struct st_rt_plan *p, struct st_elf *e, uint64_t addr, const char *prog)
{
	struct st_retsites *r = malloc(sizeof(*r));
	int err = r ? st_retsites__find(e, addr, r) : -ENOMEM;

	if (err && r)
		snprintf(p->why, sizeof(p->why), "%s", r->why);
	if (!err)
		err = st_rt__site(p, prog, r->entry_off, 0);
	free(r);
	return err;
}

/* The return instructions; the value is in the usual register. */
static int add_returns(struct st_rt_plan *p, struct st_elf *e, uint64_t addr, const char *prog)
{
	struct st_retsites *r = malloc(sizeof(*r));
	int err = r ? st_retsites__follow(e, addr, r) : -ENOMEM;

	if (err && r)
		snprintf(p->why, sizeof(p->why), "%s", r->why);
	for (uint32_t i = 0; !err && i < r->cnt; i++)
		err = st_rt__site(p, prog, r->v[i].off, 0);
	free(r);
	return err;
}

/* The tracer's kernel may be too old to tell places apart (5.15, 7adfc6c9b315). */
static bool has_cookies(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, NULL) == 1;
}

int st_rt__leaves(struct st_rt_plan *p, struct st_elf *e, uint64_t addr, const char *prog,
		  bool early)
{
	struct st_leaves *l = malloc(sizeof(*l));
	int err = l ? 0 : -ENOMEM;

	if (!err && (!has_cookies() || st_leaves__find(e, addr, early, l))) {
		free(l);
		return add_returns(p, e, addr, prog);
	}
	for (uint32_t i = 0; !err && i < l->cnt; i++)
		err = st_rt__site(p, prog, l->v[i].off,
				  ST_LEAVE_COOKIE(l->v[i].cond, l->v[i].value));
	free(l);
	return err;
}
