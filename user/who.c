/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "who.h"

#include <errno.h>
#include <fnmatch.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kern/procs.h"
#include "lib/log.h"

#define FAMILY_MAX 1024
#define DECIDED_BITS 4194304u

struct st_who {
	const struct st_config *cfg;
	bool patterns; /* --comm, --exe */
	bool all;
	pid_t child;
	int gate; /* write end: a byte lets the command go */
	int status;
	bool reaped;
	uint32_t family[FAMILY_MAX]; /* traced at the start */
	int family_cnt;
	uint8_t *decided; /* one bit a process, for patterns */
	struct st_tracer *tracer;
};

static int check_pid(int pid)
{
	int tgid = st_procs__tgid((uint32_t)pid);

	if (tgid == -ESRCH) {
		st_error("-p %d: no such process; 'spantap list' shows those that serve", pid);
		return -ESRCH;
	}
	if (tgid > 0 && tgid != pid)
		st_warn("-p %d is a thread of process %d: that one is traced", pid, tgid);
	return tgid < 0 ? tgid : 0;
}

/* The command waits behind a pipe until the hooks are there. */
static int start_command(struct st_who *w)
{
	int gate[2];
	char go;
	sigset_t none;

	if (pipe(gate))
		return -errno;
	w->child = fork();
	if (w->child < 0)
		return -errno;
	if (w->child) {
		close(gate[0]);
		w->gate = gate[1];
		return 0;
	}
	close(gate[1]);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(gate[0], &go, 1) != 1)
		_exit(1); /* the tracer gave up */
	close(gate[0]);
	execvp(w->cfg->argv[0], w->cfg->argv);
	st_error("%s: %s", w->cfg->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

int st_who__new(const struct st_config *cfg, struct st_who **out)
{
	struct st_who *w = calloc(1, sizeof(*w));
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->cfg = cfg;
	w->gate = -1;
	w->patterns = cfg->comm_cnt || cfg->exe_cnt;
	w->all = cfg->all || (!cfg->pid_cnt && !w->patterns && !cfg->argv);
	for (int i = 0; !err && i < cfg->pid_cnt; i++)
		err = check_pid(cfg->pids[i]);
	if (!err && w->patterns) {
		w->decided = calloc(1, DECIDED_BITS / 8);
		err = w->decided ? 0 : -ENOMEM;
	}
	if (!err && cfg->argv)
		err = start_command(w);
	if (err) {
		st_who__free(w);
		return err;
	}
	*out = w;
	return 0;
}

void st_who__tracer_config(const struct st_who *w, struct st_tracer_config *out)
{
	out->all = w->all;
	out->follow = !w->cfg->no_children;
	out->wait_decide = w->patterns && !w->all;
	out->ports = w->cfg->ports;
	out->port_cnt = w->cfg->port_cnt;
}

static void trace_one(void *ctx, uint32_t tgid, uint32_t parent)
{
	struct st_who *w = ctx;

	(void)parent;
	st_tracer__set_proc(w->tracer, tgid, ST_PROC_TRACED);
	for (int i = 0; i < w->family_cnt; i++)
		if (w->family[i] == tgid)
			return;
	if (w->family_cnt < FAMILY_MAX)
		w->family[w->family_cnt++] = tgid;
}

static int begin_pid(struct st_who *w, int pid)
{
	int tgid = st_procs__tgid((uint32_t)pid), n;

	if (tgid > 0 && w->cfg->no_children) {
		trace_one(w, (uint32_t)tgid, 0);
		return 0;
	}
	/*
	 * Marked first, so that its forks from now on are followed; then those that were there.
	 * Twice: a child may have been between the two while the first list was made.
	 */
	if (tgid > 0)
		trace_one(w, (uint32_t)tgid, 0);
	n = tgid > 0 ? st_procs__family((uint32_t)tgid, trace_one, w) : -ESRCH;
	if (n > 0)
		n = st_procs__family((uint32_t)tgid, trace_one, w);
	if (n < 0)
		st_error("-p %d: the process ended while spantap attached", pid);
	return n < 0 ? n : 0;
}

static bool matches(const struct st_config *cfg, uint32_t tgid, const char *comm)
{
	char buf[PATH_MAX];

	if (!comm && !st_procs__comm(tgid, buf, sizeof(buf)))
		comm = buf;
	for (int i = 0; comm && i < cfg->comm_cnt; i++)
		/* The kernel keeps 15 bytes of a name. */
		if (!strncmp(cfg->comm[i], comm, 15))
			return true;
	if (!cfg->exe_cnt || st_procs__exe(tgid, buf, sizeof(buf)))
		return false;
	for (int i = 0; i < cfg->exe_cnt; i++)
		if (!fnmatch(cfg->exe[i], buf, 0))
			return true;
	return false;
}

static void decide(struct st_who *w, struct st_tracer *t, uint32_t tgid, const char *comm)
{
	bool yes = matches(w->cfg, tgid, comm);

	if (tgid < DECIDED_BITS)
		w->decided[tgid / 8] |= (uint8_t)(1u << tgid % 8);
	st_tracer__set_proc(t, tgid, yes ? ST_PROC_TRACED : ST_PROC_IGNORED);
}

static void decide_each(void *ctx, uint32_t tgid, uint32_t parent)
{
	struct st_who *w = ctx;
	bool yes = matches(w->cfg, tgid, NULL);

	(void)parent;
	if (tgid == (uint32_t)getpid())
		return;
	if (yes && !w->cfg->no_children)
		st_procs__family(tgid, trace_one, w);
	else if (yes)
		trace_one(w, tgid, 0);
}

int st_who__begin(struct st_who *w, struct st_tracer *t)
{
	int err = 0;

	w->tracer = t;
	for (int i = 0; !err && i < w->cfg->pid_cnt; i++)
		err = begin_pid(w, w->cfg->pids[i]);
	if (!err && w->patterns)
		err = st_procs__each(decide_each, w);
	if (!err && w->child > 0) {
		trace_one(w, (uint32_t)w->child, 0);
		if (write(w->gate, "g", 1) != 1)
			err = -errno;
		close(w->gate);
		w->gate = -1;
	}
	return err;
}

void st_who__exec(struct st_who *w, struct st_tracer *t, uint32_t tgid, const char *comm)
{
	if (w->patterns && !w->all)
		decide(w, t, tgid, comm);
}

bool st_who__wants(struct st_who *w, struct st_tracer *t, uint32_t tgid)
{
	uint32_t state;

	if (!w->patterns || w->all)
		return true;
	state = st_tracer__proc(t, tgid);
	if (state == ST_PROC_UNKNOWN) {
		decide(w, t, tgid, NULL);
		state = st_tracer__proc(t, tgid);
	}
	return state == ST_PROC_TRACED;
}

bool st_who__all_gone(struct st_who *w)
{
	if (w->all || w->patterns)
		return false;
	if (w->child > 0)
		return w->reaped;
	for (int i = 0; i < w->family_cnt; i++)
		if (st_procs__alive(w->family[i]))
			return false;
	return true;
}

bool st_who__is_open_ended(const struct st_who *w)
{
	return w->all || w->patterns;
}

int st_who__reap(struct st_who *w)
{
	if (w->child > 0 && !w->reaped && waitpid(w->child, &w->status, WNOHANG) == w->child)
		w->reaped = true;
	if (!w->reaped)
		return -1;
	return WIFEXITED(w->status) ? WEXITSTATUS(w->status) : 128 + WTERMSIG(w->status);
}

void st_who__describe(const struct st_who *w, char *buf, size_t sz)
{
	char comm[32] = "?";

	if (w->all && w->cfg->port_cnt) {
		snprintf(buf, sz, "processes with connections on the given ports");
		return;
	}
	if (w->all) {
		snprintf(buf, sz, "all processes of this host");
		return;
	}
	if (!w->family_cnt) {
		snprintf(buf, sz, "processes as they come (none matches now)");
		return;
	}
	st_procs__comm(w->family[0], comm, sizeof(comm));
	if (w->child > 0)
		snprintf(comm, sizeof(comm), "%.31s", w->cfg->argv[0]);
	if (w->family_cnt == 1)
		snprintf(buf, sz, "%s (%u)", comm, w->family[0]);
	else
		snprintf(buf, sz, "%s (%u and %d more)", comm, w->family[0], w->family_cnt - 1);
}

void st_who__free(struct st_who *w)
{
	if (!w)
		return;
	if (w->gate >= 0)
		close(w->gate); /* the command reads its end and exits */
	free(w->decided);
	free(w);
}
