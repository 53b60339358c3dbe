/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/service.h"

#include <stdlib.h>

#include "meta/lang.h"
#include "meta/otelenv.h"

/* TASK_COMM_LEN less its NUL: the kernel cuts a process's name there. */
#define COMM_MAX 15u

static const struct lang {
	const char *program;  /* the executable's name without a version */
	const char *language; /* values of telemetry.sdk.language where one exists */
	const char *runtime;
	st_lang_fn name;
} langs[] = {
	{"python", "python", "cpython", st_lang__python},
	{"pypy", "python", "pypy", st_lang__python},
	{"java", "java", "java", st_lang__java},
	{"node", "nodejs", "nodejs", st_lang__node},
	{"nodejs", "nodejs", "nodejs", st_lang__node},
	{"deno", "deno", "deno", st_lang__deno},
	{"bun", "bun", "bun", st_lang__bun},
	{"ruby", "ruby", "ruby", st_lang__ruby},
	{"jruby", "ruby", "jruby", st_lang__ruby},
	{"php-fpm", "php", "fpm-fcgi", st_lang__php_fpm},
	{"php", "php", "cli", st_lang__php},
	{"perl", "perl", "perl", st_lang__perl},
	{"dotnet", "dotnet", ".NET", st_lang__dotnet},
	{"mono", "dotnet", "mono", st_lang__mono},
	{"mono-sgen", "dotnet", "mono", st_lang__mono},
	{"beam.smp", "erlang", "BEAM", st_lang__erlang},
	{"uwsgi", "python", NULL, st_lang__uwsgi},
	{"uwsgi-core", "python", NULL, st_lang__uwsgi},
	{"lua", "lua", "lua", st_lang__script},
	{"luajit", "lua", "luajit", st_lang__script},
	{"tclsh", "tcl", "tcl", st_lang__script},
	{"julia", "julia", "julia", st_lang__script},
	{"guile", "scheme", "guile", st_lang__script},
	{"R", "r", "R", st_lang__r},
	{"sh", "shell", NULL, st_lang__shell},
	{"bash", "shell", NULL, st_lang__shell},
	{"dash", "shell", NULL, st_lang__shell},
	{"ash", "shell", NULL, st_lang__shell},
	{"zsh", "shell", NULL, st_lang__shell},
	{"ksh", "shell", NULL, st_lang__shell},
	{"mksh", "shell", NULL, st_lang__shell},
	{"fish", "shell", NULL, st_lang__shell},
};

#define LANG_CNT (sizeof(langs) / sizeof(langs[0]))

/* What stands behind a runtime's name is a version: "3.11", "-3.4", "3.11d". */
static bool is_version(struct st_str s)
{
	if (s.len && (*s.p == '-' || *s.p == '_'))
		s = st_text__skip(s, 1);
	if (s.len > 1 && strchr("dmt", s.p[s.len - 1]) && s.p[s.len - 1])
		s.len--;
	for (uint32_t i = 0; i < s.len; i++)
		if (s.p[i] != '.' && (s.p[i] < '0' || s.p[i] > '9'))
			return false;
	return true;
}

static const struct lang *find_lang(struct st_str program, struct st_str *version)
{
	for (uint32_t i = 0; i < LANG_CNT; i++) {
		struct st_str rest;

		if (!st_text__starts(program, langs[i].program))
			continue;
		rest = st_text__skip(program, (uint32_t)strlen(langs[i].program));
		if (!is_version(rest))
			continue;
		if (rest.len && (*rest.p == '-' || *rest.p == '_'))
			rest = st_text__skip(rest, 1);
		*version = rest;
		return &langs[i];
	}
	return NULL;
}

/* A title has one argument with blanks; what stood behind it was overwritten with zeroes. */
static void split_args(struct st_cmd *c)
{
	struct st_str rest = c->facts->args, item;

	while (rest.len && !rest.p[rest.len - 1])
		rest.len--;
	while (c->argc < ST_ARGV_MAX && st_text__item(&rest, &item))
		c->argv[c->argc++] = item;
	if (c->argc == 1 && memchr(c->argv[0].p, ' ', c->argv[0].len))
		c->title = c->argv[0];
}

/* Words of a title, for interpreters: "node /srv/app.js", "npm start". */
static void split_title(struct st_cmd *c)
{
	struct st_str rest = c->title;

	c->argc = 0;
	while (rest.len && c->argc < ST_ARGV_MAX) {
		struct st_str word = st_text__until(rest, ' ');

		rest = st_text__skip(rest, word.len + 1);
		if (word.len)
			c->argv[c->argc++] = word;
	}
}

static struct st_str without_deleted(struct st_str exe)
{
	if (st_text__ends(exe, " (deleted)"))
		exe.len -= sizeof(" (deleted)") - 1;
	return exe;
}

/* The program's name by argv[0]: "-bash" is bash, "nginx: worker process" is nginx. */
static struct st_str arg0_name(const struct st_cmd *c)
{
	struct st_str a = c->argc ? st_text__until(c->argv[0], ' ') : st_str(NULL, 0);

	a = st_text__base(a);
	if (st_text__starts(a, "-"))
		a = st_text__skip(a, 1);
	return st_text__until(a, ':');
}

/*
 * exec sets comm to the name that was executed, before links are followed: when argv[0] agrees
 * with it and the executable does not, one binary serves several names (busybox; redis-server,
 * which is a link to redis-check-rdb).
 */
static bool is_comm(struct st_str name, struct st_str comm)
{
	return name.len && comm.len &&
	       st_str_eq(st_str(name.p, name.len < COMM_MAX ? name.len : COMM_MAX), comm);
}

static void shift(struct st_cmd *c, uint32_t n)
{
	c->argc -= n;
	memmove(c->argv, c->argv + n, c->argc * sizeof(c->argv[0]));
	c->program = st_text__base(c->argv[0]);
}

/* "busybox httpd", "ld-linux.so.2 --library-path /x /srv/prog": the program is an argument. */
static void see_through(struct st_cmd *c)
{
	uint32_t i;

	if (st_text__in(c->program, "busybox toybox coreutils")) {
		if (c->argc > 1 && c->argv[1].len && *c->argv[1].p != '-')
			shift(c, 1);
	} else if (st_text__starts(c->program, "ld-linux") ||
		   st_text__starts(c->program, "ld-musl-")) {
		i = st_cmd__positional(c, 1,
				       "--library-path --argv0 --preload --audit "
				       "--inhibit-rpath --glibc-hwcaps-prepend");
		if (i < c->argc)
			shift(c, i);
	}
}

static enum st_name_source find_program(struct st_cmd *c)
{
	struct st_str exe = st_text__base(without_deleted(c->facts->exe));
	struct st_str arg0 = arg0_name(c), comm = c->facts->comm, version;

	c->program = exe;
	if (exe.len && find_lang(exe, &version))
		return ST_NAME_PROGRAM;
	if (is_comm(arg0, comm) || (!exe.len && !comm.len))
		c->program = arg0;
	else if (!exe.len)
		c->program = comm;
	see_through(c);
	return exe.len || !st_str_eq(c->program, comm) ? ST_NAME_PROGRAM : ST_NAME_COMM;
}

/* "myapp-v1.2.3", "php-fpm8.2" without the version, which must have a dot. */
static struct st_str without_version(struct st_str s)
{
	uint32_t i = s.len;
	bool dot = false;

	while (i && (s.p[i - 1] == '.' || (s.p[i - 1] >= '0' && s.p[i - 1] <= '9')))
		dot |= s.p[--i] == '.' && i + 1 < s.len;
	if (!dot || i == s.len)
		return s;
	if (i > 1 && s.p[i - 1] == 'v' && (s.p[i - 2] == '-' || s.p[i - 2] == '_'))
		i--;
	while (i && strchr("-_.", s.p[i - 1]) && s.p[i - 1])
		i--;
	return i ? st_str(s.p, i) : s;
}

/* OpenTelemetry's own ways to name a service, as its SDK in that process would be told. */
static bool own_name(struct st_cmd *c)
{
	struct st_otel_attrs *attrs;
	struct st_str v;
	bool found = false;

	if (st_text__env(c->facts->env, "OTEL_SERVICE_NAME", &v) &&
	    st_cmd__name(c, st_text__trim(v), ST_NAME_ENV))
		return true;
	if (!st_text__env(c->facts->env, "OTEL_RESOURCE_ATTRIBUTES", &v))
		return false;
	attrs = malloc(sizeof(*attrs));
	if (attrs && !st_otel_attrs__parse(v, attrs) &&
	    st_otel_attrs__find(attrs, "service.name", &v))
		found = st_cmd__name(c, v, ST_NAME_ATTRS);
	free(attrs);
	return found;
}

static void detect_runtime(struct st_cmd *c, const struct lang *lang, struct st_str version)
{
	struct st_service *out = c->out;

	out->language = lang->language;
	out->runtime = lang->runtime;
	if (version.len && memchr(version.p, '.', version.len))
		st_text__clean(out->runtime_version, sizeof(out->runtime_version), version);
}

/* The walk is worth doing for a named process too: it finds the file that has the version. */
static void detect_name(struct st_cmd *c, enum st_name_source source)
{
	struct st_str version;
	const struct lang *lang = find_lang(c->program, &version);

	if (!lang) {
		if (!st_cmd__name(c, without_version(c->program), source) &&
		    !st_cmd__name(c, st_text__base(c->facts->exe), ST_NAME_PROGRAM))
			st_cmd__name(c, c->facts->comm, ST_NAME_COMM);
		return;
	}
	detect_runtime(c, lang, version);
	if (c->title.len)
		split_title(c);
	if (!lang->name(c))
		st_cmd__name(c, st_str_of(lang->program), source);
}

static void detect(struct st_cmd *c)
{
	struct st_service own;

	split_args(c);
	if (own_name(c)) {
		own = *c->out;
		detect_name(c, find_program(c));
		memcpy(c->out->name, own.name, sizeof(own.name));
		c->out->source = own.source;
	} else {
		detect_name(c, find_program(c));
	}
}

void st_service__detect(const struct st_facts *facts, struct st_service *out)
{
	struct st_cmd *c = calloc(1, sizeof(*c));

	memset(out, 0, sizeof(*out));
	if (!c)
		return;
	c->facts = facts;
	c->out = out;
	detect(c);
	free(c);
}

const char *st_service__source_name(enum st_name_source source)
{
	static const char *const names[] = {
		[ST_NAME_NONE] = "nothing",
		[ST_NAME_ENV] = "OTEL_SERVICE_NAME",
		[ST_NAME_ATTRS] = "OTEL_RESOURCE_ATTRIBUTES",
		[ST_NAME_PROPERTY] = "system property",
		[ST_NAME_APP] = "application's own setting",
		[ST_NAME_PACKAGE] = "package.json",
		[ST_NAME_MODULE] = "module",
		[ST_NAME_SCRIPT] = "file",
		[ST_NAME_FOLDER] = "folder",
		[ST_NAME_TITLE] = "title",
		[ST_NAME_PROGRAM] = "program",
		[ST_NAME_COMM] = "process name",
		[ST_NAME_MANIFEST] = "manifest",
	};

	return names[source];
}
