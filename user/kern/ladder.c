/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/ladder.h"

#include <string.h>

/*
 * Best first within a need; one that reads an argument too many is refused by the verifier, so
 * the longest signature of a function stands first. Names are those of bpf/.
 */
const struct st_hook st_hooks[] = {
	{ST_NEED_SEND, ST_RUNG_TRACEPOINTS, {"tp_send"}, false},
	{ST_NEED_SEND, ST_RUNG_FENTRY, {"fe_send", "fe_sendpage"}, true},
	{ST_NEED_SEND, ST_RUNG_KPROBE, {"kp_send", "kp_sendpage"}, true},
	{ST_NEED_SEND, ST_RUNG_SYSCALLS, {"sys_enter", "sys_exit"}, false},

	{ST_NEED_SEND_END, ST_RUNG_TRACEPOINTS, {"tp_send_end"}, false},
	{ST_NEED_SEND_END, ST_RUNG_FENTRY, {"fx_send", "fx_sendpage"}, true},
	{ST_NEED_SEND_END, ST_RUNG_KPROBE, {"kp_release"}, false},
	{ST_NEED_SEND_END, ST_RUNG_SYSCALLS, {"sys_enter", "sys_exit"}, false},

	{ST_NEED_RECV, ST_RUNG_TRACEPOINTS, {"tp_recv"}, false},
	{ST_NEED_RECV, ST_RUNG_FENTRY, {"fx_recv6"}, false},
	{ST_NEED_RECV, ST_RUNG_FENTRY, {"fx_recv5"}, false},
	{ST_NEED_RECV, ST_RUNG_FENTRY, {"fx_recv4"}, false},
	{ST_NEED_RECV, ST_RUNG_KPROBE, {"kp_recv"}, false},
	{ST_NEED_RECV, ST_RUNG_SYSCALLS, {"sys_enter", "sys_exit"}, false},

	{ST_NEED_UNIX, ST_RUNG_TRACEPOINTS, {"tp_send_end", "tp_recv"}, false},
	{ST_NEED_UNIX, ST_RUNG_FENTRY, {"fx_unix_send", "fx_unix_recv"}, false},
	{ST_NEED_UNIX, ST_RUNG_SYSCALLS, {"sys_enter", "sys_exit"}, false},

	{ST_NEED_STATE, ST_RUNG_TRACEPOINTS, {"tp_state"}, false},
	{ST_NEED_PROC, ST_RUNG_TRACEPOINTS, {"tp_fork", "tp_exec", "tp_exit"}, false},
	{ST_NEED_URING, ST_RUNG_TRACEPOINTS, {"tp_uring_submit", "tp_uring_woken"}, false},
	{ST_NEED_WAITS, ST_RUNG_TRACEPOINTS, {"tp_switch"}, false},
	{ST_NEED_POOLS, ST_RUNG_TRACEPOINTS, {"tp_sleep", "tp_waking"}, false},
	{ST_NEED_UNIX_OLD, ST_RUNG_TRACEPOINTS, {"unix_old"}, false},
	/* An iterator, run by st_tracer__walk_sockets. */
	{ST_NEED_UNIX_END, ST_RUNG_TRACEPOINTS, {"alive"}, false},
	{ST_NEED_UNIX_END, ST_RUNG_FENTRY, {"fe_unix_release"}, false},
	{ST_NEED_UNIX_END, ST_RUNG_KPROBE, {"kp_unix_release"}, false},
};
const uint32_t st_hook_cnt = sizeof(st_hooks) / sizeof(st_hooks[0]);

static const char *const rungs[ST_RUNG_CNT] = {
	[ST_RUNG_TRACEPOINTS] = "tracepoints",
	[ST_RUNG_FENTRY] = "fentry",
	[ST_RUNG_KPROBE] = "kprobe",
	[ST_RUNG_SYSCALLS] = "syscalls",
};

static const struct {
	const char *name;
	bool optional, on_demand;
} needs[ST_NEED_CNT] = {
	[ST_NEED_SEND] = {"TCP send", false, false},
	[ST_NEED_SEND_END] = {"TCP send result", false, false},
	[ST_NEED_RECV] = {"TCP receive", false, false},
	[ST_NEED_STATE] = {"TCP connect and close", false, false},
	[ST_NEED_UNIX] = {"Unix sockets", true, false},
	[ST_NEED_PROC] = {"process events", true, false},
	[ST_NEED_UNIX_END] = {"Unix sockets' end", true, false},
	[ST_NEED_URING] = {"io_uring receives", true, false},
	[ST_NEED_WAITS] = {"threads' waits", true, true},
	[ST_NEED_POOLS] = {"pools' wake-ups", true, true},
	[ST_NEED_UNIX_OLD] = {"Unix sockets' two ends", true, false},
};

const char *st_rung__name(enum st_rung rung)
{
	return rung < ST_RUNG_CNT ? rungs[rung] : "none";
}

int st_rung__by_name(const char *name)
{
	for (int i = 0; i < ST_RUNG_CNT; i++)
		if (!strcmp(rungs[i], name))
			return i;
	return -1;
}

const char *st_need__name(enum st_need need)
{
	return needs[need].name;
}

bool st_need__optional(enum st_need need)
{
	return needs[need].optional;
}

bool st_need__on_demand(enum st_need need)
{
	return needs[need].on_demand;
}
