/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/listenq.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FULL_MAX	 64u /* listeners that are full at the same time */
#define TCP_LISTEN_STATE 10u /* include/net/tcp_states.h */

struct full {
	struct st_open at;
	uint32_t inode;
	uint32_t tgid; /* 0: nobody's that is traced */
};

struct st_listenq {
	bool known; /* `overflows` was read before */
	uint64_t overflows;
	uint32_t cnt;
	struct full v[FULL_MAX];
};

struct st_listenq *st_listenq__new(void)
{
	return calloc(1, sizeof(struct st_listenq));
}

void st_listenq__free(struct st_listenq *q)
{
	free(q);
}

/* "TcpExt: A B C", then "TcpExt: 1 2 3": the number below the name. */
static bool read_counter(const char *name, uint64_t *out)
{
	char names[4096], values[4096], *n, *v, *ns, *vs;
	FILE *f = fopen("/proc/net/netstat", "re");
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
		if (strncmp(names, "TcpExt:", 7))
			continue;
		n = strtok_r(names, " \n", &ns);
		v = strtok_r(values, " \n", &vs);
		while (n && v && strcmp(n, name)) {
			n = strtok_r(NULL, " \n", &ns);
			v = strtok_r(NULL, " \n", &vs);
		}
		found = n && v;
		if (found)
			*out = strtoull(v, NULL, 10);
	}
	fclose(f);
	return found;
}

uint64_t st_listenq__overflows(struct st_listenq *q)
{
	uint64_t now = 0, before = q->overflows;
	bool known = q->known;

	if (!read_counter("ListenOverflows", &now))
		return 0;
	q->overflows = now;
	q->known = true;
	return known && now > before ? now - before : 0;
}

/*
 * The kernel's condition is "more than the backlog" (sk_acceptq_is_full); one less is a queue of
 * which the process has taken one since.
 */
static bool is_full(const struct inet_diag_msg *m)
{
	return m->idiag_rqueue && m->idiag_rqueue >= m->idiag_wqueue;
}

static void add_full(struct st_listenq *q, const struct inet_diag_msg *m)
{
	struct full *f;

	if (q->cnt == FULL_MAX || !is_full(m))
		return;
	f = &q->v[q->cnt++];
	*f = (struct full){.inode = m->idiag_inode};
	f->at.family = m->idiag_family;
	f->at.local_port = ntohs(m->id.idiag_sport);
	f->at.role = ST_ROLE_SERVER;
	f->at.protocol = IPPROTO_TCP;
	memcpy(f->at.local, m->id.idiag_src, m->idiag_family == AF_INET ? 4 : 16);
}

/* One datagram of the answer: 1 more to come, 0 done, -errno. */
static int read_answer(struct st_listenq *q, const void *buf, ssize_t len)
{
	const struct nlmsghdr *h = buf;
	uint32_t left = (uint32_t)len;

	for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return -EPROTO;
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		    h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			add_full(q, NLMSG_DATA(h));
	}
	return 1;
}

static int ask(struct st_listenq *q, int fd, uint8_t family)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} req = {
		.h = {sizeof(req), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0},
		.r = {.sdiag_family = family,
		      .sdiag_protocol = IPPROTO_TCP,
		      .idiag_states = 1u << TCP_LISTEN_STATE},
	};
	_Alignas(struct nlmsghdr) char buf[16384];
	int rc;

	if (send(fd, &req, sizeof(req), 0) != sizeof(req))
		return -errno;
	do {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		rc = n < 0 ? -errno : read_answer(q, buf, n);
	} while (rc == 1 || rc == -EINTR);
	return rc;
}

struct owners {
	struct st_listenq *q;
	st_proc_is is_traced;
	void *ctx;
};

static void own(struct st_listenq *q, uint32_t tgid, uint32_t inode)
{
	for (uint32_t i = 0; i < q->cnt; i++)
		if (q->v[i].inode == inode && !q->v[i].tgid)
			q->v[i].tgid = tgid;
}

static void look_at_fds(void *ctx, uint32_t tgid, uint32_t parent)
{
	struct owners *o = ctx;
	char path[64], target[64];
	struct dirent *e;
	unsigned int inode;
	DIR *d;

	(void)parent;
	if (!o->is_traced(o->ctx, tgid))
		return;
	snprintf(path, sizeof(path), "/proc/%u/fd", tgid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = 0;
		if (sscanf(target, "socket:[%u]", &inode) == 1)
			own(o->q, tgid, inode);
	}
	if (d)
		closedir(d);
}

int st_listenq__each_full(struct st_listenq *q, st_proc_is is_traced, st_listenq_fn fn, void *ctx)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), err, cnt = 0;
	struct owners o = {q, is_traced, ctx};

	if (fd < 0)
		return -errno;
	q->cnt = 0;
	err = ask(q, fd, AF_INET);
	if (!err)
		err = ask(q, fd, AF_INET6);
	close(fd);
	if (!err && q->cnt)
		err = st_procs__each(look_at_fds, &o);
	for (uint32_t i = 0; !err && i < q->cnt; i++) {
		if (!q->v[i].tgid)
			continue;
		fn(ctx, q->v[i].tgid, q->v[i].inode, &q->v[i].at);
		cnt++;
	}
	return err ? err : cnt;
}
