/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Spans as OTLP's protobuf, written from the span itself: a key with its tags is copied from its
 * piece, lengths are computed before what they announce, and nothing is allocated. The bytes are
 * those that protobuf-c packs (tests/unit/test_export_otlp.c), at a twentieth of its cost.
 */
#include "export/otlp_encode.h"
#include "export/pb.h"
#include "export/tmpl.h"
#include "export/utf8.h"

#define likely(x)	  __builtin_expect(!!(x), 1)
#define always_inline	  inline __attribute__((always_inline))

/* One-byte tags: (field << 3 | wire type). */
#define TAG_SPAN_ATTR	  ST_PB_TAG(9, ST_PB_LEN)
#define TAG_EVENT_ATTR	  ST_PB_TAG(3, ST_PB_LEN)
#define TAG_LINK_ATTR	  ST_PB_TAG(4, ST_PB_LEN)
#define TAG_RESOURCE_ATTR ST_PB_TAG(1, ST_PB_LEN)
#define TAG_V_STR	  ST_PB_TAG(1, ST_PB_LEN)
#define TAG_V_BOOL	  ST_PB_TAG(2, ST_PB_VARINT)
#define TAG_V_INT	  ST_PB_TAG(3, ST_PB_VARINT)
#define TAG_V_DOUBLE	  ST_PB_TAG(4, ST_PB_I64)
#define TAG_V_ARRAY	  ST_PB_TAG(5, ST_PB_LEN)
#define TAG_ARRAY_VALUE	  ST_PB_TAG(1, ST_PB_LEN)

/* Tag and length of anything but its content: at most this. */
#define HEAD_MAX	  (1 + 5)
/* An attribute's bytes beside key and value: three heads, a varint, the piece's padding. */
#define ATTR_EXTRA	  (3 * HEAD_MAX + ST_PB_VARINT_MAX + ST_PIECE_PAD)

/*
 * A key's piece: the tag of Span.attributes, a place for the KeyValue's length, the key, and the
 * tag of the value. In other messages than Span the first byte differs.
 */
#define PIECE_HEAD	  2
/* Room that an attribute of the fast path takes: its length is one byte. */
#define FAST_ROOM	  (PIECE_HEAD + ST_PIECE_PAD + 128)

/* Where the bytes go. The hot loops keep the position in a local and store it when they leave. */
struct out {
	uint8_t *p, *end;
	struct st_buf *b;
};

static __attribute__((noinline)) bool out_grow(struct out *o, size_t need)
{
	size_t old = o->b->len;
	size_t at = (size_t)(o->p - o->b->p);
	bool ok;

	o->b->len = at;
	ok = st_buf__grow(o->b, need);
	o->b->len = old;
	o->p = o->b->p + at;
	o->end = o->b->p + o->b->cap;
	return ok;
}

static always_inline bool out_room(struct out *o, size_t need)
{
	return likely((size_t)(o->end - o->p) >= need) || out_grow(o, need);
}

static always_inline struct out out_begin(struct st_buf *b)
{
	return (struct out){.p = b->p + b->len, .end = b->p + b->cap, .b = b};
}

static always_inline void out_end(struct out *o)
{
	o->b->len = (size_t)(o->p - o->b->p);
}

/*
 * Closes a message whose length was left `gap` bytes at `at`: the length is written there, and
 * the content moved when the gap was not the varint's size.
 */
static always_inline void out_close(struct out *o, size_t at, uint32_t gap)
{
	uint8_t *head = o->b->p + at;
	size_t len = (size_t)(o->p - head) - gap;
	uint32_t sz = st_pb_varint_sz(len);

	if (sz != gap) {
		memmove(head + sz, head + gap, len);
		o->p = head + sz + len;
	}
	st_pb_varint(head, len);
}

/* Room that put_str wants for a string: its bytes may all be ill-formed. */
static always_inline size_t str_room(struct st_str s)
{
	return HEAD_MAX + (size_t)s.len * ST_UTF8_WORST;
}

static __attribute__((noinline)) uint8_t *put_str_slow(uint8_t *p, uint8_t tag, struct st_str s)
{
	*p++ = tag;
	p = st_pb_varint(p, st_utf8__size(s.p, s.len, UINT32_MAX));
	return st_utf8__write(p, s.p, s.len, UINT32_MAX);
}

/* A string field that is left out when empty; str_room() bytes must be there. */
static always_inline uint8_t *put_str(uint8_t *p, uint8_t tag, struct st_str s)
{
	if (!s.len)
		return p;
	if (!likely(s.len < 0x80))
		return put_str_slow(p, tag, s);
	p[0] = tag;
	p[1] = (uint8_t)s.len;
	if (!likely(st_ascii(st_copy_or(p + 2, s.p, s.len))))
		return put_str_slow(p, tag, s);
	return p + 2 + s.len;
}

/* An attribute up to its AnyValue's content, which is `len` bytes. */
static uint8_t *attr_head(uint8_t *p, uint8_t tag, const struct st_piece *k, size_t len)
{
	uint32_t key_sz = k->len - PIECE_HEAD;

	*p++ = tag;
	p = st_pb_varint(p, key_sz + st_pb_varint_sz(len) + len);
	memcpy(p, k->p + PIECE_HEAD, key_sz);
	return st_pb_varint(p + key_sz, len);
}

/* Strings that are long, cut or not ASCII. */
static bool attr_str(struct out *o, uint8_t tag, const struct st_piece *k, struct st_str s,
		     uint32_t max_chars)
{
	size_t len = st_utf8__size(s.p, s.len, max_chars);

	if (!out_room(o, ATTR_EXTRA + k->len + len))
		return false;
	o->p = attr_head(o->p, tag, k, 1 + st_pb_varint_sz(len) + len);
	*o->p++ = TAG_V_STR;
	o->p = st_pb_varint(o->p, len);
	o->p = st_utf8__write(o->p, s.p, s.len, max_chars);
	return true;
}

static void attr_int(struct out *o, uint8_t tag, const struct st_piece *k, int64_t i)
{
	uint64_t v = (uint64_t)i;

	o->p = attr_head(o->p, tag, k, 1 + st_pb_varint_sz(v));
	*o->p++ = TAG_V_INT;
	o->p = st_pb_varint(o->p, v);
}

static void attr_bool(struct out *o, uint8_t tag, const struct st_piece *k, bool v)
{
	o->p = attr_head(o->p, tag, k, 2);
	*o->p++ = TAG_V_BOOL;
	*o->p++ = v;
}

static void attr_double(struct out *o, uint8_t tag, const struct st_piece *k, double d)
{
	uint64_t v;

	memcpy(&v, &d, 8);
	o->p = attr_head(o->p, tag, k, 9);
	o->p = st_pb_fixed64(o->p, TAG_V_DOUBLE, v);
}

static size_t array_sz(const struct st_attr *a, uint32_t max_chars)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < a->strs.cnt; i++) {
		const struct st_str *s = &a->strs.v[i];

		sum += st_pb_field_sz(st_pb_field_sz(st_utf8__size(s->p, s->len, max_chars)));
	}
	return sum;
}

static bool attr_strs(struct out *o, uint8_t tag, const struct st_piece *k, const struct st_attr *a,
		      uint32_t max_chars)
{
	size_t sum = array_sz(a, max_chars);

	if (!out_room(o, ATTR_EXTRA + k->len + sum))
		return false;
	o->p = attr_head(o->p, tag, k, st_pb_field_sz(sum));
	*o->p++ = TAG_V_ARRAY;
	o->p = st_pb_varint(o->p, sum);
	for (uint32_t i = 0; i < a->strs.cnt; i++) {
		const struct st_str *s = &a->strs.v[i];
		size_t len = st_utf8__size(s->p, s->len, max_chars);

		*o->p++ = TAG_ARRAY_VALUE;
		o->p = st_pb_varint(o->p, st_pb_field_sz(len));
		*o->p++ = TAG_V_STR;
		o->p = st_pb_varint(o->p, len);
		o->p = st_utf8__write(o->p, s->p, s->len, max_chars);
	}
	return true;
}

/* An attribute of any kind and size. */
static __attribute__((noinline)) bool attr_any(struct out *o, struct st_enc *enc, uint8_t tag,
					       const struct st_attr *a, uint32_t max_chars)
{
	const struct st_piece *k = st_enc__key(enc, a->key);

	if (!k || !out_room(o, ATTR_EXTRA + k->len))
		return false;
	if (a->type == ST_V_STR)
		return attr_str(o, tag, k, a->s, max_chars);
	if (a->type == ST_V_STRS)
		return attr_strs(o, tag, k, a, max_chars);
	if (a->type == ST_V_INT)
		attr_int(o, tag, k, a->i);
	else if (a->type == ST_V_BOOL)
		attr_bool(o, tag, k, a->b);
	else
		attr_double(o, tag, k, a->d);
	return true;
}

static uint32_t otlp_fast_end(const struct st_limits *lim, uint32_t piece_len)
{
	if (piece_len > ST_PIECE_PAD)
		return 0;
	/* The KeyValue's length must stay one byte; three more stand before the string. */
	return st_min_u32(0x80 - 3 - (piece_len - PIECE_HEAD),
			  lim->attr_len == UINT32_MAX ? UINT32_MAX : lim->attr_len + 1);
}

/* A key with a value of value_sz bytes, lengths and tags included. */
static always_inline uint8_t *fast_head(uint8_t *p, const struct st_piece *k, size_t value_sz)
{
	size_t len = k->len;

	memcpy(p, k->pad, ST_PIECE_PAD);
	p[1] = (uint8_t)(len - PIECE_HEAD + value_sz);
	return p + len;
}

/* w's bytes, the lowest first, by one store; the room for all of them is there. */
static always_inline void put_le64(uint8_t *p, uint64_t w)
{
	w = htole64(w);
	memcpy(p, &w, 8);
}

/* *all collects the string's bytes, so that one test at the end finds what is not ASCII. */
static always_inline uint8_t *fast_str(uint8_t *p, const struct st_piece *k, const char *s,
				       size_t len, uint64_t *all)
{
	uint32_t head = htole32((uint32_t)(len << 16 | len) + (TAG_V_STR << 8 | 2));

	p = fast_head(p, k, 3 + len);
	memcpy(p, &head, 4);
	*all |= st_copy_or(p + 3, s, len);
	return p + 3 + len;
}

/* Values below 2^21: status codes, ports, ids, most sizes. */
#define FAST_INT_END (1u << 21)

static always_inline uint8_t *fast_int(uint8_t *p, const struct st_piece *k, uint64_t v)
{
	uint64_t w = TAG_V_INT << 8 | 2 | v << 16;
	size_t sz = 3;

	if (v >= 0x80) {
		/* Seven bits move up over each byte's top one. */
		w = (TAG_V_INT << 8 | 3 | 0x80 << 16) + ((v + (v & ~(uint64_t)0x7f)) << 16);
		sz = 4;
	}
	if (v >= 0x4000) {
		w = (TAG_V_INT << 8 | 4 | 0x8080ull << 16) | (v & 0x7f) << 16 | (v & 0x3f80) << 17 |
		    (v >> 14) << 32;
		sz = 5;
	}
	p = fast_head(p, k, sz);
	put_le64(p, w);
	return p + sz;
}

/* A Span's attribute; NULL when it is none for this path. */
static always_inline uint8_t *fast_attr(uint8_t *p, struct st_enc *enc, const struct st_attr *a,
					uint64_t *all)
{
	const struct st_piece *k = &enc->keys[a->key->index];

	/* Lest the compiler computes the address again at each use. */
	__asm__("" : "+r"(k));
	if (likely(a->type == ST_V_STR)) {
		size_t len = a->s.len;

		return likely(len < k->fast_end) ? fast_str(p, k, a->s.p, len, all) : NULL;
	}
	if (likely(a->type == ST_V_INT && (uint64_t)a->i < FAST_INT_END && k->fast_end))
		return fast_int(p, k, (uint64_t)a->i);
	return NULL;
}

static __attribute__((noinline)) bool put_attrs(struct out *o, struct st_enc *enc, uint8_t tag,
						const struct st_attr *a, uint32_t cnt,
						uint32_t max_chars)
{
	while (cnt--)
		if (!attr_any(o, enc, tag, a++, max_chars))
			return false;
	return true;
}

/*
 * A span's attributes by the fast path, those that are none for it by attr_any. When a string
 * turns out not to be ASCII, all of them are written anew.
 */
static always_inline bool span_attrs(struct out *o, struct st_enc *enc, const struct st_span *s,
				     uint32_t cnt)
{
	const struct st_attr *a = s->attrs, *end = a + cnt;
	size_t at = (size_t)(o->p - o->b->p);
	uint64_t all = 0;
	uint8_t *p;

	if (!out_room(o, (size_t)cnt * FAST_ROOM))
		return false;
	for (p = o->p; a < end; a++) {
		uint8_t *next = fast_attr(p, enc, a, &all);

		if (!likely(next != NULL)) {
			o->p = p;
			if (!attr_any(o, enc, TAG_SPAN_ATTR, a, enc->lim.attr_len) ||
			    !out_room(o, (size_t)(end - a) * FAST_ROOM))
				return false;
			next = o->p;
		}
		p = next;
	}
	o->p = p;
	if (likely(st_ascii(all)))
		return true;
	o->p = o->b->p + at;
	return put_attrs(o, enc, TAG_SPAN_ATTR, s->attrs, cnt, enc->lim.attr_len);
}

static bool put_event(struct out *o, struct st_enc *enc, const struct st_event *ev)
{
	uint32_t cnt = st_min_u32(ev->attr_cnt, enc->lim.event_attr_cnt);
	size_t at;

	if (!out_room(o, 64 + str_room(ev->name)))
		return false;
	*o->p++ = ST_PB_TAG(11, ST_PB_LEN);
	at = (size_t)(o->p - o->b->p);
	o->p++;
	if (ev->time_ns)
		o->p = st_pb_fixed64(o->p, ST_PB_TAG(1, ST_PB_I64), ev->time_ns);
	o->p = put_str(o->p, ST_PB_TAG(2, ST_PB_LEN), ev->name);
	if (!put_attrs(o, enc, TAG_EVENT_ATTR, ev->attrs, cnt, enc->lim.attr_len) ||
	    !out_room(o, 64))
		return false;
	o->p = st_pb_uint(o->p, ST_PB_TAG(4, ST_PB_VARINT),
			  ev->dropped_attr_cnt + (ev->attr_cnt - cnt));
	out_close(o, at, 1);
	return true;
}

static uint8_t *put_flags(uint8_t *p, uint32_t tag, uint32_t flags)
{
	uint32_t v = htole32(flags);

	if (!flags)
		return p;
	p = st_pb_varint(p, tag);
	memcpy(p, &v, 4);
	return p + 4;
}

static bool put_link(struct out *o, struct st_enc *enc, const struct st_link *l)
{
	uint32_t cnt = st_min_u32(l->attr_cnt, enc->lim.link_attr_cnt);
	size_t at;

	if (!out_room(o, 64 + str_room(l->trace_state)))
		return false;
	*o->p++ = ST_PB_TAG(13, ST_PB_LEN);
	at = (size_t)(o->p - o->b->p);
	o->p++;
	o->p = st_pb_bytes(o->p, ST_PB_TAG(1, ST_PB_LEN), l->trace_id, 16);
	o->p = st_pb_bytes(o->p, ST_PB_TAG(2, ST_PB_LEN), l->span_id, 8);
	o->p = put_str(o->p, ST_PB_TAG(3, ST_PB_LEN), l->trace_state);
	if (!put_attrs(o, enc, TAG_LINK_ATTR, l->attrs, cnt, enc->lim.attr_len) || !out_room(o, 64))
		return false;
	o->p = st_pb_uint(o->p, ST_PB_TAG(5, ST_PB_VARINT),
			  l->dropped_attr_cnt + (l->attr_cnt - cnt));
	o->p = put_flags(o->p, 6 << 3 | ST_PB_I32, l->flags);
	out_close(o, at, 1);
	return true;
}

static __attribute__((noinline)) bool put_events(struct out *o, struct st_enc *enc,
						 const struct st_span *s, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (!put_event(o, enc, &s->events[i]))
			return false;
	return out_room(o, 64);
}

static __attribute__((noinline)) bool put_links(struct out *o, struct st_enc *enc,
						const struct st_span *s, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (!put_link(o, enc, &s->links[i]))
			return false;
	return out_room(o, 64);
}

static __attribute__((noinline)) bool put_status(struct out *o, const struct st_span *s)
{
	size_t at;

	if (!out_room(o, 64 + str_room(s->status_message)))
		return false;
	*o->p++ = ST_PB_TAG(15, ST_PB_LEN);
	at = (size_t)(o->p - o->b->p);
	o->p++;
	o->p = put_str(o->p, ST_PB_TAG(2, ST_PB_LEN), s->status_message);
	o->p = st_pb_uint(o->p, ST_PB_TAG(3, ST_PB_VARINT), s->status);
	out_close(o, at, 1);
	return out_room(o, 64);
}

/* Fields 1 to 4. */
static always_inline uint8_t *put_ids(uint8_t *p, const struct st_span *s)
{
	p = st_pb_bytes(p, ST_PB_TAG(1, ST_PB_LEN), s->trace_id, 16);
	p = st_pb_bytes(p, ST_PB_TAG(2, ST_PB_LEN), s->span_id, 8);
	p = put_str(p, ST_PB_TAG(3, ST_PB_LEN), s->trace_state);
	if (s->has_parent)
		p = st_pb_bytes(p, ST_PB_TAG(4, ST_PB_LEN), s->parent_id, 8);
	return p;
}

/* Fields 5 to 8. */
static always_inline uint8_t *put_head(uint8_t *p, const struct st_span *s)
{
	p = put_str(p, ST_PB_TAG(5, ST_PB_LEN), s->name);
	p = st_pb_uint(p, ST_PB_TAG(6, ST_PB_VARINT), s->kind);
	if (likely(s->start_ns))
		p = st_pb_fixed64(p, ST_PB_TAG(7, ST_PB_I64), s->start_ns);
	if (likely(s->end_ns))
		p = st_pb_fixed64(p, ST_PB_TAG(8, ST_PB_I64), s->end_ns);
	return p;
}

/* Fields 10 to 15, of which most spans have none. */
static __attribute__((noinline)) bool put_rest(struct out *o, struct st_enc *enc,
					       const struct st_span *s, uint32_t attr_cnt)
{
	uint32_t events = st_min_u32(s->event_cnt, enc->lim.event_cnt);
	uint32_t links = st_min_u32(s->link_cnt, enc->lim.link_cnt);

	o->p = st_pb_uint(o->p, ST_PB_TAG(10, ST_PB_VARINT),
			  s->dropped_attr_cnt + (s->attr_cnt - attr_cnt));
	if (!put_events(o, enc, s, events))
		return false;
	o->p = st_pb_uint(o->p, ST_PB_TAG(12, ST_PB_VARINT),
			  s->dropped_event_cnt + (s->event_cnt - events));
	if (!put_links(o, enc, s, links))
		return false;
	o->p = st_pb_uint(o->p, ST_PB_TAG(14, ST_PB_VARINT),
			  s->dropped_link_cnt + (s->link_cnt - links));
	return !(s->status || s->status_message.len) || put_status(o, s);
}

static always_inline bool has_rest(const struct st_span *s, uint32_t attr_cnt)
{
	return (s->dropped_attr_cnt | s->dropped_event_cnt | s->dropped_link_cnt | s->event_cnt |
		s->link_cnt | s->status | s->status_message.len | (s->attr_cnt - attr_cnt)) != 0;
}

#define TMPL_SZ	 720u
/* Bytes of fields 7 and 8, the times. */
#define TIMES_SZ (2 * 9)

static uint8_t *put_tmpl(uint8_t *p, const struct st_tmpl *t, const struct st_span *s)
{
	size_t ids = 2 + 16 + 2 + 8 + (s->has_parent ? 2 + 8 : 0);

	*p++ = ST_PB_TAG(2, ST_PB_LEN);
	p = st_pb_varint(p, ids + TIMES_SZ + t->mid + t->tail);
	p = put_ids(p, s);
	memcpy(p, t->bytes, t->mid);
	p = st_pb_fixed64(p + t->mid, ST_PB_TAG(7, ST_PB_I64), s->start_ns);
	p = st_pb_fixed64(p, ST_PB_TAG(8, ST_PB_I64), s->end_ns);
	memcpy(p, t->bytes + t->mid, t->tail);
	return p + t->tail;
}

/* A span with its tag and length in ScopeSpans; 128 to 16,383 bytes need no moving. */
static bool otlp_span(struct st_enc *enc, struct st_buf *b, const struct st_span *s)
{
	uint32_t cnt = st_min_u32(s->attr_cnt, enc->lim.attr_cnt);
	struct out o = out_begin(b);
	const struct st_tmpl *t;
	size_t at, mid, head;

	if (!out_room(&o, 128 + TMPL_SZ + str_room(s->name) + str_room(s->trace_state)))
		return false;
	t = st_tmpl__find(enc, s);
	if (t) {
		o.p = put_tmpl(o.p, t, s);
		out_end(&o);
		return true;
	}
	*o.p++ = ST_PB_TAG(2, ST_PB_LEN);
	at = (size_t)(o.p - b->p);
	o.p = put_ids(o.p + 2, s);
	mid = (size_t)(o.p - b->p);
	o.p = put_head(o.p, s);
	head = (size_t)(o.p - b->p);
	if (!span_attrs(&o, enc, s, cnt) || !out_room(&o, 64) ||
	    (has_rest(s, cnt) && !put_rest(&o, enc, s, cnt)))
		return false;
	o.p = put_flags(o.p, 16 << 3 | ST_PB_I32, s->flags);
	if (s->tmpl && s->start_ns && s->end_ns)
		st_tmpl__keep(enc, s, b->p + mid, head - mid - TIMES_SZ, b->p + head,
			      (size_t)(o.p - b->p) - head);
	out_close(&o, at, 2);
	out_end(&o);
	return true;
}

static bool otlp_key(struct st_buf *b, struct st_str name)
{
	uint8_t *p = st_buf__room(b, PIECE_HEAD + str_room(name) + 1);

	if (!p)
		return false;
	*p++ = TAG_SPAN_ATTR;
	*p++ = 0;
	p = put_str(p, ST_PB_TAG(1, ST_PB_LEN), name);
	*p++ = ST_PB_TAG(2, ST_PB_LEN);
	b->len = (size_t)(p - b->p);
	return true;
}

/* The content of a Resource; OpenTelemetry exempts resources from attribute limits. */
static bool otlp_resource(struct st_enc *enc, struct st_buf *b, const struct st_resource *r)
{
	struct out o;

	if (!st_buf__room(b, 64))
		return false;
	o = out_begin(b);
	if (!put_attrs(&o, enc, TAG_RESOURCE_ATTR, r->attrs, r->attr_cnt, UINT32_MAX))
		return false;
	out_end(&o);
	return true;
}

const struct st_format st_format_otlp = {
	.content_type = "application/x-protobuf",
	.tmpl_sz = TMPL_SZ,
	.key = otlp_key,
	.fast_end = otlp_fast_end,
	.span = otlp_span,
	.resource = otlp_resource,
	.join = st_otlp__join,
};
