/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kern/retsites.h"

const struct st_rt_ops *const st_runtimes[] = {
	&st_rt_go, &st_rt_python, &st_rt_python_queue, &st_rt_node, &st_rt_libc, NULL,
};

int st_rt__site(struct st_rt_plan *p, const char *prog, uint64_t off)
{
	if (p->cnt == ST_RT_SITES_MAX) {
		snprintf(p->why, sizeof(p->why), "more than %u places to probe", ST_RT_SITES_MAX);
		return -E2BIG;
	}
	p->site[p->cnt].prog = prog;
	p->site[p->cnt++].off = off;
	return 0;
}

int st_rt__function(struct st_rt_plan *p, struct st_elf *e, uint64_t addr, const char *entry_prog,
		    const char *return_prog)
{
	struct st_retsites *r = malloc(sizeof(*r));
	int err = r ? 0 : -ENOMEM;

	if (!err)
		err = st_retsites__follow(e, addr, r);
	if (err && r)
		snprintf(p->why, sizeof(p->why), "%s", r->why);
	if (!err && entry_prog)
		err = st_rt__site(p, entry_prog, r->entry_off);
	for (uint32_t i = 0; !err && return_prog && i < r->cnt; i++)
		err = st_rt__site(p, return_prog, r->v[i].off);
	free(r);
	return err;
}
