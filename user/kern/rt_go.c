/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Go: which goroutine makes which one (runtime.newproc1), and for whom net/http's connections write
 * (net/http.(*persistConn).roundTrip; their own goroutines do the writing).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "kern/elfsym.h"
#include "kern/gosym.h"
#include "kern/runtime.h"

static bool may_be(const char *file, bool is_exe)
{
	(void)file;
	return is_exe;
}

static int sites_of(const struct st_go *g, const char *name, struct st_go_sites *s,
		    struct st_rt_plan *p)
{
	struct st_go_fn fn;
	int err = st_go__find(g, name, &fn);

	if (err)
		return -ENOENT;
	err = st_go__sites(g, &fn, s);
	if (err)
		snprintf(p->why, sizeof(p->why), "%s: %s", name, s->why);
	return err;
}

static int add_sites(const struct st_go *g, struct st_rt_plan *p, const struct st_go_offsets *o)
{
	struct st_go_sites *s = malloc(sizeof(*s));
	int err = s ? sites_of(g, "runtime.newproc1", s, p) : -ENOMEM;

	for (uint32_t i = 0; !err && i < s->ret_cnt; i++)
		err = st_rt__site(p, "go_born", s->ret_off[i], 0);
	if (!err && o->verified & 1u << ST_GO_PERSIST_CONN) {
		err = sites_of(g, "net/http.(*persistConn).roundTrip", s, p);
		if (!err)
			err = st_rt__site(p, "go_calls", s->entry_off, 0);
		else if (err == -ENOENT)
			err = 0; /* a program that makes no calls */
	}
	free(s);
	return err;
}

static int find(struct st_elf *e, struct st_rt_plan *p)
{
	struct st_go_offsets o;
	struct st_go *g;
	int err = st_go__new(e, &g, p->why, sizeof(p->why));

	if (err)
		return err;
	err = st_go__offsets(g, &o, p->why, sizeof(p->why));
	if (!err && !o.parent_goid) {
		snprintf(p->why, sizeof(p->why), "%s does not keep who made a goroutine",
			 st_go__version(g));
		err = -ENOTSUP;
	}
	p->rt = (struct st_runtime){
		.kind = ST_RUNTIME_GO,
		.goid = o.goid,
		.parent_goid = o.parent_goid,
		.persist_conn = o.verified & 1u << ST_GO_PERSIST_CONN ? o.persist_conn : 0,
		.sysfd = o.sysfd,
	};
	if (!err)
		err = add_sites(g, p, &o);
	st_go__free(g);
	return err;
}

const struct st_rt_ops st_rt_go = {.name = "Go", .may_be = may_be, .find = find};
