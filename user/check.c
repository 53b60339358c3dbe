/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_show.h"
#include "lib/log.h"
#include "list.h"
#include "show.h"

#define OUT_MAX (1u << 20)

/* ---- trying ---- */

/* In memory that parent and child share. */
struct tried {
	bool works;
	struct st_tracer_need need[ST_NEED_CNT];
};

static void try_tracer(const struct st_config *cfg, struct tried *t)
{
	struct st_tracer_config tc = {.rung = -1, .ring_sz = 65536, .max_conns = 64};
	struct st_tracer *tracer;

	if (cfg->rung)
		tc.rung = st_rung__by_name(cfg->rung);
	if (st_tracer__open(&tc, &tracer))
		return;
	for (int n = 0; n < ST_NEED_CNT; n++)
		t->need[n] = *st_tracer__need(tracer, (enum st_need)n);
	t->works = true;
	st_tracer__close(tracer);
}

/* In the child: its messages, refusals among them, go to the parent. */
static void run_child(const struct st_config *cfg, struct tried *t, int out)
{
	dup2(out, STDERR_FILENO);
	st_log__set_level(ST_LOG_DEBUG);
	try_tracer(cfg, t);
	_exit(0);
}

/* "NEED by RUNG: WHY", as the plan says it for each hook that it gave up. */
static bool take_refusal(struct st_check *c, const char *line)
{
	for (int n = 0; n < ST_NEED_CNT; n++) {
		for (int r = 0; r < ST_RUNG_CNT; r++) {
			char head[96];
			size_t len = (size_t)snprintf(head, sizeof(head),
						      "%s by %s: ", st_need__name((enum st_need)n),
						      st_rung__name((enum st_rung)r));

			if (strncmp(line, head, len))
				continue;
			snprintf(c->need[n].why[r], sizeof(c->need[n].why[r]), "%s", line + len);
			return true;
		}
	}
	return false;
}

/* Refusals are kept; of the rest, what is no detail is said to the user. */
static void take_line(struct st_check *c, char *line)
{
	static const char prefix[] = "spantap: ";
	char *here;

	if (!strncmp(line, prefix, sizeof(prefix) - 1))
		line += sizeof(prefix) - 1;
	if (take_refusal(c, line) || !strncmp(line, "libbpf: ", 8)) {
		st_debug("%s", line);
		return;
	}
	/* Elsewhere this sends the reader here. */
	here = strstr(line, "; 'spantap check'");
	if (here)
		*here = '\0';
	st_error("%s", line);
}

static void read_messages(struct st_check *c, int fd)
{
	FILE *f = fdopen(fd, "r");
	char line[1024];

	if (!f) {
		close(fd);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		take_line(c, line);
	}
	fclose(f);
}

/*
 * The truth is what the tracer does: it is opened with small maps and closed. In a child, so that
 * whatever happens there, everything is detached when it has ended.
 */
static void try_in_child(struct st_check *c, struct tried *t)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid)
		run_child(c->cfg, t, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return;
	}
	read_messages(c, fds[0]);
	waitpid(pid, NULL, 0);
	c->tried = true;
	c->works = t->works;
	if (t->works)
		memcpy(c->need, t->need, sizeof(c->need));
}

static void find_rungs(struct st_check *c)
{
	struct tried *t =
		mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (int n = 0; n < ST_NEED_CNT; n++)
		c->need[n].rung = -1;
	if (t == MAP_FAILED)
		return;
	if (st_features__has(&c->f, ST_FEATURE_BPF_CALL) &&
	    st_features__has(&c->f, ST_FEATURE_CAP_BPF) &&
	    st_features__has(&c->f, ST_FEATURE_CAP_PERFMON) &&
	    st_features__has(&c->f, ST_FEATURE_BTF))
		try_in_child(c, t);
	munmap(t, sizeof(*t));
}

/* What stands in the way of the processes of -p, behind what stands in the way of all. */
static int show(struct st_check *c)
{
	int code = !c->works;

	if (!c->cfg->json) {
		st_check_show__text(c);
		return st_list__append(c->cfg, &c->out) || code;
	}
	st_check_show__json(c);
	if (c->cfg->pid_cnt) {
		st_show__json_key(&c->out, "processes");
		code |= st_list__append(c->cfg, &c->out);
	}
	st_buf__puts(&c->out, "}\n");
	return code;
}

int st_check__run(const struct st_config *cfg)
{
	struct st_check *c = calloc(1, sizeof(*c));
	int code;

	if (!c) {
		st_error("check: out of memory");
		return 1;
	}
	c->cfg = cfg;
	c->out = st_buf__init(OUT_MAX);
	st_features__probe(&c->f);
	st_host__read(&c->host);
	find_rungs(c);
	code = show(c);
	if (st_show__flush(&c->out))
		code = 1;
	st_buf__free(&c->out);
	free(c);
	return code;
}
