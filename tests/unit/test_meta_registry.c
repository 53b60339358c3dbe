/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Real processes through /proc, the table's bounds, and resources as bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "meta/process.h"
#include "meta/registry.h"
#include "spantap/keys.h"

#define NS 1000000000ull

static const struct st_attr *attr(const struct st_resource *res, const struct st_key *key)
{
	for (uint16_t i = 0; i < res->attr_cnt; i++)
		if (res->attrs[i].key == key)
			return &res->attrs[i];
	return NULL;
}

static struct st_str str_attr(const struct st_resource *res, const struct st_key *key)
{
	const struct st_attr *a = attr(res, key);

	if (!a)
		return st_str(NULL, 0);
	assert_int_equal(a->type, ST_V_STR);
	return a->s;
}

static void check_str(const struct st_resource *res, const struct st_key *key, const char *want)
{
	struct st_str got = str_attr(res, key);

	if (!st_str_eq(got, st_str_of(want)))
		fail_msg("%.*s: \"%.*s\", expected \"%s\"", (int)key->name.len, key->name.p,
			 (int)got.len, got.p, want);
}

static const struct st_key *key(const char *name)
{
	return st_key__intern(st_str_of(name));
}

/* A copy of sleep under another name, in a folder of its own. */
static char folder[] = "/tmp/spantap-reg-XXXXXX";
static char program[64];

static int make_program(void **state)
{
	char cmd[160];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(program, sizeof(program), "%s/orders-service", folder);
	snprintf(cmd, sizeof(cmd), "cp /bin/sleep %s", program);
	return system(cmd);
}

static int remove_program(void **state)
{
	(void)state;
	unlink(program);
	return rmdir(folder);
}

/* Starts it and returns when its image has begun. */
static pid_t start(char *const env[])
{
	char *argv[] = {program, "1000", NULL};
	int fds[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		execve(program, argv, env);
		_exit(127);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 0);
	close(fds[0]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_parse_stat(void **state)
{
	int ppid = 0;
	uint64_t ticks = 0;

	(void)state;
	assert_true(st_process__parse_stat(
		ST_STR("7 (a) b (c) R 5 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 123456 9 10"),
		&ppid, &ticks));
	assert_int_equal(ppid, 5);
	assert_int_equal(ticks, 123456);
	assert_false(st_process__parse_stat(ST_STR("7 (a R 5"), &ppid, &ticks));
	assert_false(st_process__parse_stat(ST_STR("7 (a) R 5"), &ppid, &ticks));
	assert_false(st_process__parse_stat(ST_STR("7 (a)"), &ppid, &ticks));
	assert_false(st_process__parse_stat(ST_STR(""), &ppid, &ticks));
}

static void test_process(void **state)
{
	char *env[] = {"OTEL_RESOURCE_ATTRIBUTES=deployment.environment=staging,team=blue,"
		       "service.version=7,telemetry.sdk.name=forged,host.name=given",
		       NULL};
	struct st_registry *r = st_registry__new(NULL, 8);
	const struct st_resource *res;
	pid_t pid = start(env);
	char name[64];

	(void)state;
	res = st_registry__get(r, pid, 1);
	assert_int_equal(res->pid, pid);
	assert_true(st_str_eq(res->service, ST_STR("orders-service")));
	assert_true(res->attrs[0].key == ST_KEY(service_name));
	check_str(res, ST_KEY(deployment_environment_name), "staging");
	check_str(res, ST_KEY(service_version), "7");
	check_str(res, key("team"), "blue");
	check_str(res, ST_KEY(host_name), "given");
	check_str(res, ST_KEY(telemetry_sdk_name), "spantap");
	check_str(res, ST_KEY(telemetry_sdk_language), "c");
	check_str(res, ST_KEY(process_executable_path), program);
	check_str(res, ST_KEY(process_executable_name), "orders-service");
	check_str(res, ST_KEY(os_type), "linux");
	assert_int_equal(attr(res, ST_KEY(process_pid))->i, pid);
	assert_int_equal(attr(res, ST_KEY(process_parent_pid))->i, getpid());
	assert_int_equal(str_attr(res, ST_KEY(service_instance_id)).len, 36);
	assert_int_equal(str_attr(res, ST_KEY(process_creation_time)).len, 24);
	/* Arguments stay at home. */
	assert_null(attr(res, ST_KEY(process_command)));
	for (uint16_t i = 0; i < res->attr_cnt; i++)
		assert_false(res->attrs[i].type == ST_V_STR &&
			     memmem(res->attrs[i].s.p, res->attrs[i].s.len, "1000", 4) &&
			     st_str_eq(res->attrs[i].s, ST_STR("1000")));
	/* The same again, without a second one. */
	assert_ptr_equal(st_registry__get(r, pid, 2), res);

	snprintf(name, sizeof(name), "%.36s", str_attr(res, ST_KEY(service_instance_id)).p);
	st_registry__free(r);
	r = st_registry__new(NULL, 8);
	check_str(st_registry__get(r, pid, 1), ST_KEY(service_instance_id), name);
	st_registry__free(r);
	stop(pid);
}

/* The tracer's own environment: below what processes say, above nothing for the name. */
static void test_config(void **state)
{
	struct st_config cfg = {.service_name = "from-tracer",
				.resource_attrs = "team=red,zone=z1,service.version=0,"
						  "host.name=node7,service.name=x"};
	char *own[] = {"OTEL_SERVICE_NAME=own", "OTEL_RESOURCE_ATTRIBUTES=team=blue", NULL};
	char *none[] = {NULL};
	struct st_registry *r = st_registry__new(&cfg, 8);
	pid_t a = start(own), b = start(none);
	const struct st_resource *res = st_registry__get(r, a, 1);

	(void)state;
	check_str(res, ST_KEY(service_name), "own");
	check_str(res, key("team"), "blue");
	check_str(res, key("zone"), "z1");
	check_str(res, ST_KEY(host_name), "node7");
	res = st_registry__get(r, b, 1);
	check_str(res, ST_KEY(service_name), "from-tracer");
	check_str(res, key("team"), "red");
	check_str(res, ST_KEY(service_version), "0");
	check_str(st_registry__self(r), ST_KEY(service_name), "spantap");
	st_registry__free(r);
	cfg.service_name = NULL;
	r = st_registry__new(&cfg, 8);
	check_str(st_registry__get(r, b, 1), ST_KEY(service_name), "x");
	st_registry__free(r);
	cfg.resource_attrs = "broken";
	r = st_registry__new(&cfg, 8);
	check_str(st_registry__get(r, b, 1), ST_KEY(service_name), "orders-service");
	st_registry__free(r);
	stop(a);
	stop(b);
}

static void test_malformed(void **state)
{
	char *env[] = {"OTEL_RESOURCE_ATTRIBUTES=team=blue,broken", NULL};
	struct st_registry *r = st_registry__new(NULL, 8);
	struct st_registry_stats stats;
	pid_t pid = start(env);

	(void)state;
	assert_null(attr(st_registry__get(r, pid, 1), key("team")));
	st_registry__stats(r, &stats);
	assert_int_equal(stats.env_malformed, 1);
	st_registry__free(r);
	stop(pid);
}

struct seen {
	uint32_t made, forgotten;
	const struct st_resource *last;
	bool used[64]; /* by index: an index is given out once at a time */
};

static void on_new(void *ctx, int tgid, const struct st_resource *res)
{
	struct seen *s = ctx;

	s->made++;
	assert_true(tgid > 0);
	assert_true(res->index < 64 && !s->used[res->index]);
	s->used[res->index] = true;
}

static void on_forget(void *ctx, const struct st_resource *res)
{
	struct seen *s = ctx;

	s->forgotten++;
	s->last = res;
	assert_true(res->index < 64);
	s->used[res->index] = false;
}

/* A process that was gone before anybody asked: by its exec event, else unknown. */
static void test_gone(void **state)
{
	struct st_registry *r = st_registry__new(NULL, 8);
	const struct st_resource *res;
	struct st_registry_stats stats;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	st_registry__exec(r, pid, ST_STR("app.py"), ST_STR("/srv/app.py"),
			  ST_STR("/usr/bin/python3.11\0/srv/app.py\0--port"));
	st_registry__exit(r, pid, 1);
	res = st_registry__get(r, pid, 2);
	check_str(res, ST_KEY(service_name), "app");
	check_str(res, ST_KEY(telemetry_sdk_language), "python");
	check_str(res, ST_KEY(process_executable_name), "python3.11");
	st_registry__stats(r, &stats);
	assert_int_equal(stats.unreadable, 0);

	pid = fork();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	res = st_registry__get(r, pid, 3);
	check_str(res, ST_KEY(service_name), "unknown_service");
	assert_int_equal(attr(res, ST_KEY(process_pid))->i, pid);
	st_registry__stats(r, &stats);
	assert_int_equal(stats.unreadable, 1);
	res = st_registry__get(r, 0, 4);
	check_str(res, ST_KEY(service_name), "unknown_service");
	assert_null(attr(res, ST_KEY(process_pid)));
	assert_ptr_equal(st_registry__get(r, -1, 4), res);
	st_registry__free(r);
}

static pid_t gone_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

/* A copy that was gone before anybody asked is what its parent is, or that one's parent. */
static void test_fork(void **state)
{
	struct st_registry *r = st_registry__new(NULL, 8);
	const struct st_resource *res, *self = st_registry__get(r, getpid(), 1);
	pid_t a = gone_pid(), b = gone_pid();

	(void)state;
	st_registry__fork(r, a, getpid());
	st_registry__exit(r, a, 2);
	res = st_registry__get(r, a, 3);
	assert_true(st_str_eq(res->service, self->service));
	assert_int_equal(res->pid, a);
	assert_int_equal(attr(res, ST_KEY(process_pid))->i, a);
	assert_int_equal(attr(res, ST_KEY(process_parent_pid))->i, getpid());
	assert_non_null(attr(self, ST_KEY(service_instance_id)));
	assert_null(attr(res, ST_KEY(service_instance_id)));
	assert_null(attr(res, ST_KEY(process_creation_time)));
	assert_non_null(attr(res, ST_KEY(process_executable_path)));

	/* The number again: another process, whose parent executed something and is gone as well. */
	st_registry__exec(r, b, ST_STR("shop"), ST_STR("/srv/shop"), ST_STR("/srv/shop\0-p"));
	st_registry__fork(r, a, b);
	st_registry__exit(r, b, 4);
	st_registry__exit(r, a, 4);
	check_str(st_registry__get(r, a, 5), ST_KEY(service_name), "shop");

	/* What it executes itself is nearer. */
	st_registry__fork(r, a, b);
	st_registry__exec(r, a, ST_STR("till"), ST_STR("/srv/till"), ST_STR("/srv/till"));
	check_str(st_registry__get(r, a, 6), ST_KEY(service_name), "till");
	st_registry__free(r);
}

/* Numbers that are used anew may name one another as parents, and be more than there is room for. */
static void test_fork_without_end(void **state)
{
	struct st_registry *r = st_registry__new(NULL, 4);
	pid_t gone[40];

	(void)state;
	for (int i = 0; i < 40; i++)
		gone[i] = gone_pid();
	st_registry__fork(r, gone[0], gone[1]);
	st_registry__fork(r, gone[1], gone[0]);
	check_str(st_registry__get(r, gone[0], 1), ST_KEY(service_name), "unknown_service");
	st_registry__fork(r, gone[2], gone[2]);
	check_str(st_registry__get(r, gone[2], 1), ST_KEY(service_name), "unknown_service");
	for (int i = 1; i < 40; i++)
		st_registry__fork(r, gone[i], gone[i - 1]);
	check_str(st_registry__get(r, gone[39], 2), ST_KEY(service_name), "unknown_service");
	st_registry__free(r);
}

/* What exec events tell, with and without the file's name. */
static void test_from_exec(void **state)
{
	static const struct {
		const char *comm, *filename, *args, *name, *exe;
		size_t args_len;
	} cases[] = {
		{"app.py", "/srv/app.py", "/usr/bin/python3\0/srv/app.py", "app",
		 "/usr/bin/python3", 29},
		{"app.py", "", "/usr/bin/python3\0/srv/app.py", "app", "/usr/bin/python3", 29},
		{"a-long-script-n", "", "/bin/sh\0./a-long-script-name.sh", "a-long-script-name",
		 "/bin/sh", 32},
		{"orders", "/srv/orders", "orders\0-p", "orders", "/srv/orders", 9},
		{"orders", "", "/srv/orders\0-p", "orders", "/srv/orders", 14},
		{"java", "", "java\0-jar\0/srv/shop.jar", "shop", "java", 23},
		{"orders", "", "", "orders", "", 0},
		{"orders-processo", "", "other", "orders-processo", "", 5},
	};
	struct st_process *p = st_process__new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		st_process__from_exec(p, 7, st_str_of(cases[i].comm), st_str_of(cases[i].filename),
				      st_str(cases[i].args, cases[i].args_len));
		assert_string_equal(p->service.name, cases[i].name);
		assert_string_equal(p->exe, cases[i].exe);
	}
	st_process__free(p);
}

/* exec changes who a process is; what it was stays for a while. */
static void test_exec(void **state)
{
	struct seen seen = {0};
	struct st_registry *r = st_registry__new(NULL, 8);
	const struct st_resource *before, *after;
	char *argv[] = {program, "1000", NULL}, *env[] = {NULL};
	int go[2], done[2];
	char c;
	pid_t pid;

	(void)state;
	st_registry__on_new(r, on_new, &seen);
	st_registry__on_forget(r, on_forget, &seen);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(done, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		close(done[0]);
		if (read(go[0], &c, 1) == 1)
			execve(program, argv, env);
		_exit(127);
	}
	close(done[1]);
	before = st_registry__get(r, pid, 1);
	check_str(before, ST_KEY(service_name), "test_meta_registry");
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(read(done[0], &c, 1), 0);
	st_registry__exec(r, pid, ST_STR("orders-service"), st_str_of(program), ST_STR("x"));
	after = st_registry__get(r, pid, 2);
	check_str(after, ST_KEY(service_name), "orders-service");
	assert_int_not_equal(after->index, before->index);
	assert_int_not_equal(after->generation, before->generation);
	assert_int_equal(seen.made, 2);
	assert_int_equal(seen.forgotten, 0);
	st_registry__tick(r, 29 * NS);
	assert_int_equal(seen.forgotten, 0);
	st_registry__tick(r, 31 * NS);
	assert_int_equal(seen.forgotten, 1);
	assert_ptr_equal(seen.last, before);
	stop(pid);
	st_registry__exit(r, pid, 32 * NS);
	assert_ptr_equal(st_registry__get(r, pid, 33 * NS), after);
	st_registry__tick(r, 61 * NS);
	assert_int_equal(seen.forgotten, 1);
	st_registry__tick(r, 62 * NS);
	assert_int_equal(seen.forgotten, 2);
	st_registry__free(r);
	assert_int_equal(seen.forgotten, 4); /* the tracer's own and the unknown one too */
	close(go[0]);
	close(go[1]);
	close(done[0]);
}

/* A number that was used anew without an exec event is noticed by the start time. */
static void test_reuse(void **state)
{
	struct st_registry *r = st_registry__new(NULL, 8);
	const struct st_resource *a, *b;
	struct clone_args args = {.exit_signal = SIGCHLD};
	char *env[] = {NULL};
	pid_t pid = start(env), again;

	(void)state;
	a = st_registry__get(r, pid, 1);
	stop(pid);
	usleep(20000); /* start times are in ticks of 10 ms */
	args.set_tid = (uintptr_t)&pid;
	args.set_tid_size = 1;
	again = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (!again) {
		pause();
		_exit(0);
	}
	if (again < 0) {
		st_registry__free(r);
		skip(); /* needs CAP_CHECKPOINT_RESTORE */
	}
	assert_ptr_equal(st_registry__get(r, pid, 5 * NS), a);
	b = st_registry__get(r, pid, 12 * NS);
	assert_ptr_not_equal(a, b);
	check_str(b, ST_KEY(service_name), "test_meta_registry");
	stop(again);
	st_registry__free(r);
}

/* ---- bytes ---- */

static struct st_str pack_one(struct st_buf *buf, int pid, const char *name)
{
	struct st_attr attrs[] = {
		{.key = ST_KEY(service_name), .type = ST_V_STR, .s = st_str_of(name)},
		{.key = ST_KEY(process_pid), .type = ST_V_INT, .i = -pid},
	};
	struct st_resource res = {.pid = pid, .attrs = attrs, .attr_cnt = 2};

	st_buf__reset(buf);
	assert_int_equal(st_resource__pack(&res, buf), 0);
	return st_str((char *)buf->p, buf->len);
}

static void test_pack(void **state)
{
	struct st_str list[] = {ST_STR("a"), ST_STR(""), ST_STR("\xc3\xa9")};
	struct st_attr attrs[] = {
		{.key = ST_KEY(service_name), .type = ST_V_STR, .s = ST_STR("shop")},
		{.key = key("x.int"), .type = ST_V_INT, .i = INT64_MIN},
		{.key = key("x.bool"), .type = ST_V_BOOL, .b = true},
		{.key = key("x.double"), .type = ST_V_DOUBLE, .d = -1.5},
		{.key = key("x.list"), .type = ST_V_STRS, .strs = {list, 3}},
		{.key = key("x.none"), .type = ST_V_STRS, .strs = {NULL, 0}},
	};
	struct st_resource in = {.pid = 77, .attrs = attrs, .attr_cnt = 6}, *out = NULL;
	struct st_buf buf = st_buf__init(4096), again = st_buf__init(4096);
	struct st_str bytes;

	(void)state;
	assert_int_equal(st_resource__pack(&in, &buf), 0);
	bytes = st_str((char *)buf.p, buf.len);
	assert_int_equal(st_resource__unpack(bytes, &out), 0);
	assert_int_equal(out->pid, 77);
	assert_true(st_str_eq(out->service, ST_STR("shop")));
	assert_int_equal(out->attr_cnt, 6);
	assert_int_equal(attr(out, key("x.int"))->i, INT64_MIN);
	assert_true(attr(out, key("x.bool"))->b);
	assert_true(attr(out, key("x.double"))->d == -1.5);
	assert_int_equal(attr(out, key("x.list"))->strs.cnt, 3);
	assert_true(st_str_eq(attr(out, key("x.list"))->strs.v[2], ST_STR("\xc3\xa9")));
	assert_int_equal(st_resource__pack(out, &again), 0);
	assert_int_equal(again.len, buf.len);
	assert_memory_equal(again.p, buf.p, buf.len);
	free(out);

	/* Cut anywhere, or with a byte too many. */
	for (uint32_t n = 0; n < bytes.len; n++) {
		char *exact = malloc(n ? n : 1);

		memcpy(exact, bytes.p, n);
		assert_int_equal(st_resource__unpack(st_str(exact, n), &out), -EINVAL);
		free(exact);
	}
	assert_true(st_buf__putc(&buf, 'x'));
	assert_int_equal(st_resource__unpack(st_str((char *)buf.p, buf.len), &out), -EINVAL);
	st_buf__free(&buf);
	st_buf__free(&again);
}

static void test_pack_bounds(void **state)
{
	static const char bad_utf8[] = "\1\0\0\0\0\1\0\1k\1\2\0\xff\xfe";
	static const char bad_type[] = "\1\0\0\0\0\1\0\1k\6";
	static const char bad_bool[] = "\1\0\0\0\0\1\0\1k\3\2";
	static const char no_key[] = "\1\0\0\0\0\1\0\0\3\1";
	static const char many[] = "\1\0\0\0\0\xff\xff";
	static const char version[] = "\2\0\0\0\0\0\0";
	static const char empty[] = "\1\5\0\0\0\0\0";
	struct st_resource *out;
	struct st_buf small = st_buf__init(16);
	char big[1024];

	(void)state;
	assert_int_equal(st_resource__unpack(ST_STR(bad_utf8), &out), -EINVAL);
	assert_int_equal(st_resource__unpack(ST_STR(bad_type), &out), -EINVAL);
	assert_int_equal(st_resource__unpack(ST_STR(bad_bool), &out), -EINVAL);
	assert_int_equal(st_resource__unpack(ST_STR(no_key), &out), -EINVAL);
	assert_int_equal(st_resource__unpack(ST_STR(many), &out), -EINVAL);
	assert_int_equal(st_resource__unpack(ST_STR(version), &out), -EINVAL);
	assert_int_equal(st_resource__unpack(ST_STR(empty), &out), 0);
	assert_int_equal(out->pid, 5);
	assert_int_equal(out->service.len, 0);
	free(out);
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	{
		struct st_attr a = {
			.key = ST_KEY(service_name), .type = ST_V_STR, .s = st_str_of(big)};
		struct st_resource res = {.attrs = &a, .attr_cnt = 1};

		assert_int_equal(st_resource__pack(&res, &small), -ENOSPC);
	}
	st_buf__free(&small);
}

/* A small table under many processes against a model: who was put last answers. */
static void test_table(void **state)
{
	enum { MAX = 40, PIDS = 60 };
	struct st_registry *r = st_registry__new(NULL, MAX);
	struct st_buf buf = st_buf__init(4096);
	struct st_registry_stats stats;
	uint32_t seed = 7;
	uint64_t now = 1;
	char name[32];

	(void)state;
	st_registry__set_offline(r);
	for (int round = 0; round < 50000; round++) {
		/* Numbers that collide in the table, and neighbours. */
		int pid = 1 + (int)(seed >> 8) % PIDS * (seed & 1 ? 1 : 4096);
		const struct st_resource *res;

		seed = seed * 1664525 + 1013904223;
		now += seed >> 12;
		switch ((seed >> 24) % 4) {
		case 0:
			snprintf(name, sizeof(name), "s%d-%d", pid, round);
			assert_int_equal(st_registry__put(r, pid, pack_one(&buf, pid, name)), 0);
			res = st_registry__get(r, pid, now);
			assert_true(st_str_eq(res->service, st_str_of(name)));
			break;
		case 1:
			st_registry__exit(r, pid, now);
			break;
		case 2:
			if (!(round % 5))
				now += 31 * NS;
			st_registry__tick(r, now);
			break;
		default:
			break;
		}
		res = st_registry__get(r, pid, now);
		assert_int_equal(res->pid, pid);
		assert_true(res->index < MAX + MAX / 4 + 3);
		st_registry__stats(r, &stats);
		assert_true(stats.live <= MAX + MAX / 4 + 3);
	}
	assert_true(stats.evicted > 0);
	assert_int_equal(st_registry__put(r, 0, pack_one(&buf, 0, "x")), -EINVAL);
	assert_int_equal(st_registry__put(r, 1, ST_STR("x")), -EINVAL);
	st_buf__free(&buf);
	st_registry__free(r);
	st_registry__free(NULL);
}

/* The second hand: who is asked for stays, others go. */
static void test_lru(void **state)
{
	struct st_registry *r = st_registry__new(NULL, 16);
	struct st_buf buf = st_buf__init(4096);

	(void)state;
	st_registry__set_offline(r);
	st_registry__put(r, 1000, pack_one(&buf, 1000, "keep"));
	for (int pid = 1; pid < 500; pid++) {
		st_registry__put(r, pid, pack_one(&buf, pid, "other"));
		check_str(st_registry__get(r, 1000, 1), ST_KEY(service_name), "keep");
	}
	st_buf__free(&buf);
	st_registry__free(r);
}

static void note_forgotten(void *ctx, const struct st_resource *res)
{
	((bool *)ctx)[res->pid] = true;
}

/* Processes that come and go by the hundreds: of the ended ones the oldest go, the living stay. */
static void test_ended_are_bounded(void **state)
{
	enum { MAX = 64, LIVING = 20, LAST = 1000 };
	struct st_registry *r = st_registry__new(NULL, MAX);
	struct st_buf buf = st_buf__init(4096);
	static bool forgotten[LAST + 1];
	struct st_registry_stats stats;

	(void)state;
	st_registry__set_offline(r);
	st_registry__on_forget(r, note_forgotten, forgotten);
	for (int pid = 1; pid <= LAST; pid++) {
		st_registry__put(r, pid, pack_one(&buf, pid, "one of many"));
		if (pid > LIVING)
			st_registry__exit(r, pid, (uint64_t)pid);
		st_registry__stats(r, &stats);
		/* Half of the table, the tracer's own and the unknown process's. */
		assert_true(stats.live <= LIVING + MAX / 2 + 1 + 2);
	}
	assert_int_equal(stats.evicted, 0);
	for (int pid = 1; pid <= LAST; pid++)
		assert_int_equal(forgotten[pid], pid > LIVING && pid < LAST - MAX / 2);
	/* A number that is used again is not among the ended ones any more. */
	st_registry__put(r, LAST, pack_one(&buf, LAST, "reused"));
	st_registry__tick(r, 40 * NS);
	check_str(st_registry__get(r, LAST, 40 * NS), ST_KEY(service_name), "reused");
	st_registry__stats(r, &stats);
	assert_int_equal(stats.live, LIVING + 1 + 2);
	st_registry__on_forget(r, NULL, NULL);
	st_buf__free(&buf);
	st_registry__free(r);
}

/* What environments may add to the table of keys is bounded; the rest is counted. */
static void test_keys(void **state)
{
	static char text[2][4096] = {"OTEL_RESOURCE_ATTRIBUTES=", "OTEL_RESOURCE_ATTRIBUTES="};
	struct st_registry *r = st_registry__new(NULL, 8);
	struct st_registry_stats stats;
	uint16_t before = st_key__cnt();

	(void)state;
	for (int i = 0; i < 2; i++) {
		char *env[] = {text[i], NULL};
		pid_t pid;

		for (int k = 0; k < 60; k++)
			sprintf(text[i] + strlen(text[i]), "custom.%d.%d=v,", i, k);
		pid = start(env);
		st_registry__get(r, pid, 1);
		stop(pid);
	}
	st_registry__stats(r, &stats);
	assert_int_equal(stats.attr_dropped, 120 - 96);
	assert_int_equal(st_key__cnt(), before + 96);
	st_registry__free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_stat), cmocka_unit_test(test_process),
		cmocka_unit_test(test_config),	   cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_gone),	   cmocka_unit_test(test_from_exec),
		cmocka_unit_test(test_fork),	   cmocka_unit_test(test_fork_without_end),
		cmocka_unit_test(test_exec),	   cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_pack),	   cmocka_unit_test(test_pack_bounds),
		cmocka_unit_test(test_table),	   cmocka_unit_test(test_lru),
		cmocka_unit_test(test_keys),	   cmocka_unit_test(test_ended_are_bounded),
	};

	return cmocka_run_group_tests(tests, make_program, remove_program);
}
