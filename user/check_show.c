/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "check_show.h"

#include <stdio.h>

#include "show.h"

/* ---- why not ---- */

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

static const struct st_feature *absent(const struct st_check *c, enum st_feature_id id)
{
	return c->f.v[id].state == ST_FEATURE_NO ? &c->f.v[id] : NULL;
}

/* Why a need cannot be served by a rung, by what was tried; NULL when nothing speaks against it. */
static const struct st_feature *reason(const struct st_check *c, enum st_need need,
				       enum st_rung rung)
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

/* ---- what is not seen ---- */

static const struct limit {
	const char *name;
	int feature; /* shown when this is YES; -1: always */
	const char *text;
} limits[] = {
	{"tls", -1,
	 "Encrypted connections: bytes, times and connects are seen, requests are not yet."},
	{"protocols", -1,
	 "Of protocols other than HTTP/1.x and FastCGI, HTTP/2 and gRPC among them, bytes and "
	 "connects are seen, requests are not yet."},
	{"quic", -1, "HTTP/3 and other protocols over UDP are not traced."},
	{"io_uring", ST_FEATURE_IO_URING, NULL},
	{"mptcp", ST_FEATURE_MPTCP,
	 "Allowed here. A socket that asks for MPTCP (IPPROTO_MPTCP) is not seen."},
	{"ktls", ST_FEATURE_KTLS,
	 "The kernel can encrypt for programs (tls module): such connections are not readable."},
	{"splice", -1,
	 "Bytes that splice(2) or sendfile(2) move never lie in a process's memory: of a proxy that "
	 "only splices, no request is seen, and the closing line bounds how many they were."},
	{"32bit", -1,
	 "What 32-bit programs receive is read by fentry; by other hooks it is counted as not "
	 "readable."},
};

static bool limit_applies(const struct st_check *c, const struct limit *l)
{
	return l->feature < 0 || st_features__has(&c->f, (enum st_feature_id)l->feature);
}

/* What io_uring receives is read where the hook shows the message, or its requests are known. */
static const char *limit_text(const struct st_check *c, const struct limit *l)
{
	if (l->text)
		return l->text;
	if (c->need[ST_NEED_RECV].rung == ST_RUNG_FENTRY)
		return "Allowed here, and seen.";
	if (c->need[ST_NEED_RECV].rung == ST_RUNG_SYSCALLS)
		return "Allowed here, and not seen by the system calls' hooks.";
	return "Allowed here. What a process sends by it is seen, what it receives from Linux 6.10 on; "
	       "before that, and where a request waited already when spantap started, it is counted "
	       "as not readable.";
}

/* ---- for people ---- */

#define HOOK_COLUMN 25u
#define WHY_COLUMN  39u

static void put_head(struct st_check *c)
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

static void put_why(struct st_check *c, enum st_need need, enum st_rung rung)
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

static void put_need(struct st_check *c, enum st_need need)
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

static void put_needs(struct st_check *c)
{
	st_buf__puts(&c->out, "\nWHAT");
	st_show__to(&c->out, HOOK_COLUMN);
	st_buf__puts(&c->out, "HOOK");
	st_show__to(&c->out, WHY_COLUMN);
	st_buf__puts(&c->out, "BETTER ONES, AND WHY NOT\n");
	for (int n = 0; n < ST_NEED_CNT; n++)
		put_need(c, (enum st_need)n);
}

/* Nothing that is missing costs anything. */
static bool best_everywhere(const struct st_check *c)
{
	for (int n = 0; n < ST_NEED_CNT; n++)
		if (c->need[n].rung != ST_RUNG_TRACEPOINTS)
			return false;
	return c->works && st_features__has(&c->f, ST_FEATURE_CAP_PTRACE) &&
	       st_features__has(&c->f, ST_FEATURE_CAP_READ);
}

/* A cure that the one before it already named is not said again. */
static void put_absent(struct st_check *c, enum st_feature_id id, const char *last_cure)
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

static void put_missing(struct st_check *c)
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
		/* Nor is it news that nothing that stands on BTF is there without it. */
		if (i > ST_FEATURE_BTF && c->f.v[ST_FEATURE_BTF].state == ST_FEATURE_NO &&
		    !f->cure[0])
			continue;
		if (!head)
			st_buf__puts(&c->out, best_everywhere(c)
						      ? "\nNOT AVAILABLE, AND NOT NEEDED HERE"
						      : "\nNOT AVAILABLE");
		head = true;
		put_absent(c, (enum st_feature_id)i, last);
		last = f->cure;
	}
	if (head)
		st_buf__putc(&c->out, '\n');
}

static void put_limits(struct st_check *c)
{
	st_buf__puts(&c->out, "\nNOT SEEN, OR SEEN IN PART");
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (!limit_applies(c, &limits[i]))
			continue;
		st_buf__printf(&c->out, "\n  %s", limits[i].name);
		st_show__to(&c->out, 12);
		st_show__wrap(&c->out, 12, limit_text(c, &limits[i]));
	}
	st_buf__putc(&c->out, '\n');
}

/* All that is needed at once, for who does not want to be root. */
static void put_grant(struct st_check *c)
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

void st_check_show__text(struct st_check *c)
{
	put_head(c);
	if (c->tried)
		put_needs(c);
	put_missing(c);
	put_limits(c);
	put_grant(c);
}

/* ---- for programs ---- */

static void json_refused(struct st_check *c, enum st_need need, enum st_rung rung)
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

static void json_needs(struct st_check *c)
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

static void json_features(struct st_check *c)
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

static void json_limits(struct st_check *c)
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
		st_show__json_pair(&c->out, "text", limit_text(c, &limits[i]));
		st_buf__putc(&c->out, '}');
	}
	st_buf__putc(&c->out, ']');
}

void st_check_show__json(struct st_check *c)
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
}
