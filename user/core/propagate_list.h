/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The members of a list that may come in several fields, tracestate or baggage: what stands
 * between commas, without white space around it (RFC 9110 5.6.1). The line ends of obsolete folding
 * count as white space (RFC 9112 5.2).
 */
#ifndef ST_CORE_PROPAGATE_LIST_H
#define ST_CORE_PROPAGATE_LIST_H

#include "spantap/carrier.h"

struct st_list {
	const struct st_carrier *c;
	enum st_carrier_field field; /* ST_CARRIER_TRACESTATE or ST_CARRIER_BAGGAGE */
	unsigned next;		     /* field to go on with */
	unsigned cnt;		     /* fields that are kept */
	unsigned lost;		     /* fields that are not */
	struct st_str left;	     /* of the field before `next` */
};

static inline bool st_list_is_white(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline struct st_str st_list_trim(struct st_str s)
{
	while (s.len && st_list_is_white(*s.p))
		s = st_str(s.p + 1, s.len - 1);
	while (s.len && st_list_is_white(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Takes what stands before the first `sep` off the front, trimmed; s->p is NULL behind the last. */
static inline struct st_str st_list_piece(struct st_str *s, char sep)
{
	const char *end = s->len ? memchr(s->p, sep, s->len) : NULL;
	size_t len = end ? (size_t)(end - s->p) : s->len;
	struct st_str piece = st_list_trim(st_str(s->p, len));

	*s = end ? st_str(end + 1, s->len - len - 1) : st_str(NULL, 0);
	return piece;
}

static inline struct st_list st_list_of(const struct st_carrier *c, enum st_carrier_field field)
{
	unsigned cnt = st_carrier_list_cnt(c, field);
	unsigned kept = cnt < ST_CARRIER_LIST_MAX ? cnt : ST_CARRIER_LIST_MAX;

	return (struct st_list){.c = c, .field = field, .cnt = kept, .lost = cnt - kept};
}

/* The next member that is not empty; false behind the last one. */
static inline bool st_list_next(struct st_list *l, struct st_str *member)
{
	for (;;) {
		while (!l->left.len) {
			if (l->next == l->cnt)
				return false;
			l->left = st_carrier_list(l->c, l->field, l->next++);
		}
		*member = st_list_piece(&l->left, ',');
		if (member->len)
			return true;
	}
}

#endif
