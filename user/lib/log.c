/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "lib/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum st_log_level level_now = ST_LOG_INFO;

void st_log__set_level(enum st_log_level level)
{
	level_now = level;
}

enum st_log_level st_log__level(void)
{
	return level_now;
}

void st_vlog(enum st_log_level level, const char *fmt, va_list ap)
{
	char line[1024] = "spantap: ";
	size_t off = strlen(line);
	int n;

	if (level > level_now)
		return;
	n = vsnprintf(line + off, sizeof(line) - off - 1, fmt, ap);
	if (n < 0)
		return;
	for (; line[off] && off < sizeof(line) - 2; off++)
		if ((unsigned char)line[off] < ' ' || line[off] == 0x7f)
			line[off] = '?';
	line[off++] = '\n';
	/* One write, so that lines of several threads do not mix; stderr's failure has no cure. */
	if (write(STDERR_FILENO, line, off) < 0)
		return;
}

void st_log(enum st_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	st_vlog(level, fmt, ap);
	va_end(ap);
}
