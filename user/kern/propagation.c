/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/propagation.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kern/iter.h"
#include "kern/procs.h"
#include "kern/socket_try.h"
#include "kern/tracer.h"
#include "lib/log.h"
#include "propagate.skel.h"

#define PATH_SZ 256

struct st_propagation {
	struct st_tracer *tracer;
	uint32_t ways;
	struct bpf_object *obj;
	bool old; /* the programs for older sockets are there */
	struct bpf_link *socket;
};

static int map_fd(const struct st_propagation *p, const char *name)
{
	return bpf_object__find_map_fd_by_name(p->obj, name);
}

/* ---- loading ---- */

static int enable(struct st_propagation *p, const char *name)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, name);

	return prog ? bpf_program__set_autoload(prog, true) : -ENOENT;
}

/* old: with the programs for sockets that are older than we are, which not every kernel takes. */
static int load(struct st_propagation *p, bool old)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "spantap_wire");
	size_t sz;
	const void *elf = st_propagate__elf_bytes(&sz);
	int err;

	p->obj = bpf_object__open_mem(elf, sz, &opts);
	if (!p->obj)
		return -errno;
	err = st_tracer__share_maps(p->tracer, p->obj);
	if (!err)
		err = enable(p, "on_socket");
	if (!err && p->ways & ST_PROPAGATE_HEADER)
		err = enable(p, "on_message");
	if (!err && old)
		err = enable(p, "old_listen");
	if (!err && old)
		err = enable(p, "old_sockets");
	if (!err)
		err = bpf_object__load(p->obj);
	p->old = old;
	if (err) {
		bpf_object__close(p->obj);
		p->obj = NULL;
	}
	return err;
}

static int set_rules(struct st_propagation *p, const struct st_wire_rule *rules, uint32_t cnt)
{
	int fd = map_fd(p, "wire_rules");

	for (uint32_t i = 0; i < cnt && i < ST_WIRE_RULES; i++)
		if (bpf_map_update_elem(fd, &i, &rules[i], BPF_ANY))
			return -errno;
	return 0;
}

/* ---- attaching ---- */

/* Where the second version's hierarchy is mounted: its root. Returns a descriptor or -errno. */
static int open_cgroup_root(void)
{
	char line[512], path[PATH_SZ], type[32];
	FILE *f = fopen("/proc/self/mounts", "re");
	int fd = -ENOENT;

	if (!f)
		return -errno;
	while (fd < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %255s %31s", path, type) != 2 || strcmp(type, "cgroup2"))
			continue;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	fclose(f);
	return fd;
}

static int attach(struct st_propagation *p)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, "on_socket");
	int fd = open_cgroup_root();

	if (fd < 0) {
		st_error(
			"--propagate: the cgroup hierarchy of version 2 cannot be opened: %s; mount "
			"it (mount -t cgroup2 none /sys/fs/cgroup)",
			strerror(-fd));
		return fd;
	}
	p->socket = bpf_program__attach_cgroup(prog, fd);
	close(fd);
	if (p->socket)
		return 0;
	st_error(
		"--propagate: attaching to the cgroup: %s; needs root, or CAP_BPF and CAP_NET_ADMIN",
		strerror(errno));
	return -errno;
}

/*
 * Must be there before the first socket comes to the map. A map keeps its program alone: both go with
 * the process.
 */
static int attach_header(struct st_propagation *p, const struct st_wire_header *header)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(p->obj, "on_message");
	struct st_wire_header h = *header;
	int fd = map_fd(p, "wire_sockets");
	enum st_socket_trial trial;
	uint32_t zero = 0;

	if (bpf_prog_attach(bpf_program__fd(prog), fd, BPF_SK_MSG_VERDICT, 0)) {
		st_error("--propagate=header: attaching: %s", strerror(errno));
		return -errno;
	}
	trial = st_socket__try(fd);
	if (trial == ST_SOCKET_BROKEN) {
		st_info("--propagate=header: this kernel delays what programs may change; no header "
			"is inserted");
		h.len = 0;
	}
	h.once = trial != ST_SOCKET_SOUND;
	if (trial == ST_SOCKET_NO_FIONREAD)
		st_info("--propagate=header: only Go and Node.js send it with every request here, others "
			"with the first one of a connection: this kernel hides unread bytes of such "
			"sockets (FIONREAD)%s",
			p->ways & ST_PROPAGATE_OPTION ? "; the option goes with all"
						      : "; add option for all of them");
	return bpf_map_update_elem(map_fd(p, "wire_header"), &zero, &h, BPF_ANY) ? -errno : 0;
}

static int load_all(struct st_propagation *p, const struct st_propagation_config *cfg)
{
	int err = load(p, true);

	if (err)
		err = load(p, false);
	if (err)
		st_error("--propagate: loading the BPF programs: %s", strerror(-err));
	return err ? err : set_rules(p, cfg->rules, cfg->rule_cnt);
}

int st_propagation__open(struct st_tracer *t, const struct st_propagation_config *cfg,
			 struct st_propagation **out)
{
	struct st_propagation *p = calloc(1, sizeof(*p));
	int err;

	*out = NULL;
	if (!p)
		return -ENOMEM;
	p->tracer = t;
	p->ways = cfg->ways;
	if (st_tracer__map(t, "wires") < 0) {
		st_error("--propagate: not on this kernel: tracing programs have no storage of "
			 "sockets (Linux 5.11), or --rung chose a way without it");
		free(p);
		return -ENOTSUP;
	}
	err = load_all(p, cfg);
	if (!err && cfg->ways & ST_PROPAGATE_HEADER)
		err = attach_header(p, cfg->header);
	if (!err)
		err = attach(p);
	if (err)
		st_propagation__close(p);
	else
		*out = p;
	return err;
}

void st_propagation__detach(struct st_propagation *p)
{
	if (!p)
		return;
	bpf_link__destroy(p->socket);
	p->socket = NULL;
}

void st_propagation__close(struct st_propagation *p)
{
	if (!p)
		return;
	st_propagation__detach(p);
	bpf_object__close(p->obj);
	free(p);
}

/* ---- sockets that are older than we are ---- */

static void add_inode(struct st_propagation *p, const char *path)
{
	unsigned long long ino;
	uint64_t key;
	uint8_t one = 1;
	char link[64];
	ssize_t n = readlink(path, link, sizeof(link) - 1);

	if (n <= 0)
		return;
	link[n] = 0;
	if (sscanf(link, "socket:[%llu]", &ino) != 1)
		return;
	key = ino;
	bpf_map_update_elem(map_fd(p, "inodes"), &key, &one, BPF_ANY);
}

/* The sockets of a process that is traced. */
static void add_inodes(void *ctx, uint32_t tgid, uint32_t parent)
{
	struct st_propagation *p = ctx;
	char path[PATH_SZ];
	struct dirent *e;
	DIR *d;

	(void)parent;
	if (!st_tracer__traces(p->tracer, tgid))
		return;
	snprintf(path, sizeof(path), "/proc/%u/fd", tgid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%u/fd/%.20s", tgid, e->d_name);
		add_inode(p, path);
	}
	if (d)
		closedir(d);
}

int st_propagation__enroll_old(struct st_propagation *p)
{
	int err;

	if (!p->old)
		return -ENOTSUP;
	err = st_procs__each(add_inodes, p);
	if (!err)
		err = st_iter__run(p->obj, "old_listen", NULL);
	return err ? err : st_iter__run(p->obj, "old_sockets", NULL);
}

int st_propagation__counts(const struct st_propagation *p, uint64_t out[ST_W_MAX])
{
	int cpus = libbpf_num_possible_cpus(), err = 0;
	uint32_t zero = 0;
	uint64_t *v;

	memset(out, 0, ST_W_MAX * sizeof(*out));
	if (cpus < 0)
		return cpus;
	v = calloc((size_t)cpus * ST_W_MAX, sizeof(*v));
	if (!v)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map_fd(p, "wire_counts"), &zero, v))
		err = -errno;
	for (int i = 0; !err && i < cpus * ST_W_MAX; i++)
		out[i % ST_W_MAX] += v[i];
	free(v);
	return err;
}
