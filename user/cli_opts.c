/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "cli_opts.h"

#include <errno.h>
#include <getopt.h>

#include "core/filter.h"
#include "export/export.h"
#include "lib/units.h"
#include "lib/wire_rule.h"
#include "spantap/protocol.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Linux never gives a higher one (PID_MAX_LIMIT of a 64-bit kernel). */
#define ST_PID_MAX    4194304u
/* TASK_COMM_LEN without its NUL: what the kernel keeps of a name. */
#define ST_COMM_MAX   15u
#define ST_RING_MIN   (64u << 10)
#define ST_RING_MAX   (256u << 20)
#define ST_CONNS_MAX  (1u << 20)

/* One more string of a list. */
static int add(const char **list, int *cnt, const char *option, const char *arg)
{
	if (!*arg)
		return st_cli_wrong("%s: empty; give it a value, or leave it out", option);
	if (*cnt == ST_CFG_LIST_MAX)
		return st_cli_wrong("%s %s: too many of them; at most %d", option, arg,
				    ST_CFG_LIST_MAX);
	list[(*cnt)++] = arg;
	return 0;
}

/* Calls one() for each piece of a comma-separated list. */
static int each(struct st_config *c, const char *arg,
		int (*one)(struct st_config *c, struct st_str piece))
{
	for (;;) {
		size_t len = strcspn(arg, ",");
		int err = one(c, st_str(arg, len));

		if (err || !arg[len])
			return err;
		arg += len + 1;
	}
}

static int one_pid(struct st_config *c, struct st_str s)
{
	uint64_t pid;

	if (st_units__uint(s, ST_PID_MAX, &pid) || !pid)
		return st_cli_wrong(
			"-p: \"%.*s\" is no process id; give numbers as in -p 4711,4712",
			(int)s.len, s.p);
	for (int i = 0; i < c->pid_cnt; i++)
		if (c->pids[i] == (int)pid)
			return 0;
	if (c->pid_cnt == ST_CFG_LIST_MAX)
		return st_cli_wrong(
			"-p %.*s: too many processes; at most %d, or use --comm, --exe or -a",
			(int)s.len, s.p, ST_CFG_LIST_MAX);
	c->pids[c->pid_cnt++] = (int)pid;
	return 0;
}

static int set_pid(struct st_config *c, const char *arg)
{
	return each(c, arg, one_pid);
}

static int one_port(struct st_config *c, struct st_str s)
{
	uint64_t port;

	if (st_units__uint(s, UINT16_MAX, &port) || !port)
		return st_cli_wrong("--port: \"%.*s\" is no port; give numbers from 1 to 65535",
				    (int)s.len, s.p);
	for (int i = 0; i < c->port_cnt; i++)
		if (c->ports[i] == port)
			return 0;
	if (c->port_cnt == (int)ARRAY_SIZE(c->ports))
		return st_cli_wrong("--port %.*s: too many ports; at most %zu", (int)s.len, s.p,
				    ARRAY_SIZE(c->ports));
	c->ports[c->port_cnt++] = (uint16_t)port;
	return 0;
}

static int set_port(struct st_config *c, const char *arg)
{
	return each(c, arg, one_port);
}

static int set_all(struct st_config *c, const char *arg)
{
	(void)arg;
	c->all = true;
	return 0;
}

static int set_link_candidates(struct st_config *c, const char *arg)
{
	(void)arg;
	c->link_candidates = true;
	return 0;
}

static int set_no_children(struct st_config *c, const char *arg)
{
	(void)arg;
	c->no_children = true;
	return 0;
}

static int set_comm(struct st_config *c, const char *arg)
{
	if (strlen(arg) > ST_COMM_MAX)
		return st_cli_wrong(
			"--comm %s: the kernel keeps %u bytes of a name; use --comm '%.*s'", arg,
			ST_COMM_MAX, (int)ST_COMM_MAX, arg);
	return add(c->comm, &c->comm_cnt, "--comm", arg);
}

static int set_exe(struct st_config *c, const char *arg)
{
	return add(c->exe, &c->exe_cnt, "--exe", arg);
}

static int unknown_probe(const char *arg)
{
	char known[200] = "";
	size_t off = 0;

	for (const struct st_proto_ops *const *o = st_protocols; *o; o++)
		if (off + strlen((*o)->name) + 3 < sizeof(known))
			off += (size_t)sprintf(known + off, "%s%s", off ? ", " : "", (*o)->name);
	return st_cli_wrong("-e %s: unknown probe; known are %s", arg, known);
}

static int set_probe(struct st_config *c, const char *arg)
{
	for (const struct st_proto_ops *const *o = st_protocols; *o; o++)
		if (!strcmp(arg, (*o)->name))
			return add(c->probes, &c->probe_cnt, "-e", arg);
	return unknown_probe(arg);
}

static const struct st_exporter_ops *find_exporter(struct st_str name)
{
	for (const struct st_exporter_ops *const *o = st_exporters; *o; o++)
		if (st_str_eq(name, st_str_of((*o)->name)))
			return *o;
	return NULL;
}

static int unknown_output(const char *arg)
{
	char known[200] = "";
	size_t off = 0;

	for (const struct st_exporter_ops *const *o = st_exporters; *o; o++)
		if (off + strlen((*o)->name) + 3 < sizeof(known))
			off += (size_t)sprintf(known + off, "%s%s", off ? ", " : "", (*o)->name);
	return st_cli_wrong("-o %s: unknown output; known are %s", arg, known);
}

static int set_output(struct st_config *c, const char *arg)
{
	size_t len = strcspn(arg, ":");
	const struct st_exporter_ops *ops = find_exporter(st_str(arg, len));

	if (!ops)
		return unknown_output(arg);
	/* Usage "file:PATH" wants what "otlp[:URL]" does not. */
	if (strchr(ops->usage, ':') && !strchr(ops->usage, '[') && (!arg[len] || !arg[len + 1]))
		return st_cli_wrong("-o %s: it needs more; use -o %s", arg, ops->usage);
	for (int i = 0; i < c->output_cnt; i++)
		if (!strcmp(c->outputs[i], arg))
			return st_cli_wrong("-o %s: given twice; leave one out", arg);
	return add(c->outputs, &c->output_cnt, "-o", arg);
}

static int set_duration(const char *option, const char *arg, uint64_t *out_ns)
{
	int err = st_units__duration(st_str_of(arg), out_ns);

	if (err == -ERANGE)
		return st_cli_wrong("%s %s: too long; use at most 292 years", option, arg);
	if (err)
		return st_cli_wrong(
			"%s %s: no duration; give a number and ns, us, ms, s, m or h, as in "
			"500us or 1.5s",
			option, arg);
	return 0;
}

static int set_min(struct st_config *c, const char *arg)
{
	return set_duration("-t", arg, &c->min_ns);
}

static int set_end(struct st_config *c, const char *arg)
{
	return set_duration("--duration", arg, &c->duration_ns);
}

/* Root spans by ratio, others as their parents: a trace is kept whole or not at all. */
static int set_sample(struct st_config *c, const char *arg)
{
	double ratio;

	if (st_units__double(st_str_of(arg), &ratio) || ratio < 0 || ratio > 1)
		return st_cli_wrong("--sample %s: no ratio; give a number from 0 to 1, as in 0.1",
				    arg);
	c->sampler = ST_SAMPLER_PARENT_RATIO;
	c->sample_ratio = ratio;
	return 0;
}

static int set_string(const char *option, const char *arg, const char **out)
{
	if (!*arg)
		return st_cli_wrong("%s: empty; give it a value, or leave it out", option);
	*out = arg;
	return 0;
}

static int set_filter(struct st_config *c, const char *arg)
{
	struct st_filter *f;
	char why[160];

	if (c->filter)
		return st_cli_wrong("--filter %s: given twice; join the two by &&", arg);
	f = st_filter__new(arg, why, sizeof(why));
	if (!f)
		return st_cli_wrong("--filter: %s", why);
	st_filter__free(f);
	return set_string("--filter", arg, &c->filter);
}

/* RFC 9110 5.6.2: a field name is a token. */
static bool is_token(const char *z)
{
	size_t len = strspn(z, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
			       "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return len && !z[len];
}

static int set_capture(struct st_config *c, const char *arg)
{
	if (strncmp(arg, "header:", 7))
		return st_cli_wrong("--capture %s: unknown kind; this version knows header:NAME",
				    arg);
	if (!is_token(arg + 7))
		return st_cli_wrong(
			"--capture %s: no name of a header; use it as in header:X-Tenant", arg);
	return add(c->captures, &c->capture_cnt, "--capture", arg);
}

static int set_record(struct st_config *c, const char *arg)
{
	return set_string("--record", arg, &c->record);
}

static int set_rung(struct st_config *c, const char *arg)
{
	static const char *const rungs[] = {"tracepoints", "fentry", "kprobe", "syscalls"};

	for (size_t i = 0; i < ARRAY_SIZE(rungs); i++)
		if (!strcmp(arg, rungs[i])) {
			c->rung = rungs[i];
			return 0;
		}
	return st_cli_wrong(
		"--rung %s: unknown; use tracepoints, fentry, kprobe or syscalls, or leave it "
		"out for the best that works here",
		arg);
}

static int set_ring(struct st_config *c, const char *arg)
{
	uint64_t sz;

	if (st_units__size(st_str_of(arg), &sz) || sz < ST_RING_MIN || sz > ST_RING_MAX ||
	    (sz & (sz - 1)))
		return st_cli_wrong(
			"--ring-size %s: give a power of two from 64K to 256M, as in 2M", arg);
	c->ring_sz = (uint32_t)sz;
	return 0;
}

static int set_conns(struct st_config *c, const char *arg)
{
	uint64_t cnt;

	if (st_units__uint(st_str_of(arg), ST_CONNS_MAX, &cnt) || !cnt)
		return st_cli_wrong("--max-conns %s: give a number from 1 to %u", arg,
				    ST_CONNS_MAX);
	c->max_conns = (uint32_t)cnt;
	return 0;
}

static int one_way(struct st_config *c, struct st_str s)
{
	if (st_str_eq(s, ST_STR("header")))
		c->propagate |= ST_PROPAGATE_HEADER;
	else if (st_str_eq(s, ST_STR("option")))
		c->propagate |= ST_PROPAGATE_OPTION;
	else
		return st_cli_wrong("--propagate: \"%.*s\" is no way; use header, option, or both "
				    "as in --propagate=header,option",
				    (int)s.len, s.p);
	return 0;
}

static int set_propagate(struct st_config *c, const char *arg)
{
	return each(c, arg, one_way);
}

static int one_rule(struct st_config *c, struct st_str s)
{
	/* The last one is kept for what the others do not fit. */
	if (c->wire_rule_cnt == ST_WIRE_RULES - 1)
		return st_cli_wrong("--propagate-to %.*s: too many rules; at most %u", (int)s.len,
				    s.p, ST_WIRE_RULES - 1);
	if (st_wire_rule__parse(s, &c->wire_rules[c->wire_rule_cnt]))
		return st_cli_wrong(
			"--propagate-to: \"%.*s\" is no destination; give addresses, prefixes and "
			"ports, as in 10.0.0.0/8,!10.1.2.3:8080,[fd00::1]:8080",
			(int)s.len, s.p);
	c->wire_rule_cnt++;
	return 0;
}

static int set_propagate_to(struct st_config *c, const char *arg)
{
	return each(c, arg, one_rule);
}

static int set_json(struct st_config *c, const char *arg)
{
	(void)arg;
	c->json = true;
	return 0;
}

static int set_quiet(struct st_config *c, const char *arg)
{
	(void)arg;
	c->quiet = true;
	c->verbose = false;
	return 0;
}

static int set_verbose(struct st_config *c, const char *arg)
{
	(void)arg;
	c->verbose = true;
	c->quiet = false;
	return 0;
}

static int set_help(struct st_config *c, const char *arg)
{
	(void)arg;
	c->command = ST_CMD_HELP;
	return 0;
}

static int set_version(struct st_config *c, const char *arg)
{
	(void)arg;
	c->command = ST_CMD_VERSION;
	return 0;
}

const struct st_opt st_opts[ST_OPT_CNT] = {
	{"pid", 'p', ON_TRACE | ON_CHECK | ON_LIST, required_argument, set_pid},
	{"all", 'a', ON_TRACE, no_argument, set_all},
	{"comm", 0, ON_TRACE, required_argument, set_comm},
	{"exe", 0, ON_TRACE, required_argument, set_exe},
	{"port", 0, ON_TRACE, required_argument, set_port},
	{"no-children", 0, ON_TRACE, no_argument, set_no_children},
	{"probe", 'e', ON_SPANS, required_argument, set_probe},
	{"output", 'o', ON_SPANS, required_argument, set_output},
	{"min-duration", 't', ON_SPANS, required_argument, set_min},
	{"filter", 0, ON_SPANS, required_argument, set_filter},
	{"sample", 0, ON_SPANS, required_argument, set_sample},
	{"capture", 0, ON_SPANS, required_argument, set_capture},
	{"link-candidates", 0, ON_SPANS, no_argument, set_link_candidates},
	{"propagate", 0, ON_TRACE, required_argument, set_propagate},
	{"propagate-to", 0, ON_TRACE, required_argument, set_propagate_to},
	{"duration", 0, ON_TRACE, required_argument, set_end},
	{"record", 0, ON_TRACE, required_argument, set_record},
	{"rung", 0, ON_TRACE | ON_CHECK, required_argument, set_rung},
	{"ring-size", 0, ON_TRACE, required_argument, set_ring},
	{"max-conns", 0, ON_SPANS, required_argument, set_conns},
	{"json", 0, ON_CHECK | ON_LIST, no_argument, set_json},
	{"quiet", 'q', ON_ALL, no_argument, set_quiet},
	{"verbose", 'v', ON_ALL, no_argument, set_verbose},
	{"help", 'h', ON_ALL, no_argument, set_help},
	{"version", 'V', ON_ALL, no_argument, set_version},
	{"container", 0, 0, optional_argument, NULL},
	{"pod", 0, 0, optional_argument, NULL},
	{"logs", 0, 0, optional_argument, NULL},
	{"waits", 0, 0, optional_argument, NULL},
	{"max-overhead", 0, 0, optional_argument, NULL},
	{"java-agent", 0, 0, optional_argument, NULL},
};
