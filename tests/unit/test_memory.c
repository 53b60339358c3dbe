/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Giving pages back: those of files go, those that were written to stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kern/memory.h"

#define PAGES 64

static size_t page_sz(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* A read-only private mapping of a file of PAGES pages of 'f'. */
static char *map_file(void)
{
	char path[] = "/tmp/spantap-memory-XXXXXX", *page = malloc(page_sz()), *map;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	memset(page, 'f', page_sz());
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(write(fd, page, page_sz()), page_sz());
	free(page);
	map = mmap(NULL, PAGES * page_sz(), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	close(fd);
	return map;
}

static void protect(char *map)
{
	volatile char sum = 0;

	assert_int_equal(mprotect(map, PAGES * page_sz(), PROT_READ), 0);
	for (int i = 0; i < PAGES; i++)
		sum = (char)(sum + map[(size_t)i * page_sz()]);
}

/* Resident KiB of the mapping that begins there. */
static long resident_kb(const char *map)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512], want[32];
	bool here = false;
	long kb = -1;

	assert_non_null(f);
	snprintf(want, sizeof(want), "%lx-", (unsigned long)map);
	while (kb < 0 && fgets(line, sizeof(line), f)) {
		here = here || !strncmp(line, want, strlen(want));
		if (here && sscanf(line, "Rss: %ld kB", &kb) != 1)
			kb = -1;
	}
	fclose(f);
	return kb;
}

static void test_clean_pages_go(void **state)
{
	char *map = map_file();

	(void)state;
	protect(map);
	assert_int_equal(resident_kb(map), PAGES * page_sz() / 1024);
	st_memory__shed();
	assert_int_equal(resident_kb(map), 0);
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(map[(size_t)i * page_sz()], 'f');
	munmap(map, PAGES * page_sz());
}

static void test_written_pages_stay(void **state)
{
	char *map = map_file();

	(void)state;
	map[3 * page_sz()] = 'w'; /* a relocation, or a breakpoint */
	protect(map);
	st_memory__shed();
	assert_int_equal(map[3 * page_sz()], 'w');
	assert_int_equal(map[0], 'f');
	munmap(map, PAGES * page_sz());
}

static void test_writable_pages_stay(void **state)
{
	char *map = map_file();

	(void)state;
	map[0] = 'w';
	st_memory__shed();
	assert_int_equal(map[0], 'w');
	munmap(map, PAGES * page_sz());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_pages_go),
		cmocka_unit_test(test_written_pages_stay),
		cmocka_unit_test(test_writable_pages_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
