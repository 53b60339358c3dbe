/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Inside propagation: one format is one file, and one row of the table in propagate.c. */
#ifndef ST_CORE_PROPAGATE_INT_H
#define ST_CORE_PROPAGATE_INT_H

#include "core/propagate.h"
#include "lib/hex.h"

/* Where fields are written. */
struct st_put {
	char *p;
	char *end;
	bool full; /* something did not fit */
};

static inline void st_put_str(struct st_put *w, struct st_str s)
{
	if (w->full || s.len > (size_t)(w->end - w->p)) {
		w->full = true;
		return;
	}
	if (s.len)
		memcpy(w->p, s.p, s.len);
	w->p += s.len;
}

static inline void st_put_hex(struct st_put *w, const uint8_t *bytes, size_t n)
{
	if (w->full || 2 * n > (size_t)(w->end - w->p)) {
		w->full = true;
		return;
	}
	w->p = st_hex_encode(w->p, bytes, n);
}

static inline bool st_is_zero(const uint8_t *id, size_t n)
{
	uint64_t any = st_load8(id) | st_load8(id + n - 8); /* 8 or 16 bytes */

	return !any;
}

static inline void st_remote_decide(struct st_remote *out, bool sampled)
{
	out->flags = sampled ? ST_TRACE_SAMPLED : 0;
	out->sampled_known = true;
}

static inline void st_remote_undecide(struct st_remote *out)
{
	out->flags = 0;
	out->sampled_known = out->debug = false;
}

/*
 * Each reads its format: 1 and ids, flags and the decision; 0 and maybe a decision alone; -EPROTO.
 * Unless 1 is returned the ids hold anything, and behind -EPROTO the decision does. *out has no
 * decision before. One of its fields came.
 */
int st_w3c__extract(const struct st_carrier *c, struct st_remote *out);
int st_b3__extract(const struct st_carrier *c, struct st_remote *out);
int st_jaeger__extract(const struct st_carrier *c, struct st_remote *out);
int st_xray__extract(const struct st_carrier *c, struct st_remote *out);

/* Each writes its fields; the ids are not zero. */
void st_w3c__inject(const struct st_remote *r, struct st_put *w);
void st_b3__inject_single(const struct st_remote *r, struct st_put *w);
void st_b3__inject_multi(const struct st_remote *r, struct st_put *w);
void st_jaeger__inject(const struct st_remote *r, struct st_put *w);
void st_xray__inject(const struct st_remote *r, struct st_put *w);

#endif
