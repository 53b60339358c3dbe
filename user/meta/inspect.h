/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a process is made of: libraries, sockets, namespaces. For `spantap list`. */
#ifndef ST_META_INSPECT_H
#define ST_META_INSPECT_H

#include "meta/sockets.h"

#define ST_INSPECT_LIBS_MAX   32
#define ST_INSPECT_LISTEN_MAX 32
#define ST_INSPECT_FDS_MAX    262144u

enum st_lib_kind {
	ST_LIB_TLS = 1,	     /* encrypts */
	ST_LIB_RUNTIME = 2,  /* a language's runtime */
	ST_LIB_PROTOCOL = 3, /* speaks a protocol */
};

struct st_lib {
	char file[64];	  /* its file name */
	const char *what; /* "OpenSSL", "Java", ... */
	enum st_lib_kind kind;
};

struct st_inspect {
	int pid;
	bool fds_readable; /* false: its descriptors may not be looked at */
	struct st_lib libs[ST_INSPECT_LIBS_MAX];
	uint32_t lib_cnt;
	uint32_t tcp_cnt, udp_cnt, unix_cnt, io_uring_cnt; /* tcp, unix: without listening ones */
	uint32_t listen_cnt; /* kept below, at most ST_INSPECT_LISTEN_MAX */
	struct st_socket listen[ST_INSPECT_LISTEN_MAX];
	uint16_t udp_port; /* one of its UDP ports */
	int thread_cnt;
	int ns_pid; /* its number within its own pid namespace */
	bool other_pidns, other_netns;
};

/* The inode of a namespace of a process ("net", "pid"), 0 when it cannot be read. */
uint64_t st_inspect__ns(int proc_fd, const char *name);

/* Looks at a process; sockets are those of its network namespace. 0 or -ESRCH. */
int st_inspect__read(struct st_inspect *in, int proc_fd, int pid, const struct st_sockets *sockets);

/* Only its sockets; cheap enough for every process of a host. */
void st_inspect__sockets(struct st_inspect *in, int proc_fd, const struct st_sockets *sockets);

/* What a library's file name stands for; false when it is none that matters. Pure. */
bool st_inspect__lib(struct st_str file, struct st_lib *out);

/* The first library of that kind, or NULL. */
const struct st_lib *st_inspect__first(const struct st_inspect *in, enum st_lib_kind kind);

#endif
