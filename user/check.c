/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kern/features.h"
#include "kern/tracer.h"
#include "lib/log.h"
#include "meta/host.h"
#include "show.h"

#define OUT_MAX (64u << 10)

struct check {
	const struct st_config *cfg;
	struct st_features f;
	struct st_host host;
	bool tried; /* the tracer was opened, or at least it was tried */
	bool works;
	struct st_tracer_need need[ST_NEED_CNT];
	struct st_buf out;
};

/* What a rung stands on for a need; the first that is absent is the reason. */
static const struct {
	enum st_need need;
	enum st_rung rung;
	enum st_feature_id feature[3]; /* 0 ends the list: CAP_BPF is asked for elsewhere */
} stands_on[] = {
	{ST_NEED_SEND, ST_RUNG_TRACEPOINTS, {ST_FEATURE_TP_SEND}},
	{ST_NEED_SEND_END, ST_RUNG_TRACEPOINTS, {ST_FEATURE_TP_SEND_END}},
	{ST_NEED_RECV, ST_RUNG_TRACEPOINTS, {ST_FEATURE_TP_RECV}},
	{ST_NEED_UNIX, ST_RUNG_TRACEPOINTS, {ST_FEATURE_TP_SEND_END, ST_FEATURE_TP_RECV}},
	{ST_NEED_STATE, ST_RUNG_TRACEPOINTS, {ST_FEATURE_TP_STATE}},
	{ST_NEED_PROC,
	 ST_RUNG_TRACEPOINTS,
	 {ST_FEATURE_TP_FORK, ST_FEATURE_TP_EXEC, ST_FEATURE_TP_EXIT}},
};

static const struct st_feature *absent(const struct check *c, enum st_feature_id id)
{
	return c->f.v[id].state == ST_FEATURE_NO ? &c->f.v[id] : NULL;
}

/* Why a need cannot be served by a rung, by what was tried; NULL when nothing speaks against it. */
static const struct st_feature *reason(const struct check *c, enum st_need need, enum st_rung rung)
{
	static const enum st_feature_id of_rung[ST_RUNG_CNT] = {
		[ST_RUNG_FENTRY] = ST_FEATURE_FENTRY,
		[ST_RUNG_KPROBE] = ST_FEATURE_KPROBE,
		[ST_RUNG_SYSCALLS] = ST_FEATURE_SYSCALLS,
	};

	if (rung != ST_RUNG_TRACEPOINTS && absent(c, of_rung[rung]))
		return absent(c, of_rung[rung]);
	for (size_t i = 0; i < sizeof(stands_on) / sizeof(stands_on[0]); i++) {
		if (stands_on[i].need != need || stands_on[i].rung != rung)
			continue;
		for (int k = 0; k < 3 && stands_on[i].feature[k]; k++)
			if (absent(c, stands_on[i].feature[k]))
				return absent(c, stands_on[i].feature[k]);
	}
	/* Refused though all is there that it stands on: a lockdown does that. */
	return c->need[need].why[rung][0] ? absent(c, ST_FEATURE_UNLOCKED) : NULL;
}

static bool has_hook(enum st_need need, enum st_rung rung)
{
	for (uint32_t i = 0; i < st_hook_cnt; i++)
		if (st_hooks[i].need == need && st_hooks[i].rung == rung)
			return true;
	return false;
}

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
static bool take_refusal(struct check *c, const char *line)
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
static void take_line(struct check *c, char *line)
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

static void read_messages(struct check *c, int fd)
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
static void try_in_child(struct check *c, struct tried *t)
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

static void find_rungs(struct check *c)
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

/* ---- what is not seen ---- */

static const struct limit {
	const char *name;
	int feature; /* shown when this is YES; -1: always */
	const char *text;
} limits[] = {
	{"tls", -1,
	 "Encrypted connections: bytes, times and connects are seen, requests are not yet."},
	{"protocols", -1,
	 "Of protocols other than HTTP/1.x, HTTP/2 and gRPC among them, bytes and connects are "
	 "seen, requests are not yet."},
	{"quic", -1, "HTTP/3 and other protocols over UDP are not traced."},
	{"io_uring", ST_FEATURE_IO_URING,
	 "Allowed here. What a process sends by it is seen; what it receives by it is counted as "
	 "not readable where the tracepoints are used."},
	{"mptcp", ST_FEATURE_MPTCP,
	 "Allowed here. A socket that asks for MPTCP (IPPROTO_MPTCP) is not seen."},
	{"ktls", ST_FEATURE_KTLS,
	 "The kernel can encrypt for programs (tls module): such connections are not readable."},
	{"32bit", -1,
	 "What 32-bit programs receive is counted as not readable where the "
	 "tracepoints are used."},
};

static bool limit_applies(const struct check *c, const struct limit *l)
{
	return l->feature < 0 || st_features__has(&c->f, (enum st_feature_id)l->feature);
}

/* ---- for people ---- */

#define HOOK_COLUMN 25u
#define WHY_COLUMN  39u

static void put_head(struct check *c)
{
	struct st_buf *b = &c->out;

	st_buf__printf(b, "spantap %s, Linux %s (%s)", ST_VERSION, c->f.kernel, c->host.arch);
	if (c->host.os_description[0])
		st_buf__printf(b, ", %s", c->host.os_description);
	st_buf__puts(b, "\n\n");
	if (c->works)
		st_show__wrap(b, 0, "Tracing works here.");
	else if (c->tried)
		st_show__wrap(b, 0,
			      "Tracing does not work here: no hook serves one of the needs "
			      "below (its message is above).");
	else
		st_show__wrap(b, 0,
			      "Tracing does not work here; what is missing stands below. Which "
			      "hooks would be used can be tried only with it.");
	st_buf__putc(b, '\n');
}

static void put_why(struct check *c, enum st_need need, enum st_rung rung)
{
	const struct st_feature *f = reason(c, need, rung);
	char text[320];

	if (!f && !c->need[need].why[rung][0])
		return;
	snprintf(text, sizeof(text), "%s: %s", st_rung__name(rung),
		 f ? f->why : c->need[need].why[rung]);
	st_show__to(&c->out, WHY_COLUMN);
	st_show__wrap(&c->out, WHY_COLUMN, text);
	st_buf__putc(&c->out, '\n');
}

static void put_need(struct check *c, enum st_need need)
{
	int rung = c->need[need].rung;
	size_t before;

	st_buf__puts(&c->out, st_need__name(need));
	st_show__to(&c->out, HOOK_COLUMN);
	st_buf__puts(&c->out, rung >= 0	 ? st_rung__name((enum st_rung)rung)
			      : c->works ? "none"
					 : "-");
	before = c->out.len;
	for (int r = 0; r < (rung >= 0 ? rung : ST_RUNG_CNT); r++)
		if (has_hook(need, (enum st_rung)r))
			put_why(c, need, (enum st_rung)r);
	if (c->out.len == before)
		st_buf__putc(&c->out, '\n');
}

static void put_needs(struct check *c)
{
	st_buf__puts(&c->out, "\nWHAT");
	st_show__to(&c->out, HOOK_COLUMN);
	st_buf__puts(&c->out, "HOOK");
	st_show__to(&c->out, WHY_COLUMN);
	st_buf__puts(&c->out, "BETTER ONES, AND WHY NOT\n");
	for (int n = 0; n < ST_NEED_CNT; n++)
		put_need(c, (enum st_need)n);
}

/* A cure that the one before it already named is not said again. */
static void put_absent(struct check *c, enum st_feature_id id, const char *last_cure)
{
	const struct st_feature *f = &c->f.v[id];
	char text[400];

	snprintf(text, sizeof(text), "%s%s: %s%s%s", st_feature__text(id),
		 f->state == ST_FEATURE_UNKNOWN ? " (not known)" : "", f->why,
		 f->cure[0] && strcmp(f->cure, last_cure) ? ". Cure: " : "",
		 f->cure[0] && strcmp(f->cure, last_cure) ? f->cure : "");
	st_buf__puts(&c->out, "\n  ");
	st_show__wrap(&c->out, 4, text);
}

static void put_missing(struct check *c)
{
	const char *last = "";
	bool head = false;

	for (int i = 0; i < ST_FEATURE_IO_URING; i++) {
		const struct st_feature *f = &c->f.v[i];

		if (f->state == ST_FEATURE_YES)
			continue;
		/* Without the right to ask, the kernel's own answers say nothing. */
		if (i > ST_FEATURE_BTF && f->state == ST_FEATURE_NO &&
		    !st_features__has(&c->f, ST_FEATURE_BPF_CALL))
			continue;
		if (!head)
			st_buf__puts(&c->out, "\nNOT AVAILABLE");
		head = true;
		put_absent(c, (enum st_feature_id)i, last);
		last = f->cure;
	}
	if (head)
		st_buf__putc(&c->out, '\n');
}

static void put_limits(struct check *c)
{
	st_buf__puts(&c->out, "\nNOT SEEN, OR SEEN IN PART");
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (!limit_applies(c, &limits[i]))
			continue;
		st_buf__printf(&c->out, "\n  %s", limits[i].name);
		st_show__to(&c->out, 12);
		st_show__wrap(&c->out, 12, limits[i].text);
	}
	st_buf__putc(&c->out, '\n');
}

/* All that is needed at once, for who does not want to be root. */
static void put_grant(struct check *c)
{
	if (st_features__has(&c->f, ST_FEATURE_CAP_BPF) &&
	    st_features__has(&c->f, ST_FEATURE_CAP_PERFMON) &&
	    st_features__has(&c->f, ST_FEATURE_CAP_PTRACE) &&
	    st_features__has(&c->f, ST_FEATURE_CAP_READ))
		return;
	st_buf__puts(&c->out,
		     c->f.in_userns
			     ? "\nRun it on the host itself, as root.\n"
			     : "\nRun it with sudo, or grant it once (as root):\n"
			       "  setcap cap_bpf,cap_perfmon,cap_sys_resource,cap_sys_ptrace,"
			       "\\\ncap_dac_read_search+ep $(command -v spantap)\n");
}

static void put_text(struct check *c)
{
	put_head(c);
	if (c->tried)
		put_needs(c);
	put_missing(c);
	put_limits(c);
	put_grant(c);
}

/* ---- for programs ---- */

static void json_refused(struct check *c, enum st_need need, enum st_rung rung)
{
	const struct st_feature *f = reason(c, need, rung);

	if (!f && !c->need[need].why[rung][0])
		return;
	if (c->out.p[c->out.len - 1] != '[')
		st_buf__putc(&c->out, ',');
	st_buf__putc(&c->out, '{');
	st_show__json_pair(&c->out, "hook", st_rung__name(rung));
	st_show__json_pair(&c->out, "why", f ? f->why : c->need[need].why[rung]);
	st_show__json_pair(&c->out, "cure", f ? f->cure : "");
	st_buf__putc(&c->out, '}');
}

static void json_needs(struct check *c)
{
	st_show__json_key(&c->out, "needs");
	st_buf__putc(&c->out, '[');
	for (int n = 0; n < ST_NEED_CNT; n++) {
		int rung = c->need[n].rung;

		st_buf__puts(&c->out, n ? ",{" : "{");
		st_show__json_pair(&c->out, "need", st_need__name((enum st_need)n));
		st_show__json_key(&c->out, "hook");
		if (rung >= 0)
			st_show__json(&c->out, st_str_of(st_rung__name((enum st_rung)rung)));
		else
			st_buf__puts(&c->out, "null");
		st_show__json_key(&c->out, "optional");
		st_buf__puts(&c->out, st_need__optional((enum st_need)n) ? "true" : "false");
		st_show__json_key(&c->out, "refused");
		st_buf__putc(&c->out, '[');
		for (int r = 0; r < (rung >= 0 ? rung : ST_RUNG_CNT); r++)
			if (has_hook((enum st_need)n, (enum st_rung)r))
				json_refused(c, (enum st_need)n, (enum st_rung)r);
		st_buf__puts(&c->out, "]}");
	}
	st_buf__putc(&c->out, ']');
}

static void json_features(struct check *c)
{
	static const char *const states[] = {"unknown", "yes", "no"};

	st_show__json_key(&c->out, "features");
	st_buf__putc(&c->out, '[');
	for (int i = 0; i < ST_FEATURE_CNT; i++) {
		st_buf__puts(&c->out, i ? ",{" : "{");
		st_show__json_pair(&c->out, "name", st_feature__name((enum st_feature_id)i));
		st_show__json_pair(&c->out, "state", states[c->f.v[i].state]);
		st_show__json_pair(&c->out, "why", c->f.v[i].why);
		st_show__json_pair(&c->out, "cure", c->f.v[i].cure);
		st_buf__putc(&c->out, '}');
	}
	st_buf__putc(&c->out, ']');
}

static void json_limits(struct check *c)
{
	bool any = false;

	st_show__json_key(&c->out, "limits");
	st_buf__putc(&c->out, '[');
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (!limit_applies(c, &limits[i]))
			continue;
		st_buf__puts(&c->out, any ? ",{" : "{");
		any = true;
		st_show__json_pair(&c->out, "name", limits[i].name);
		st_show__json_pair(&c->out, "text", limits[i].text);
		st_buf__putc(&c->out, '}');
	}
	st_buf__putc(&c->out, ']');
}

static void put_json(struct check *c)
{
	st_buf__putc(&c->out, '{');
	st_show__json_pair(&c->out, "version", ST_VERSION);
	st_show__json_pair(&c->out, "kernel", c->f.kernel);
	st_show__json_pair(&c->out, "arch", c->host.arch);
	st_show__json_pair(&c->out, "os", c->host.os_description);
	st_show__json_key(&c->out, "works");
	st_buf__puts(&c->out, c->works ? "true" : "false");
	json_needs(c);
	json_features(c);
	json_limits(c);
	st_buf__puts(&c->out, "}\n");
}

int st_check__run(const struct st_config *cfg)
{
	struct check *c = calloc(1, sizeof(*c));
	int code = 1;

	if (!c) {
		st_error("check: out of memory");
		return 1;
	}
	c->cfg = cfg;
	c->out = st_buf__init(OUT_MAX);
	st_features__probe(&c->f);
	st_host__read(&c->host);
	find_rungs(c);
	if (cfg->json)
		put_json(c);
	else
		put_text(c);
	if (!st_show__flush(&c->out))
		code = !c->works;
	st_buf__free(&c->out);
	free(c);
	return code;
}
