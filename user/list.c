/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "list.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "list_show.h"
#include "meta/text.h"

#define OUT_MAX	  (8u << 20)
#define NETNS_MAX 64

/* Sockets are read once for each network namespace. */
struct netns {
	uint64_t inode;
	struct st_sockets sockets;
};

struct list {
	const struct st_config *cfg;
	struct st_list_item item;
	struct st_resource_env env;
	struct netns ns[NETNS_MAX];
	uint32_t ns_cnt;
	uint32_t shown, hidden; /* hidden: their descriptors may not be looked at */
	struct st_buf *out;
};

static const struct st_sockets *sockets_of(struct list *l, int proc_fd)
{
	static const struct st_sockets none;
	uint64_t inode = st_inspect__ns(proc_fd, "net");
	struct netns *ns;

	for (uint32_t i = 0; i < l->ns_cnt; i++)
		if (l->ns[i].inode == inode)
			return &l->ns[i].sockets;
	if (!inode || l->ns_cnt == NETNS_MAX)
		return &none;
	ns = &l->ns[l->ns_cnt];
	if (st_sockets__read(&ns->sockets, proc_fd))
		return &none;
	ns->inode = inode;
	l->ns_cnt++;
	return &ns->sockets;
}

static int open_proc(int pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* A server's first process among its workers. */
static int chief_of(const struct st_process *p)
{
	char path[32], exe[ST_ARTIFACT_MAX];
	ssize_t n;

	if (p->ppid <= 1 || !p->exe[0])
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/exe", p->ppid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return 0;
	exe[n] = '\0';
	return strcmp(exe, p->exe) ? 0 : p->ppid;
}

/* All of one process into l->item. */
static int read_item(struct list *l, int pid, int proc_fd, const struct st_sockets *sockets)
{
	struct st_list_item *it = &l->item;
	int err = st_inspect__read(&it->in, proc_fd, pid, sockets);

	if (!err)
		err = st_process__read(it->proc, pid);
	if (!err)
		it->source = st_resource__name(&l->env, it->proc, &it->service);
	it->chief = err ? 0 : chief_of(it->proc);
	return err;
}

/* ---- all processes ---- */

static bool has_streams(const struct st_inspect *in)
{
	return in->listen_cnt || in->tcp_cnt || in->unix_cnt;
}

static void list_one(struct list *l, int pid)
{
	int fd = open_proc(pid);
	struct st_inspect quick = {0};
	const struct st_sockets *sockets;

	if (fd < 0)
		return;
	sockets = sockets_of(l, fd);
	st_inspect__sockets(&quick, fd, sockets);
	if (!quick.fds_readable)
		l->hidden++;
	if (has_streams(&quick) && !read_item(l, pid, fd, sockets)) {
		if (l->cfg->json)
			st_list_show__json(l->out, &l->item, l->shown > 0);
		else
			st_list_show__row(l->out, &l->item);
		l->shown++;
	}
	close(fd);
}

static int compare_pids(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int *all_pids(uint32_t *cnt)
{
	DIR *d = opendir("/proc");
	const struct dirent *e;
	uint32_t cap = 0;
	int *pids = NULL;

	*cnt = 0;
	while (d && (e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		if (*cnt == cap) {
			int *more = realloc(pids, (cap + 1024) * sizeof(*pids));

			if (!more)
				break;
			pids = more;
			cap += 1024;
		}
		pids[(*cnt)++] = atoi(e->d_name);
	}
	if (d)
		closedir(d);
	if (*cnt)
		qsort(pids, *cnt, sizeof(*pids), compare_pids);
	return pids;
}

static void list_all(struct list *l)
{
	uint32_t cnt;
	int *pids = all_pids(&cnt), self = getpid();

	if (l->cfg->json)
		st_buf__puts(l->out, "{\"processes\":[");
	else
		st_list_show__heads(l->out);
	for (uint32_t i = 0; i < cnt; i++)
		if (pids[i] != self)
			list_one(l, pids[i]);
	free(pids);
	if (l->cfg->json) {
		st_buf__printf(l->out, "],\"not_readable\":%u}\n", l->hidden);
		return;
	}
	if (!l->shown)
		st_buf__puts(l->out, "no process with stream sockets\n");
	if (l->hidden)
		st_buf__printf(l->out,
			       "\n%u processes may not be looked at: that needs root, or "
			       "CAP_SYS_PTRACE and\nCAP_DAC_READ_SEARCH\n",
			       l->hidden);
}

/* ---- processes of -p ---- */

static int show_pid(struct list *l, int pid)
{
	int fd = open_proc(pid), err;

	err = fd < 0 ? -errno : read_item(l, pid, fd, sockets_of(l, fd));
	if (fd >= 0)
		close(fd);
	if (err == -ENOENT || err == -ESRCH) {
		st_error("-p %d: there is no such process", pid);
		return 1;
	}
	if (err) {
		st_error("-p %d: %s", pid, strerror(-err));
		return 1;
	}
	if (l->cfg->json)
		st_list_show__json(l->out, &l->item, l->shown > 0);
	else
		st_list_show__page(l->out, &l->item);
	l->shown++;
	return 0;
}

static int list_pids(struct list *l)
{
	int code = 0;

	if (l->cfg->json)
		st_buf__putc(l->out, '[');
	for (int i = 0; i < l->cfg->pid_cnt; i++)
		code |= show_pid(l, l->cfg->pids[i]);
	if (l->cfg->json)
		st_buf__putc(l->out, ']');
	return code;
}

static struct list *list_new(const struct st_config *cfg, struct st_buf *out)
{
	struct list *l = calloc(1, sizeof(*l));

	if (l)
		l->item.proc = st_process__new();
	if (!l || !l->item.proc) {
		st_error("list: out of memory");
		free(l);
		return NULL;
	}
	l->cfg = cfg;
	l->out = out;
	if (cfg->service_name)
		l->env.service_name = st_str_of(cfg->service_name);
	if (cfg->resource_attrs)
		st_otel_attrs__parse(st_str_of(cfg->resource_attrs), &l->env.attrs);
	return l;
}

static void list_free(struct list *l)
{
	for (uint32_t i = 0; i < l->ns_cnt; i++)
		st_sockets__free(&l->ns[i].sockets);
	st_process__free(l->item.proc);
	free(l);
}

int st_list__append(const struct st_config *cfg, struct st_buf *out)
{
	struct list *l = list_new(cfg, out);
	int code;

	if (!l)
		return 1;
	code = list_pids(l);
	list_free(l);
	return code;
}

static int list_into(const struct st_config *cfg, struct st_buf *out)
{
	struct list *l;
	int code;

	if (cfg->pid_cnt && !cfg->json)
		return st_list__append(cfg, out);
	if (cfg->pid_cnt) {
		st_buf__puts(out, "{\"processes\":");
		code = st_list__append(cfg, out);
		st_buf__puts(out, "}\n");
		return code;
	}
	l = list_new(cfg, out);
	if (!l)
		return 1;
	list_all(l);
	list_free(l);
	return 0;
}

int st_list__run(const struct st_config *cfg)
{
	struct st_buf out = st_buf__init(OUT_MAX);
	int code = list_into(cfg, &out);

	if (st_show__flush(&out))
		code = 1;
	st_buf__free(&out);
	return code;
}
