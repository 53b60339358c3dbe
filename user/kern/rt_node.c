/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Node.js: async scopes. What a callback makes inherits its scope (AsyncWrap::AsyncReset); entering
 * a callback goes back to it (InternalCallbackScope). Timers and immediates run many callbacks in one
 * go, whose scopes JavaScript alone knows: nothing is known behind them, nor behind the loop's wait.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kern/code.h"
#include "kern/elfsym.h"
#include "kern/runtime.h"

static bool may_be_node(const char *file, bool is_exe)
{
	return is_exe || !strncmp(file, "libnode.", 8);
}

static int entry(struct st_elf *e, struct st_rt_plan *p, const char *prog, const char *symbol)
{
	struct st_sym s;
	int err = st_elf__symbol(e, symbol, &s);

	if (err) {
		snprintf(p->why, sizeof(p->why), "no function %s", symbol);
		return err;
	}
	return st_rt__site(p, prog, s.off, 0);
}

/* AsyncReset writes it and the trigger's id behind it; the same from Node.js 12 to 24. */
#define ASYNC_ID_OFF 0x28

static bool keeps_id_there(struct st_elf *e, uint64_t async_reset)
{
	struct st_code c;
	char why[96];
	int found = 0;

	if (!st_code__read(e, async_reset, &c, why, sizeof(why)))
		for (size_t i = 0; i < c.cnt; i++)
			found |= c.v[i].disp == ASYNC_ID_OFF	   ? 1
				 : c.v[i].disp == ASYNC_ID_OFF + 8 ? 2
								   : 0;
	st_code__free(&c);
	return found == 3;
}

static int find_node(struct st_elf *e, struct st_rt_plan *p)
{
	static const struct {
		const char *prog, *symbol;
	} sites[] = {
		{"node_made", "_ZN4node9AsyncWrap10AsyncResetEN2v85LocalINS1_6ObjectEEEdb"},
		{"node_numbered", "_ZN4node9AsyncWrap13EmitAsyncInitEPNS_11EnvironmentEN2v85Local"
				  "INS3_6ObjectEEENS4_INS3_6StringEEEdd"},
		{"node_enter", "_ZN4node21InternalCallbackScopeC1EPNS_9AsyncWrapEi"},
		{"node_enter_id", "_ZN4node21InternalCallbackScopeC1EPNS_11EnvironmentEN2v85Local"
				  "INS3_6ObjectEEERKNS_13async_contextEi"},
		{"node_loop", "_ZN4node11Environment9RunTimersEP10uv_timer_s"},
		{"node_loop", "_ZN4node11Environment14CheckImmediateEP10uv_check_s"},
	};
	struct st_sym s;
	int err = st_elf__symbol(e, sites[0].symbol, &s);

	if (err)
		return err;
	if (!keeps_id_there(e, s.addr)) {
		snprintf(p->why, sizeof(p->why), "AsyncWrap::async_id_ does not lie at %#x",
			 ASYNC_ID_OFF);
		return -ENOTSUP;
	}
	p->rt.kind = ST_RUNTIME_NODE;
	for (size_t i = 0; !err && i < sizeof(sites) / sizeof(sites[0]); i++)
		err = entry(e, p, sites[i].prog, sites[i].symbol);
	if (!err)
		err = st_elf__symbol(e, "_ZN4node21InternalCallbackScope5CloseEv", &s);
	if (!err)
		err = st_rt__entry(p, e, s.addr, "node_close");
	return err ? err : st_rt__leaves(p, e, s.addr, "node_closed", false);
}

const struct st_rt_ops st_rt_node = {.name = "Node.js", .may_be = may_be_node, .find = find_node};

/* The loop's wait is the C library's function. Only in processes of Node.js. */
static bool may_be_libc(const char *file, bool is_exe)
{
	return !is_exe && !strncmp(file, "libc.so.", 8);
}

static int find_libc(struct st_elf *e, struct st_rt_plan *p)
{
	int err = entry(e, p, "node_loop", "epoll_pwait");

	return err ? err : entry(e, p, "node_loop", "epoll_wait");
}

const struct st_rt_ops st_rt_libc = {
	.name = "the loop of Node.js", .may_be = may_be_libc, .find = find_libc};
