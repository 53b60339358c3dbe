/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ui/outq.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a terminal or pipe takes at once when poll(2) says that it takes something. */
#define ST_OUTQ_POLLED_SZ 256

void st_outq__init(struct st_outq *q, int fd, size_t max)
{
	char path[40];
	struct stat st;
	int fresh;

	*q = (struct st_outq){.buf = st_buf__init(max), .fd = fd};
	/* Writing to a regular file does not block, and has its own offset to keep. */
	if (fstat(fd, &st) || S_ISREG(st.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fresh = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	q->own_fd = fresh >= 0;
	/* Not after su(1), when the terminal is another user's, nor for sockets. */
	q->polled = fresh < 0;
	if (fresh >= 0)
		q->fd = fresh;
}

bool st_outq__put(struct st_outq *q, const void *p, size_t len)
{
	if (q->err)
		return false;
	if (q->written && q->buf.max - q->buf.len < len) {
		q->buf.len -= q->written;
		memmove(q->buf.p, q->buf.p + q->written, q->buf.len);
		q->written = 0;
	}
	q->buf.failed = false;
	return st_buf__put(&q->buf, p, len);
}

static bool ready(const struct st_outq *q, int timeout_ms)
{
	struct pollfd p = {.fd = q->fd, .events = POLLOUT};

	return poll(&p, 1, timeout_ms) > 0;
}

size_t st_outq__push(struct st_outq *q)
{
	while (!q->err && q->written < q->buf.len) {
		size_t len = q->buf.len - q->written;
		ssize_t n;

		if (q->polled && !ready(q, 0))
			break;
		if (q->polled && len > ST_OUTQ_POLLED_SZ)
			len = ST_OUTQ_POLLED_SZ;
		n = write(q->fd, q->buf.p + q->written, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			q->err = errno;
			break;
		}
		q->written += (size_t)n;
		q->bytes += (size_t)n;
	}
	if (q->err || q->written == q->buf.len) {
		st_buf__reset(&q->buf);
		q->written = 0;
	}
	return q->buf.len - q->written;
}

void st_outq__wait(const struct st_outq *q, int timeout_ms)
{
	ready(q, timeout_ms);
}

void st_outq__free(struct st_outq *q)
{
	st_buf__free(&q->buf);
	if (q->own_fd)
		close(q->fd);
	q->own_fd = false;
	q->fd = -1;
}
