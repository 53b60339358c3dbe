/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * -o file:PATH: the lines of -o json in a file. At file_max_sz it is renamed PATH.1, which was
 * renamed PATH.2 before, up to file_keep of them. A full disk costs the spans of that time only.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/lines.h"
#include "lib/log.h"

/* After an error: when to try again. */
#define AGAIN_NS 1000000000u

struct file {
	struct st_lines lines;
	const char *spec;
	const char *path;
	int fd; /* -1: it could not be opened again */
	bool rotates;
	uint64_t size;
	uint64_t max_sz;
	uint32_t keep;
	int said;		/* the error that was said last; 0: none since it worked */
	uint64_t failed_before; /* st.failed when it was said */
	uint64_t not_before_ns;
};

static int reopen(struct file *f)
{
	struct stat st;

	f->fd = open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (f->fd < 0)
		return -errno;
	if (fstat(f->fd, &st))
		return 0;
	f->rotates = S_ISREG(st.st_mode) && f->max_sz;
	f->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	return 0;
}

static int file_open(struct st_exporter *e, const char *arg, const struct st_export_config *cfg)
{
	struct file *f;
	int err = -ENOMEM;

	if (!arg || !*arg) {
		st_error("-o %s: no path; it is file:PATH", e->spec);
		return -EINVAL;
	}
	f = aligned_alloc(64, (sizeof(*f) + 63) / 64 * 64);
	if (!f)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	f->spec = e->spec;
	f->path = arg;
	f->max_sz = cfg->file_max_sz;
	f->keep = cfg->file_keep;
	if (!st_lines__init(&f->lines, cfg, false))
		err = reopen(f);
	if (err) {
		st_error("-o %s: cannot write %s: %s", e->spec, arg, strerror(-err));
		st_lines__free(&f->lines);
		free(f);
		return err;
	}
	e->priv = f;
	return 0;
}

static void file_span(struct st_exporter *e, const struct st_span *s)
{
	struct file *f = e->priv;

	st_lines__span(&f->lines, s);
}

static void file_forget(struct st_exporter *e, const struct st_resource *r)
{
	struct file *f = e->priv;

	st_lines__forget(&f->lines, r);
}

static int rename_nth(const struct file *f, uint32_t from, uint32_t to)
{
	char a[PATH_MAX], b[PATH_MAX];

	snprintf(a, sizeof(a), "%s.%u", f->path, from);
	snprintf(b, sizeof(b), "%s.%u", f->path, to);
	return rename(from ? a : f->path, b) && errno != ENOENT ? -errno : 0;
}

/* PATH becomes PATH.1 and so on; the oldest is overwritten. */
static int rotate(struct file *f)
{
	int err = 0;

	close(f->fd);
	f->fd = -1;
	for (uint32_t i = f->keep; i-- > 0 && !err;)
		err = rename_nth(f, i, i + 1);
	if (!f->keep && unlink(f->path))
		err = -errno;
	return err ? err : reopen(f);
}

static void file_failed(struct file *f, int err, uint64_t now_ns)
{
	if (f->said != err) {
		st_error("-o %s: cannot write %s: %s; spans are lost until it can be written",
			 f->spec, f->path, strerror(err));
		if (!f->said)
			f->failed_before = f->lines.st.failed;
		f->said = err;
	}
	st_lines__drop(&f->lines);
	f->not_before_ns = now_ns + AGAIN_NS;
}

static void file_works(struct file *f)
{
	if (!f->said)
		return;
	st_info("-o %s: %s can be written again; %llu spans were lost", f->spec, f->path,
		(unsigned long long)(f->lines.st.failed - f->failed_before));
	f->said = 0;
}

/* Writes once, or rotates. Returns 0 or -errno. */
static int write_some(struct file *f)
{
	size_t limit = SIZE_MAX;
	long n;

	if (f->fd < 0)
		return reopen(f);
	if (f->rotates)
		limit = f->size < f->max_sz ? (size_t)(f->max_sz - f->size) : 0;
	/* One line alone may be longer than a file should be. */
	if (f->rotates && !f->size && limit < st_lines__first_sz(&f->lines))
		limit = st_lines__first_sz(&f->lines);
	n = st_lines__write(&f->lines, f->fd, limit, false);
	if (n < 0)
		return n == -EINTR ? 0 : (int)n;
	if (!n)
		return rotate(f);
	f->size += (uint64_t)n;
	file_works(f);
	return 0;
}

static void file_write(struct file *f, uint64_t now_ns)
{
	while (st_lines__cnt(&f->lines)) {
		int err = write_some(f);

		if (err) {
			file_failed(f, -err, now_ns);
			return;
		}
	}
}

static uint64_t file_tick(struct st_exporter *e, uint64_t now_ns)
{
	struct file *f = e->priv;
	uint64_t due = st_lines__due(&f->lines);

	if (due == UINT64_MAX)
		return due;
	if (due < f->not_before_ns)
		due = f->not_before_ns;
	if (due > now_ns)
		return due;
	file_write(f, now_ns);
	return st_lines__cnt(&f->lines) ? f->not_before_ns : UINT64_MAX;
}

static void file_flush(struct st_exporter *e, uint64_t deadline_ns)
{
	struct file *f = e->priv;

	(void)deadline_ns;
	file_write(f, st_export__now_ns());
	st_lines__drop_all(&f->lines);
}

static void file_stats(const struct st_exporter *e, struct st_export_stats *out)
{
	const struct file *f = e->priv;

	st_lines__stats(&f->lines, out);
}

static uint32_t file_room(const struct st_exporter *e)
{
	const struct file *f = e->priv;

	/* Who waits for a full disk loses more than who does not. */
	return f->said ? UINT32_MAX : st_lines__room(&f->lines);
}

static void file_close(struct st_exporter *e)
{
	struct file *f = e->priv;

	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	st_lines__free(&f->lines);
	free(f);
	e->priv = NULL;
}

extern const struct st_exporter_ops st_export_file;
const struct st_exporter_ops st_export_file = {
	.name = "file",
	.usage = "file:PATH",
	.help = "OTLP/JSON to a file, a span a line; rotates by size",
	.open = file_open,
	.span = file_span,
	.forget = file_forget,
	.tick = file_tick,
	.flush = file_flush,
	.stats = file_stats,
	.room = file_room,
	.close = file_close,
};
