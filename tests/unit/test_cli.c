/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The command line: what is understood, and that what is not gets one line and exit code 2. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli.h"
#include "cli_opts.h"
#include "lib/log.h"
#include "lib/units.h"

#define ARGS_MAX 80

static char said[4096];

static int parse_v(struct st_config *c, char **argv)
{
	FILE *err = tmpfile();
	int saved = dup(STDERR_FILENO), argc = 0, code;
	size_t n;

	while (argv[argc])
		argc++;
	assert_non_null(err);
	fflush(stderr);
	dup2(fileno(err), STDERR_FILENO);
	code = st_cli__parse(argc, argv, c);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(err);
	n = fread(said, 1, sizeof(said) - 1, err);
	said[n] = '\0';
	fclose(err);
	return code;
}

#define parse(c, ...) parse_v(c, (char *[]){"spantap", ##__VA_ARGS__, NULL})

static void defaults(void **state)
{
	struct st_config c;

	(void)state;
	memset(&c, 0xaa, sizeof(c));
	assert_int_equal(parse(&c), 0);
	assert_string_equal(said, "");
	assert_int_equal(c.command, ST_CMD_TRACE);
	assert_true(c.all);
	assert_int_equal(c.pid_cnt, 0);
	assert_null(c.argv);
	assert_int_equal(c.output_cnt, 1);
	assert_string_equal(c.outputs[0], "tree");
	assert_int_equal(c.sampler, ST_SAMPLER_PARENT_ON);
	assert_int_equal(c.exp.max_queue, 2048);
	assert_int_equal(c.exp.out_fd, 1);
}

static void who(void **state)
{
	struct st_config c;

	(void)state;
	assert_int_equal(parse(&c, "-p", "12,34", "-p34", "--pid=56", "--comm", "nginx", "--exe",
			       "/usr/bin/*", "--port=80,8080", "--no-children"),
			 0);
	assert_false(c.all);
	assert_int_equal(c.pid_cnt, 3);
	assert_int_equal(c.pids[0], 12);
	assert_int_equal(c.pids[1], 34);
	assert_int_equal(c.pids[2], 56);
	assert_string_equal(c.comm[0], "nginx");
	assert_string_equal(c.exe[0], "/usr/bin/*");
	assert_int_equal(c.port_cnt, 2);
	assert_int_equal(c.ports[1], 8080);
	assert_true(c.no_children);
}

static void each_who_replaces_all(void **state)
{
	struct st_config c;

	(void)state;
	assert_int_equal(parse(&c, "--comm", "nginx"), 0);
	assert_false(c.all);
	assert_int_equal(parse(&c, "--exe", "*"), 0);
	assert_false(c.all);
	assert_int_equal(parse(&c, "--port", "80"), 0);
	assert_false(c.all);
	assert_int_equal(parse(&c, "--", "true"), 0);
	assert_false(c.all);
	assert_int_equal(parse(&c, "-a"), 0);
	assert_true(c.all);
	assert_int_equal(parse(&c, "-a", "--port", "80"), 0);
	assert_true(c.all);
	assert_int_equal(c.port_cnt, 1);
}

static void command_to_run(void **state)
{
	char *argv[] = {"spantap", "-o", "json", "--", "curl", "-s", "--", "-p", NULL};
	struct st_config c;

	(void)state;
	assert_int_equal(parse_v(&c, argv), 0);
	assert_ptr_equal(c.argv, argv + 4);
	assert_string_equal(c.argv[0], "curl");
	assert_string_equal(c.argv[3], "-p");
	assert_null(c.argv[4]);
	assert_int_equal(c.pid_cnt, 0);
}

static void what_and_where(void **state)
{
	struct st_config c;

	(void)state;
	assert_int_equal(parse(&c, "-e", "http", "-o", "tree", "-o", "otlp:http://h:4318",
			       "--output=file:/tmp/x", "-t", "5ms", "--duration", "1.5s",
			       "--sample=0.1", "--filter", "status == error", "--capture",
			       "header:X-Tenant", "--record", "f.rec", "--rung", "fentry",
			       "--ring-size", "4MiB", "--max-conns=5000", "-v"),
			 0);
	assert_int_equal(c.probe_cnt, 1);
	assert_int_equal(c.output_cnt, 3);
	assert_string_equal(c.outputs[1], "otlp:http://h:4318");
	assert_string_equal(c.outputs[2], "file:/tmp/x");
	assert_int_equal(c.min_ns, 5000000);
	assert_int_equal(c.duration_ns, 1500000000);
	assert_int_equal(c.sampler, ST_SAMPLER_PARENT_RATIO);
	assert_true(c.sample_ratio == 0.1);
	assert_string_equal(c.filter, "status == error");
	assert_string_equal(c.captures[0], "header:X-Tenant");
	assert_string_equal(c.record, "f.rec");
	assert_string_equal(c.rung, "fentry");
	assert_int_equal(c.ring_sz, 4 << 20);
	assert_int_equal(c.max_conns, 5000);
	assert_true(c.verbose);
	assert_int_equal(st_log__level(), ST_LOG_DEBUG);
	assert_int_equal(parse(&c, "-v", "-q"), 0);
	assert_true(c.quiet);
	assert_false(c.verbose);
	assert_int_equal(st_log__level(), ST_LOG_WARN);
	assert_int_equal(parse(&c), 0);
	assert_int_equal(st_log__level(), ST_LOG_INFO);
}

static void commands(void **state)
{
	struct st_config c;

	(void)state;
	assert_int_equal(parse(&c, "check", "--json"), 0);
	assert_int_equal(c.command, ST_CMD_CHECK);
	assert_true(c.json);
	assert_int_equal(parse(&c, "-p", "4711", "list"), 0);
	assert_int_equal(c.command, ST_CMD_LIST);
	assert_int_equal(c.pids[0], 4711);
	assert_int_equal(parse(&c, "replay", "a.rec", "-o", "json", "--filter", "x"), 0);
	assert_int_equal(c.command, ST_CMD_REPLAY);
	assert_string_equal(c.replay, "a.rec");
	assert_string_equal(c.outputs[0], "json");
	assert_int_equal(parse(&c, "replay", "check"), 0);
	assert_string_equal(c.replay, "check");
	assert_int_equal(parse(&c, "-p", "nonsense-after-help-is-not-read", "--help"), 2);
	assert_int_equal(parse(&c, "--help", "-p", "nonsense"), 0);
	assert_int_equal(c.command, ST_CMD_HELP);
	assert_int_equal(parse(&c, "help"), 0);
	assert_int_equal(c.command, ST_CMD_HELP);
	assert_int_equal(parse(&c, "--version"), 0);
	assert_int_equal(c.command, ST_CMD_VERSION);
}

/* The command line wins over the environment, and the environment over the defaults. */
static void over_environment(void **state)
{
	struct st_config c;

	(void)state;
	setenv("OTEL_TRACES_EXPORTER", "otlp,zipkin", 1);
	setenv("OTEL_TRACES_SAMPLER", "always_off", 1);
	setenv("OTEL_LOG_LEVEL", "debug", 1);
	assert_int_equal(parse(&c), 0);
	assert_int_equal(c.output_cnt, 2);
	assert_string_equal(c.outputs[0], "otlp");
	assert_string_equal(c.outputs[1], "zipkin");
	assert_int_equal(c.sampler, ST_SAMPLER_ALWAYS_OFF);
	assert_int_equal(st_log__level(), ST_LOG_DEBUG);
	assert_int_equal(parse(&c, "-o", "json", "--sample", "0", "-q"), 0);
	assert_int_equal(c.output_cnt, 1);
	assert_string_equal(c.outputs[0], "json");
	assert_int_equal(c.sampler, ST_SAMPLER_PARENT_RATIO);
	assert_true(c.sample_ratio == 0);
	assert_int_equal(st_log__level(), ST_LOG_WARN);
	unsetenv("OTEL_TRACES_EXPORTER");
	unsetenv("OTEL_TRACES_SAMPLER");
	unsetenv("OTEL_LOG_LEVEL");
}

/* Each row: the arguments, and words that the one line must have: the thing and the cure. */
static const struct {
	const char *args[6];
	const char *thing;
	const char *cure;
} bad[] = {
	{{"-p", "0"}, "\"0\"", "-p 4711,4712"},
	{{"-p", "12,"}, "\"\"", "-p 4711,4712"},
	{{"-p", "12x"}, "\"12x\"", "numbers"},
	{{"-p", "-5"}, "\"-5\"", "numbers"},
	{{"-p", "99999999999999999999999"}, "99999999999999999999999", "numbers"},
	{{"-p"}, "-p: its argument is missing", "--help"},
	{{"--filter"}, "--filter: its argument is missing", "--help"},
	{{"--port", "70000"}, "70000", "1 to 65535"},
	{{"--comm", "a-name-that-is-too-long"}, "a-name-that-is-too-long", "'a-name-that-is-"},
	{{"--exe", ""}, "--exe", "leave it out"},
	{{"-e", "grpc"}, "grpc", "known are http"},
	{{"-e", "!dns"}, "!dns", "known are http"},
	{{"-o", "jaeger"}, "jaeger", "otlp"},
	{{"-o", "file"}, "-o file", "file:PATH"},
	{{"-o", "file:"}, "-o file:", "file:PATH"},
	{{"-o", "json", "-o", "json"}, "json", "leave one out"},
	{{"-t", "5"}, "-t 5", "ms"},
	{{"-t", "5 ms"}, "5 ms", "500us"},
	{{"--duration", "-3s"}, "-3s", "1.5s"},
	{{"--duration", "99999999999h"}, "99999999999h", "292 years"},
	{{"--sample", "1.01"}, "1.01", "0 to 1"},
	{{"--sample", "nan"}, "nan", "0 to 1"},
	{{"--filter", "a", "--filter", "b"}, "--filter b", "&&"},
	{{"--filter", ""}, "--filter", "missing"},
	{{"--filter", "status == 500"}, "--filter: column 11", "http.response.status_code"},
	{{"--capture", "body"}, "body", "header:NAME"},
	{{"--capture", "header:"}, "header:", "X-Tenant"},
	{{"--capture", "header:a b"}, "header:a b", "X-Tenant"},
	{{"--rung", "uprobe"}, "uprobe", "kprobe"},
	{{"--ring-size", "3M"}, "3M", "power of two"},
	{{"--ring-size", "1K"}, "1K", "64K"},
	{{"--max-conns", "0"}, "--max-conns 0", "from 1"},
	{{"--frobnicate"}, "--frobnicate", "--help"},
	{{"--ver"}, "--ver", "--help"},
	{{"-x"}, "-x", "--help"},
	{{"--all=yes"}, "--all", "'='"},
	{{"--json"}, "--json", "leave it out"},
	{{"check", "-o", "json"}, "-o", "check"},
	{{"list", "--", "true"}, "list", "true"},
	{{"replay"}, "replay", "replay FILE"},
	{{"replay", "f", "g"}, "g", "--"},
	{{"replay", "f", "-p", "1"}, "-p", "replay"},
	{{"nginx"}, "nginx", "-- nginx"},
	{{"--"}, "--", "curl"},
	{{"-a", "-p", "1"}, "-a", "leave it out"},
	{{"--no-children"}, "--no-children", "-p PID"},
	{{"--propagate=headers"}, "headers", "--propagate=header,option"},
	{{"--propagate-to", "10.0.0.0/8"}, "--propagate-to", "--propagate=option"},
	{{"--propagate=option", "--propagate-to", "example.org"}, "example.org", "10.0.0.0/8"},
	{{"--pod", "a/b"}, "--pod", "not available in this version"},
	{{"--container", "x"}, "--container", "not available in this version"},
	{{"--logs"}, "--logs", "not available in this version"},
	{{"--waits=full"}, "--waits", "not available in this version"},
	{{"--max-overhead", "3"}, "--max-overhead", "not available in this version"},
	{{"--java-agent"}, "--java-agent", "not available in this version"},
};

static void refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char *argv[8] = {"spantap"};
		struct st_config c;

		for (int k = 0; k < 6 && bad[i].args[k]; k++)
			argv[k + 1] = (char *)bad[i].args[k];
		if (parse_v(&c, argv) != ST_EXIT_USAGE)
			fail_msg("row %zu (%s): not refused", i, argv[1]);
		if (!strstr(said, bad[i].thing) || !strstr(said, bad[i].cure))
			fail_msg("row %zu: said %s", i, said);
		if (strchr(said, '\n') != said + strlen(said) - 1)
			fail_msg("row %zu: not one line: %s", i, said);
		assert_memory_equal(said, "spantap: ", 9);
	}
}

static void lists_are_capped(void **state)
{
	char *argv[2 * ST_CFG_LIST_MAX + 5] = {"spantap"};
	struct st_config c;
	int n = 1;

	(void)state;
	for (int i = 0; i < ST_CFG_LIST_MAX; i++) {
		argv[n++] = "--comm";
		argv[n++] = "x";
	}
	assert_int_equal(parse_v(&c, argv), 0);
	assert_int_equal(c.comm_cnt, ST_CFG_LIST_MAX);
	argv[n++] = "--comm";
	argv[n++] = "x";
	assert_int_equal(parse_v(&c, argv), ST_EXIT_USAGE);
	assert_int_equal(parse(&c, "--port", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,16"), 0);
	assert_int_equal(parse(&c, "--port", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"), 2);
}

static void help_fits(void **state)
{
	char text[8192], *line, *rest = text;
	FILE *f = tmpfile();
	size_t n;

	(void)state;
	assert_non_null(f);
	st_cli__help(f);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_true(n > 1000 && n < sizeof(text) - 1);
	assert_non_null(strstr(text, "Examples:"));
	for (const struct st_exporter_ops *const *o = st_exporters; *o; o++)
		if (!strstr(text, (*o)->usage))
			fail_msg("--help does not have the output %s", (*o)->usage);
	while ((line = strsep(&rest, "\n")))
		if (strlen(line) > 80)
			fail_msg("wider than 80 columns: %s", line);
}

static char *slurp(const char *path)
{
	static char text[65536];
	FILE *f = fopen(path, "r");

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

/* Each option stands in the manual page and in the completion, and none of a later version. */
static void documented(void **state)
{
	char *text = slurp("docs/spantap.1");

	(void)state;
	for (int i = 0; i < ST_OPT_CNT; i++) {
		char want[64] = "\\-\\-";
		size_t len = strlen(want);

		for (const char *p = st_opts[i].name; *p; p++)
			len += (size_t)sprintf(want + len, *p == '-' ? "\\%c" : "%c", *p);
		if (!strstr(text, want) == !!st_opts[i].commands)
			fail_msg("docs/spantap.1: --%s", st_opts[i].name);
	}
	text = slurp("docs/completion/spantap.bash");
	for (int i = 0; i < ST_OPT_CNT; i++) {
		char want[64];

		sprintf(want, "--%s", st_opts[i].name);
		if (!strstr(text, want) == !!st_opts[i].commands)
			fail_msg("docs/completion/spantap.bash: --%s", st_opts[i].name);
	}
}

static void units(void **state)
{
	uint64_t n;
	double d;

	(void)state;
	assert_int_equal(st_units__duration(st_str_of("0"), &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(st_units__duration(st_str_of("0.5us"), &n), 0);
	assert_int_equal(n, 500);
	assert_int_equal(st_units__duration(st_str_of("2h"), &n), 0);
	assert_true(n == 7200000000000);
	assert_int_equal(st_units__duration(st_str_of("s"), &n), -EINVAL);
	assert_int_equal(st_units__duration(st_str_of("1.2.3s"), &n), -EINVAL);
	assert_int_equal(st_units__size(st_str_of("3G"), &n), 0);
	assert_true(n == (uint64_t)3 << 30);
	assert_int_equal(st_units__size(st_str_of("3Gi"), &n), -EINVAL);
	assert_int_equal(st_units__size(st_str_of(""), &n), -EINVAL);
	assert_int_equal(st_units__uint(st_str_of("18446744073709551615"), UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(st_units__uint(st_str_of("18446744073709551616"), UINT64_MAX, &n),
			 -ERANGE);
	assert_int_equal(st_units__double(st_str_of("-1.25e2"), &d), 0);
	assert_true(d == -125);
	assert_int_equal(st_units__double(st_str_of("0.3"), &d), 0);
	assert_true(d == 0.3);
	assert_int_equal(st_units__double(st_str_of("9e400"), &d), -ERANGE);
	assert_int_equal(st_units__double(st_str_of("0x1"), &d), -EINVAL);
	assert_int_equal(st_units__double(st_str_of("."), &d), -EINVAL);
	assert_int_equal(st_units__double(st_str_of("1e"), &d), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(who),
		cmocka_unit_test(each_who_replaces_all),
		cmocka_unit_test(command_to_run),
		cmocka_unit_test(what_and_where),
		cmocka_unit_test(commands),
		cmocka_unit_test(over_environment),
		cmocka_unit_test(refusals),
		cmocka_unit_test(lists_are_capped),
		cmocka_unit_test(help_fits),
		cmocka_unit_test(documented),
		cmocka_unit_test(units),
	};

	clearenv();
	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
