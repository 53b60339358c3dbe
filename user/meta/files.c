/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta/text.h"

#define LINKS_MAX     40 /* as the kernel's own limit, path_resolution(7) */
#define MOUNTINFO_MAX (512u << 10)

long st_files__read_all(int fd, void *buf, size_t buf_sz)
{
	size_t len = 0;

	while (len < buf_sz) {
		ssize_t n = read(fd, (char *)buf + len, buf_sz - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	return (long)len;
}

long st_files__read_at(int dir_fd, const char *name, char *buf, size_t buf_sz)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	long n;

	if (fd < 0)
		return -errno;
	n = st_files__read_all(fd, buf, buf_sz - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

int st_files__pread(int fd, void *buf, size_t n, uint64_t off)
{
	ssize_t got;

	if (off > INT64_MAX - n)
		return -EINVAL;
	got = pread(fd, buf, n, (off_t)off);
	if (got < 0)
		return -errno;
	return (size_t)got == n ? 0 : -ENODATA;
}

int st_files__reopen(int path_fd, uint64_t max_sz)
{
	char link[32];
	struct statx st;
	int fd;

	/* DONT_SYNC: a dead server is not asked. */
	if (statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE, &st))
		return -errno;
	if (!S_ISREG(st.stx_mode) || !st.stx_size)
		return -EINVAL;
	if (max_sz && st.stx_size > max_sz)
		return -EFBIG;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	/* O_NONBLOCK: a lease that the process holds must not make this wait. */
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* Mounts where a read can wait for ever, or does something else than reading. */
static bool is_foreign(struct st_str type)
{
	return st_text__starts(type, "fuse") || st_text__starts(type, "nfs") ||
	       st_text__in(type, "cifs smb3 9p ceph afs autofs lustre orangefs ocfs2 gfs2 coda "
				 "proc sysfs debugfs tracefs configfs securityfs bpf cgroup "
				 "cgroup2 devpts mqueue binfmt_misc pstore efivarfs selinuxfs");
}

/* In place: mountinfo writes blanks and their like as "\040". */
static void unescape(char *z)
{
	char *to = z;

	for (; *z; z++) {
		if (z[0] == '\\' && z[1] >= '0' && z[1] <= '3' && z[2] && z[3]) {
			*to++ = (char)((z[1] - '0') * 64 + (z[2] - '0') * 8 + (z[3] - '0'));
			z += 3;
		} else {
			*to++ = *z;
		}
	}
	*to = '\0';
}

/* "36 35 98:0 /root /point opts [optional] - type source super": point and type (proc(5)). */
static bool mount_line(char *line, char **point, struct st_str *type)
{
	char *dash = strstr(line, " - "), *p = line;

	if (!dash)
		return false;
	for (int field = 0; field < 4; field++) {
		p = strchr(p, ' ');
		if (!p || p >= dash)
			return false;
		p++;
	}
	*type = st_text__until(st_str_of(dash + 3), ' ');
	*point = p;
	return strchr(p, ' ') != NULL;
}

static int list_mounts(struct st_root *r)
{
	char *save, *line, *point;
	struct st_str type;

	for (line = strtok_r(r->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!mount_line(line, &point, &type) || !is_foreign(type))
			continue;
		if (r->mount_cnt == ST_ROOT_MOUNTS_MAX)
			return -E2BIG;
		*strchr(point, ' ') = '\0';
		unescape(point);
		r->mounts[r->mount_cnt++] = point;
	}
	return 0;
}

int st_root__open(struct st_root *r, int proc_fd)
{
	long n;
	int err;

	memset(r, 0, sizeof(*r));
	r->fd = openat(proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->fd < 0)
		return -errno;
	r->text = malloc(MOUNTINFO_MAX);
	if (!r->text) {
		st_root__close(r);
		return -ENOMEM;
	}
	n = st_files__read_at(proc_fd, "mountinfo", r->text, MOUNTINFO_MAX);
	err = n < 0 ? (int)n : n == MOUNTINFO_MAX - 1 ? -E2BIG : list_mounts(r);
	if (err)
		st_root__close(r);
	return err;
}

void st_root__close(struct st_root *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->text);
	r->fd = -1;
	r->text = NULL;
	r->mount_cnt = 0;
}

bool st_root__enters(const struct st_root *r, const char *path)
{
	for (uint32_t i = 0; i < r->mount_cnt; i++) {
		size_t n = strlen(r->mounts[i]);

		if (!strncmp(path, r->mounts[i], n) && (!path[n] || path[n] == '/' || n == 1))
			return false;
	}
	return true;
}

struct walk {
	const struct st_root *r;
	char todo[PATH_MAX]; /* absolute, what is still to be walked */
	char done[PATH_MAX]; /* walked, without links; "" is the root */
	int links;
};

/*
 * Puts a link's text in front of what is still to be walked. Its ".." are resolved by text, which
 * is exact where they begin (done holds no link) and cannot lead above the root.
 */
static int follow(struct walk *w, int link_fd, const char *rest)
{
	char text[PATH_MAX], next[PATH_MAX];
	ssize_t n = readlinkat(link_fd, "", text, sizeof(text));
	struct st_str dir = st_str_of(w->done);

	if (n < 0)
		return -errno;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (!st_text__join(dir, st_str(text, (size_t)n), next, sizeof(next)))
		return -ENAMETOOLONG;
	if (!st_text__join(st_str_of(next), st_str_of(rest), w->todo, sizeof(w->todo)))
		return -ENAMETOOLONG;
	w->done[0] = '\0';
	return 0;
}

/* Opens the next component of todo below dir_fd. *rest is what is left behind it. */
static int step(struct walk *w, int dir_fd, const char **rest)
{
	size_t len = strlen(w->done);
	const char *name = *rest + 1;
	size_t n = strcspn(name, "/");

	if (len + n + 2 > sizeof(w->done))
		return -ENAMETOOLONG;
	w->done[len] = '/';
	memcpy(w->done + len + 1, name, n);
	w->done[len + 1 + n] = '\0';
	if (!st_root__enters(w->r, w->done))
		return -EREMOTE;
	*rest = name + n;
	dir_fd = openat(dir_fd, w->done + len + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return dir_fd < 0 ? -errno : dir_fd;
}

/* Walks todo from the root: an O_PATH descriptor, -EAGAIN after a link was put in, or -errno. */
static int walk_once(struct walk *w)
{
	const char *rest = w->todo;
	int fd = fcntl(w->r->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	w->done[0] = '\0';
	while (rest[0] == '/' && rest[1]) {
		size_t len = strlen(w->done);
		int next = step(w, fd, &rest);
		struct statx st;

		close(fd);
		if (next < 0)
			return next;
		fd = next;
		if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st)) {
			int err = -errno;

			close(fd);
			return err;
		}
		if (S_ISLNK(st.stx_mode)) {
			int err;

			w->done[len] = '\0';
			err = follow(w, fd, rest[0] ? rest + 1 : rest);
			close(fd);
			return err ? err : -EAGAIN;
		}
	}
	return fd;
}

int st_root__file(const struct st_root *r, const char *path, uint64_t max_sz)
{
	struct walk *w;
	int fd, out;

	if (r->fd < 0)
		return -ENOENT;
	w = malloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->r = r;
	w->links = 0;
	if (!st_text__join(ST_STR("/"), st_str_of(path), w->todo, sizeof(w->todo))) {
		free(w);
		return -ENAMETOOLONG;
	}
	do {
		fd = walk_once(w);
	} while (fd == -EAGAIN);
	free(w);
	if (fd < 0)
		return fd;
	out = st_files__reopen(fd, max_sz);
	close(fd);
	return out;
}

int st_root__read(const struct st_root *r, const char *path, char *buf, size_t buf_sz)
{
	int fd = st_root__file(r, path, 1u << 20);
	long n;

	if (fd < 0)
		return fd;
	n = st_files__read_all(fd, buf, buf_sz);
	close(fd);
	return (int)n;
}
