/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/lines.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "export/json_write.h"

/* A span of the usual size, generously: for room(). */
#define TYPICAL_SZ 4096

int st_lines__init(struct st_lines *l, const struct st_export_config *cfg, bool pretty)
{
	struct st_limits lim = st_limits__of(cfg);

	memset(l, 0, sizeof(*l));
	st_enc__init(&l->enc, &st_format_json, &lim);
	l->pretty = pretty;
	l->text = st_buf__init(ST_LINES_MAX_SZ);
	l->data = st_buf__init(ST_LINES_MAX_SZ);
	l->ends = st_buf__init(ST_LINES_MAX_SZ);
	l->one = st_batch__new(1);
	return l->one ? 0 : -ENOMEM;
}

void st_lines__free(struct st_lines *l)
{
	st_enc__free(&l->enc);
	st_res_cache__free(&l->cache);
	st_batch__free(l->one);
	st_buf__free(&l->text);
	st_buf__free(&l->data);
	st_buf__free(&l->ends);
}

static size_t line_end(const struct st_lines *l, size_t line)
{
	size_t end;

	memcpy(&end, l->ends.p + line * sizeof(end), sizeof(end));
	return end;
}

/* The batch's one span, behind the lines that wait. */
static bool append(struct st_lines *l)
{
	size_t end;

	if (l->pretty) {
		st_buf__reset(&l->text);
		st_format_json.join(l->one, &l->text);
		st_json__pretty(&l->data, (const char *)l->text.p, l->text.len);
	} else {
		st_format_json.join(l->one, &l->data);
	}
	st_buf__putc(&l->data, '\n');
	end = l->data.len;
	return !l->text.failed && !l->data.failed && st_buf__put(&l->ends, &end, sizeof(end));
}

void st_lines__span(struct st_lines *l, const struct st_span *s)
{
	size_t data_len = l->data.len, ends_len = l->ends.len;
	int err;

	l->st.spans++;
	err = st_batch__add(l->one, &l->enc, &l->cache, s);
	if (err) {
		l->st.failed++;
	} else if (!append(l)) {
		l->data.len = data_len;
		l->ends.len = ends_len;
		l->data.failed = l->ends.failed = false;
		l->st.queue_full++;
	} else if (!l->first_ns) {
		l->first_ns = st_export__now_ns();
	}
	st_batch__reset(l->one);
}

void st_lines__forget(struct st_lines *l, const struct st_resource *r)
{
	st_res_cache__forget(&l->cache, r);
}

size_t st_lines__first_sz(const struct st_lines *l)
{
	return st_lines__cnt(l) ? line_end(l, l->line) - l->done : 0;
}

uint64_t st_lines__due(const struct st_lines *l)
{
	if (!l->first_ns)
		return UINT64_MAX;
	/* What comes at full speed does not wait for more. */
	if (l->data.len - l->done >= ST_LINES_MAX_SZ / 4)
		return l->first_ns;
	return l->first_ns + ST_LINES_DELAY_NS;
}

static void reset(struct st_lines *l)
{
	st_buf__reset(&l->data);
	st_buf__reset(&l->ends);
	l->done = l->line = 0;
	l->first_ns = 0;
}

/* Bytes from `done` to the end of the last line that ends within limit. */
static size_t fitting(const struct st_lines *l, size_t limit)
{
	size_t cnt = l->ends.len / sizeof(size_t), n = 0;
	size_t begin = l->line ? line_end(l, l->line - 1) : 0;

	if (l->data.len - l->done <= limit)
		return l->data.len - l->done;
	if (l->done > begin)
		n = line_end(l, l->line) - l->done;
	for (size_t i = l->line; i < cnt && line_end(l, i) - l->done <= limit; i++)
		n = line_end(l, i) - l->done;
	return n;
}

/* Written bytes in front of a long queue go away, or a reader that is never idle fills it. */
static void compact(struct st_lines *l)
{
	size_t from = l->line ? line_end(l, l->line - 1) : 0;
	size_t cnt = st_lines__cnt(l);

	if (from < ST_LINES_MAX_SZ / 4)
		return;
	memmove(l->data.p, l->data.p + from, l->data.len - from);
	for (size_t i = 0; i < cnt; i++) {
		size_t end = line_end(l, l->line + i) - from;

		memcpy(l->ends.p + i * sizeof(end), &end, sizeof(end));
	}
	l->data.len -= from;
	l->done -= from;
	l->ends.len = cnt * sizeof(size_t);
	l->line = 0;
}

static void advance(struct st_lines *l, size_t n)
{
	size_t cnt = l->ends.len / sizeof(size_t);

	l->done += n;
	while (l->line < cnt && line_end(l, l->line) <= l->done) {
		l->line++;
		l->st.exported++;
	}
	l->st.bytes += n;
	if (l->line == cnt)
		reset(l);
	else
		compact(l);
}

long st_lines__write(struct st_lines *l, int fd, size_t limit, bool is_socket)
{
	size_t n = fitting(l, limit);
	ssize_t wrote;

	if (!n)
		return 0;
	if (is_socket)
		wrote = send(fd, l->data.p + l->done, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		wrote = write(fd, l->data.p + l->done, n);
	if (wrote < 0)
		return -errno;
	l->st.requests++;
	advance(l, (size_t)wrote);
	return (long)wrote;
}

void st_lines__drop(struct st_lines *l)
{
	size_t begin = l->line ? line_end(l, l->line - 1) : 0;
	size_t keep = l->done > begin ? 1 : 0;

	if (!st_lines__cnt(l))
		return;
	l->st.failed += st_lines__cnt(l) - keep;
	if (!keep) {
		reset(l);
		return;
	}
	l->ends.len = (l->line + 1) * sizeof(size_t);
	l->data.len = line_end(l, l->line);
}

void st_lines__drop_all(struct st_lines *l)
{
	l->st.failed += st_lines__cnt(l);
	reset(l);
}

void st_lines__stats(const struct st_lines *l, struct st_export_stats *out)
{
	*out = l->st;
	out->queued = st_lines__cnt(l);
}

uint32_t st_lines__room(const struct st_lines *l)
{
	return (uint32_t)((ST_LINES_MAX_SZ - l->data.len) / TYPICAL_SZ);
}
