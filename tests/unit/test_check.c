/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* spantap check as its user sees it, with the privileges of the test and without any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "kern/features.h"
#include "kern/ladder.h"

static char out[65536];

/* Runs it in a child; what it writes to stdout is in `out`. Returns the exit code. */
static int run(const struct st_config *cfg, bool without_caps)
{
	int fds[2], code;
	ssize_t n, len = 0;
	pid_t pid;

	fflush(stdout);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct none[2] = {0};

		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (without_caps && syscall(SYS_capset, &h, none))
			_exit(99);
		_exit(st_check__run(cfg));
	}
	close(fds[1]);
	while ((n = read(fds[0], out + len, sizeof(out) - 1 - (size_t)len)) > 0)
		len += n;
	out[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &code, 0), pid);
	assert_true(WIFEXITED(code));
	return WEXITSTATUS(code);
}

static void check_width(void)
{
	for (const char *p = out; *p;) {
		size_t n = strcspn(p, "\n");

		if (n > 80)
			fail_msg("%zu columns: %.*s", n, (int)n, p);
		p += n + (p[n] != '\0');
	}
}

/* Braces and brackets outside of strings match, and strings end. */
static void check_json(void)
{
	char stack[32];
	int depth = 0;
	bool in_string = false;

	for (const char *p = out; *p; p++) {
		if (in_string) {
			if (*p == '\\')
				p++;
			else if (*p == '"')
				in_string = false;
		} else if (*p == '"') {
			in_string = true;
		} else if (*p == '{' || *p == '[') {
			assert_true(depth < 32);
			stack[depth++] = *p == '{' ? '}' : ']';
		} else if (*p == '}' || *p == ']') {
			assert_true(depth > 0 && stack[--depth] == *p);
		}
	}
	assert_int_equal(depth, 0);
	assert_false(in_string);
}

static bool may_trace(void)
{
	struct st_features f;

	st_features__probe(&f);
	return st_features__has(&f, ST_FEATURE_CAP_BPF) &&
	       st_features__has(&f, ST_FEATURE_CAP_PERFMON) &&
	       st_features__has(&f, ST_FEATURE_BPF_CALL) && st_features__has(&f, ST_FEATURE_BTF);
}

static void test_text(void **state)
{
	struct st_config cfg = {0};
	int code = run(&cfg, false);

	(void)state;
	check_width();
	assert_int_equal(code, strstr(out, "Tracing works here.") ? 0 : 1);
	assert_non_null(strstr(out, "NOT SEEN, OR SEEN IN PART"));
	assert_non_null(strstr(out, "quic"));
	if (!may_trace())
		skip(); /* needs CAP_BPF and CAP_PERFMON */
	for (int n = 0; n < ST_NEED_CNT; n++)
		assert_non_null(strstr(out, st_need__name((enum st_need)n)));
}

static void test_json(void **state)
{
	struct st_config cfg = {.json = true};
	int code = run(&cfg, false);

	(void)state;
	check_json();
	assert_int_equal(code, strstr(out, "\"works\":true") ? 0 : 1);
	for (int i = 0; i < ST_FEATURE_CNT; i++) {
		char want[96];

		snprintf(want, sizeof(want), "{\"name\":\"%s\",\"state\":\"",
			 st_feature__name((enum st_feature_id)i));
		assert_non_null(strstr(out, want));
	}
}

static void test_unprivileged(void **state)
{
	struct st_config cfg = {0};

	(void)state;
	assert_int_equal(run(&cfg, true), 1);
	check_width();
	assert_non_null(strstr(out, "Tracing does not work here"));
	assert_non_null(strstr(out, "CAP_BPF: not held"));
	assert_non_null(strstr(out, "setcap cap_bpf"));
	cfg.json = true;
	assert_int_equal(run(&cfg, true), 1);
	check_json();
	assert_non_null(strstr(out, "\"works\":false"));
}

/* What a process is stands behind what the kernel allows; one that does not exist fails. */
static void test_pids(void **state)
{
	struct st_config cfg = {.pid_cnt = 1, .pids = {getpid()}};
	char want[32];

	(void)state;
	run(&cfg, false);
	check_width();
	snprintf(want, sizeof(want), "\n\n%d\n  service ", getpid());
	assert_non_null(strstr(out, want));
	cfg.json = true;
	run(&cfg, false);
	check_json();
	snprintf(want, sizeof(want), "\"processes\":[{\"pid\":%d,", getpid());
	assert_non_null(strstr(out, want));
	cfg.pids[0] = 4194304; /* beyond the kernel's highest */
	assert_int_equal(run(&cfg, false), 1);
	check_json();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_pids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
