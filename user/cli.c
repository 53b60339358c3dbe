/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "cli.h"

#include <getopt.h>

#include "cli_opts.h"
#include "env.h"
#include "lib/wire_rule.h"
#include "export/export.h"

static const char *const command_names[] = {
	[ST_CMD_TRACE] = "tracing",
	[ST_CMD_CHECK] = "check",
	[ST_CMD_LIST] = "list",
	[ST_CMD_REPLAY] = "replay",
};

/* getopt's codes for options: above any character. */
#define OPT_BASE 256

struct getopt_tables {
	struct option longs[ST_OPT_CNT + 1];
	char shorts[3 * ST_OPT_CNT + 3];
};

static void fill_tables(struct getopt_tables *t)
{
	char *s = t->shorts;

	memset(t, 0, sizeof(*t));
	/* '-': operands come in their place, as code 1; ':': a missing argument is told apart. */
	*s++ = '-';
	*s++ = ':';
	for (size_t i = 0; i < ST_OPT_CNT; i++) {
		t->longs[i].name = st_opts[i].name;
		t->longs[i].has_arg = st_opts[i].has_arg;
		t->longs[i].val = OPT_BASE + (int)i;
		if (!st_opts[i].letter)
			continue;
		*s++ = st_opts[i].letter;
		if (st_opts[i].has_arg == required_argument)
			*s++ = ':';
	}
}

static const struct st_opt *find_opt(int code)
{
	if (code >= OPT_BASE)
		return &st_opts[code - OPT_BASE];
	for (size_t i = 0; i < ST_OPT_CNT; i++)
		if (st_opts[i].letter == code)
			return &st_opts[i];
	return NULL;
}

/* The line of an option, in the form that was more likely typed. */
static const char *shown(const struct st_opt *o, char *buf, size_t sz)
{
	if (o->letter)
		snprintf(buf, sz, "-%c", o->letter);
	else
		snprintf(buf, sz, "--%s", o->name);
	return buf;
}

struct state {
	struct st_config *c;
	bool has_command;
	unsigned used[ST_OPT_CNT];
};

static int operand(struct state *st, const char *arg)
{
	struct st_config *c = st->c;

	if (c->command == ST_CMD_REPLAY && !c->replay && *arg) {
		c->replay = arg;
		return 0;
	}
	if (st->has_command)
		return st_cli_wrong("%s: one argument too many; a command to run stands after --",
				    arg);
	st->has_command = true;
	for (int i = ST_CMD_CHECK; i <= ST_CMD_REPLAY; i++)
		if (!strcmp(arg, command_names[i])) {
			c->command = (enum st_command)i;
			return 0;
		}
	if (!strcmp(arg, "help")) {
		c->command = ST_CMD_HELP;
		return 0;
	}
	return st_cli_wrong("%s: unknown command; use check, list or replay, -p PID for a process, "
			    "or -- %s to run it",
			    arg, arg);
}

static int missing_arg(char **argv)
{
	const struct st_opt *o = find_opt(optopt);
	char buf[40];

	return st_cli_wrong("%s: its argument is missing; see spantap --help",
			    o ? shown(o, buf, sizeof(buf)) : argv[optind - 1]);
}

static int bad_option(char **argv)
{
	const struct st_opt *o = find_opt(optopt);

	if (optopt >= OPT_BASE && o)
		return st_cli_wrong("--%s: it takes no argument; leave what follows '=' out",
				    o->name);
	if (optopt)
		return st_cli_wrong("-%c: unknown option; see spantap --help", optopt);
	return st_cli_wrong("%s: unknown option, or short for several; see spantap --help",
			    argv[optind - 1]);
}

static int one_option(struct state *st, int code, char **argv)
{
	const struct st_opt *o;

	if (code == 1)
		return operand(st, optarg);
	if (code == ':')
		return missing_arg(argv);
	if (code == '?')
		return bad_option(argv);
	o = find_opt(code);
	if (!o->commands)
		return st_cli_wrong(
			"--%s: not available in this version; see spantap --help for what is",
			o->name);
	st->used[o - st_opts]++;
	return o->set(st->c, optarg);
}

static int check_used(const struct state *st)
{
	enum st_command cmd = st->c->command;
	char buf[40];

	for (size_t i = 0; i < ST_OPT_CNT; i++)
		if (st->used[i] && !(st_opts[i].commands & (1u << cmd)))
			return st_cli_wrong("%s: it does not go with %s; leave it out",
					    shown(&st_opts[i], buf, sizeof(buf)),
					    command_names[cmd]);
	return 0;
}

static bool has_some(const struct st_config *c)
{
	return c->pid_cnt || c->comm_cnt || c->exe_cnt || c->argv;
}

/* Where some destinations are named, the others are not told. */
static int close_rules(struct st_config *c)
{
	bool any = false;

	for (int i = 0; i < c->wire_rule_cnt; i++)
		any |= c->wire_rules[i].allow;
	if (any)
		c->wire_rules[c->wire_rule_cnt++] = st_wire_rule__all(false);
	if (c->wire_rule_cnt && !c->propagate)
		return st_cli_wrong("--propagate-to: it goes with --propagate; add "
				    "--propagate=header or --propagate=option");
	return 0;
}

static int check_together(struct st_config *c)
{
	if (c->command == ST_CMD_REPLAY && !c->replay)
		return st_cli_wrong("replay: its file is missing; use spantap replay FILE");
	if (c->command != ST_CMD_TRACE)
		return c->argv ? st_cli_wrong("%s: it runs no command; leave -- %s out",
					      command_names[c->command], c->argv[0])
			       : 0;
	if (c->all && has_some(c))
		return st_cli_wrong("-a: it takes every process; leave it out to choose some");
	if (!has_some(c) && !c->port_cnt)
		c->all = true;
	if (c->no_children && c->all)
		return st_cli_wrong(
			"--no-children: with every process there is nothing to leave out; "
			"add -p PID");
	return close_rules(c);
}

static int parse_options(struct state *st, int argc, char **argv)
{
	struct getopt_tables t;
	int code, err;

	fill_tables(&t);
	opterr = 0;
	optind = 0; /* glibc: start anew, whatever was parsed before */
	while ((code = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
		err = one_option(st, code, argv);
		if (err || st->c->command >= ST_CMD_HELP)
			return err;
	}
	if (optind < argc)
		st->c->argv = argv + optind;
	else if (argc > 1 && !strcmp(argv[argc - 1], "--") && optind == argc)
		return st_cli_wrong(
			"--: a command must follow it, as in spantap -- curl -s localhost");
	return 0;
}

static void set_log_level(const struct st_config *c)
{
	if (c->quiet)
		st_log__set_level(ST_LOG_WARN);
	else if (c->verbose)
		st_log__set_level(ST_LOG_DEBUG);
	else
		st_log__set_level((enum st_log_level)st_env__log_level());
}

int st_cli__parse(int argc, char **argv, struct st_config *out)
{
	struct state st = {.c = out};
	int err;

	memset(out, 0, sizeof(*out));
	err = parse_options(&st, argc, argv);
	if (err || out->command >= ST_CMD_HELP)
		return err;
	err = check_used(&st);
	if (!err)
		err = check_together(out);
	if (err)
		return err;
	set_log_level(out);
	return st_env__apply(out);
}

static const char help_text[] =
	"Usage: spantap [WHO] [-o OUTPUT]... [options] [-- COMMAND [ARG]...]\n"
	"       spantap check [-p PID] [--json]    what this kernel and your rights allow\n"
	"       spantap list [-p PID] [--json]     what can be seen here, or in a process\n"
	"       spantap replay FILE [-o OUTPUT]... a recording through the same pipeline\n"
	"\n"
	"Shows the requests that running processes serve and make, as OpenTelemetry\n"
	"traces. No change to them, no restart.\n"
	"\n"
	"WHO: which processes (default: -a)\n"
	"  -p, --pid PID[,PID]    these, with their descendants, old and new\n"
	"  -a, --all              every process of this host\n"
	"      --comm NAME        all of that name\n"
	"      --exe GLOB         all whose program's path matches\n"
	"      --port PORT[,PORT] what is served or called on these ports\n"
	"      --no-children      leave out descendants\n"
	"  -- COMMAND [ARG]...    run it; its exit code becomes spantap's\n"
	"\n"
	"WHAT\n"
	"  -e, --probe PROBE      only these protocols: http, fastcgi (default: all)\n"
	"  -t, --min-duration T   only spans at least this long (500us, 5ms, 1.5s)\n"
	"      --filter EXPR      only spans that match, as in 'status == error ||\n"
	"                         duration > 50ms && http.route =~ \"/api/*\"'\n"
	"      --sample RATIO     only this part of the traces, 0 to 1\n"
	"      --capture header:NAME  a header's value as an attribute\n"
	"      --link-candidates  link calls without a parent to possible causes\n"
	"\n"
	"ON THE WIRE (nothing without it)\n"
	"      --propagate=WAY[,WAY]  requests tell the next host whose they are:\n"
	"                         header: traceparent, in plain HTTP/1\n"
	"                         option: TCP option 25, in any protocol, TLS too\n"
	"      --propagate-to=RULE[,RULE]  only to these destinations, or not to those,\n"
	"                         as in 10.0.0.0/8,!10.1.2.3:8080,!:5432\n"
	"\n"
	"WHERE TO: -o, --output OUTPUT, several allowed (default: tree)\n"
	"  tree                   waterfalls on this terminal\n"
	"  json[:pretty]          OTLP/JSON on standard output, a request a line\n"
	"  file:PATH              the same in a file that rotates by size\n"
	"  otlp[:URL]             OTLP over HTTP (default: http://localhost:4318)\n"
	"  grpc[:URL]             OTLP over gRPC (default: http://localhost:4317)\n"
	"  zipkin[:URL]           Zipkin v2 JSON\n"
	"  folded:PATH            folded stacks of self time, for flame graphs\n"
	"  none                   nothing but the summary at the end\n"
	"\n"
	"HOW\n"
	"      --duration T       end after this time\n"
	"      --record FILE      keep the raw records, for replay\n"
	"      --rung NAME        tracepoints, fentry, kprobe or syscalls (default: the\n"
	"                         best that works here)\n"
	"      --ring-size SIZE   of each CPU's ring, a power of two, as in 2M\n"
	"      --max-conns N      connections that are followed at once\n"
	"  -q, --quiet            warnings and errors only\n"
	"  -v, --verbose          say more\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n"
	"\n"
	"Examples:\n"
	"  sudo spantap -p \"$(pgrep -o nginx)\" -t 10ms\n"
	"  sudo spantap -a -o otlp:http://localhost:4318 --filter 'status == error'\n"
	"\n"
	"OTEL_* variables mean what OpenTelemetry says; the command line wins over them.\n"
	"Ctrl-C ends; SIGUSR1 prints counters and open requests. More: man spantap\n";

void st_cli__help(FILE *to)
{
	fputs(help_text, to);
}

void st_cli__version(FILE *to)
{
	fputs("spantap " ST_VERSION "\n", to);
}
