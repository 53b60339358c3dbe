/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is read of a process's files: containers, versions, and what must never be opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "meta/container.h"
#include "meta/files.h"
#include "meta/host.h"
#include "meta/uuid.h"
#include "meta/version.h"

#define CONTAINERS "tests/vectors/meta/container.txt"
#define ID_I	   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_J	   "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

/* I and J that stand between '/', '-', ':' and '.' or the end become ids. */
static void expand(const char *from, char *to)
{
	for (const char *p = from; *p; p++) {
		if ((*p == 'I' || *p == 'J') && (p == from || strchr("/-:", p[-1])) &&
		    (!p[1] || strchr("/.", p[1]))) {
			strcpy(to, *p == 'I' ? ID_I : ID_J);
			to += 64;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

static void test_containers(void **state)
{
	FILE *f = fopen(CONTAINERS, "r");
	char line[512], text[1024] = "", want[128], id[ST_CONTAINER_ID_SZ];
	int cases = 0, nr = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		bool hit;

		nr++;
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (*line != '=') {
			strcpy(text, line);
			continue;
		}
		cases++;
		expand(line + 2, want);
		if (!strncmp(text, "cgroup ", 7)) {
			char full[1024];

			expand(text + 7, full);
			hit = st_container__from_cgroup(st_str_of(full), id);
		} else {
			char full[1024];

			expand(text + 10, full);
			hit = st_container__from_mountinfo(st_str_of(full), id);
		}
		if (strcmp(hit ? id : "-", want))
			fail_msg("%s:%d: got %s", CONTAINERS, nr, hit ? id : "-");
	}
	fclose(f);
	assert_true(cases > 20);
}

/* RFC 3174, section 7.3, and lengths around the block's border by a known digest. */
static void test_sha1(void **state)
{
	static const uint8_t abc[20] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
					0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
	static const uint8_t two[20] = {0x84, 0x98, 0x3e, 0x44, 0x1c, 0x3b, 0xd2, 0x6e, 0xba, 0xae,
					0x4a, 0xa1, 0xf9, 0x51, 0x29, 0xe5, 0xe5, 0x46, 0x70, 0xf1};
	static const uint8_t million[20] = {0x34, 0xaa, 0x97, 0x3c, 0xd4, 0xc4, 0xda,
					    0xa4, 0xf6, 0x1e, 0xeb, 0x2b, 0xdb, 0xad,
					    0x27, 0x31, 0x65, 0x34, 0x01, 0x6f};
	uint8_t out[20];
	char *a = malloc(1000000), uuid[ST_UUID_SZ];
	/* RFC 9562, appendix A.4: www.example.com in the DNS namespace */
	static const uint8_t dns[16] = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
					0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};

	(void)state;
	st_sha1("abc", 3, out);
	assert_memory_equal(out, abc, 20);
	st_sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, out);
	assert_memory_equal(out, two, 20);
	memset(a, 'a', 1000000);
	st_sha1(a, 1000000, out);
	assert_memory_equal(out, million, 20);
	free(a);
	st_uuid__v5(dns, "www.example.com", 15, uuid);
	assert_string_equal(uuid, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

static void test_host(void **state)
{
	static const char text[] = "PRETTY_NAME=\"Debian 12\"\nNAME=x\nVERSION_ID='12'\nNAMEX=y";
	char out[32];
	struct st_host h = {.boot_ns = 1700000000ll * 1000000000, .ticks_hz = 100};

	(void)state;
	assert_true(st_host__os_release(ST_STR(text), "PRETTY_NAME", out, sizeof(out)));
	assert_string_equal(out, "Debian 12");
	assert_true(st_host__os_release(ST_STR(text), "VERSION_ID", out, sizeof(out)));
	assert_string_equal(out, "12");
	assert_true(st_host__os_release(ST_STR(text), "NAMEX", out, sizeof(out)));
	assert_string_equal(out, "y");
	assert_false(st_host__os_release(ST_STR(text), "VERSION", out, sizeof(out)));
	st_host__creation_time(&h, 250, out);
	assert_string_equal(out, "2023-11-14T22:13:22.500Z");
	st_host__owner(0, out, sizeof(out));
	assert_string_equal(out, "root");
	st_host__owner(3999999999u, out, sizeof(out));
	assert_string_equal(out, "3999999999");
}

/* ---- jars ---- */

static void le(uint8_t **p, uint32_t v, int n)
{
	for (; n; n--, v >>= 8)
		*(*p)++ = (uint8_t)v;
}

/* Both headers of an entry have these fields in common, from the version on. */
static void common(uint8_t **p, int method, uint32_t packed, uint32_t size, uint32_t name_len)
{
	le(p, 20, 2);
	le(p, 0, 2);
	le(p, (uint32_t)method, 2);
	le(p, 0, 4);
	le(p, 0, 4);
	le(p, packed, 4);
	le(p, size, 4);
	le(p, name_len, 2);
	le(p, 0, 2);
}

/* An archive of one entry, behind prefix_sz bytes that its offsets do not count. */
static size_t make_jar(uint8_t *out, const char *name, const char *text, int method,
		       size_t prefix_sz, const char *comment)
{
	uint8_t packed[4096], *p = out + prefix_sz;
	uint32_t n = (uint32_t)strlen(text), packed_sz = n, name_len = (uint32_t)strlen(name);
	uint32_t dir_off, dir_sz;

	memset(out, '#', prefix_sz);
	memcpy(packed, text, n);
	if (method == 8) {
		z_stream z = {.next_in = (uint8_t *)(uintptr_t)text,
			      .avail_in = n,
			      .next_out = packed,
			      .avail_out = sizeof(packed)};

		assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, 0), Z_OK);
		assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
		packed_sz = (uint32_t)z.total_out;
		deflateEnd(&z);
	}
	le(&p, 0x04034b50, 4);
	common(&p, method, packed_sz, n, name_len);
	memcpy(p, name, name_len);
	memcpy(p + name_len, packed, packed_sz);
	p += name_len + packed_sz;
	dir_off = (uint32_t)(p - out) - (uint32_t)prefix_sz;
	le(&p, 0x02014b50, 4);
	le(&p, 20, 2);
	common(&p, method, packed_sz, n, name_len);
	le(&p, 0, 2);
	le(&p, 0, 2);
	le(&p, 0, 2);
	le(&p, 0, 4);
	le(&p, 0, 4);
	memcpy(p, name, name_len);
	p += name_len;
	dir_sz = (uint32_t)(p - out) - (uint32_t)prefix_sz - dir_off;
	le(&p, 0x06054b50, 4);
	le(&p, 0, 4);
	le(&p, 1, 2);
	le(&p, 1, 2);
	le(&p, dir_sz, 4);
	le(&p, dir_off, 4);
	le(&p, (uint32_t)strlen(comment), 2);
	memcpy(p, comment, strlen(comment));
	return (size_t)(p - out) + strlen(comment);
}

static int file_of(const void *bytes, size_t n)
{
	int fd = memfd_create("part", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	return fd;
}

static int read_jar(const void *bytes, size_t n, struct st_jar_info *info)
{
	int fd = file_of(bytes, n), err = st_version__jar(fd, info);

	close(fd);
	return err;
}

#define MANIFEST                                                                                   \
	"Manifest-Version: 1.0\r\nImplementation-Title: shop\r\nBundle-Version: 9\r\n"             \
	"implementation-version: 1.4\r\n .2\r\n\r\nName: x\r\nImplementation-Version: no\r\n"

static void test_jar(void **state)
{
	uint8_t jar[8192];
	struct st_jar_info info;
	size_t n;

	(void)state;
	for (int i = 0; i < 8; i++) {
		n = make_jar(jar, "META-INF/MANIFEST.MF", MANIFEST, i & 1 ? 8 : 0, i & 2 ? 100 : 0,
			     i & 4 ? "a comment" : "");
		assert_int_equal(read_jar(jar, n, &info), 0);
		assert_string_equal(info.version, "1.4.2");
		assert_string_equal(info.title, "shop");
	}
	n = make_jar(jar, "OTHER", MANIFEST, 0, 0, "");
	assert_int_equal(read_jar(jar, n, &info), -ENOENT);
	n = make_jar(jar, "META-INF/MANIFEST.MF", "Bundle-Version: 9", 0, 0, "");
	assert_int_equal(read_jar(jar, n, &info), 0);
	assert_string_equal(info.version, "9");
	n = make_jar(jar, "META-INF/MANIFEST.MF", MANIFEST, 12, 0, "");
	assert_int_equal(read_jar(jar, n, &info), -EINVAL);
	assert_int_equal(read_jar("PK", 2, &info), -EINVAL);
}

/* Whatever is wrong in it: an error or an answer, never a fault. */
static void test_jar_broken(void **state)
{
	uint8_t jar[8192], copy[8192];
	struct st_jar_info info;
	size_t n = make_jar(jar, "META-INF/MANIFEST.MF", MANIFEST, 8, 0, "");

	(void)state;
	for (size_t i = 0; i < n; i++)
		assert_true(read_jar(jar, i, &info) < 0);
	for (size_t i = 0; i < n; i++) {
		for (int bit = 0; bit < 8; bit += 3) {
			memcpy(copy, jar, n);
			copy[i] ^= (uint8_t)(1 << bit);
			read_jar(copy, n, &info);
			assert_true(memchr(info.version, 0, sizeof(info.version)) != NULL);
		}
	}
}

/* ---- ELF ---- */

#define GO_MARK "0123456789abcdef"
#define GO_MODINFO                                                                                 \
	"path\texample.com/shop/cmd/front\nmod\texample.com/shop\tv1.2.3\th1:x\n"                  \
	"dep\tgithub.com/a/b\tv9.9.9\th1:y\nbuild\tvcs.revision=0123456789abcdef\n"

/* Section headers: nothing, the names, the one that counts. */
static size_t make_elf(uint8_t *out, const char *section, const void *content, size_t content_sz)
{
	char names[64] = "\0.shstrtab\0";
	Elf64_Ehdr h = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB},
			.e_machine = EM_X86_64,
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = 3,
			.e_shstrndx = 1,
			.e_shoff = sizeof(h)};
	Elf64_Shdr s[3] = {0};
	size_t off = sizeof(h) + sizeof(s);

	strcpy(names + 11, section);
	s[1] = (Elf64_Shdr){
		.sh_name = 1, .sh_type = SHT_STRTAB, .sh_offset = off, .sh_size = sizeof(names)};
	s[2] = (Elf64_Shdr){.sh_name = 11,
			    .sh_type = SHT_PROGBITS,
			    .sh_offset = off + sizeof(names),
			    .sh_size = content_sz};
	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), s, sizeof(s));
	memcpy(out + off, names, sizeof(names));
	memcpy(out + off + sizeof(names), content, content_sz);
	return off + sizeof(names) + content_sz;
}

static size_t make_buildinfo(uint8_t *out, const char *version, const char *mod)
{
	size_t v = strlen(version), m = strlen(mod) + 32, n = 32;

	memset(out, 0, 32);
	memcpy(out, "\xff Go buildinf:\x08\x02", 16);
	out[n++] = (uint8_t)v;
	memcpy(out + n, version, v);
	n += v;
	out[n++] = (uint8_t)(m & 0x7f) | 0x80;
	out[n++] = (uint8_t)(m >> 7);
	memcpy(out + n, GO_MARK, 16);
	memcpy(out + n + 16, mod, m - 32);
	memcpy(out + n + m - 16, GO_MARK, 16);
	return n + m;
}

static int read_elf(const void *bytes, size_t n, struct st_elf_info *info)
{
	int fd = file_of(bytes, n), err = st_version__elf(fd, info);

	close(fd);
	return err;
}

static void test_elf(void **state)
{
	uint8_t elf[2048], info_bytes[1024];
	struct st_elf_info info;
	size_t n = make_buildinfo(info_bytes, "go1.22.1", GO_MODINFO);

	(void)state;
	n = make_elf(elf, ".go.buildinfo", info_bytes, n);
	assert_int_equal(read_elf(elf, n, &info), 0);
	assert_string_equal(info.language, "go");
	assert_string_equal(info.go_version, "go1.22.1");
	assert_string_equal(info.version, "v1.2.3");
	assert_string_equal(info.module, "example.com/shop/cmd/front");
	assert_false(info.is_32bit);

	n = make_elf(elf, ".comment", "rustc version 1.75.0\0GCC", 24);
	assert_int_equal(read_elf(elf, n, &info), 0);
	assert_string_equal(info.language, "rust");
	n = make_elf(elf, ".comment", "GCC: (Debian 12)", 16);
	assert_int_equal(read_elf(elf, n, &info), 0);
	assert_null(info.language);
	assert_int_equal(read_elf("#!/bin/sh\n", 10, &info), -ENOEXEC);
	assert_int_equal(read_elf("", 0, &info), -ENOEXEC);
}

static void test_go_devel(void **state)
{
	struct st_elf_info info = {0};

	(void)state;
	st_version__go_modinfo(ST_STR("path\tx/y\nmod\tx/y\t(devel)\t\nbuild\tvcs=git\n"
				      "build\tvcs.revision=0123456789abcdef0123\n"),
			       &info);
	assert_string_equal(info.version, "0123456789ab");
	memset(&info, 0, sizeof(info));
	st_version__go_modinfo(ST_STR("mod"), &info);
	st_version__go_modinfo(ST_STR("path\t"), &info);
	assert_string_equal(info.module, "");
}

static void test_elf_broken(void **state)
{
	uint8_t elf[2048], copy[2048], info_bytes[1024];
	struct st_elf_info info;
	size_t n = make_elf(elf, ".go.buildinfo", info_bytes,
			    make_buildinfo(info_bytes, "go1.22.1", GO_MODINFO));

	(void)state;
	for (size_t i = 0; i < n; i++)
		read_elf(elf, i, &info);
	for (size_t i = 0; i < n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, elf, n);
			copy[i] ^= (uint8_t)(1 << bit);
			read_elf(copy, n, &info);
			assert_true(memchr(info.version, 0, sizeof(info.version)) != NULL);
			assert_true(memchr(info.module, 0, sizeof(info.module)) != NULL);
		}
	}
}

/* ---- a root that lays traps ---- */

static char trap[] = "/tmp/spantap-test-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", trap, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void put_link(const char *name, const char *to)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", trap, name);
	assert_int_equal(symlink(to, path), 0);
}

static void expect(const struct st_root *r, const char *path, const char *text)
{
	char buf[256];
	int n = st_root__read(r, path, buf, sizeof(buf));

	if (n < 0)
		fail_msg("%s: %s", path, strerror(-n));
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, (size_t)n);
}

static void expect_err(const struct st_root *r, const char *path, int err)
{
	char buf[256];
	int n = st_root__read(r, path, buf, sizeof(buf));

	if (n != err)
		fail_msg("%s: %d, expected %d", path, n, err);
}

static void fill_trap(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/etc", trap);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/proc", trap);
	assert_int_equal(mkdir(path, 0755), 0);
	put("etc/passwd", "inner");
	put("plain", "text");
	put("empty", "");
	put_link("etc/up", "../plain");
	put_link("absolute", "/etc/passwd");
	put_link("escape", "../../../../../../etc/passwd");
	put_link("chain", "etc/up");
	put_link("dir", "etc");
	put_link("loop", "loop");
	put_link("dangling", "nothing");
	snprintf(path, sizeof(path), "%s/fifo", trap);
	assert_int_equal(mkfifo(path, 0644), 0);
}

static void check_trap(const struct st_root *r)
{
	char path[64];

	expect(r, "/plain", "text");
	expect(r, "//etc/./../plain", "text");
	expect(r, "/absolute", "inner");
	expect(r, "/escape", "inner");
	expect(r, "/../../etc/passwd", "inner");
	expect(r, "/chain", "text");
	expect(r, "/dir/passwd", "inner");
	expect(r, "/dir/up", "text");
	expect_err(r, "/loop", -ELOOP);
	expect_err(r, "/dangling", -ENOENT);
	expect_err(r, "/etc", -EINVAL);
	expect_err(r, "/", -EINVAL);
	expect_err(r, "/fifo", -EINVAL);
	expect_err(r, "/empty", -EINVAL);
	expect_err(r, "/plain/x", -ENOTDIR);
	snprintf(path, sizeof(path), "/%s", "plain");
	assert_int_equal(st_root__file(r, path, 3), -EFBIG);
}

static int proc_of(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY);
	assert_true(fd >= 0);
	return fd;
}

/* A child whose root is the trap; its own memory mount of proc is not entered either. */
static void test_root(void **state)
{
	int ready[2], fd;
	struct st_root r;
	char c, cmd[128];
	pid_t pid;

	(void)state;
	if (geteuid())
		skip(); /* chroot needs root */
	assert_non_null(mkdtemp(trap));
	fill_trap();
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (chroot(trap) || chdir("/") || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	fd = proc_of(pid);
	assert_int_equal(st_root__open(&r, fd), 0);
	check_trap(&r);
	st_root__close(&r);
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	snprintf(cmd, sizeof(cmd), "rm -r %s", trap);
	assert_int_equal(system(cmd), 0);
	close(ready[0]);
	close(ready[1]);
}

/* Mounts of the kernel's own are not entered, neither directly nor by a link. */
static void test_foreign(void **state)
{
	char link_path[] = "/tmp/spantap-link-XXXXXX";
	int fd = proc_of(getpid());
	struct st_root r;

	(void)state;
	assert_int_equal(st_root__open(&r, fd), 0);
	expect_err(&r, "/proc/self/status", -EREMOTE);
	expect_err(&r, "/proc", -EREMOTE);
	assert_non_null(mkdtemp(link_path));
	assert_int_equal(rmdir(link_path), 0);
	assert_int_equal(symlink("/proc/self/status", link_path), 0);
	expect_err(&r, link_path, -EREMOTE);
	unlink(link_path);
	assert_true(st_root__enters(&r, "/procession"));
	st_root__close(&r);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_containers), cmocka_unit_test(test_sha1),
		cmocka_unit_test(test_host),	   cmocka_unit_test(test_jar),
		cmocka_unit_test(test_jar_broken), cmocka_unit_test(test_elf),
		cmocka_unit_test(test_go_devel),   cmocka_unit_test(test_elf_broken),
		cmocka_unit_test(test_root),	   cmocka_unit_test(test_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
