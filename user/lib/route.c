/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Templates from paths. Segments of letters are copied as they are, which is nearly all of them; the
 * others are taken apart at what is neither letter nor digit, each part is named a word, a number, a
 * hash, ..., and the parts together say what becomes of the segment. When in doubt a word stays, and
 * what is certainly random goes: one wrong name more harms less than a name for each request.
 */
#include "lib/route.h"
#include "lib/route_kinds.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SEGMENT_MAX	 40u  /* a longer text is not a route's */
#define DECODED_MAX	 128u /* of a segment with percent-encoding */
#define PARTS_MAX	 24u
/* Digits of one or two at a time that a segment may keep: as in "jquery-3.6.0". */
#define SMALL_DIGITS_MAX 4u

static const struct st_str placeholders[] = {
	[NUMBER] = {"{id}", 4},	  [WORD_NR] = {"{id}", 4},  [NR_WORD] = {"{id}", 4},
	[DATE] = {"{date}", 6},	  [UUID] = {"{uuid}", 6},   [HASH] = {"{hash}", 6},
	[EMAIL] = {"{email}", 7}, [TOKEN] = {"{token}", 7}, [QUOTED] = {"{token}", 7},
};

struct part {
	uint32_t off, len;
	enum kind kind;
};

struct writer {
	char *out;
	uint32_t len;
	uint32_t whole; /* end of the last whole segment that leaves room for the overflow's mark */
	bool full, replaced;
};

static void put(struct writer *w, const char *p, uint32_t n)
{
	if (n > ST_ROUTE_MAX - w->len) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->len, p, n);
	w->len += n;
}

/* Text, which may be decoded, as a path has it. */
static void put_text(struct writer *w, struct st_str s)
{
	static const char hex[] = "0123456789ABCDEF";
	uint32_t i;

	for (i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.p[i];
		char coded[3] = {'%', hex[c >> 4], hex[c & 15]};

		if (st_route_classes[c] & (ALNUM | JOIN | DELIM))
			put(w, s.p + i, 1);
		else
			put(w, coded, 3);
	}
}

static void put_placeholder(struct writer *w, enum kind kind)
{
	put(w, placeholders[kind].p, placeholders[kind].len);
	w->replaced = true;
}

/* A small number stays between joints: behind = or @ it is a value. */
static bool is_joined(struct st_str s, uint32_t off, uint32_t len)
{
	const uint8_t joint = JOIN | FOREIGN; /* of FOREIGN only the decoded space comes here */

	return (!off || class_of(s.p[off - 1]) & joint) &&
	       (off + len == s.len || class_of(s.p[off + len]) & joint);
}

/* ('text') and ='text' */
static uint32_t quoted_len(struct st_str s, uint32_t off)
{
	const char *close;

	if (s.p[off] != '\'' || !off || !is_one_of(s.p[off - 1], "(="))
		return 0;
	close = memchr(s.p + off + 1, '\'', s.len - off - 1);
	return close && close > s.p + off + 1 ? (uint32_t)(close - s.p) - off - 1 : 0;
}

static struct part part_at(struct st_str s, uint32_t off)
{
	struct st_str rest = from(s, off);
	struct part p = {off, 0, DATE};

	p.len = st_route__date_len(rest);
	if (p.len)
		return p;
	if (st_route__begins_uuid(rest))
		return (struct part){off, ST_ROUTE_UUID_LEN, UUID};
	while (!ends_at(rest, p.len))
		p.len++;
	p.kind = st_route__part_kind(upto(rest, p.len));
	if (p.kind == SMALL && !is_joined(s, off, p.len))
		p.kind = NUMBER;
	return p;
}

/* Takes s apart; PARTS_MAX + 1 when there are too many. */
static uint32_t parts_of(struct st_str s, struct part *parts)
{
	uint32_t i = 0, cnt = 0, quoted;

	while (i < s.len) {
		quoted = quoted_len(s, i);
		if (!quoted && !(class_of(s.p[i]) & ALNUM)) {
			i++;
			continue;
		}
		if (cnt == PARTS_MAX)
			return PARTS_MAX + 1;
		parts[cnt] = quoted ? (struct part){i + 1, quoted, QUOTED} : part_at(s, i);
		i = parts[cnt].off + parts[cnt].len + !!quoted;
		cnt++;
	}
	return cnt;
}

/* Do the parts make a token together? Otherwise small numbers learn whether they stay. */
static bool is_token(struct st_str s, struct part *parts, uint32_t cnt)
{
	uint32_t i, seen[QUOTED + 1] = {0}, text = s.len, small_digits = 0;

	for (i = 0; i < cnt; i++) {
		seen[parts[i].kind]++;
		if (parts[i].kind > SMALL)
			text -= parts[i].len;
		if (parts[i].kind == SMALL)
			small_digits += parts[i].len;
	}
	if (seen[TOKEN] || text > SEGMENT_MAX)
		return true;
	if (seen[MIXED] > 1 || (seen[MIXED] && (seen[HASH] || seen[NUMBER] || seen[WORD_NR])))
		return true;
	if (seen[NUMBER] || small_digits > SMALL_DIGITS_MAX)
		for (i = 0; i < cnt; i++)
			if (parts[i].kind == SMALL)
				parts[i].kind = NUMBER;
	return false;
}

static void put_part(struct writer *w, struct st_str s, struct part p)
{
	struct st_str text = st_str(s.p + p.off, p.len);
	uint32_t n;

	switch (p.kind) {
	case WORD:
	case MIXED:
	case SMALL:
		put_text(w, text);
		return;
	case WORD_NR:
		n = st_route__tail_digits(text);
		put_text(w, upto(text, text.len - n));
		put_placeholder(w, p.kind);
		return;
	case NR_WORD:
		n = st_route__lead_digits(text);
		put_placeholder(w, p.kind);
		put_text(w, from(text, n));
		return;
	default:
		put_placeholder(w, p.kind);
	}
}

/* The parts with what stands between; numbers joined by one character are one placeholder. */
static void put_parts(struct writer *w, struct st_str s, const struct part *parts, uint32_t cnt)
{
	uint32_t i, at = 0;

	for (i = 0; i < cnt; i++) {
		bool joined = i && parts[i].kind == NUMBER && parts[i - 1].kind == NUMBER &&
			      parts[i].off == at + 1;

		if (!joined) {
			put_text(w, st_str(s.p + at, parts[i].off - at));
			put_part(w, s, parts[i]);
		}
		at = parts[i].off + parts[i].len;
	}
	put_text(w, from(s, at));
}

static void put_stem(struct writer *w, struct st_str s)
{
	struct part parts[PARTS_MAX];
	uint32_t cnt = parts_of(s, parts);

	if (cnt > PARTS_MAX || is_token(s, parts, cnt))
		put_placeholder(w, TOKEN);
	else
		put_parts(w, s, parts, cnt);
}

static void put_decoded(struct writer *w, struct st_str s, uint8_t seen)
{
	enum kind kind = st_route__whole_kind(s, seen);
	uint32_t ext = 0;

	if (kind == WORD && seen & JOIN) {
		ext = st_route__extension_len(s);
		if (ext)
			kind = st_route__whole_kind(upto(s, s.len - ext), seen);
	}
	if (kind == WORD)
		put_stem(w, upto(s, s.len - ext));
	else
		put_placeholder(w, kind);
	if (ext)
		put_text(w, from(s, s.len - ext));
}

static uint32_t hex_value(char c)
{
	return is_digit(c) ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
}

/* To buf, DECODED_MAX long; false when that is not words of ASCII. */
static bool decode(struct st_str s, char *buf, uint32_t *len, uint8_t *seen)
{
	uint32_t i, n = 0;

	for (i = 0, *seen = 0; i < s.len; i++, n++) {
		char c = s.p[i];

		if (c == '%') {
			if (s.len - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]))
				return false;
			c = (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2]));
			i += 2;
		}
		if (n == DECODED_MAX || !(c == ' ' || class_of(c) & (ALNUM | JOIN | DELIM)))
			return false;
		*seen |= class_of(c);
		buf[n] = c;
	}
	*len = n;
	return true;
}

/* v1, s3, oauth2: short words in lower case with one or two digits behind. */
static bool is_numbered_word(struct st_str s, uint8_t seen)
{
	uint32_t i = 0;

	if (s.len > 7 || seen & ~(LOWER | DIGIT | HEX))
		return false;
	while (i < s.len && !is_digit(s.p[i]))
		i++;
	return i && s.len - i <= 2 && is_digit(s.p[s.len - 1]);
}

static __attribute__((noinline)) void put_odd_segment(struct writer *w, struct st_str s,
						      uint8_t seen)
{
	char buf[DECODED_MAX];
	uint32_t n;

	if (is_numbered_word(s, seen))
		put(w, s.p, s.len);
	else if (!(seen & FOREIGN))
		put_decoded(w, s, seen);
	else if (decode(s, buf, &n, &seen))
		put_decoded(w, st_str(buf, n), seen);
	else
		put_placeholder(w, TOKEN);
}

/* Letters and joints are random only when there are many, or a UUID all of f (RFC 9562 5.10). */
static inline bool is_plain(uint8_t seen, uint32_t len)
{
	if (seen & ~(LOWER | UPPER | HEX | JOIN))
		return false;
	return len < 8 || (len <= SEGMENT_MAX && len != ST_ROUTE_UUID_LEN && !(seen & UPPER));
}

static const char *behind_params(const char *p, const char *end)
{
	while (p < end && (*p == ';' || !(class_of(*p) & END)))
		p++;
	return p;
}

#ifdef __SSE2__
/* Bytes that are lower-case letters or one of - . / and _ */
static inline unsigned lower_mask(const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)p);
	__m128i letter = _mm_sub_epi8(x, _mm_set1_epi8('a')),
		low = _mm_sub_epi8(x, _mm_set1_epi8('-'));

	letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
	low = _mm_cmpeq_epi8(_mm_min_epu8(low, _mm_set1_epi8(2)), low);
	low = _mm_or_si128(low, _mm_cmpeq_epi8(x, _mm_set1_epi8('_')));
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, low));
}

/* Most paths are fixed words; those are known by one look at 16 bytes of the copy in out. */
static inline bool copy_lower(struct st_str path, char *out)
{
	uint32_t i;

	if (!path.len || path.len >= ST_ROUTE_UUID_LEN)
		return false;
	memcpy(out, path.p, path.len);
	memset(out + path.len, 'a', 16);
	for (i = 0; i < path.len; i += 16)
		if (lower_mask(out + i) != 0xffff)
			return false;
	return true;
}
#else
static inline bool copy_lower(struct st_str path, char *out)
{
	(void)path;
	(void)out;
	return false;
}
#endif

static __attribute__((noinline)) uint32_t template_slow(struct st_str path, char *out,
							bool *replaced)
{
	const char *p = path.p, *end = path.len ? p + path.len : p, *start;
	struct writer w = {.out = out};

	for (;;) {
		uint8_t seen = 0, c;

		for (start = p; p < end && !((c = class_of(*p)) & END); p++)
			seen |= c;
		if (!is_plain(seen, (uint32_t)(p - start)))
			put_odd_segment(&w, st_str(start, (size_t)(p - start)), seen);
		else if (p > start)
			put(&w, start, (uint32_t)(p - start));
		if (p < end && *p == ';') {
			p = behind_params(p, end);
			w.replaced = true;
		}
		if (w.full)
			break;
		if (w.len <= ST_ROUTE_MAX - 2)
			w.whole = w.len;
		if (p == end || *p != '/')
			break;
		put(&w, p++, 1);
	}
	if (w.full) {
		w.len = w.whole;
		put(&w, "/*", 2);
		w.replaced = true;
	}
	if (!w.len)
		put(&w, "/", 1);
	*replaced = w.replaced;
	return w.len;
}

uint32_t st_route__template(struct st_str path, char *out, bool *replaced)
{
	if (copy_lower(path, out)) {
		*replaced = false;
		return path.len;
	}
	return template_slow(path, out, replaced);
}
