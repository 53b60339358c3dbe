/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

#define FLUSH_AT (128u << 10)

struct st_recorder {
	int fd;
	char *path;
	struct st_buf body; /* items of the block under way */
	struct st_buf out;
	uint64_t dropped;
	bool failed;
};

/* Writes all of out, or gives the recording up: a block that is cut ends the file. */
static void write_out(struct st_recorder *r)
{
	size_t off = 0;

	while (off < r->out.len) {
		ssize_t n = write(r->fd, r->out.p + off, r->out.len - off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			st_error("--record %s: %s; the recording ends here", r->path,
				 strerror(n < 0 ? errno : ENOSPC));
			r->failed = true;
			break;
		}
		off += (size_t)n;
	}
	st_buf__reset(&r->out);
}

int st_recorder__new(const char *path, const struct st_item_start *start, struct st_recorder **out)
{
	struct st_recorder *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0) {
		err = -errno;
		st_error("--record %s: %s", path, strerror(-err));
		free(r);
		return err;
	}
	r->path = strdup(path);
	r->body = st_buf__init(ST_RECORDING_BLOCK_MAX);
	r->out = st_buf__init(2 * ST_RECORDING_BLOCK_MAX);
	st_recording__put_header(&r->out);
	st_recorder__item(r, ST_ITEM_START, start, sizeof(*start), NULL, 0);
	st_recorder__flush(r);
	*out = r;
	return 0;
}

void st_recorder__flush(struct st_recorder *r)
{
	if (!r || r->failed)
		return;
	st_recording__put_block(&r->out, &r->body);
	write_out(r);
}

void st_recorder__item(struct st_recorder *r, enum st_item_type type, const void *a, size_t a_len,
		       const void *b, size_t b_len)
{
	if (!r)
		return;
	if (r->failed || st_recording__put_item(&r->body, type, a, a_len, b, b_len)) {
		r->dropped++;
		return;
	}
	if (r->body.len >= FLUSH_AT)
		st_recorder__flush(r);
}

void st_recorder__record(struct st_recorder *r, const struct st_rec *rec)
{
	st_recorder__item(r, ST_ITEM_RECORD, rec, sizeof(*rec), rec + 1, rec->len);
}

void st_recorder__free(struct st_recorder *r, uint64_t now_ns)
{
	if (!r)
		return;
	st_recorder__item(r, ST_ITEM_END, &now_ns, sizeof(now_ns), NULL, 0);
	st_recorder__flush(r);
	if (r->dropped)
		st_warn("--record %s: %llu items not written", r->path,
			(unsigned long long)r->dropped);
	close(r->fd);
	st_buf__free(&r->body);
	st_buf__free(&r->out);
	free(r->path);
	free(r);
}
