/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Files as a traced process sees them, read without trusting it: a path is walked component by
 * component below the process's root, links are followed by their text (so that none leads out
 * of that root), nothing but regular files is opened, and mounts that only a server or another
 * process can answer for (FUSE, NFS, ...) are not entered, since they may never answer.
 *
 * openat2's RESOLVE_IN_ROOT is not enough here: it would enter such mounts.
 */
#ifndef ST_META_FILES_H
#define ST_META_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ST_ROOT_MOUNTS_MAX 128

struct st_root {
	int fd;	    /* O_PATH of the root folder; -1: none */
	char *text; /* owns the mount points */
	uint32_t mount_cnt;
	const char *mounts[ST_ROOT_MOUNTS_MAX]; /* mount points that are not entered */
};

/*
 * The root of the process behind proc_fd (an open /proc/PID). Returns 0 or -errno; -E2BIG when it
 * has more foreign mounts than are kept. Always ended by st_root__close.
 */
int st_root__open(struct st_root *r, int proc_fd);
void st_root__close(struct st_root *r);

/* Whether nothing on the way to path (as text) is a mount that is not entered. */
bool st_root__enters(const struct st_root *r, const char *path);

/*
 * Opens a regular file of at least one and at most max_sz bytes (0: no limit) for reading, path
 * absolute. Returns a descriptor or -errno: -EREMOTE for a mount that is not entered, -EINVAL for
 * what is no regular file, -EFBIG.
 */
int st_root__file(const struct st_root *r, const char *path, uint64_t max_sz);

/* The first bytes of a file of at most 1 MiB. Returns their count or -errno. */
int st_root__read(const struct st_root *r, const char *path, char *buf, size_t buf_sz);

/*
 * Opens what an O_PATH descriptor stands for, for reading, under the same conditions; the caller
 * keeps path_fd. Returns a descriptor or -errno.
 */
int st_files__reopen(int path_fd, uint64_t max_sz);

/* Reads until the end or buf is full; returns the count or -errno. */
long st_files__read_all(int fd, void *buf, size_t buf_sz);

/* A file below dir_fd that the kernel makes (proc, sys): the count, NUL-terminated, or -errno. */
long st_files__read_at(int dir_fd, const char *name, char *buf, size_t buf_sz);

/* Exactly n bytes at off; 0, -errno, or -ENODATA when the file ends before. */
int st_files__pread(int fd, void *buf, size_t n, uint64_t off);

#endif
