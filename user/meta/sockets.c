/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "meta/text.h"

#define TCP_LISTEN_STATE 0x0a	     /* include/net/tcp_states.h */
#define UNIX_ACCEPTS	 0x00010000u /* __SO_ACCEPTCON, include/uapi/linux/net.h */
#define UNIX_STREAM	 1

/* "0100007F" or 32 digits: words of 32 bits, each printed as the processor has it. */
static bool parse_address(const char *text, struct st_socket *out)
{
	size_t n = strcspn(text, ":");
	unsigned int port;

	if ((n != 8 && n != 32) || sscanf(text + n, ":%4x", &port) != 1)
		return false;
	out->is_v6 = n == 32;
	for (size_t i = 0; i < n / 8; i++) {
		uint32_t word;

		if (sscanf(text + 8 * i, "%8" SCNx32, &word) != 1)
			return false;
		memcpy(out->addr + 4 * i, &word, 4);
	}
	out->port = (uint16_t)port;
	return true;
}

bool st_sockets__parse_inet(const char *line, enum st_socket_kind kind, struct st_socket *out)
{
	char local[48];
	unsigned int state;

	memset(out, 0, sizeof(*out));
	if (sscanf(line, " %*u: %47s %*s %x %*s %*s %*s %*u %*u %" SCNu64, local, &state,
		   &out->inode) != 3)
		return false;
	out->kind = (uint8_t)kind;
	out->listening = kind == ST_SOCKET_TCP && state == TCP_LISTEN_STATE;
	return out->inode && parse_address(local, out);
}

bool st_sockets__parse_unix(const char *line, struct st_socket *out)
{
	unsigned int flags, type;
	int path_off = 0;

	memset(out, 0, sizeof(*out));
	if (sscanf(line, "%*s %*x %*x %x %x %*x %" SCNu64 "%n", &flags, &type, &out->inode,
		   &path_off) != 3)
		return false;
	out->kind = ST_SOCKET_UNIX;
	out->listening = flags & UNIX_ACCEPTS;
	if (line[path_off] == ' ')
		st_text__clean(out->path, sizeof(out->path),
			       st_text__until(st_str_of(line + path_off + 1), '\n'));
	return type == UNIX_STREAM && out->inode;
}

static bool add(struct st_sockets *s, const struct st_socket *one)
{
	if (s->cnt == s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 256;
		struct st_socket *v;

		if (cap > ST_SOCKETS_MAX)
			return false;
		v = realloc(s->v, cap * sizeof(*v));
		if (!v)
			return false;
		s->v = v;
		s->cap = cap;
	}
	s->v[s->cnt++] = *one;
	return true;
}

static void read_table(struct st_sockets *s, int proc_fd, const char *name,
		       enum st_socket_kind kind)
{
	int fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	char line[512];

	if (!f) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		struct st_socket one;
		bool ok = kind == ST_SOCKET_UNIX ? st_sockets__parse_unix(line, &one)
						 : st_sockets__parse_inet(line, kind, &one);

		if (ok && !add(s, &one)) {
			s->cut = true;
			break;
		}
	}
	fclose(f);
}

static int by_inode(const void *a, const void *b)
{
	uint64_t x = ((const struct st_socket *)a)->inode, y = ((const struct st_socket *)b)->inode;

	return x < y ? -1 : x > y;
}

int st_sockets__read(struct st_sockets *s, int proc_fd)
{
	memset(s, 0, sizeof(*s));
	if (faccessat(proc_fd, "net/tcp", R_OK, 0))
		return -errno;
	read_table(s, proc_fd, "net/tcp", ST_SOCKET_TCP);
	read_table(s, proc_fd, "net/tcp6", ST_SOCKET_TCP);
	read_table(s, proc_fd, "net/udp", ST_SOCKET_UDP);
	read_table(s, proc_fd, "net/udp6", ST_SOCKET_UDP);
	read_table(s, proc_fd, "net/unix", ST_SOCKET_UNIX);
	if (s->cnt)
		qsort(s->v, s->cnt, sizeof(*s->v), by_inode);
	return 0;
}

void st_sockets__free(struct st_sockets *s)
{
	free(s->v);
	memset(s, 0, sizeof(*s));
}

const struct st_socket *st_sockets__find(const struct st_sockets *s, uint64_t inode)
{
	struct st_socket key = {.inode = inode};

	return s->cnt ? bsearch(&key, s->v, s->cnt, sizeof(*s->v), by_inode) : NULL;
}

void st_socket__name(const struct st_socket *s, char *out, size_t out_sz)
{
	char addr[INET6_ADDRSTRLEN] = "";

	if (s->kind == ST_SOCKET_UNIX) {
		snprintf(out, out_sz, "unix:%s", s->path);
		return;
	}
	inet_ntop(s->is_v6 ? AF_INET6 : AF_INET, s->addr, addr, sizeof(addr));
	snprintf(out, out_sz, s->is_v6 ? "[%s]:%u" : "%s:%u", addr, s->port);
}
