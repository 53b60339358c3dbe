/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * All that a traced process can write for us to read. The first byte chooses the reader: text of
 * its environment and files, its arguments, its executable, its jar.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "meta/container.h"
#include "meta/host.h"
#include "meta/otelenv.h"
#include "meta/process.h"
#include "meta/service.h"
#include "meta/text.h"
#include "meta/version.h"

#define MUST(ok)                                                                                   \
	do {                                                                                       \
		if (!(ok))                                                                         \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(struct st_str s)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	MUST(fd >= 0 && write(fd, s.p, s.len) == (ssize_t)s.len);
	return fd;
}

static void attrs(struct st_str s)
{
	static struct st_otel_attrs a;

	if (st_otel_attrs__parse(s, &a))
		MUST(!a.cnt);
	MUST(a.cnt <= ST_OTEL_ATTR_MAX && a.text_len <= sizeof(a.text));
	for (uint32_t i = 0; i < a.cnt; i++)
		MUST(a.v[i].key.len && st_text__utf8(a.v[i].value));
}

static void json(struct st_str s)
{
	struct st_str v;

	if (st_text__json(s, "name", &v))
		MUST(v.p > s.p && v.p + v.len < s.p + s.len);
}

static int read_same(void *ctx, const char *path, char *buf, size_t buf_sz)
{
	const struct st_str *s = ctx;
	size_t n = s->len < buf_sz ? s->len : buf_sz;

	MUST(path[0] == '/');
	memcpy(buf, s->p, n);
	return (int)n;
}

/* exe, comm, cwd, environment and arguments, separated by a byte that none holds. */
static void service(struct st_str s)
{
	struct st_str part[4];
	struct st_facts f = {.read = read_same, .ctx = &s};
	struct st_service out;

	for (int i = 0; i < 4; i++) {
		part[i] = st_text__until(s, '\n');
		s = st_text__skip(s, part[i].len + 1);
	}
	f.exe = part[0];
	f.comm = part[1];
	f.cwd = part[2];
	f.env = part[3];
	f.args = s;
	st_service__detect(&f, &out);
	MUST(st_text__utf8(st_str_of(out.name)));
	MUST(strlen(out.name) <= ST_SERVICE_MAX);
}

static void texts(struct st_str s)
{
	struct st_jar_info jar = {0};
	struct st_elf_info elf = {0};
	char id[ST_CONTAINER_ID_SZ], out[32];
	uint64_t ticks;
	int ppid;

	st_version__manifest(s, &jar);
	MUST(st_text__utf8(st_str_of(jar.version)) && st_text__utf8(st_str_of(jar.title)));
	st_version__go_modinfo(s, &elf);
	MUST(st_text__utf8(st_str_of(elf.version)) && st_text__utf8(st_str_of(elf.module)));
	st_container__from_cgroup(s, id);
	st_container__from_mountinfo(s, id);
	st_process__parse_stat(s, &ppid, &ticks);
	st_host__os_release(s, "NAME", out, sizeof(out));
}

static void elf_file(struct st_str s)
{
	struct st_elf_info info;
	int fd = file_of(s);

	st_version__elf(fd, &info);
	close(fd);
}

static void jar_file(struct st_str s)
{
	struct st_jar_info info;
	int fd = file_of(s);

	st_version__jar(fd, &info);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(struct st_str) = {attrs, json,	  service,
							 texts, elf_file, jar_file};
	char *exact;

	if (size < 2)
		return 0;
	exact = malloc(size - 1);
	memcpy(exact, data + 1, size - 1);
	readers[data[0] % 6](st_str(exact, size - 1));
	free(exact);
	return 0;
}
