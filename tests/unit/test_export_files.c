/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Local outputs: promptness, a slow reader, rotation, a full disk. */
#include "export_spans.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "export/export.h"

#define MS 1000000ull

static struct st_export_config cfg;
static struct st_exporter ex;
static char dir[64], path[128], spec[160];

static int set_up(void **state)
{
	(void)state;
	cfg = (struct st_export_config){
		.attr_cnt_limit = 128,
		.attr_len_limit = UINT32_MAX,
		.event_cnt_limit = 128,
		.link_cnt_limit = 128,
		.event_attr_limit = 128,
		.link_attr_limit = 128,
		.out_fd = 1,
	};
	strcpy(dir, "/tmp/spantap-test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/out", dir);
	return 0;
}

static int tear_down(void **state)
{
	char name[160];

	(void)state;
	unlink(path);
	for (int i = 1; i < 9; i++) {
		snprintf(name, sizeof(name), "%s.%d", path, i);
		unlink(name);
	}
	return rmdir(dir);
}

static void open_as(const char *kind, const char *arg)
{
	snprintf(spec, sizeof(spec), "%s%s%s", kind, arg ? ":" : "", arg ? arg : "");
	assert_int_equal(st_export__open(&ex, spec, &cfg), 0);
}

static void give(unsigned int cnt)
{
	static struct st_span s;

	span_http(&s, &shop);
	while (cnt--)
		ex.ops->span(&ex, &s);
}

static struct st_export_stats stats(void)
{
	struct st_export_stats st;

	ex.ops->stats(&ex, &st);
	assert_true(st.spans == st.exported + st.queue_full + st.rejected + st.failed + st.queued);
	return st;
}

static unsigned int lines_in(const char *name, off_t *size)
{
	FILE *f = fopen(name, "r");
	static char line[64 << 10];
	unsigned int n = 0;

	*size = 0;
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		size_t len = strlen(line);

		assert_memory_equal(line, "{\"resourceSpans\":[{", 19);
		assert_string_equal(line + len - 4, "}]}\n");
		*size += (off_t)len;
		n++;
	}
	fclose(f);
	return n;
}

/* A span is written at the tick that follows 10 ms later, if not before. */
static void test_prompt(void **state)
{
	int fds[2];
	uint64_t begin_ns, due_ns;
	char buf[8192];
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	cfg.out_fd = fds[1];
	open_as("json", NULL);
	assert_true(ex.ops->tick(&ex, st_export__now_ns()) == UINT64_MAX);
	begin_ns = st_export__now_ns();
	give(1);
	due_ns = ex.ops->tick(&ex, begin_ns);
	assert_in_range(due_ns - begin_ns, 1, 10 * MS);
	assert_int_equal(stats().queued, 1);
	assert_true(ex.ops->tick(&ex, due_ns) == UINT64_MAX);
	assert_int_equal(stats().exported, 1);
	n = read(fds[0], buf, sizeof(buf));
	assert_true(n > 100 && buf[n - 1] == '\n');
	ex.ops->close(&ex);
	close(fds[0]);
	close(fds[1]);
}

/* Nobody reads: no call blocks, spans are dropped and counted; then all that was kept arrives. */
static void test_slow_reader(void **state)
{
	unsigned int seen = 0;
	uint64_t begin_ns;
	char buf[65536];
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	cfg.out_fd = fds[1];
	open_as("json", NULL);
	assert_true(st_export__room(&ex) > 500);
	begin_ns = st_export__now_ns();
	give(6000);
	for (int i = 0; i < 10; i++)
		ex.ops->tick(&ex, st_export__now_ns() + 10 * MS);
	assert_true(st_export__now_ns() - begin_ns < 2000 * MS);
	assert_true(stats().queue_full > 0 && stats().queued > 0);
	assert_true(st_export__room(&ex) < 100);
	pid = fork();
	if (!pid) {
		close(fds[1]);
		/* The exporter's own copy of the pipe's end was inherited too. */
		for (int fd = 3; fd < 64; fd++)
			if (fd != fds[0])
				close(fd);
		while ((n = read(fds[0], buf, sizeof(buf))) > 0)
			for (ssize_t i = 0; i < n; i++)
				seen += buf[i] == '\n';
		_exit(seen == 6000 - (unsigned int)stats().queue_full ? 0 : 1);
	}
	ex.ops->flush(&ex, st_export__now_ns() + 5000 * MS);
	assert_int_equal(stats().queued, 0);
	assert_int_equal(stats().exported, 6000 - stats().queue_full);
	ex.ops->close(&ex);
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fds[0]);
}

static void test_reader_gone(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	signal(SIGPIPE, SIG_IGN);
	cfg.out_fd = fds[1];
	open_as("json", NULL);
	close(fds[0]);
	give(10);
	ex.ops->tick(&ex, st_export__now_ns() + 10 * MS);
	assert_int_equal(stats().failed, 10);
	give(5);
	assert_int_equal(stats().failed, 15);
	ex.ops->close(&ex);
	close(fds[1]);
}

static void test_rotate(void **state)
{
	unsigned int total = 0;
	char name[160];
	off_t size;

	(void)state;
	cfg.file_max_sz = 20000;
	cfg.file_keep = 3;
	open_as("file", path);
	for (int i = 0; i < 100; i++) {
		give(1);
		ex.ops->tick(&ex, st_export__now_ns() + 10 * MS);
	}
	ex.ops->flush(&ex, 0);
	assert_int_equal(stats().exported, 100);
	ex.ops->close(&ex);
	total += lines_in(path, &size);
	assert_in_range(size, 1, 20000);
	for (int i = 1; i <= 3; i++) {
		unsigned int n;

		snprintf(name, sizeof(name), "%s.%d", path, i);
		n = lines_in(name, &size);
		/* Full but for less than a line. */
		assert_in_range(size, 20000 - size / n, 20000);
		total += n;
	}
	assert_true(total < 100);
	snprintf(name, sizeof(name), "%s.4", path);
	assert_int_equal(access(name, F_OK), -1);
	/* Opened again, the file goes on. */
	open_as("file", path);
	give(1);
	ex.ops->flush(&ex, 0);
	ex.ops->close(&ex);
	snprintf(name, sizeof(name), "%s.1", path);
	assert_true(lines_in(path, &size) >= 1);
}

/* A line that is longer than the file may be stands alone in one. */
static void test_rotate_tiny(void **state)
{
	off_t size;

	(void)state;
	cfg.file_max_sz = 10;
	cfg.file_keep = 8;
	open_as("file", path);
	give(4);
	ex.ops->flush(&ex, 0);
	assert_int_equal(stats().exported, 4);
	ex.ops->close(&ex);
	assert_int_equal(lines_in(path, &size), 1);
	cfg.file_keep = 0;
	open_as("file", path);
	give(3);
	ex.ops->flush(&ex, 0);
	ex.ops->close(&ex);
	assert_int_equal(lines_in(path, &size), 1);
}

/* /dev/full refuses; what was lost is counted, what comes later is tried again. */
static void test_disk_full(void **state)
{
	uint64_t due_ns;

	(void)state;
	assert_int_equal(symlink("/dev/full", path), 0);
	cfg.file_max_sz = 20000;
	open_as("file", path);
	give(10);
	due_ns = ex.ops->tick(&ex, st_export__now_ns() + 10 * MS);
	assert_int_equal(stats().failed, 10);
	give(3);
	due_ns = ex.ops->tick(&ex, st_export__now_ns() + 10 * MS);
	assert_in_range(due_ns - st_export__now_ns(), 1, 2000 * MS);
	assert_int_equal(stats().queued, 3);
	ex.ops->tick(&ex, due_ns);
	assert_int_equal(stats().failed, 13);
	ex.ops->close(&ex);
}

static void limit_size(rlim_t size)
{
	struct rlimit rl;

	getrlimit(RLIMIT_FSIZE, &rl);
	rl.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
}

/* A disk that fills up in the middle of a line: it is ended when there is room again. */
static void test_half_line(void **state)
{
	unsigned int failed;
	uint64_t due_ns;
	off_t size;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	open_as("file", path);
	limit_size(10000);
	give(10);
	due_ns = ex.ops->tick(&ex, st_export__now_ns() + 10 * MS);
	limit_size(RLIM_INFINITY);
	failed = (unsigned int)stats().failed;
	assert_in_range(failed, 1, 8);
	assert_int_equal(stats().queued, 1);
	give(2);
	ex.ops->tick(&ex, due_ns);
	assert_int_equal(stats().exported, 12 - failed);
	ex.ops->close(&ex);
	assert_int_equal(lines_in(path, &size), 12 - failed);
}

static void test_folded(void **state)
{
	char text[256];
	FILE *f;

	(void)state;
	open_as("folded", path);
	give(3);
	assert_int_equal(stats().queued, 3);
	ex.ops->flush(&ex, 0);
	give(1);
	ex.ops->close(&ex);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	assert_string_equal(text, "shop;GET /orders/{id} 93641\n");
	assert_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_int_equal(st_export__open(&ex, "folded:/no/such/dir/x", &cfg), -ENOTDIR);
	assert_int_equal(st_export__open(&ex, "file:", &cfg), -EINVAL);
	assert_int_equal(st_export__open(&ex, "json:ugly", &cfg), -EINVAL);
}

static void test_none(void **state)
{
	(void)state;
	open_as("none", NULL);
	give(7);
	assert_int_equal(stats().exported, 7);
	assert_int_equal(st_export__room(&ex), UINT32_MAX);
	ex.ops->close(&ex);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_prompt),    TEST(test_slow_reader), TEST(test_reader_gone),
		TEST(test_rotate),    TEST(test_rotate_tiny), TEST(test_disk_full),
		TEST(test_half_line), TEST(test_folded),      TEST(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
