/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * CPython 3.9 and later: contexts (PEP 567), which asyncio runs every step of a task in, and the
 * queues that executors hand their work over by.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kern/elfsym.h"
#include "kern/pymethod.h"
#include "kern/runtime.h"

static bool may_be_python(const char *file, bool is_exe)
{
	return is_exe || !strncmp(file, "libpython3", 10);
}

static int made(struct st_elf *e, struct st_rt_plan *p, const char *name)
{
	struct st_sym s;
	int err = st_elf__symbol(e, name, &s);

	if (err) {
		snprintf(p->why, sizeof(p->why), "no function %s", name);
		return err;
	}
	return st_rt__leaves(p, e, s.addr, "py_made", true);
}

/* Extension modules (uvloop) do the same by these. */
static int entered(struct st_elf *e, struct st_rt_plan *p, const char *name, const char *prog)
{
	struct st_sym s;
	int err = st_elf__symbol(e, name, &s);

	if (err) {
		snprintf(p->why, sizeof(p->why), "no function %s", name);
		return err;
	}
	return st_rt__entry(p, e, s.addr, prog);
}

static int find_python(struct st_elf *e, struct st_rt_plan *p)
{
	struct st_pymethod run;
	int err = st_pymethod__of_type(e, "PyContext_Type", "run", &run);

	if (err)
		return err;
	p->rt.kind = ST_RUNTIME_SCOPES;
	err = st_rt__entry(p, e, run.addr, "py_enter");
	if (!err)
		err = st_rt__leaves(p, e, run.addr, "py_leave", false);
	if (!err)
		err = entered(e, p, "PyContext_Enter", "py_enter");
	if (!err)
		err = entered(e, p, "PyContext_Exit", "py_leave");
	if (!err)
		err = made(e, p, "PyContext_CopyCurrent");
	if (!err)
		err = made(e, p, "PyContext_Copy");
	return err ? err : made(e, p, "PyContext_New");
}

const struct st_rt_ops st_rt_python = {
	.name = "asyncio", .may_be = may_be_python, .find = find_python};

static bool may_be_queue(const char *file, bool is_exe)
{
	return is_exe || !strncmp(file, "_queue.", 7) || !strncmp(file, "libpython3", 10);
}

static int get(struct st_rt_plan *p, struct st_elf *e, uint64_t addr)
{
	int err = st_rt__entry(p, e, addr, "py_ask");

	return err ? err : st_rt__leaves(p, e, addr, "py_got", false);
}

static int find_queue(struct st_elf *e, struct st_rt_plan *p)
{
	static const char *const names[] = {"put",	  "put_nowait", "get",
					    "get_nowait", "empty",	"qsize"};
	struct st_pymethod m[6];
	int err = st_pymethod__in_table(e, names, 6, m);

	if (err)
		return err;
	p->rt.kind = ST_RUNTIME_SCOPES;
	err = st_rt__entry(p, e, m[0].addr, "py_put");
	if (!err)
		err = get(p, e, m[2].addr);
	return err ? err : get(p, e, m[3].addr);
}

const struct st_rt_ops st_rt_python_queue = {
	.name = "executors", .may_be = may_be_queue, .find = find_queue};
