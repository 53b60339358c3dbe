/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* --record FILE: everything that the core is fed, written in whole blocks. */
#ifndef ST_RECORD_H
#define ST_RECORD_H

#include "core/recording.h"

struct st_recorder;

/* Creates the file (truncated). Returns 0 or -errno after having said why. */
int st_recorder__new(const char *path, const struct st_item_start *start, struct st_recorder **out);
/*
 * NULL does nothing, here and below. A full disk is said once; what no longer fits is counted and
 * the recording ends with its last whole block.
 */
void st_recorder__record(struct st_recorder *r, const struct st_rec *rec);
void st_recorder__item(struct st_recorder *r, enum st_item_type type, const void *a, size_t a_len,
		       const void *b, size_t b_len);
/* Writes what is complete; call it about once a second. */
void st_recorder__flush(struct st_recorder *r);
void st_recorder__free(struct st_recorder *r, uint64_t now_ns);

#endif
