/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Symbols, pointers and CPython's method tables, read from files and held against their symbols. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "kern/elfsym.h"
#include "kern/pymethod.h"
#include "pythons.h"

static const char *const queue_names[] = {"put",	"put_nowait", "get",
					  "get_nowait", "empty",      "qsize"};
#define QUEUE_CNT 6

static struct st_elf *must_open(const char *path)
{
	struct st_elf *e;
	int err = st_elf__open(path, &e);

	if (err)
		fail_msg("%s: %s", path, strerror(-err));
	return e;
}

/* Something of this program to look for: exported, static, data. */
int st_test_exported(int x);
__attribute__((noinline, used)) int st_test_exported(int x)
{
	__asm__ volatile("" ::: "memory");
	return x + 1;
}

static int (*const volatile st_test_pointer)(int) = st_test_exported;
static char *volatile st_test_string = "a string of the test";

static void test_own(void **state)
{
	struct st_elf *e = must_open("/proc/self/exe");
	struct st_sym fn, ptr, str, again;
	uint64_t v, off, end;
	char buf[32];
	uint8_t code[4];

	(void)state;
	assert_int_equal(st_test_pointer(1), 2);
	assert_int_equal(st_elf__symbol(e, "st_test_exported", &fn), 0);
	assert_true(fn.size && st_elf__is_code(e, fn.addr));
	assert_int_equal(fn.type, STT_FUNC);
	assert_int_equal(st_elf__offset(e, fn.addr, &off), 0);
	assert_int_equal(off, fn.off);
	assert_int_equal(st_elf__read(e, fn.addr, code, sizeof(code)), 0);
	assert_memory_equal(code, (const void *)st_test_exported, sizeof(code));
	assert_int_equal(st_elf__symbol_at(e, fn.addr, &again), 0);
	assert_int_equal(again.size, fn.size);
	assert_int_equal(st_elf__symbol_above(e, fn.addr, &v), 0);
	assert_true(v >= fn.addr + fn.size);
	assert_int_equal(st_elf__section_end(e, fn.addr, &end), 0);
	assert_true(end >= fn.addr + fn.size);
	/* Pointers that the loader fills in. */
	assert_int_equal(st_elf__symbol(e, "st_test_pointer", &ptr), 0);
	assert_int_equal(st_elf__pointer(e, ptr.addr, &v), 0);
	assert_int_equal(v, fn.addr);
	assert_int_equal(st_elf__symbol(e, "st_test_string", &str), 0);
	assert_int_equal(st_elf__pointer(e, str.addr, &v), 0);
	assert_int_equal(st_elf__string(e, v, buf, sizeof(buf)), 0);
	assert_string_equal(buf, st_test_string);
	assert_int_equal(st_elf__string(e, v, buf, 8), -ENAMETOOLONG);
	assert_int_equal(st_elf__symbol(e, "st_test_no_such", &fn), -ENOENT);
	st_elf__close(e);
}

/* Bytes of a file that is none, or only begins as one. */
static int open_bytes(const void *p, size_t n)
{
	char path[] = "/tmp/spantap-elf-XXXXXX";
	int fd = mkstemp(path), err;
	struct st_elf *e;

	assert_true(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	err = st_elf__open(path, &e);
	st_elf__close(e);
	close(fd);
	unlink(path);
	return err;
}

static void test_refused(void **state)
{
	Elf64_Ehdr h = {.e_ident = ELFMAG, .e_machine = EM_X86_64, .e_phoff = 1u << 30};
	struct st_elf *e;

	(void)state;
	assert_int_equal(st_elf__open("/nonexistent/file", &e), -ENOENT);
	assert_null(e);
	assert_int_equal(st_elf__open("/dev/null", &e), -ENOEXEC);
	assert_int_equal(st_elf__open("/", &e), -ENOEXEC);
	assert_int_equal(open_bytes("", 0), -ENOEXEC);
	assert_int_equal(open_bytes("#!/bin/sh\n", 10), -ENOEXEC);
	h.e_ident[EI_CLASS] = ELFCLASS32;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	h.e_ident[EI_VERSION] = EV_CURRENT;
	h.e_version = EV_CURRENT;
	h.e_ehsize = sizeof(h);
	h.e_phentsize = sizeof(Elf64_Phdr);
	h.e_phnum = 7;
	assert_int_equal(open_bytes(&h, sizeof(h)), -ENOEXEC);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	assert_int_equal(open_bytes(&h, sizeof(h)), -ENOEXEC);
	assert_int_equal(open_bytes(&h, 40), -ENOEXEC);
}

/* A file that loses its end while it is open: an error, not a signal. */
static void test_shrinks(void **state)
{
	char path[] = "/tmp/spantap-elf-XXXXXX", command[128];
	int fd = mkstemp(path);
	struct st_elf *e;
	struct st_sym s;
	uint8_t b[16];

	(void)state;
	assert_true(fd >= 0);
	snprintf(command, sizeof(command), "cp /proc/%d/exe %s", getpid(), path);
	assert_int_equal(system(command), 0);
	e = must_open(path);
	assert_int_equal(st_elf__symbol(e, "main", &s), 0);
	assert_int_equal(truncate(path, 4096), 0);
	assert_int_equal(st_elf__read(e, s.addr, b, sizeof(b)), -ERANGE);
	assert_int_not_equal(st_elf__symbol(e, "st_test_no_such", &s), 0);
	st_elf__close(e);
	close(fd);
	unlink(path);
}

/* ---- CPython ---- */

static int need_pythons(struct python *all)
{
	int n = pythons_find(all);

	if (!n) {
		print_message("no CPython was found\n");
		skip();
	}
	return n;
}

/* What symtab says, where there is one. Returns whether there is. */
static int same_as_symbol(struct st_elf *e, const char *name, const struct st_pymethod *m)
{
	struct st_sym s;

	if (st_elf__symbol(e, name, &s))
		return 0;
	assert_int_equal(s.addr, m->addr);
	assert_int_equal(s.off, m->off);
	return 1;
}

static void test_context_run(void **state)
{
	struct python all[PYTHONS_MAX];
	int n = need_pythons(all), compared = 0;

	(void)state;
	for (int i = 0; i < n; i++) {
		struct st_elf *e = must_open(all[i].core);
		struct st_pymethod run, copy, none;
		int err = st_pymethod__of_type(e, "PyContext_Type", "run", &run);

		if (err)
			fail_msg("%s: %s", all[i].core, strerror(-err));
		assert_true(st_elf__is_code(e, run.addr));
		/* METH_FASTCALL | METH_KEYWORDS */
		assert_int_equal(run.flags, 0x82);
		compared += same_as_symbol(e, "context_run", &run);
		assert_int_equal(st_pymethod__of_type(e, "PyContext_Type", "copy", &copy), 0);
		assert_int_not_equal(copy.addr, run.addr);
		assert_int_equal(st_pymethod__of_type(e, "PyContext_Type", "ru", &none), -ENOENT);
		assert_int_equal(st_pymethod__of_type(e, "PyContext_Run", "run", &none), -ENOENT);
		assert_int_equal(st_pymethod__of_type(e, "PyContext_New", "run", &none), -EINVAL);
		assert_int_equal(none.addr, 0);
		st_elf__close(e);
	}
	print_message("%d files, %d with symbols to compare\n", n, compared);
}

static void test_queue(void **state)
{
	struct python all[PYTHONS_MAX];
	int n = need_pythons(all), compared = 0;

	(void)state;
	for (int i = 0; i < n; i++) {
		const char *path = all[i].queue[0] ? all[i].queue : all[i].core;
		struct st_elf *e = must_open(path);
		struct st_pymethod m[QUEUE_CNT];
		int err = st_pymethod__in_table(e, queue_names, QUEUE_CNT, m);

		if (err)
			fail_msg("%s: %s", path, strerror(-err));
		for (int k = 0; k < QUEUE_CNT; k++) {
			char symbol[64];

			assert_true(st_elf__is_code(e, m[k].addr));
			snprintf(symbol, sizeof(symbol), "_queue_SimpleQueue_%s", queue_names[k]);
			compared += same_as_symbol(e, symbol, &m[k]);
		}
		st_elf__close(e);
	}
	print_message("%d files, %d symbols compared\n", n, compared);
}

/* Built into the interpreter: the same search among all its tables. */
static void test_builtin(void **state)
{
	static const char *const names[] = {"run", "copy", "get", "items", "keys", "values"};
	static const char *const nowhere[] = {"run", "put_nowait_"};
	static const char *const common[] = {"copy", "get"};
	struct python all[PYTHONS_MAX];
	int n = need_pythons(all);

	(void)state;
	for (int i = 0; i < n; i++) {
		struct st_elf *e = must_open(all[i].core);
		struct st_pymethod m[6], run;
		int err = st_pymethod__in_table(e, names, 6, m);

		if (err)
			fail_msg("%s: %s", all[i].core, strerror(-err));
		assert_int_equal(st_pymethod__of_type(e, "PyContext_Type", "run", &run), 0);
		assert_int_equal(m[0].addr, run.addr);
		assert_int_equal(st_pymethod__in_table(e, nowhere, 2, m), -ENOENT);
		assert_int_equal(st_pymethod__in_table(e, common, 2, m), -ENOTUNIQ);
		assert_int_equal(m[0].addr, 0);
		st_elf__close(e);
	}
}

/* A build without symbols says the same. */
static void test_stripped(void **state)
{
	char path[] = "/tmp/spantap-py-XXXXXX", command[512];
	struct python all[PYTHONS_MAX];
	int n = need_pythons(all), fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (int i = 0; i < n; i++) {
		struct st_pymethod with, without;
		struct st_elf *e;

		snprintf(command, sizeof(command), "strip -s -o %s %s", path, all[i].core);
		assert_int_equal(system(command), 0);
		e = must_open(all[i].core);
		assert_int_equal(st_pymethod__of_type(e, "PyContext_Type", "run", &with), 0);
		st_elf__close(e);
		e = must_open(path);
		assert_int_equal(st_pymethod__of_type(e, "PyContext_Type", "run", &without), 0);
		st_elf__close(e);
		assert_int_equal(with.addr, without.addr);
	}
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),	 cmocka_unit_test(test_refused),
		cmocka_unit_test(test_shrinks),	 cmocka_unit_test(test_context_run),
		cmocka_unit_test(test_queue),	 cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_stripped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
