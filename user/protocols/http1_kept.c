/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "protocols/http1_kept.h"

#include <stdlib.h>

/*
 * Sizes kept for reuse: 128 bytes, and twice the former; longer heads are rare enough for malloc.
 * Thousands of idle connections keep two heads each, so that a short one must not take the room of
 * a long one.
 */
#define ROOM_MIN 128u
#define ROOMS	 5u
#define FREE_MAX 128u

static struct {
	struct st_http1_kept *first;
	uint32_t cnt;
} free_list[ROOMS];

/* The smallest of them that holds len bytes; ROOMS: none. */
static uint32_t room_class(uint32_t len)
{
	uint32_t i = 0;

	while (i < ROOMS && len > ROOM_MIN << i)
		i++;
	return i;
}

static struct st_http1_kept *take(uint32_t len)
{
	uint32_t class = room_class(len), room = class < ROOMS ? ROOM_MIN << class : len;
	struct st_http1_kept *k = class < ROOMS ? free_list[class].first : NULL;

	if (k) {
		free_list[class].first = k->next;
		free_list[class].cnt--;
		return k;
	}
	k = malloc(sizeof(*k) + room);
	if (!k)
		return NULL;
	k->tmpl = NULL;
	k->room = room;
	return k;
}

static void move(struct st_str *s, const uint8_t *from, char *to)
{
	if (s->len)
		s->p = to + ((const uint8_t *)s->p - from);
}

/* RFC 9112 6.3 without its exceptions: a length, or (requests) none and no body. */
static bool is_plain(const struct st_http1_head *h)
{
	if (h->flags & ~(ST_H1_HAS_LENGTH | ST_H1_CLOSE | ST_H1_KEEP_ALIVE) ||
	    h->content_length > INT64_MAX)
		return false;
	if (h->is_response)
		return h->flags & ST_H1_HAS_LENGTH && h->status >= 200 && h->status != 204 &&
		       h->status != 304;
	return !st_str_eq(h->method, ST_STR("HEAD")) && !st_str_eq(h->method, ST_STR("CONNECT"));
}

struct st_http1_kept *st_http1_kept__new(const uint8_t *p, uint32_t len,
					 const struct st_http1_head *head)
{
	struct st_http1_kept *k = take(len);

	if (!k)
		return NULL;
	k->refs = 1;
	k->len = len;
	k->hits = 0;
	k->next = NULL;
	if (k->tmpl)
		k->tmpl->id = 0;
	memcpy(k->bytes, p, len);
	k->head = *head;
	k->plain = is_plain(head);
	k->body_len = head->flags & ST_H1_HAS_LENGTH ? head->content_length : 0;
	move(&k->head.method, p, k->bytes);
	move(&k->head.target, p, k->bytes);
	move(&k->head.host, p, k->bytes);
	move(&k->head.user_agent, p, k->bytes);
	move(&k->head.upgrade, p, k->bytes);
	for (uint32_t i = 0; i < ST_HTTP1_CAPTURE_MAX; i++)
		move(&k->head.captured[i], p, k->bytes);
	k->head.carrier.base = k->bytes;
	return k;
}

void st_http1_kept__unref(struct st_http1_kept *k)
{
	uint32_t class;

	if (!k || --k->refs)
		return;
	class = room_class(k->room);
	if (class == ROOMS || free_list[class].cnt >= FREE_MAX) {
		free(k->tmpl);
		free(k);
		return;
	}
	k->next = free_list[class].first;
	free_list[class].first = k;
	free_list[class].cnt++;
}

static bool in_head(const struct st_http1_kept *k, struct st_str s)
{
	return !s.len || (s.p >= k->bytes && s.p < k->bytes + k->len);
}

/* Bytes of the span's texts that are not the head's; SIZE_MAX when it cannot be kept. */
static size_t text_sz(const struct st_http1_kept *k, const struct st_span *s)
{
	size_t n = in_head(k, s->name) ? 0 : s->name.len;

	for (uint16_t i = 0; i < s->attr_cnt; i++) {
		const struct st_attr *a = &s->attrs[i];

		if (a->type == ST_V_STRS)
			return SIZE_MAX;
		if (a->type == ST_V_STR && !in_head(k, a->s))
			n += a->s.len;
	}
	return n;
}

/* Room for a template; the one that is there is used again when it is large enough. */
static struct st_http1_tmpl *tmpl_room(struct st_http1_kept *k, size_t room)
{
	struct st_http1_tmpl *t = k->tmpl;

	if (t && t->room >= room)
		return t;
	free(t);
	k->tmpl = t = malloc(sizeof(*t) + room);
	if (t)
		t->room = (uint32_t)room;
	return t;
}

/* A slice that outlives the span: in the head already, or copied behind the others. */
static void settle(const struct st_http1_kept *k, struct st_str *s, char **text)
{
	if (in_head(k, *s))
		return;
	memcpy(*text, s->p, s->len);
	s->p = *text;
	*text += s->len;
}

static void fill(const struct st_http1_kept *k, struct st_http1_tmpl *t, const struct st_span *s)
{
	char *text = (char *)(t->attrs + s->attr_cnt);

	t->attr_cnt = s->attr_cnt;
	t->status = s->status;
	t->name = s->name;
	settle(k, &t->name, &text);
	for (uint16_t i = 0; i < s->attr_cnt; i++) {
		t->attrs[i] = s->attrs[i];
		if (s->attrs[i].type == ST_V_STR)
			settle(k, &t->attrs[i].s, &text);
	}
}

void st_http1_kept__learn(struct st_http1_kept *k, uint16_t status, uint64_t req_body,
			  uint64_t resp_body, const struct st_span *s, struct st_str fallback)
{
	static uint64_t last_id;
	size_t text = text_sz(k, s);
	struct st_http1_tmpl *t;

	if (k->tmpl)
		k->tmpl->id = 0;
	if (s->trace_state.len || s->attr_cnt > ST_HTTP1_TMPL_ATTRS || text > ST_HTTP1_TMPL_TEXT ||
	    s->dropped_attr_cnt)
		return;
	t = tmpl_room(k, s->attr_cnt * sizeof(t->attrs[0]) + text);
	if (!t)
		return;
	t->http_status = status;
	t->req_body = req_body;
	t->resp_body = resp_body;
	t->evidence = s->evidence;
	t->flags = s->flags;
	t->fallback = fallback; /* static text */
	fill(k, t, s);
	t->id = ++last_id;
}

bool st_http1_kept__recall(const struct st_http1_kept *k, uint16_t status, uint64_t req_body,
			   uint64_t resp_body, struct st_span *s, struct st_str *fallback)
{
	const struct st_http1_tmpl *t = k->tmpl;

	if (!t || !t->id || t->http_status != status || t->req_body != req_body ||
	    t->resp_body != resp_body || t->evidence != s->evidence || t->flags != s->flags ||
	    s->trace_state.len)
		return false;
	s->tmpl = t->id;
	s->name = t->name;
	s->status = t->status;
	s->attr_cnt = t->attr_cnt;
	s->attrs = t->attrs;
	*fallback = t->fallback;
	return true;
}
