/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Go programs built here, in each way that a linker lays them out, and by every older toolchain
 * that the module cache has: functions, probe sites and offsets, held against the symbols.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kern/elfsym.h"
#include "kern/gosym.h"

static char dir[] = "/tmp/spantap-go-XXXXXX";

static const char program[] =
	"package main\n"
	"import (\"fmt\"; \"io\"; \"net/http\"; \"net/http/httptest\"; \"os\")\n"
	"func main() {\n"
	"	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {\n"
	"		fmt.Fprintln(w, r.URL) }))\n"
	"	r, err := http.Get(s.URL)\n"
	"	if err != nil { os.Exit(1) }\n"
	"	io.Copy(os.Stdout, r.Body)\n"
	"}\n";

static const char *const wanted[] = {
	"net/http.serverHandler.ServeHTTP",  "net/http.(*persistConn).roundTrip",
	"net/http.(*persistConn).writeLoop", "runtime.newproc1",
	"crypto/tls.(*Conn).Read",	     "crypto/tls.(*Conn).Write",
};

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* go: its path. Returns the program's path, "" when it could not be built. */
static const char *build(const char *go, const char *flags)
{
	static char out[128];
	char command[640];

	snprintf(out, sizeof(out), "%s/program", dir);
	snprintf(command, sizeof(command),
		 "cd %s && GOENV=off GOFLAGS= GOTOOLCHAIN=local %s build -o program %s main.go "
		 "2>build.log",
		 dir, go, flags);
	if (system(command))
		out[0] = '\0';
	return out;
}

static bool has_go(void)
{
	return !system("go version >/dev/null 2>&1");
}

static void need_go(void)
{
	if (has_go())
		return;
	print_message("no Go was found\n");
	skip();
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	write_file("go.mod", "module example.com/program\n\ngo 1.17\n");
	write_file("main.go", program);
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

/* ---- one program ---- */

struct program {
	struct st_elf *elf;
	struct st_go *go;
};

static struct program must_open(const char *path)
{
	struct program p;
	char why[96];

	assert_int_equal(st_elf__open(path, &p.elf), 0);
	if (st_go__new(p.elf, &p.go, why, sizeof(why)))
		fail_msg("%s: %s", path, why);
	return p;
}

static void close_program(struct program *p)
{
	st_go__free(p->go);
	st_elf__close(p->elf);
}

/* The table of stack deltas alone: returns begin or end the stretches where it is 0. */
static uint32_t rets_by_table(const struct program *p, const struct st_go_fn *f)
{
	int32_t before = 0, now, after = 0;
	uint32_t n = 0;
	uint8_t b;

	for (uint64_t pc = f->addr; !st_go__stack_delta(p->go, f, pc, &now); pc++) {
		assert_int_equal(st_elf__read(p->elf, pc, &b, 1), 0);
		if (st_go__stack_delta(p->go, f, pc + 1, &after))
			after = 0;
		n += !now && b == 0xc3 && (before || after);
		before = now;
	}
	return n;
}

static void check_function(const struct program *p, const char *name)
{
	struct st_go_sites s;
	struct st_go_fn f;
	uint64_t off;
	uint8_t b;

	if (st_go__find(p->go, name, &f))
		fail_msg("%s: no %s", st_go__version(p->go), name);
	assert_true(st_elf__is_code(p->elf, f.addr) && f.size > 16);
	assert_int_equal(st_elf__offset(p->elf, f.addr, &off), 0);
	assert_int_equal(f.off, off);
	if (st_go__sites(p->go, &f, &s))
		fail_msg("%s: %s: %s", st_go__version(p->go), name, s.why);
	assert_int_equal(s.ret_cnt, rets_by_table(p, &f));
	assert_true(s.ret_cnt && s.entry_off >= f.off && s.entry_off < f.off + 32);
	/* `push %rbp`; before 1.21 the frame is made first. */
	assert_int_equal(st_elf__read(p->elf, f.addr + s.entry_off - f.off, &b, 1), 0);
	if (st_go__minor(p->go) >= 21) {
		assert_int_equal(b, 0x55);
		assert_int_equal(s.entry_cost, ST_SITE_EMULATED);
	}
}

/* What the symbol table says, where there is one: of one function in 16. Returns how many. */
static int compare_symbols(const struct program *p)
{
	const char *name;
	struct st_go_fn f;
	struct st_sym s;
	int n = 0;

	for (uint32_t i = 0; i < st_go__fn_cnt(p->go); i += 16) {
		struct st_go_fn again;

		assert_int_equal(st_go__at(p->go, i, &f, &name), 0);
		/* Functions of assembly have a wrapper of the same name. */
		if (st_elf__symbol(p->elf, name, &s) || st_go__find(p->go, name, &again))
			continue;
		assert_int_equal(again.addr, f.addr);
		assert_int_equal(f.addr, s.addr);
		assert_int_equal(f.off, s.off);
		assert_true(s.size <= f.size);
		n++;
	}
	return n;
}

static void check_offsets(const struct program *p)
{
	struct st_go_offsets o;
	char why[96];

	if (st_go__offsets(p->go, &o, why, sizeof(why)))
		fail_msg("%s", why);
	assert_int_equal(o.verified, 0xf);
	assert_int_equal(!o.parent_goid, st_go__minor(p->go) < 21);
}

static void check_program(const char *path, bool symbols)
{
	struct program p = must_open(path);
	int compared = compare_symbols(&p);

	assert_int_equal(strncmp(st_go__version(p.go), "go1.", 4), 0);
	assert_true(st_go__fn_cnt(p.go) > 3000);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		check_function(&p, wanted[i]);
	check_offsets(&p);
	assert_int_equal(compared > 100, symbols);
	print_message("%s: %u functions, %d compared\n", st_go__version(p.go), st_go__fn_cnt(p.go),
		      compared);
	close_program(&p);
}

/* ---- the tests ---- */

static void test_plain(void **state)
{
	(void)state;
	need_go();
	check_program(build("go", ""), true);
}

static void test_stripped(void **state)
{
	(void)state;
	need_go();
	check_program(build("go", "-ldflags='-s -w'"), false);
}

static void test_pie(void **state)
{
	(void)state;
	need_go();
	check_program(build("go", "-buildmode=pie -ldflags='-s -w'"), false);
}

/* By C's linker, which knows nothing of Go's sections. */
static void test_linked_by_c(void **state)
{
	const char *path;

	(void)state;
	need_go();
	path = build("go", "-buildmode=pie -ldflags='-s -w -linkmode=external'");
	if (!*path) {
		print_message("this Go has no external linker\n");
		skip();
	}
	check_program(path, false);
}

/* Every older toolchain in the module cache (GOTOOLCHAIN puts them there), plain and PIE. */
static void test_older(void **state)
{
	char pattern[256] = "";
	glob_t g = {0};
	FILE *f;

	(void)state;
	need_go();
	f = popen("go env GOMODCACHE", "r");
	assert_non_null(f);
	if (fgets(pattern, 180, f))
		pattern[strcspn(pattern, "\n")] = '\0';
	pclose(f);
	strcat(pattern, "/golang.org/toolchain@*.linux-amd64/bin/go");
	if (glob(pattern, 0, NULL, &g)) {
		print_message("no other toolchain was found\n");
		skip();
	}
	for (size_t i = 0; i < g.gl_pathc; i++) {
		check_program(build(g.gl_pathv[i], ""), true);
		check_program(build(g.gl_pathv[i], "-buildmode=pie -ldflags='-s -w'"), false);
	}
	globfree(&g);
}

static void test_no_go(void **state)
{
	struct st_elf *e;
	struct st_go *g;
	char why[96];

	(void)state;
	assert_int_equal(st_elf__open("/proc/self/exe", &e), 0);
	assert_int_equal(st_go__new(e, &g, why, sizeof(why)), -ENOENT);
	assert_null(g);
	assert_true(why[0]);
	st_elf__close(e);
}

static void use(const char *path)
{
	struct st_go_offsets o;
	struct st_go_sites s;
	struct st_go_fn f;
	struct st_elf *e;
	struct st_go *g;
	char why[96];

	if (st_elf__open(path, &e))
		return;
	if (!st_go__new(e, &g, why, sizeof(why))) {
		st_go__offsets(g, &o, why, sizeof(why));
		if (!st_go__find(g, "runtime.newproc1", &f))
			st_go__sites(g, &f, &s);
		st_go__free(g);
	}
	st_elf__close(e);
}

/* A table that says anything: no crash, no read beyond it (the sanitizers' build looks). */
static void test_garbage(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	uint64_t head[9];
	struct st_section s;
	struct st_elf *e;
	const char *path;
	int fd;

	(void)state;
	need_go();
	path = build("go", "-ldflags='-s -w'");
	assert_int_equal(st_elf__open(path, &e), 0);
	assert_int_equal(st_elf__section(e, ".gopclntab", &s), 0);
	st_elf__close(e);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, head, sizeof(head), (off_t)s.off), sizeof(head));
	/* The head, the first function's rows, the tables that they point to. */
	for (uint32_t i = 0; i < 400; i++) {
		uint64_t at = i < 72 ? i : i < 200 ? head[8] + i - 72 : head[4 + i % 5] + i;
		uint8_t was, now = bytes[i % 5];

		assert_int_equal(pread(fd, &was, 1, (off_t)(s.off + at)), 1);
		assert_int_equal(pwrite(fd, &now, 1, (off_t)(s.off + at)), 1);
		use(path);
		assert_int_equal(pwrite(fd, &was, 1, (off_t)(s.off + at)), 1);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	cmocka_unit_test(test_stripped),
		cmocka_unit_test(test_pie),	cmocka_unit_test(test_linked_by_c),
		cmocka_unit_test(test_older),	cmocka_unit_test(test_no_go),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
