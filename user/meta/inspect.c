/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta/files.h"
#include "meta/text.h"

/* File names begin so, up to a '.', '-', digit or the end. */
static const struct {
	const char *name, *what;
	enum st_lib_kind kind;
} known[] = {
	{"libssl3", "NSS", ST_LIB_TLS}, /* before libssl */
	{"libssl", "OpenSSL", ST_LIB_TLS},
	{"libgnutls", "GnuTLS", ST_LIB_TLS},
	{"libnss3", "NSS", ST_LIB_TLS},
	{"libmbedtls", "Mbed TLS", ST_LIB_TLS},
	{"libwolfssl", "wolfSSL", ST_LIB_TLS},
	{"libs2n", "s2n", ST_LIB_TLS},
	{"libboringssl", "BoringSSL", ST_LIB_TLS},
	{"libconscrypt", "BoringSSL", ST_LIB_TLS},
	{"libnetty_tcnative", "netty's OpenSSL", ST_LIB_TLS},
	{"libSystem.Security.Cryptography.Native.OpenSsl", ".NET's OpenSSL", ST_LIB_TLS},
	{"_ssl", "Python's ssl", ST_LIB_TLS},
	{"libjvm", "Java", ST_LIB_RUNTIME},
	{"libcoreclr", ".NET", ST_LIB_RUNTIME},
	{"libmonosgen", "Mono", ST_LIB_RUNTIME},
	{"libpython", "Python", ST_LIB_RUNTIME},
	{"libruby", "Ruby", ST_LIB_RUNTIME},
	{"libnode", "Node.js", ST_LIB_RUNTIME},
	{"libphp", "PHP", ST_LIB_RUNTIME},
	{"libperl", "Perl", ST_LIB_RUNTIME},
	{"libluajit", "LuaJIT", ST_LIB_RUNTIME},
	{"liblua", "Lua", ST_LIB_RUNTIME},
	{"libnghttp2", "HTTP/2", ST_LIB_PROTOCOL},
	{"libgrpc", "gRPC", ST_LIB_PROTOCOL},
	{"libnghttp3", "HTTP/3", ST_LIB_PROTOCOL},
	{"libngtcp2", "QUIC", ST_LIB_PROTOCOL},
	{"libquiche", "QUIC", ST_LIB_PROTOCOL},
	{"libmsquic", "QUIC", ST_LIB_PROTOCOL},
};

bool st_inspect__lib(struct st_str file, struct st_lib *out)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct st_str rest;

		if (!st_text__starts(file, known[i].name))
			continue;
		rest = st_text__skip(file, (uint32_t)strlen(known[i].name));
		if (rest.len && !strchr(".-_0123456789", *rest.p))
			continue;
		st_text__clean(out->file, sizeof(out->file), file);
		out->what = known[i].what;
		out->kind = known[i].kind;
		return true;
	}
	return false;
}

static void add_lib(struct st_inspect *in, const struct st_lib *lib)
{
	for (uint32_t i = 0; i < in->lib_cnt; i++)
		if (!strcmp(in->libs[i].file, lib->file))
			return;
	if (in->lib_cnt < ST_INSPECT_LIBS_MAX)
		in->libs[in->lib_cnt++] = *lib;
}

/* Files mapped into the process; only their names are used. */
static void read_libs(struct st_inspect *in, int proc_fd)
{
	int fd = openat(proc_fd, "maps", O_RDONLY | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	char line[4352];

	if (!f) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		char *path = strchr(line, '/');
		struct st_lib lib;

		if (!path || !strstr(path, ".so"))
			continue;
		path[strcspn(path, "\n")] = '\0';
		if (st_text__ends(st_str_of(path), " (deleted)"))
			path[strlen(path) - strlen(" (deleted)")] = '\0';
		if (st_inspect__lib(st_text__base(st_str_of(path)), &lib))
			add_lib(in, &lib);
	}
	fclose(f);
}

const struct st_lib *st_inspect__first(const struct st_inspect *in, enum st_lib_kind kind)
{
	for (uint32_t i = 0; i < in->lib_cnt; i++)
		if (in->libs[i].kind == kind)
			return &in->libs[i];
	return NULL;
}

static void add_socket(struct st_inspect *in, const struct st_socket *s)
{
	if (s->listening) {
		if (in->listen_cnt < ST_INSPECT_LISTEN_MAX)
			in->listen[in->listen_cnt++] = *s;
		return;
	}
	in->tcp_cnt += s->kind == ST_SOCKET_TCP;
	in->udp_cnt += s->kind == ST_SOCKET_UDP;
	in->unix_cnt += s->kind == ST_SOCKET_UNIX;
	if (s->kind == ST_SOCKET_UDP && s->port)
		in->udp_port = s->port;
}

static void add_fd(struct st_inspect *in, const char *target, const struct st_sockets *sockets)
{
	const struct st_socket *s;
	uint64_t inode;

	if (!strcmp(target, "anon_inode:[io_uring]"))
		in->io_uring_cnt++;
	if (sscanf(target, "socket:[%" SCNu64 "]", &inode) != 1)
		return;
	s = st_sockets__find(sockets, inode);
	if (s)
		add_socket(in, s);
}

static bool seen_listening(const struct st_socket *a, const struct st_socket *b)
{
	return a->kind == b->kind && a->port == b->port && a->is_v6 == b->is_v6 &&
	       !memcmp(a->addr, b->addr, 16) && !strcmp(a->path, b->path);
}

/* SO_REUSEPORT makes one listening socket per worker: they are shown once. */
static void drop_doubles(struct st_inspect *in)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < in->listen_cnt; i++) {
		uint32_t k = 0;

		while (k < kept && !seen_listening(&in->listen[k], &in->listen[i]))
			k++;
		if (k == kept)
			in->listen[kept++] = in->listen[i];
	}
	in->listen_cnt = kept;
}

void st_inspect__sockets(struct st_inspect *in, int proc_fd, const struct st_sockets *sockets)
{
	int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	in->fds_readable = true;
	for (uint32_t n = 0; n < ST_INSPECT_FDS_MAX && (e = readdir(d)); n++) {
		char target[64];
		ssize_t len;

		if (e->d_name[0] == '.')
			continue;
		len = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);
		if (len <= 0)
			continue;
		target[len] = '\0';
		add_fd(in, target, sockets);
	}
	closedir(d);
	drop_doubles(in);
}

uint64_t st_inspect__ns(int proc_fd, const char *name)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "ns/%s", name);
	return fstatat(proc_fd, path, &st, 0) ? 0 : st.st_ino;
}

static bool is_other_ns(int proc_fd, const char *name)
{
	char path[40];
	uint64_t its = st_inspect__ns(proc_fd, name);
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return its && !stat(path, &st) && st.st_ino != its;
}

/* "Threads:\t4", and the last number of "NSpid:\t4711\t7" */
static void read_status(struct st_inspect *in, int proc_fd)
{
	char text[4096];
	const char *line;
	int n;

	if (st_files__read_at(proc_fd, "status", text, sizeof(text)) <= 0)
		return;
	line = strstr(text, "\nThreads:");
	if (line)
		in->thread_cnt = atoi(line + 9);
	line = strstr(text, "\nNSpid:");
	for (line = line ? line + 7 : ""; sscanf(line, " %d%n", &in->ns_pid, &n) == 1; line += n)
		if (line[n] == '\n')
			break;
}

int st_inspect__read(struct st_inspect *in, int proc_fd, int pid, const struct st_sockets *sockets)
{
	memset(in, 0, sizeof(*in));
	in->pid = pid;
	if (faccessat(proc_fd, "stat", R_OK, 0))
		return -ESRCH;
	read_status(in, proc_fd);
	in->other_pidns = is_other_ns(proc_fd, "pid");
	in->other_netns = is_other_ns(proc_fd, "net");
	st_inspect__sockets(in, proc_fd, sockets);
	read_libs(in, proc_fd);
	return 0;
}
