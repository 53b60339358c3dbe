/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Text on its way to a terminal, pipe or file, which may stand still (Ctrl-S, a slow reader): kept
 * in bounded memory and written without ever blocking.
 */
#ifndef ST_UI_OUTQ_H
#define ST_UI_OUTQ_H

#include "lib/buf.h"

struct st_outq {
	struct st_buf buf;
	size_t written; /* bytes of buf that are out */
	uint64_t bytes; /* written in all */
	int fd;
	bool own_fd; /* opened here */
	bool polled; /* the descriptor itself blocks: ask poll(2), and write little at a time */
	int err;     /* errno of the write that failed for good; 0 */
};

/*
 * A queue of at most max bytes to fd. A terminal or pipe is opened anew for writing without
 * blocking: O_NONBLOCK on fd itself would reach every process that shares it, the shell too.
 */
void st_outq__init(struct st_outq *q, int fd, size_t max);

/* Appends all of it or nothing (false). */
bool st_outq__put(struct st_outq *q, const void *p, size_t len);

/* Writes what goes without blocking. Returns the bytes that are still queued. */
size_t st_outq__push(struct st_outq *q);

/* Waits at most timeout_ms until there is room to write again. */
void st_outq__wait(const struct st_outq *q, int timeout_ms);

void st_outq__free(struct st_outq *q);

#endif
