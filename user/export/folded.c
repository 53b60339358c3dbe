/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* -o folded:PATH: folded stacks of the spans' self time, written when the tracer ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "export/export.h"
#include "export/stacks.h"
#include "lib/log.h"

#define WINDOW	    8192
#define TEXT_MAX_SZ (32u << 20)

struct folded {
	const char *spec, *path;
	int fd;
	struct st_stacks *stacks;
	uint64_t spans, decided;
	struct st_export_stats st;
};

static int folded_open(struct st_exporter *e, const char *arg, const struct st_export_config *cfg)
{
	struct folded *f;

	(void)cfg;
	if (!arg || !*arg) {
		st_error("-o %s: no path; it is folded:PATH", e->spec);
		return -EINVAL;
	}
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->spec = e->spec;
	f->path = arg;
	f->stacks = st_stacks__new(WINDOW);
	f->fd = f->stacks ? open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;
	if (f->fd < 0) {
		int err = f->stacks ? errno : ENOMEM;

		st_error("-o %s: cannot write %s: %s", e->spec, arg, strerror(err));
		st_stacks__free(f->stacks);
		free(f);
		return -err;
	}
	e->priv = f;
	return 0;
}

static void folded_span(struct st_exporter *e, const struct st_span *s)
{
	struct folded *f = e->priv;

	f->spans++;
	st_stacks__span(f->stacks, s);
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* The whole file anew: sums have grown. */
static void folded_flush(struct st_exporter *e, uint64_t deadline_ns)
{
	struct folded *f = e->priv;
	struct st_buf b = st_buf__init(TEXT_MAX_SZ);
	int err = -ENOMEM;

	(void)deadline_ns;
	if (st_stacks__write(f->stacks, &b)) {
		/* A pipe or a terminal cannot be cut and needs not to be. */
		err = ftruncate(f->fd, 0) && errno != EINVAL ? -errno : 0;
		lseek(f->fd, 0, SEEK_SET);
		if (!err)
			err = write_all(f->fd, b.p, b.len);
	}
	if (err)
		st_error("-o %s: cannot write %s: %s", f->spec, f->path, strerror(-err));
	f->st.bytes = err ? 0 : b.len;
	f->st.exported = err ? 0 : f->spans;
	f->st.failed = err ? f->spans : 0;
	f->decided = f->spans;
	st_buf__free(&b);
}

static void folded_stats(const struct st_exporter *e, struct st_export_stats *out)
{
	const struct folded *f = e->priv;

	*out = f->st;
	out->spans = f->spans;
	out->queued = f->spans - f->decided;
}

static void folded_close(struct st_exporter *e)
{
	struct folded *f = e->priv;

	if (!f)
		return;
	if (f->decided != f->spans)
		folded_flush(e, 0);
	close(f->fd);
	st_stacks__free(f->stacks);
	free(f);
	e->priv = NULL;
}

extern const struct st_exporter_ops st_export_folded;
const struct st_exporter_ops st_export_folded = {
	.name = "folded",
	.usage = "folded:PATH",
	.help = "folded stacks of self time, for flame graphs; written at the end",
	.open = folded_open,
	.span = folded_span,
	.flush = folded_flush,
	.stats = folded_stats,
	.close = folded_close,
};
