/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "protocols/http1_kept.h"

#include <stdlib.h>

/* Two sizes are kept for reuse; longer heads are rare enough for malloc. */
#define ROOM_S	 512u
#define ROOM_M	 2048u
#define FREE_MAX 512u

static struct {
	struct st_http1_kept *first;
	uint32_t cnt;
} free_s, free_m;

static uint64_t last_serial;

static struct st_http1_kept *take(uint32_t len)
{
	uint32_t room = len <= ROOM_S ? ROOM_S : len <= ROOM_M ? ROOM_M : len;
	struct st_http1_kept *k = NULL;

	if (room == ROOM_S && (k = free_s.first)) {
		free_s.first = k->next;
		free_s.cnt--;
	} else if (room == ROOM_M && (k = free_m.first)) {
		free_m.first = k->next;
		free_m.cnt--;
	} else {
		k = malloc(sizeof(*k) + room);
		if (k)
			k->tmpl = NULL;
	}
	if (k)
		k->room = room;
	return k;
}

static void move(struct st_str *s, const uint8_t *from, char *to)
{
	if (s->len)
		s->p = to + ((const uint8_t *)s->p - from);
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
	k->serial = ++last_serial;
	k->next = NULL;
	if (k->tmpl)
		k->tmpl->id = 0;
	memcpy(k->bytes, p, len);
	k->head = *head;
	move(&k->head.method, p, k->bytes);
	move(&k->head.target, p, k->bytes);
	move(&k->head.host, p, k->bytes);
	move(&k->head.user_agent, p, k->bytes);
	move(&k->head.upgrade, p, k->bytes);
	for (uint32_t i = 0; i < ST_HTTP1_CAPTURE_MAX; i++)
		move(&k->head.captured[i], p, k->bytes);
	return k;
}

void st_http1_kept__unref(struct st_http1_kept *k)
{
	if (!k || --k->refs)
		return;
	if (k->room == ROOM_S && free_s.cnt < FREE_MAX) {
		k->next = free_s.first;
		free_s.first = k;
		free_s.cnt++;
	} else if (k->room == ROOM_M && free_m.cnt < FREE_MAX) {
		k->next = free_m.first;
		free_m.first = k;
		free_m.cnt++;
	} else {
		free(k->tmpl);
		free(k);
	}
}

/* A slice that outlives the span: in the head already, or copied behind the others. */
static bool settle(struct st_http1_kept *k, struct st_http1_tmpl *t, struct st_str *s)
{
	if (!s->len || (s->p >= k->bytes && s->p < k->bytes + k->len))
		return true;
	if (s->len > sizeof(t->text) - t->text_len)
		return false;
	memcpy(t->text + t->text_len, s->p, s->len);
	s->p = t->text + t->text_len;
	t->text_len += s->len;
	return true;
}

static bool fill(struct st_http1_kept *k, struct st_http1_tmpl *t, const struct st_span *s,
		 struct st_str fallback)
{
	t->text_len = 0;
	t->attr_cnt = s->attr_cnt;
	t->status = s->status;
	t->name = s->name;
	t->fallback = fallback; /* static text */
	if (!settle(k, t, &t->name))
		return false;
	for (uint16_t i = 0; i < s->attr_cnt; i++) {
		t->attrs[i] = s->attrs[i];
		if (s->attrs[i].type == ST_V_STRS ||
		    (s->attrs[i].type == ST_V_STR && !settle(k, t, &t->attrs[i].s)))
			return false;
	}
	return true;
}

void st_http1_kept__learn(struct st_http1_kept *k, uint64_t response, uint64_t req_body,
			  uint64_t resp_body, const struct st_span *s, struct st_str fallback)
{
	static uint64_t last_id;

	if (s->attr_cnt > ST_HTTP1_TMPL_ATTRS || s->dropped_attr_cnt)
		return;
	if (!k->tmpl)
		k->tmpl = malloc(sizeof(*k->tmpl));
	if (!k->tmpl)
		return;
	k->tmpl->id = 0;
	k->tmpl->response = response;
	k->tmpl->req_body = req_body;
	k->tmpl->resp_body = resp_body;
	if (fill(k, k->tmpl, s, fallback))
		k->tmpl->id = ++last_id;
}

bool st_http1_kept__recall(const struct st_http1_kept *k, uint64_t response, uint64_t req_body,
			   uint64_t resp_body, struct st_span *s, struct st_str *fallback)
{
	const struct st_http1_tmpl *t = k->tmpl;

	if (!t || !t->id || t->response != response || t->req_body != req_body ||
	    t->resp_body != resp_body)
		return false;
	s->tmpl = t->id;
	s->name = t->name;
	s->status = t->status;
	s->attr_cnt = t->attr_cnt;
	memcpy(s->attrs, t->attrs, t->attr_cnt * sizeof(t->attrs[0]));
	*fallback = t->fallback;
	return true;
}
