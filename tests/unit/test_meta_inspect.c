/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Socket tables, libraries, and what `spantap list` says of a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "list.h"
#include "list_show.h"
#include "meta/inspect.h"

static void test_parse_inet(void **state)
{
	struct st_socket s;
	char name[80];

	(void)state;
	assert_true(st_sockets__parse_inet(
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0"
		"        0 4321 1 0000 100 0 0 10 0",
		ST_SOCKET_TCP, &s));
	assert_true(s.listening);
	assert_int_equal(s.inode, 4321);
	st_socket__name(&s, name, sizeof(name));
	assert_string_equal(name, "127.0.0.1:8080");
	assert_true(st_sockets__parse_inet(
		"  12: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000100007F:C001 "
		"01 0:0 0:0 0 0 0 77 1",
		ST_SOCKET_TCP, &s));
	assert_false(s.listening);
	st_socket__name(&s, name, sizeof(name));
	assert_string_equal(name, "[::ffff:127.0.0.1]:80");
	/* A UDP socket's state 07 or 0A means nothing of the kind. */
	assert_true(st_sockets__parse_inet("0: 00000000:0035 0:0 0A 0:0 0:0 0 0 0 5", ST_SOCKET_UDP,
					   &s));
	assert_false(s.listening);
	/* TIME_WAIT has no inode; heads and noise are no sockets. */
	assert_false(st_sockets__parse_inet("0: 0100007F:1F90 0:0 06 0:0 0:0 0 0 0 0 1",
					    ST_SOCKET_TCP, &s));
	assert_false(st_sockets__parse_inet("  sl  local_address rem_address   st tx_queue",
					    ST_SOCKET_TCP, &s));
	assert_false(
		st_sockets__parse_inet("0: 010:1F90 0:0 0A 0:0 0:0 0 0 0 9", ST_SOCKET_TCP, &s));
	assert_false(
		st_sockets__parse_inet("0: 0100007F 0:0 0A 0:0 0:0 0 0 0 9", ST_SOCKET_TCP, &s));
	assert_false(st_sockets__parse_inet("", ST_SOCKET_TCP, &s));
}

static void test_parse_unix(void **state)
{
	struct st_socket s;

	(void)state;
	assert_true(st_sockets__parse_unix(
		"0000000000000000: 00000002 00000000 00010000 0001 01 1234 /run/a b.sock\n", &s));
	assert_true(s.listening);
	assert_string_equal(s.path, "/run/a b.sock");
	assert_true(st_sockets__parse_unix("0: 00000003 00000000 00000000 0001 03 99\n", &s));
	assert_false(s.listening);
	assert_string_equal(s.path, "");
	assert_true(st_sockets__parse_unix("0: 2 0 0 0001 03 99 @abs\x1b[2J\n", &s));
	assert_string_equal(s.path, "@abs?[2J");
	assert_false(st_sockets__parse_unix("0: 00000002 0 0 0002 01 99 /run/dgram\n", &s));
	assert_false(st_sockets__parse_unix("Num RefCount Protocol Flags Type St Inode Path", &s));
}

static void test_lib(void **state)
{
	static const struct {
		const char *file, *what;
	} cases[] = {
		{"libssl.so.3", "OpenSSL"},
		{"libssl.so", "OpenSSL"},
		{"libssl3.so", "NSS"},
		{"libgnutls.so.30.34.3", "GnuTLS"},
		{"libpython3.11.so.1.0", "Python"},
		{"libjvm.so", "Java"},
		{"_ssl.cpython-311-x86_64-linux-gnu.so", "Python's ssl"},
		{"libnghttp2.so.14", "HTTP/2"},
		{"libnode.so.108", "Node.js"},
		{"libsslthing.so", NULL},
		{"libc.so.6", NULL},
		{"libcrypto.so.3", NULL},
		{"", NULL},
	};
	struct st_lib lib;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool hit = st_inspect__lib(st_str_of(cases[i].file), &lib);

		if (hit != !!cases[i].what)
			fail_msg("%s", cases[i].file);
		if (hit)
			assert_string_equal(lib.what, cases[i].what);
	}
}

struct open_sockets {
	int tcp, udp, un, uring;
	uint16_t port;
	char path[64];
};

static void open_some(struct open_sockets *s)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t len = sizeof(in);
	char params[120] = {0};

	s->tcp = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->tcp, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(s->tcp, 1), 0);
	assert_int_equal(getsockname(s->tcp, (struct sockaddr *)&in, &len), 0);
	s->port = ntohs(in.sin_port);
	s->udp = socket(AF_INET, SOCK_DGRAM, 0);
	in.sin_port = 0;
	assert_int_equal(bind(s->udp, (struct sockaddr *)&in, sizeof(in)), 0);
	s->un = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(s->path, sizeof(s->path), "/tmp/spantap-inspect-%d", (int)getpid());
	strcpy(un.sun_path, s->path);
	assert_int_equal(bind(s->un, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(s->un, 1), 0);
	s->uring = (int)syscall(SYS_io_uring_setup, 2, params);
}

static void close_all(struct open_sockets *s)
{
	close(s->tcp);
	close(s->udp);
	close(s->un);
	unlink(s->path);
	if (s->uring >= 0)
		close(s->uring);
}

static void test_inspect(void **state)
{
	struct open_sockets open_now;
	struct st_sockets sockets;
	struct st_inspect *in = malloc(sizeof(*in));
	bool tcp = false, un = false;
	int fd = open("/proc/self", O_PATH | O_DIRECTORY);

	(void)state;
	open_some(&open_now);
	assert_int_equal(st_sockets__read(&sockets, fd), 0);
	assert_int_equal(st_inspect__read(in, fd, getpid(), &sockets), 0);
	assert_true(in->fds_readable);
	for (uint32_t i = 0; i < in->listen_cnt; i++) {
		tcp |= in->listen[i].kind == ST_SOCKET_TCP && in->listen[i].port == open_now.port;
		un |= !strcmp(in->listen[i].path, open_now.path);
	}
	assert_true(tcp && un);
	assert_int_equal(in->udp_cnt, 1);
	assert_int_equal(in->io_uring_cnt, open_now.uring >= 0);
	assert_int_equal(in->thread_cnt, 1);
	assert_false(in->other_pidns);
	assert_false(in->other_netns);
	for (uint32_t i = 1; i < sockets.cnt; i++)
		assert_true(sockets.v[i - 1].inode <= sockets.v[i].inode);
	assert_null(st_sockets__find(&sockets, 0));
	st_sockets__free(&sockets);
	close_all(&open_now);
	close(fd);
	free(in);
}

/* What a run prints, through a pipe. */
static int run_list(const struct st_config *cfg, char *out, size_t out_sz)
{
	int fds[2], code, saved = dup(STDOUT_FILENO);
	ssize_t n, len = 0;
	pid_t pid;

	fflush(stdout);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		dup2(fds[1], STDOUT_FILENO);
		_exit(st_list__run(cfg));
	}
	close(fds[1]);
	close(saved);
	while ((n = read(fds[0], out + len, out_sz - 1 - (size_t)len)) > 0)
		len += n;
	out[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &code, 0), pid);
	assert_true(WIFEXITED(code));
	return WEXITSTATUS(code);
}

static void check_width(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		if (n > 80)
			fail_msg("%zu columns: %.*s", n, (int)n, text);
		text += n + (text[n] != '\0');
	}
}

static void test_list(void **state)
{
	struct st_config cfg = {.pids = {getpid()}, .pid_cnt = 1};
	struct open_sockets open_now;
	char *out = malloc(1 << 20), want[64];

	(void)state;
	open_some(&open_now);
	assert_int_equal(run_list(&cfg, out, 1 << 20), 0);
	check_width(out);
	snprintf(want, sizeof(want), "listens     127.0.0.1:%u\n", open_now.port);
	if (!strstr(out, want) && !strstr(out, open_now.path))
		fail_msg("%s", out);
	assert_non_null(strstr(out, "service     test_meta_inspect (by program)"));
	assert_non_null(strstr(out, "NOT SEEN"));
	if (!strstr(out, "UDP sockets: 1"))
		fail_msg("%s", out);
	if (open_now.uring >= 0)
		assert_non_null(strstr(out, "io_uring"));

	cfg.json = true;
	assert_int_equal(run_list(&cfg, out, 1 << 20), 0);
	snprintf(want, sizeof(want), "\"127.0.0.1:%u\"", open_now.port);
	assert_non_null(strstr(out, want));
	assert_non_null(strstr(out, "\"name\":\"udp\""));

	cfg = (struct st_config){0};
	assert_int_equal(run_list(&cfg, out, 1 << 20), 0);
	check_width(out);
	snprintf(want, sizeof(want), "%8d test_meta_inspect", (int)getpid());
	assert_non_null(strstr(out, want));
	/* Without root only this user's processes: this one is among them. */
	close_all(&open_now);

	cfg.pids[0] = 4194305; /* above the largest process id there is */
	cfg.pid_cnt = 1;
	assert_int_equal(run_list(&cfg, out, 1 << 20), 1);
	free(out);
}

static void test_show(void **state)
{
	struct st_buf b = st_buf__init(4096);

	(void)state;
	st_show__cut(&b, 6, "abcdef");
	st_show__cut(&b, 6, "abcdefg");
	st_buf__putc(&b, '\0');
	assert_string_equal((char *)b.p, "abcdefabcd..");
	st_buf__reset(&b);
	st_show__json(&b, ST_STR("a\"b\\c\n\xff\xc3\xa9"));
	st_buf__putc(&b, '\0');
	assert_string_equal((char *)b.p, "\"a\\\"b\\\\c??\xc3\xa9\"");
	st_buf__reset(&b);
	st_buf__puts(&b, "  x");
	st_show__to(&b, 6);
	for (int i = 0; i < 30; i++)
		st_show__wrap(&b, 6, "word and a word ");
	st_buf__putc(&b, '\0');
	check_width((char *)b.p);
	/* One word that is longer than a line stays whole. */
	st_buf__reset(&b);
	st_show__wrap(&b, 2,
		      "a bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
		      "bbbbbbbbbbbbbbbbbbbbbbbb c");
	st_buf__putc(&b, '\0');
	assert_non_null(strstr((char *)b.p, "\n  c"));
	st_buf__free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_inet), cmocka_unit_test(test_parse_unix),
		cmocka_unit_test(test_lib),	   cmocka_unit_test(test_inspect),
		cmocka_unit_test(test_list),	   cmocka_unit_test(test_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
