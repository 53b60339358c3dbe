/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Tries leave nothing behind, answers have reasons, privileges are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <dirent.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kern/features.h"

static void test_lockdown(void **state)
{
	char out[24];

	(void)state;
	assert_true(
		st_features__parse_lockdown("[none] integrity confidentiality", out, sizeof(out)));
	assert_string_equal(out, "none");
	assert_true(
		st_features__parse_lockdown("none integrity [confidentiality]", out, sizeof(out)));
	assert_string_equal(out, "confidentiality");
	assert_false(st_features__parse_lockdown("none integrity", out, sizeof(out)));
	assert_false(st_features__parse_lockdown("[", out, sizeof(out)));
	assert_false(st_features__parse_lockdown("[]", out, sizeof(out)));
	assert_false(st_features__parse_lockdown("", out, sizeof(out)));
}

static void test_cap_in(void **state)
{
	(void)state;
	assert_true(st_features__cap_in(1ull << 39, 39));
	assert_true(st_features__cap_in(1ull << 21, 39)); /* CAP_SYS_ADMIN stands for CAP_BPF */
	assert_true(st_features__cap_in(1ull << 21, 38));
	assert_false(st_features__cap_in(1ull << 21, 19)); /* not for CAP_SYS_PTRACE */
	assert_false(st_features__cap_in(~(1ull << 2), 2));
}

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Programs named as the tries name theirs; the kernel frees closed ones a moment later. */
static int programs_left(void)
{
	uint32_t id = 0;
	int n = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, "st_try"))
			n++;
		close(fd);
	}
	return n;
}

static void check_texts(const struct st_features *f)
{
	for (int i = 0; i < ST_FEATURE_CNT; i++) {
		const struct st_feature *v = &f->v[i];

		if ((v->state == ST_FEATURE_YES) != !v->why[0])
			fail_msg("%s: state %d, why \"%s\"",
				 st_feature__name((enum st_feature_id)i), v->state, v->why);
		/* Neither text was cut. */
		assert_true(strlen(v->why) < sizeof(v->why) - 1);
		assert_true(strlen(v->cure) < sizeof(v->cure) - 1);
	}
}

static void test_probe(void **state)
{
	struct st_features f;
	int before = open_files();

	(void)state;
	st_features__probe(&f);
	assert_int_equal(open_files(), before);
	check_texts(&f);
	assert_true(f.kernel[0]);
	assert_int_equal(st_features__has(&f, ST_FEATURE_BTF),
			 !access("/sys/kernel/btf/vmlinux", R_OK));
	if (!st_features__has(&f, ST_FEATURE_BPF_CALL))
		skip(); /* needs CAP_BPF */
	assert_true(st_features__has(&f, ST_FEATURE_RINGBUF));
	for (int i = 0; programs_left() && i < 100; i++)
		usleep(20000);
	assert_int_equal(programs_left(), 0);
}

/* The same without capabilities, in a child. */
static void test_unprivileged(void **state)
{
	struct st_features *f =
		mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(f != MAP_FAILED);
	if (!pid) {
		struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct none[2] = {0};

		if (syscall(SYS_capset, &h, none))
			_exit(1);
		st_features__probe(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	check_texts(f);
	assert_int_equal(f->v[ST_FEATURE_CAP_BPF].state, ST_FEATURE_NO);
	assert_int_equal(f->v[ST_FEATURE_CAP_PERFMON].state, ST_FEATURE_NO);
	assert_non_null(strstr(f->v[ST_FEATURE_CAP_BPF].cure, "cap_bpf+ep"));
	assert_int_equal(f->v[ST_FEATURE_TP_STATE].state, ST_FEATURE_NO);
	if (f->unprivileged_bpf > 0) {
		assert_int_equal(f->v[ST_FEATURE_BPF_CALL].state, ST_FEATURE_NO);
		assert_non_null(strstr(f->v[ST_FEATURE_BPF_CALL].why, "CAP_BPF"));
	}
	munmap(f, sizeof(*f));
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < ST_FEATURE_CNT; i++) {
		assert_true(st_feature__name((enum st_feature_id)i)[0]);
		assert_true(strlen(st_feature__text((enum st_feature_id)i)) <= 40);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(st_feature__name((enum st_feature_id)i),
						st_feature__name((enum st_feature_id)k));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lockdown), cmocka_unit_test(test_cap_in),
		cmocka_unit_test(test_probe),	 cmocka_unit_test(test_unprivileged),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
