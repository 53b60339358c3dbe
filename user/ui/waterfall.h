/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A trace as text: one line, or a headline and a line with a bar for each span. Pure. */
#ifndef ST_UI_WATERFALL_H
#define ST_UI_WATERFALL_H

#include "spantap/span.h"
#include "lib/buf.h"

#define ST_VIEW_WIDTH_MIN 60
#define ST_VIEW_WIDTH_MAX 240

struct st_view {
	int width; /* columns, ST_VIEW_WIDTH_MIN to ST_VIEW_WIDTH_MAX */
	bool utf8; /* else ASCII */
	bool colour;
};

#define ST_ROW_NONE UINT16_MAX

/* What is shown of a span: a copy, with its texts made harmless (st_term__clean). */
struct st_row {
	uint8_t span_id[8];
	uint8_t parent_id[8];
	uint64_t start_ns; /* Unix epoch */
	uint64_t end_ns;
	uint8_t kind; /* enum st_kind */
	bool has_parent;
	bool remote_parent; /* the parent may be of a process that is not traced */
	bool orphan;	    /* for who keeps rows: its parent is local and has not ended */
	bool error;
	bool incomplete;
	uint16_t code; /* HTTP's; 0: none */
	uint16_t next; /* for who keeps rows: the trace's next one, or ST_ROW_NONE */
	char name[160];
	char service[40];
	char peer[64];	   /* host:port that a client called, address of who called a server */
	char err[32];	   /* error.type when it tells more than the status */
	char evidence[12]; /* of its parent */
};

void st_row__fill(struct st_row *r, const struct st_span *s, bool utf8);

/* Rows of one trace that st_waterfall__print takes at most. */
#define ST_WATERFALL_MAX 128

/*
 * Appends the rows of one trace in the order of their tree, siblings by start. rows is sorted in
 * place; trace_id has 16 bytes; note (may be NULL) goes into the headline. One row makes one line.
 * Returns the lines printed. Whether they fit tells out->failed.
 */
uint32_t st_waterfall__print(struct st_buf *out, const struct st_view *v,
			     const struct st_row **rows, uint32_t cnt, const uint8_t *trace_id,
			     const char *note);

/* How long the trace took: its root's duration, or from its first start to its last end. */
uint64_t st_waterfall__took(const struct st_row *const *rows, uint32_t cnt);

#endif
