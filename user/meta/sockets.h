/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which sockets a network namespace has, by the tables of /proc/PID/net (proc(5)). */
#ifndef ST_META_SOCKETS_H
#define ST_META_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "spantap/bytes.h"

#define ST_SOCKETS_MAX (1u << 18) /* of one namespace; the rest is not seen, and `cut` says so */

enum st_socket_kind {
	ST_SOCKET_TCP = 1,
	ST_SOCKET_UDP = 2,
	ST_SOCKET_UNIX = 3, /* stream */
};

struct st_socket {
	uint64_t inode;
	uint8_t kind; /* enum st_socket_kind */
	bool is_v6;
	bool listening;
	uint16_t port;	  /* local, host byte order */
	uint8_t addr[16]; /* local, network byte order; the first 4 for IPv4 */
	char path[64];	  /* Unix: bound path, '@' for abstract ones, cut */
};

struct st_sockets {
	struct st_socket *v; /* by inode */
	uint32_t cnt, cap;
	bool cut;
};

/* All of the namespace of the process behind proc_fd. Returns 0 or -errno; end with __free. */
int st_sockets__read(struct st_sockets *s, int proc_fd);
void st_sockets__free(struct st_sockets *s);

/* The socket of that inode, or NULL. */
const struct st_socket *st_sockets__find(const struct st_sockets *s, uint64_t inode);

/* One line of tcp, tcp6, udp, udp6; false for heads and for sockets without an inode. Pure. */
bool st_sockets__parse_inet(const char *line, enum st_socket_kind kind, struct st_socket *out);

/* One line of unix; false for other types than streams. Pure. */
bool st_sockets__parse_unix(const char *line, struct st_socket *out);

/* "127.0.0.1:80", "[::]:80", "unix:/run/x" into out. */
void st_socket__name(const struct st_socket *s, char *out, size_t out_sz);

#endif
