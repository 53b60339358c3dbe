/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "show.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "meta/text.h"

/* Columns of bytes that are UTF-8 without wide characters: all bytes but continuations. */
static size_t width_of(const void *text, size_t n)
{
	const uint8_t *p = text;
	size_t w = 0;

	for (size_t i = 0; i < n; i++)
		w += (p[i] & 0xc0) != 0x80;
	return w;
}

static size_t column(const struct st_buf *b)
{
	size_t from = b->len;

	while (from && b->p[from - 1] != '\n')
		from--;
	return b->p ? width_of(b->p + from, b->len - from) : 0;
}

void st_show__to(struct st_buf *b, size_t to)
{
	size_t at = column(b);

	if (at && at >= to)
		st_buf__putc(b, ' ');
	for (; at < to; at++)
		st_buf__putc(b, ' ');
}

static void new_line(struct st_buf *b, size_t indent)
{
	while (b->len && b->p[b->len - 1] == ' ')
		b->len--;
	st_buf__putc(b, '\n');
	st_show__to(b, indent);
}

void st_show__wrap(struct st_buf *b, size_t indent, const char *text)
{
	bool first = true;

	while (*text) {
		size_t n = strcspn(text, " "), at = column(b);

		if (at > indent && at + width_of(text, n) + !first > ST_SHOW_COLUMNS)
			new_line(b, indent);
		else if (!first && n)
			st_buf__putc(b, ' ');
		st_buf__put(b, text, n);
		first = false;
		text += n;
		text += *text == ' ';
	}
}

void st_show__cut(struct st_buf *b, size_t width, const char *text)
{
	size_t n = strlen(text), keep = 0, w = 0;

	if (width_of(text, n) <= width) {
		st_buf__puts(b, text);
		return;
	}
	while (keep < n && w + 2 < width) {
		do {
			keep++;
		} while (keep < n && ((uint8_t)text[keep] & 0xc0) == 0x80);
		w++;
	}
	st_buf__put(b, text, keep);
	st_buf__puts(b, "..");
}

void st_show__json(struct st_buf *b, struct st_str s)
{
	size_t cap = (size_t)s.len + 1, n;
	char *clean = malloc(cap);

	st_buf__putc(b, '"');
	n = clean ? st_text__clean(clean, cap, s) : 0;
	for (size_t i = 0; i < n; i++) {
		if (clean[i] == '"' || clean[i] == '\\')
			st_buf__putc(b, '\\');
		st_buf__putc(b, clean[i]);
	}
	st_buf__putc(b, '"');
	free(clean);
}

void st_show__json_key(struct st_buf *b, const char *key)
{
	if (b->len && b->p[b->len - 1] != '{' && b->p[b->len - 1] != '[')
		st_buf__putc(b, ',');
	st_show__json(b, st_str_of(key));
	st_buf__putc(b, ':');
}

void st_show__json_pair(struct st_buf *b, const char *key, const char *value)
{
	st_show__json_key(b, key);
	st_show__json(b, st_str_of(value));
}

int st_show__flush(struct st_buf *b)
{
	size_t off = 0;

	if (b->failed) {
		st_error("the output does not fit into %zu bytes", b->max);
		return -ENOSPC;
	}
	while (off < b->len) {
		ssize_t n = write(STDOUT_FILENO, b->p + off, b->len - off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int err = -errno;

			st_error("writing to stdout: %s", strerror(-err));
			return err;
		}
		off += (size_t)n;
	}
	return 0;
}
