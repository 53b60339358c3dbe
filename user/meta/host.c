/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "meta/files.h"
#include "meta/text.h"

#define PASSWD_MAX (256u << 10)

static void read_line(const char *path, char *out, size_t out_sz)
{
	char text[256];
	long n = st_files__read_at(AT_FDCWD, path, text, sizeof(text));

	out[0] = '\0';
	if (n > 0)
		st_text__clean(out, out_sz, st_text__until(st_str(text, (size_t)n), '\n'));
}

/* host.arch's values (semantic conventions, resource/host) by uname's words. */
static const char *arch_of(const char *machine)
{
	static const char *const map[][2] = {
		{"x86_64", "amd64"},  {"aarch64", "arm64"}, {"armv7l", "arm32"},
		{"armv6l", "arm32"},  {"i386", "x86"},	    {"i686", "x86"},
		{"ppc64le", "ppc64"}, {"s390x", "s390x"},
	};

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (!strcmp(machine, map[i][0]))
			return map[i][1];
	return machine;
}

bool st_host__os_release(struct st_str text, const char *key, char *out, size_t out_sz)
{
	size_t n = strlen(key);

	while (text.len) {
		struct st_str line = st_text__until(text, '\n');

		text = st_text__skip(text, line.len + 1);
		if (line.len <= n || line.p[n] != '=' || !st_text__starts(line, key))
			continue;
		line = st_text__trim(st_text__skip(line, (uint32_t)n + 1));
		if (line.len > 1 && (*line.p == '"' || *line.p == '\'') &&
		    line.p[line.len - 1] == *line.p)
			line = st_str(line.p + 1, line.len - 2);
		st_text__clean(out, out_sz, line);
		return true;
	}
	return false;
}

static void read_os(struct st_host *h)
{
	char text[4096];
	long n = st_files__read_at(AT_FDCWD, "/etc/os-release", text, sizeof(text));
	struct st_str all;

	if (n < 0)
		n = st_files__read_at(AT_FDCWD, "/usr/lib/os-release", text, sizeof(text));
	if (n <= 0)
		return;
	all = st_str(text, (size_t)n);
	st_host__os_release(all, "NAME", h->os_name, sizeof(h->os_name));
	st_host__os_release(all, "VERSION_ID", h->os_version, sizeof(h->os_version));
	st_host__os_release(all, "PRETTY_NAME", h->os_description, sizeof(h->os_description));
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		return 0;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void st_host__read(struct st_host *h)
{
	struct utsname u;
	long hz = sysconf(_SC_CLK_TCK);

	memset(h, 0, sizeof(*h));
	if (!uname(&u)) {
		st_text__clean(h->name, sizeof(h->name), st_str_of(u.nodename));
		st_text__clean(h->arch, sizeof(h->arch), st_str_of(arch_of(u.machine)));
	}
	read_line("/etc/machine-id", h->id, sizeof(h->id));
	if (!h->id[0])
		read_line("/var/lib/dbus/machine-id", h->id, sizeof(h->id));
	if (!strcmp(h->id, "uninitialized"))
		h->id[0] = '\0';
	read_line("/proc/sys/kernel/random/boot_id", h->boot_id, sizeof(h->boot_id));
	read_os(h);
	h->boot_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
	h->ticks_hz = hz > 0 ? (uint32_t)hz : 100;
}

static bool find_user(struct st_str text, uint32_t uid, char *out, size_t out_sz)
{
	while (text.len) {
		struct st_str line = st_text__until(text, '\n'), name, rest;
		char number[16];

		text = st_text__skip(text, line.len + 1);
		name = st_text__until(line, ':');
		rest = st_text__skip(line, name.len + 1);
		rest = st_text__skip(rest, st_text__until(rest, ':').len + 1);
		st_text__clean(number, sizeof(number), st_text__until(rest, ':'));
		if (name.len && number[0] && strtoul(number, NULL, 10) == uid) {
			st_text__clean(out, out_sz, name);
			return true;
		}
	}
	return false;
}

void st_host__owner(uint32_t uid, char *out, size_t out_sz)
{
	char *text = malloc(PASSWD_MAX);
	long n = text ? st_files__read_at(AT_FDCWD, "/etc/passwd", text, PASSWD_MAX) : -1;

	if (n <= 0 || !find_user(st_str(text, (size_t)n), uid, out, out_sz))
		snprintf(out, out_sz, "%u", uid);
	free(text);
}

void st_host__creation_time(const struct st_host *h, uint64_t start_ticks, char out[32])
{
	uint64_t hz = h->ticks_hz;
	int64_t ns = h->boot_ns +
		     (int64_t)(start_ticks / hz * 1000000000 + start_ticks % hz * 1000000000 / hz);
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	size_t n;

	if (!gmtime_r(&s, &tm))
		memset(&tm, 0, sizeof(tm));
	n = strftime(out, 24, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, 32 - n, ".%03uZ", (unsigned int)((uint64_t)ns / 1000000 % 1000));
}
