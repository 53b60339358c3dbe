/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "who.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/proc.h"
#include "kern/procs.h"
#include "lib/clock.h"
#include "lib/log.h"

#define FAMILY_MAX  1024
/* Processes whose numbers differ by less do not meet in the table; a power of two. */
#define DECIDED_CNT 8192u
/* Records of a process may be read so long after it ended, or after it was found unwanted. */
#define LINGER_NS   (5 * ST_NSEC_PER_SEC)

/*
 * What the patterns said of a process. The kernel forgets a process when it ends, but its records
 * are read after that: a client that makes one request lives shorter than a nap of the reader.
 */
struct decision {
	uint64_t until_ns; /* of records' time */
	uint32_t tgid;
	bool wanted;
};

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
	struct decision *decided; /* DECIDED_CNT, for patterns */
	struct st_tracer *tracer;
	st_who_fn chosen; /* NULL: nobody wants to know */
	void *chosen_ctx;
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
		w->decided = calloc(DECIDED_CNT, sizeof(*w->decided));
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

bool st_who__is_proxy(uint32_t tgid)
{
	char exe[PATH_MAX];

	return !st_procs__exe(tgid, exe, sizeof(exe)) && st_proxy__is_exe(st_str_of(exe));
}

static void mark_proxy(void *ctx, uint32_t tgid, uint32_t parent)
{
	struct st_who *w = ctx;

	(void)parent;
	if (st_who__is_proxy(tgid))
		st_tracer__mark(w->tracer, tgid, ST_MARK_PROXY);
}

static void trace_one(void *ctx, uint32_t tgid, uint32_t parent)
{
	struct st_who *w = ctx;
	mark_proxy(w, tgid, parent);
	if (w->chosen)
		w->chosen(w->chosen_ctx, tgid);
	st_tracer__set_proc(w->tracer, tgid, ST_PROC_TRACED);
	for (int i = 0; i < w->family_cnt; i++)
		if (w->family[i] == tgid)
			return;
	if (w->family_cnt < FAMILY_MAX)
		w->family[w->family_cnt++] = tgid;
}

static bool is_32bit(uint32_t tgid)
{
	static const char elf32[] = {'\177', 'E', 'L', 'F', 1}; /* ELFCLASS32 */
	char head[sizeof(elf32)], path[32];
	bool is = false;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, head, sizeof(head)) == sizeof(head))
		is = !memcmp(head, elf32, sizeof(elf32));
	close(fd);
	return is;
}

/* Hooks that take payload from a system call's arguments do not know those of other ABIs. */
static void warn_of_32bit(const struct st_who *w, uint32_t tgid)
{
	int rung = st_tracer__need(w->tracer, ST_NEED_RECV)->rung;

	if ((rung != ST_RUNG_TRACEPOINTS && rung != ST_RUNG_SYSCALLS) || !is_32bit(tgid))
		return;
	st_warn("-p %u: a 32-bit program: the %s do not read what it receives, and its requests "
		"are %s; --rung fentry or kprobe sees them where 'spantap check' has it",
		tgid, st_rung__name((enum st_rung)rung),
		rung == ST_RUNG_TRACEPOINTS ? "counted as lost" : "not counted");
}

static bool is_named(const struct st_who *w, int pid)
{
	for (int i = 0; i < w->cfg->pid_cnt; i++)
		if (w->cfg->pids[i] == pid)
			return true;
	return false;
}

/* Requests come to any of a server's workers: who names one of them may want them all. */
static void hint_at_parent(const struct st_who *w, uint32_t tgid)
{
	char exe[PATH_MAX], of_parent[PATH_MAX];
	int parent = st_procs__parent(tgid);

	if (parent > 1 && !is_named(w, parent) && !st_procs__exe(tgid, exe, sizeof(exe)) &&
	    !st_procs__exe((uint32_t)parent, of_parent, sizeof(of_parent)) &&
	    !strcmp(exe, of_parent))
		st_info("-p %u is a child of process %d, which runs the same program: -p %d takes "
			"all its children",
			tgid, parent, parent);
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
	if (n < 0) {
		st_error("-p %d: the process ended while spantap attached", pid);
		return n;
	}
	warn_of_32bit(w, (uint32_t)tgid);
	hint_at_parent(w, (uint32_t)tgid);
	return 0;
}

/*
 * The executable of a process that has ended: what it was executed by, links resolved. Where its
 * folder was is not known any more: a relative name stays as it is.
 */
static bool exe_of_gone(const struct st_rec *exec, char *buf)
{
	const char *file = (const char *)(exec + 1) + 16;
	char name[ST_PROC_PAYLOAD];

	if (!exec->call_len || exec->len > ST_PROC_PAYLOAD || exec->call_len > exec->len - 16u)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)exec->call_len, file);
	if (*name != '/' || !realpath(name, buf))
		snprintf(buf, PATH_MAX, "%s", name);
	return *name;
}

static bool matches_comm(const struct st_config *cfg, const char *comm)
{
	for (int i = 0; i < cfg->comm_cnt; i++)
		/* The kernel keeps 15 bytes of a name. */
		if (!strncmp(cfg->comm[i], comm, 15))
			return true;
	return false;
}

/* exec: its EXEC record, NULL when there was none. */
static bool matches(const struct st_config *cfg, uint32_t tgid, const struct st_rec *exec)
{
	char buf[PATH_MAX];

	if (exec && exec->len >= 16) {
		snprintf(buf, sizeof(buf), "%.16s", (const char *)(exec + 1));
		if (matches_comm(cfg, buf))
			return true;
	} else if (!st_procs__comm(tgid, buf, sizeof(buf)) && matches_comm(cfg, buf)) {
		return true;
	}
	if (!cfg->exe_cnt)
		return false;
	if (st_procs__exe(tgid, buf, sizeof(buf)) &&
	    (!exec || st_procs__alive(tgid) || !exe_of_gone(exec, buf)))
		return false;
	for (int i = 0; i < cfg->exe_cnt; i++)
		if (!fnmatch(cfg->exe[i], buf, 0))
			return true;
	return false;
}

static struct decision *decision_of(const struct st_who *w, uint32_t tgid)
{
	return &w->decided[tgid & (DECIDED_CNT - 1)];
}

static bool decide(struct st_who *w, struct st_tracer *t, const struct st_rec *rec)
{
	bool yes = matches(w->cfg, rec->tgid, rec->kind == ST_REC_EXEC ? rec : NULL);

	/*
	 * It has ended and nothing was said of it: forked by a traced process, since others are
	 * marked at the start or tell what they execute.
	 */
	if (!yes && rec->kind != ST_REC_EXEC && !st_procs__alive(rec->tgid))
		yes = !w->cfg->no_children;
	st_tracer__set_proc(t, rec->tgid, yes ? ST_PROC_TRACED : ST_PROC_IGNORED);
	return yes;
}

static bool remember(struct st_who *w, const struct st_rec *rec, bool wanted)
{
	*decision_of(w, rec->tgid) = (struct decision){
		.until_ns = wanted ? UINT64_MAX : rec->time_ns + LINGER_NS,
		.tgid = rec->tgid,
		.wanted = wanted,
	};
	return wanted;
}

/* Those that do not match are said so: a process that is unknown later on has begun since. */
static bool is_wanted(void *ctx, uint32_t tgid)
{
	struct st_who *w = ctx;

	if (tgid == (uint32_t)getpid())
		return false;
	if (matches(w->cfg, tgid, NULL))
		return true;
	st_tracer__set_proc(w->tracer, tgid, ST_PROC_IGNORED);
	return false;
}

static void trace_if(void *ctx, uint32_t tgid, uint32_t parent)
{
	struct st_who *w = ctx;

	if (!w->cfg->no_children || matches(w->cfg, tgid, NULL))
		trace_one(w, tgid, parent);
}

static int min_int(int a, int b)
{
	return a < b ? a : b;
}

int st_who__begin(struct st_who *w, struct st_tracer *t)
{
	int err = 0;

	w->tracer = t;
	for (int i = 0; !err && i < w->cfg->pid_cnt; i++)
		err = begin_pid(w, w->cfg->pids[i]);
	if (!err && w->patterns)
		err = min_int(st_procs__families(is_wanted, trace_if, w), 0);
	if (!err && w->all)
		err = min_int(st_procs__each(mark_proxy, w), 0);
	if (!err && w->child > 0) {
		trace_one(w, (uint32_t)w->child, 0);
		if (write(w->gate, "g", 1) != 1)
			err = -errno;
		close(w->gate);
		w->gate = -1;
	}
	return err;
}

void st_who__on_chosen(struct st_who *w, st_who_fn fn, void *ctx)
{
	w->chosen = fn;
	w->chosen_ctx = ctx;
}
void st_who__process(struct st_who *w, struct st_tracer *t, const struct st_rec *rec)
{
	struct decision *d;

	if (rec->kind == ST_REC_EXEC)
		mark_proxy(w, rec->tgid, 0);
	if (!w->patterns || w->all)
		return;
	d = decision_of(w, rec->tgid);
	if (rec->kind == ST_REC_EXEC)
		remember(w, rec, decide(w, t, rec));
	else if (d->tgid == rec->tgid && d->wanted)
		d->until_ns = rec->time_ns + LINGER_NS;
}

bool st_who__wants(struct st_who *w, struct st_tracer *t, const struct st_rec *rec)
{
	const struct decision *d;
	uint32_t state;

	if (!w->patterns || w->all)
		return true;
	d = decision_of(w, rec->tgid);
	if (d->tgid == rec->tgid && rec->time_ns < d->until_ns)
		return d->wanted;
	state = st_tracer__proc(t, rec->tgid);
	if (state == ST_PROC_UNKNOWN)
		return remember(w, rec, decide(w, t, rec));
	return remember(w, rec, state == ST_PROC_TRACED);
}

bool st_who__traces(const struct st_who *w, const struct st_tracer *t, uint32_t tgid)
{
	return w->all || st_tracer__proc(t, tgid) == ST_PROC_TRACED;
}

bool st_who__counts(const struct st_who *w, const struct st_tracer *t, uint32_t tgid)
{
	const struct decision *d;

	if (!w->patterns || w->all)
		return true;
	d = decision_of(w, tgid);
	if (d->tgid == tgid)
		return d->wanted;
	/* It counted before it could be told to be ignored. */
	return st_tracer__proc(t, tgid) == ST_PROC_TRACED;
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
