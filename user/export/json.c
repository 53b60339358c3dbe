/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * -o json, -o json:pretty: OTLP/JSON to standard output, a request with one span a line. A slow
 * reader fills the buffer and is then held against nobody but the spans that do not fit.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/lines.h"
#include "lib/log.h"

/* After an error: when to try again. */
#define AGAIN_NS 1000000000u

struct json {
	struct st_lines lines; /* first: st_lines__* take priv */
	const char *spec;
	int fd;
	bool own_fd;
	bool is_socket;
	bool said;
	bool gone; /* the reader went away for good */
	uint64_t not_before_ns;
};

/*
 * A pipe or terminal is opened anew, so that our O_NONBLOCK stays off the description that other
 * programs share; a socket has MSG_DONTWAIT; a file does not block.
 */
static void json_open_fd(struct json *j, int fd)
{
	struct stat st;
	char path[64];
	int own;

	j->fd = fd;
	if (fstat(fd, &st))
		return;
	j->is_socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own < 0)
		return;
	j->fd = own;
	j->own_fd = true;
}

static int json_open(struct st_exporter *e, const char *arg, const struct st_export_config *cfg)
{
	struct json *j;

	if (arg && strcmp(arg, "pretty")) {
		st_error("-o %s: unknown form '%s'; it is json or json:pretty", e->spec, arg);
		return -EINVAL;
	}
	j = aligned_alloc(64, (sizeof(*j) + 63) / 64 * 64);
	if (!j || st_lines__init(&j->lines, cfg, arg != NULL)) {
		free(j);
		st_error("-o %s: out of memory", e->spec);
		return -ENOMEM;
	}
	memset((char *)j + sizeof(j->lines), 0, sizeof(*j) - sizeof(j->lines));
	j->spec = e->spec;
	json_open_fd(j, cfg->out_fd);
	e->priv = j;
	return 0;
}

static void json_span(struct st_exporter *e, const struct st_span *s)
{
	struct json *j = e->priv;

	if (j->gone) {
		j->lines.st.spans++;
		j->lines.st.failed++;
		return;
	}
	st_lines__span(&j->lines, s);
}

static void json_forget(struct st_exporter *e, const struct st_resource *r)
{
	struct json *j = e->priv;

	st_lines__forget(&j->lines, r);
}

static void json_failed(struct json *j, int err, uint64_t now_ns)
{
	if (!j->said)
		st_error("-o %s: cannot write (%s); its spans are lost%s", j->spec, strerror(err),
			 err == EPIPE ? "" : " until it can be written again");
	j->said = true;
	j->gone = err == EPIPE || err == EBADF;
	if (j->gone)
		st_lines__drop_all(&j->lines);
	else
		st_lines__drop(&j->lines);
	j->not_before_ns = now_ns + AGAIN_NS;
}

/* Writes what goes without waiting; true when nothing is left. */
static bool json_write(struct json *j, uint64_t now_ns)
{
	while (st_lines__cnt(&j->lines)) {
		long n = st_lines__write(&j->lines, j->fd, SIZE_MAX, j->is_socket);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return false;
		if (n < 0) {
			json_failed(j, (int)-n, now_ns);
			return true;
		}
		j->said = false;
	}
	return true;
}

static uint64_t json_tick(struct st_exporter *e, uint64_t now_ns)
{
	struct json *j = e->priv;
	uint64_t due = st_lines__due(&j->lines);

	if (due < j->not_before_ns)
		due = j->not_before_ns;
	if (due > now_ns || due == UINT64_MAX)
		return st_lines__cnt(&j->lines) ? due : UINT64_MAX;
	if (!json_write(j, now_ns))
		return now_ns + ST_LINES_DELAY_NS;
	return st_lines__cnt(&j->lines) ? j->not_before_ns : UINT64_MAX;
}

static void json_flush(struct st_exporter *e, uint64_t deadline_ns)
{
	struct json *j = e->priv;
	uint64_t now_ns = st_export__now_ns();

	while (!json_write(j, now_ns) && now_ns < deadline_ns) {
		struct pollfd pfd = {.fd = j->fd, .events = POLLOUT};

		poll(&pfd, 1, (int)((deadline_ns - now_ns) / 1000000 + 1));
		now_ns = st_export__now_ns();
	}
	st_lines__drop_all(&j->lines);
}

static void json_stats(const struct st_exporter *e, struct st_export_stats *out)
{
	const struct json *j = e->priv;

	st_lines__stats(&j->lines, out);
}

static uint32_t json_room(const struct st_exporter *e)
{
	const struct json *j = e->priv;

	return j->gone ? UINT32_MAX : st_lines__room(&j->lines);
}

static bool json_gone(const struct st_exporter *e)
{
	const struct json *j = e->priv;

	return j->gone;
}

static void json_close(struct st_exporter *e)
{
	struct json *j = e->priv;

	if (!j)
		return;
	if (j->own_fd)
		close(j->fd);
	st_lines__free(&j->lines);
	free(j);
	e->priv = NULL;
}

extern const struct st_exporter_ops st_export_json;
const struct st_exporter_ops st_export_json = {
	.name = "json",
	.usage = "json[:pretty]",
	.help = "OTLP/JSON to standard output, a span a line",
	.open = json_open,
	.span = json_span,
	.forget = json_forget,
	.tick = json_tick,
	.flush = json_flush,
	.stats = json_stats,
	.room = json_room,
	.gone = json_gone,
	.close = json_close,
};
