/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "meta/files.h"
#include "meta/text.h"

/* The kernel caps one string at 128 KiB and all at a quarter of the stack; Java's class paths and
 * Kubernetes' environments stay below these.
 */
#define ARGS_MAX (256u << 10)
#define ENV_MAX	 (512u << 10)
#define TEXT_MAX (256u << 10)
#define KEEP_MAX (64u << 10) /* larger buffers are given back after use */
#define JAR_MAX	 (1ull << 30)

struct st_process *st_process__new(void)
{
	struct st_process *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->args = st_buf__init(ARGS_MAX);
	p->env = st_buf__init(ENV_MAX);
	p->text = st_buf__init(TEXT_MAX);
	return p;
}

void st_process__free(struct st_process *p)
{
	if (!p)
		return;
	st_buf__free(&p->args);
	st_buf__free(&p->env);
	st_buf__free(&p->text);
	free(p);
}

static void reset_buf(struct st_buf *b)
{
	if (b->cap > KEEP_MAX)
		st_buf__free(b);
	st_buf__reset(b);
}

static void reset(struct st_process *p, int pid)
{
	struct st_buf args, env, text;

	reset_buf(&p->args);
	reset_buf(&p->env);
	reset_buf(&p->text);
	args = p->args;
	env = p->env;
	text = p->text;
	memset(p, 0, sizeof(*p));
	p->args = args;
	p->env = env;
	p->text = text;
	p->pid = pid;
	p->uid = -1;
}

/* A file of /proc/PID into b, cut at its cap. */
static int read_into(int dir_fd, const char *name, struct st_buf *b)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC), err = 0;

	st_buf__reset(b);
	if (fd < 0)
		return -errno;
	while (b->len < b->max) {
		size_t want = b->cap - b->len > 2048 ? b->cap - b->len : 4096;
		ssize_t n;

		if (want > b->max - b->len)
			want = b->max - b->len;
		if (!st_buf__room(b, want)) {
			err = -ENOMEM;
			break;
		}
		n = read(fd, b->p + b->len, want);
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		b->len += (size_t)n;
	}
	close(fd);
	return err;
}

static struct st_str buf_str(const struct st_buf *b)
{
	return st_str((const char *)b->p, b->len);
}

bool st_process__parse_stat(struct st_str text, int *ppid, uint64_t *start_ticks)
{
	char rest[512];
	const char *paren = text.len ? memrchr(text.p, ')', text.len) : NULL;
	uint32_t left = paren ? text.len - (uint32_t)(paren + 1 - text.p) : 0;

	/* comm may hold blanks and parentheses: fields are counted behind its last ')'. */
	if (!left || left >= sizeof(rest))
		return false;
	memcpy(rest, paren + 1, left);
	rest[left] = '\0';
	return sscanf(rest,
		      " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
		      "%*d %" SCNu64,
		      ppid, start_ticks) == 2;
}

static int read_stat(struct st_process *p, int dir_fd)
{
	char text[1024];
	long n = st_files__read_at(dir_fd, "stat", text, sizeof(text));

	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	return st_process__parse_stat(st_str(text, (size_t)n), &p->ppid, &p->start_ticks) ? 0
											  : -ESRCH;
}

uint64_t st_process__start_ticks(int pid)
{
	char path[32], text[1024];
	uint64_t ticks = 0;
	int ppid;
	long n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	n = st_files__read_at(AT_FDCWD, path, text, sizeof(text));
	if (n <= 0 || !st_process__parse_stat(st_str(text, (size_t)n), &ppid, &ticks))
		return 0;
	return ticks;
}

/* "Uid:\treal\teffective\t..." */
static void read_uid(struct st_process *p, int dir_fd)
{
	char text[4096];
	const char *line;
	unsigned int uid;

	if (st_files__read_at(dir_fd, "status", text, sizeof(text)) <= 0)
		return;
	line = strstr(text, "\nUid:");
	if (line && sscanf(line + 5, " %*u %u", &uid) == 1)
		p->uid = uid;
}

static void read_link(int dir_fd, const char *name, char *out, size_t out_sz)
{
	ssize_t n = readlinkat(dir_fd, name, out, out_sz);

	/* One that was cut is worse than none: it names another file. */
	if (n < 0 || (size_t)n == out_sz)
		n = 0;
	out[n] = '\0';
}

static void read_comm(struct st_process *p, int dir_fd)
{
	char text[64];
	long n = st_files__read_at(dir_fd, "comm", text, sizeof(text));
	struct st_str s;

	if (n <= 0)
		return;
	s = st_text__until(st_str(text, (size_t)n), '\n');
	memcpy(p->comm, s.p, s.len < sizeof(p->comm) ? s.len : sizeof(p->comm) - 1);
}

static void read_container(struct st_process *p, int dir_fd)
{
	if (!read_into(dir_fd, "cgroup", &p->text) &&
	    st_container__from_cgroup(buf_str(&p->text), p->container))
		return;
	if (!read_into(dir_fd, "mountinfo", &p->text))
		st_container__from_mountinfo(buf_str(&p->text), p->container);
}

static int read_for_service(void *ctx, const char *path, char *buf, size_t buf_sz)
{
	return st_root__read(ctx, path, buf, buf_sz);
}

/* "example.com/shop/cmd/front/v2": front */
static struct st_str module_name(const char *module)
{
	struct st_str m = st_str_of(module), base = st_text__base(m);

	if (base.len > 1 && *base.p == 'v' && strspn(base.p + 1, "0123456789") == base.len - 1)
		base = st_text__base(st_text__dir(m));
	return base;
}

/* go run and debuggers give every program the same name; its package has the right one. */
static void name_go(struct st_process *p)
{
	struct st_service *s = &p->service;
	struct st_str name = st_str_of(s->name), module = module_name(p->elf.module);

	s->language = s->runtime = "go";
	memcpy(p->runtime_version, p->elf.go_version, sizeof(p->runtime_version));
	memcpy(p->version, p->elf.version, sizeof(p->version));
	if (s->source != ST_NAME_PROGRAM || !module.len ||
	    st_text__is(st_str_of(p->elf.module), "command-line-arguments"))
		return;
	if (st_text__is(name, "main") || st_text__starts(name, "__debug_bin") ||
	    st_text__starts(name, "___go_build_")) {
		st_text__clean(s->name, sizeof(s->name), module);
		s->source = ST_NAME_MODULE;
	}
}

static void read_elf(struct st_process *p, const struct st_root *root, int dir_fd)
{
	int path_fd, fd;

	if (root->fd < 0 || !p->exe[0] || !st_root__enters(root, p->exe))
		return;
	path_fd = openat(dir_fd, "exe", O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return;
	fd = st_files__reopen(path_fd, 0);
	close(path_fd);
	if (fd < 0)
		return;
	st_version__elf(fd, &p->elf);
	close(fd);
}

/* A program of .NET that starts by itself lies beside its library: Shop and Shop.dll. */
static void find_native_language(struct st_process *p, const struct st_root *root)
{
	char dll[ST_ARTIFACT_MAX + 8];
	int fd;

	if (p->service.language)
		return;
	p->service.language = p->elf.language;
	if (p->elf.language && !strcmp(p->elf.language, "go")) {
		name_go(p);
		return;
	}
	snprintf(dll, sizeof(dll), "%s.dll", p->exe);
	fd = p->exe[0] ? st_root__file(root, dll, 0) : -1;
	if (fd < 0)
		return;
	close(fd);
	p->service.language = "dotnet";
	p->service.runtime = ".NET";
}

/* JAVA_VERSION="17.0.9" of the file `release` beside the JDK's bin folder. */
static void read_java_version(struct st_process *p, const struct st_root *root)
{
	static const char key[] = "JAVA_VERSION=\"";
	char path[ST_ARTIFACT_MAX], text[4096];
	const char *hit;
	int n;

	if (!st_text__join(st_text__dir(st_str_of(p->exe)), ST_STR("../release"), path,
			   sizeof(path)))
		return;
	n = st_root__read(root, path, text, sizeof(text) - 1);
	if (n <= 0)
		return;
	text[n] = '\0';
	hit = strstr(text, key);
	if (hit)
		st_text__clean(p->runtime_version, sizeof(p->runtime_version),
			       st_text__until(st_str_of(hit + sizeof(key) - 1), '"'));
}

static void read_jar(struct st_process *p, const struct st_root *root)
{
	struct st_jar_info jar;
	int fd = st_root__file(root, p->service.artifact, JAR_MAX);

	if (fd < 0)
		return;
	if (!st_version__jar(fd, &jar)) {
		memcpy(p->version, jar.version, sizeof(p->version));
		/* Images call every archive app.jar; its manifest may know better. */
		if (jar.title[0] && p->service.source == ST_NAME_SCRIPT &&
		    st_text__in(st_str_of(p->service.name), "app application service")) {
			st_text__clean(p->service.name, sizeof(p->service.name),
				       st_str_of(jar.title));
			p->service.source = ST_NAME_MANIFEST;
		}
	}
	close(fd);
}

static void read_package(struct st_process *p, const struct st_root *root)
{
	char text[16384];
	int n = st_root__read(root, p->service.artifact, text, sizeof(text));
	struct st_str v;

	if (n > 0 && st_text__json(st_str(text, (size_t)n), "version", &v))
		st_text__clean(p->version, sizeof(p->version), v);
}

static void read_versions(struct st_process *p, const struct st_root *root)
{
	const char *language = p->service.language;

	memcpy(p->runtime_version, p->service.runtime_version, sizeof(p->runtime_version));
	if (language && !strcmp(language, "java"))
		read_java_version(p, root);
	if (p->service.artifact_kind == ST_ARTIFACT_JAR)
		read_jar(p, root);
	else if (p->service.artifact_kind == ST_ARTIFACT_PACKAGE)
		read_package(p, root);
	if (!p->version[0])
		memcpy(p->version, p->service.version, sizeof(p->version));
}

static void parse_attrs(struct st_process *p)
{
	struct st_str raw;

	if (st_text__env(buf_str(&p->env), "OTEL_RESOURCE_ATTRIBUTES", &raw))
		p->malformed = st_otel_attrs__parse(raw, &p->attrs) != 0;
}

static void read_service(struct st_process *p, int dir_fd)
{
	char exe[ST_ARTIFACT_MAX], cwd[ST_ARTIFACT_MAX];
	struct st_facts facts = {.read = read_for_service};
	struct st_root root;

	read_link(dir_fd, "exe", exe, sizeof(exe));
	read_link(dir_fd, "cwd", cwd, sizeof(cwd));
	read_into(dir_fd, "cmdline", &p->args);
	read_into(dir_fd, "environ", &p->env);
	parse_attrs(p);
	memcpy(p->exe, exe, sizeof(exe));
	p->exe_deleted = st_text__ends(st_str_of(exe), " (deleted)");
	if (p->exe_deleted)
		p->exe[strlen(exe) - strlen(" (deleted)")] = '\0';
	if (st_root__open(&root, dir_fd))
		facts.read = NULL;
	facts.ctx = &root;
	facts.exe = st_str_of(exe);
	facts.comm = st_str_of(p->comm);
	facts.args = buf_str(&p->args);
	facts.env = buf_str(&p->env);
	facts.cwd = st_str_of(cwd);
	st_service__detect(&facts, &p->service);
	read_versions(p, &root);
	read_elf(p, &root, dir_fd);
	find_native_language(p, &root);
	st_root__close(&root);
}

int st_process__read(struct st_process *p, int pid)
{
	char path[32];
	int dir_fd, err;

	reset(p, pid);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	/* This descriptor stands for the process, not for its number: reuse shows as ESRCH. */
	dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	err = read_stat(p, dir_fd);
	if (!err) {
		read_comm(p, dir_fd);
		read_uid(p, dir_fd);
		read_container(p, dir_fd);
		read_service(p, dir_fd);
	}
	close(dir_fd);
	return err;
}

static bool is_comm(struct st_str path, struct st_str comm)
{
	struct st_str base = st_text__base(path);

	if (base.len > 15)
		base.len = 15; /* TASK_COMM_LEN less its NUL */
	return comm.len && st_str_eq(base, comm);
}

/*
 * The executable by an exec event. Of a script, file name and comm are its own, and argv[0] is its
 * interpreter's (execve(2)).
 */
static struct st_str exe_by_exec(struct st_str comm, struct st_str filename, struct st_str args)
{
	struct st_str first = st_text__until(args, '\0');
	struct st_str second = st_text__until(st_text__skip(args, first.len + 1), '\0');
	struct st_str name = filename.len ? st_text__base(filename) : comm;

	if (name.len > 15)
		name.len = 15;
	if (second.len && !is_comm(first, name) && is_comm(second, name))
		return first;
	if (!filename.len && is_comm(first, comm))
		return first;
	return filename;
}

void st_process__from_exec(struct st_process *p, int pid, struct st_str comm,
			   struct st_str filename, struct st_str args)
{
	struct st_facts facts = {.comm = comm, .args = args};

	reset(p, pid);
	facts.exe = exe_by_exec(comm, filename, args);
	if (comm.len)
		memcpy(p->comm, comm.p,
		       comm.len < sizeof(p->comm) ? comm.len : sizeof(p->comm) - 1);
	st_text__clean(p->exe, sizeof(p->exe), facts.exe);
	st_service__detect(&facts, &p->service);
	memcpy(p->runtime_version, p->service.runtime_version, sizeof(p->runtime_version));
	memcpy(p->version, p->service.version, sizeof(p->version));
}
