/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * When in doubt a word stays, and what is certainly random goes: one name more harms less than a
 * name for each request.
 */
#include "lib/route_kinds.h"

/* Longer ones are tokens by their length. */
#define BASE64_MAX 40

/* clang-format off */
const uint8_t st_route_classes[256] = {
	[0 ... 32] = FOREIGN, ['"'] = FOREIGN, ['%'] = FOREIGN, ['<'] = FOREIGN, ['>'] = FOREIGN,
	['['] = FOREIGN, ['\\'] = FOREIGN, [']'] = FOREIGN, ['^'] = FOREIGN, ['`'] = FOREIGN,
	['{' ... '}'] = FOREIGN, [127 ... 255] = FOREIGN,
	['0' ... '9'] = DIGIT | HEX,
	['a' ... 'f'] = LOWER | HEX, ['g' ... 'z'] = LOWER,
	['A' ... 'F'] = UPPER | HEX, ['G' ... 'Z'] = UPPER,
	['-'] = JOIN, ['_'] = JOIN, ['.'] = JOIN, ['~'] = JOIN,
	['!'] = DELIM, ['$'] = DELIM, ['&'] = DELIM, ['\''] = DELIM, ['('] = DELIM, [')'] = DELIM,
	['*'] = DELIM, ['+'] = DELIM, [','] = DELIM, ['='] = DELIM, [':'] = DELIM, ['@'] = DELIM,
	['/'] = END, [';'] = END, ['?'] = END, ['#'] = END,
};
/* clang-format on */

static uint32_t digits_at(struct st_str s, uint32_t off)
{
	uint32_t i = off;

	while (i < s.len && is_digit(s.p[i]))
		i++;
	return i - off;
}

static uint32_t two_digits(const char *p)
{
	return (uint32_t)((p[0] - '0') * 10 + (p[1] - '0'));
}

/* [Tt _] hh [[:-]mm [[:-]ss [[.,]f...]]] [Z | +hh[[:]mm]], RFC 3339 and ISO 8601: its length or 0. */
static uint32_t time_len(struct st_str s, uint32_t off)
{
	uint32_t i = off + 1, n;

	if (s.len < off + 3 || !is_one_of(s.p[off], "Tt _") || digits_at(s, i) < 2 ||
	    two_digits(s.p + i) > 24)
		return 0;
	for (i += 2, n = 0; n < 2; n++, i += 2) {
		uint32_t skip = i < s.len && (s.p[i] == ':' || s.p[i] == '-');

		if (digits_at(s, i + skip) < 2)
			break;
		i += skip;
	}
	if (i < s.len && (s.p[i] == '.' || s.p[i] == ',') && digits_at(s, i + 1))
		i += 1 + digits_at(s, i + 1);
	if (i < s.len && (s.p[i] | 0x20) == 'z')
		return i + 1 - off;
	if (i < s.len && (s.p[i] == '+' || s.p[i] == '-') && digits_at(s, i + 1) >= 2) {
		i += 3;
		i += i < s.len && s.p[i] == ':' && digits_at(s, i + 1) >= 2;
		i += digits_at(s, i) >= 2 ? 2 : 0;
	}
	return i - off;
}

static bool is_day(const char *year, const char *month, const char *day)
{
	uint32_t century = two_digits(year), m = two_digits(month), d = day ? two_digits(day) : 1;

	return century >= 19 && century <= 21 && m >= 1 && m <= 12 && d >= 1 && d <= 31;
}

uint32_t st_route__date_len(struct st_str s)
{
	uint32_t n = 0;

	if (s.len < 7 || digits_at(s, 0) < 4)
		return 0;
	if (digits_at(s, 0) == 8 && is_day(s.p, s.p + 4, s.p + 6))
		n = 8;
	else if (digits_at(s, 0) != 4 || !is_one_of(s.p[4], "-._") || digits_at(s, 5) != 2)
		return 0;
	else if (s.len >= 10 && s.p[7] == s.p[4] && digits_at(s, 8) >= 2 &&
		 is_day(s.p, s.p + 5, s.p + 8))
		n = 10;
	else if (s.p[4] == '-' && is_day(s.p, s.p + 5, NULL))
		n = 7;
	if (n >= 8)
		n += time_len(s, n);
	return n && ends_at(s, n) ? n : 0;
}

bool st_route__begins_uuid(struct st_str s)
{
	const uint64_t dashes = 1ull << 8 | 1ull << 13 | 1ull << 18 | 1ull << 23;
	uint32_t i;

	if (s.len < ST_ROUTE_UUID_LEN || s.p[8] != '-')
		return false;
	for (i = 0; i < ST_ROUTE_UUID_LEN; i++)
		if (dashes >> i & 1 ? s.p[i] != '-' : !is_hex(s.p[i]))
			return false;
	return ends_at(s, ST_ROUTE_UUID_LEN);
}

/* Any digits with signs, points, commas, colons, ranges; or width x height. */
static bool is_number(struct st_str s)
{
	uint32_t i, digits = 0;

	for (i = 0; i < s.len; i++) {
		if (is_digit(s.p[i])) {
			digits++;
			continue;
		}
		if (s.p[i] == 'x' && digits >= 2 && digits == i && digits_at(s, i + 1) >= 2)
			continue;
		if (class_of(s.p[i]) & ALNUM || !is_one_of(s.p[i], "-.,:+_~ "))
			return false;
	}
	return digits > 0;
}

/* local@domain.tld; "icon@2x.png" and "package@1.2.3" are none. */
static bool is_email(struct st_str s)
{
	const char *at = s.len ? memchr(s.p, '@', s.len) : NULL;
	uint32_t i, label = 0, dots = 0, letters = 0;
	struct st_str d;

	if (!at || at == s.p || s.len > 254)
		return false;
	d = from(s, (uint32_t)(at + 1 - s.p));
	if (d.len > 2 && is_digit(d.p[0]) && d.p[1] == 'x' && d.p[2] == '.')
		return false;
	for (i = 0; i < d.len; i++) {
		if (d.p[i] == '.') {
			if (!label)
				return false;
			dots++;
			label = letters = 0;
			continue;
		}
		if (!(class_of(d.p[i]) & ALNUM) && d.p[i] != '-')
			return false;
		label++;
		letters += !!(class_of(d.p[i]) & (LOWER | UPPER));
	}
	return dots && label >= 2 && label == letters;
}

uint32_t st_route__lead_digits(struct st_str s)
{
	return digits_at(s, 0);
}

uint32_t st_route__tail_digits(struct st_str s)
{
	uint32_t n = 0;

	while (n < s.len && is_digit(s.p[s.len - 1 - n]))
		n++;
	return n;
}

/* What letters and digits a part is made of. */
struct mix {
	uint32_t len, digits, hex, upper;
	uint32_t runs;	     /* of digits */
	uint32_t lead, tail; /* digits in front, behind */
	uint32_t pieces;     /* of camel case: Get User 2 By Id */
};

static struct mix mix_of(struct st_str s)
{
	struct mix m = {.len = s.len, .pieces = 1};
	uint8_t before = 0, c;
	uint32_t i;

	for (i = 0; i < s.len; i++) {
		c = class_of(s.p[i]);
		m.hex += !!(c & HEX);
		c &= ALNUM;
		m.upper += c == UPPER;
		m.digits += c == DIGIT;
		if (c != before) {
			m.runs += c == DIGIT;
			m.pieces += i && !(before == UPPER && c == LOWER);
			before = c;
		}
	}
	if (m.digits) {
		m.lead = st_route__lead_digits(s);
		m.tail = st_route__tail_digits(s);
	}
	return m;
}

/*
 * Bit y of entry x: the letters xy follow each other in less than 3 of 10,000 places of the words
 * in Debian's headers, manuals and scripts (25,000 words, each counted once). Of random pairs these
 * are 43 %.
 */
static const uint32_t rare_pairs[26] = {
	0x2014200, 0x2e124c0, 0x2c10240, 0x2e10680, 0x2000200, 0x2e196c2, 0x1e1062a,
	0x2e186e6, 0x1510380, 0x3efbfee, 0x3eb96ae, 0x2c10280, 0x2c326e0, 0x2c10200,
	0x3010280, 0x2e10242, 0x3efffff, 0x2c10280, 0x2800200, 0x2210600, 0x3f10680,
	0x3fbaeee, 0x3f99e6a, 0x3737eea, 0x3f346ea, 0x3fffeee,
};

/* The pairs of letters in s, and how many of them are rare; where camel case begins a word is none. */
static uint32_t count_rare(struct st_str s, uint32_t *pairs)
{
	uint32_t i, rare = 0;

	for (*pairs = 0, i = 1; i < s.len; i++) {
		uint8_t a = class_of(s.p[i - 1]), b = class_of(s.p[i]);

		if (a & DIGIT || b & DIGIT || (a & LOWER && b & UPPER))
			continue;
		++*pairs;
		rare += rare_pairs[(s.p[i - 1] | 0x20) - 'a'] >> ((s.p[i] | 0x20) - 'a') & 1;
	}
	return rare;
}

/*
 * Two signs of chance: case and digits change faster than camel case does, whose words have three
 * letters and more each; and letters follow each other that seldom do in words.
 */
static bool is_random(struct st_str s, const struct mix *m)
{
	uint32_t inner = m->len - m->tail, pieces = m->pieces - (m->tail && inner), pairs, rare;

	if (m->len >= 6 && (m->pieces - 1) * 2 > m->len)
		return true;
	if (m->len >= 8 && m->digits >= 2 && (m->pieces - 1) * 3 >= m->len)
		return true;
	if (inner >= 10 && m->digits > m->tail && pieces * 5 > inner * 2)
		return true;
	if (!m->digits && m->len >= 12 && m->upper * 3 > m->len && m->upper < m->len && pieces >= 4)
		return true;
	if (m->len < 8 || !(m->digits || m->upper))
		return false;
	rare = count_rare(s, &pairs);
	return (rare >= 3 && rare * 4 >= pairs) ||
	       (rare >= 2 && rare * 3 >= pairs && m->digits > m->tail);
}

/* v1, v2beta1: how interfaces are numbered. */
static bool is_version(struct st_str s)
{
	static const char *const stages[] = {"alpha", "beta", "rc", "pre"};
	uint32_t i, n, at;

	if (s.len < 2 || (s.p[0] | 0x20) != 'v')
		return false;
	n = digits_at(s, 1);
	if (!n || n > 2)
		return false;
	at = 1 + n;
	if (at == s.len)
		return true;
	for (i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		n = (uint32_t)strlen(stages[i]);
		if (s.len >= at + n && !memcmp(s.p + at, stages[i], n))
			return s.len - at - n <= 2 && digits_at(s, at + n) == s.len - at - n;
	}
	return false;
}

/* Sizes of keys, digests and the like, which are part of a name: sha256. */
static bool is_size(struct st_str s)
{
	static const char *const sizes[] = {"128", "192", "224", "256",	 "264",	 "265",
					    "384", "509", "512", "1024", "2048", "4096"};
	uint32_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (st_str_eq(s, st_str_of(sizes[i])))
			return true;
	return false;
}

static bool is_0x(struct st_str s)
{
	uint32_t i;

	if (s.len < 3 || s.p[0] != '0' || (s.p[1] | 0x20) != 'x')
		return false;
	for (i = 2; i < s.len; i++)
		if (!is_hex(s.p[i]))
			return false;
	return true;
}

enum kind st_route__part_kind(struct st_str s)
{
	struct mix m = mix_of(s);

	if (m.digits == m.len)
		return m.len <= 2 ? SMALL : NUMBER;
	if (is_0x(s))
		return m.len >= 10 ? HASH : NUMBER;
	if (m.hex == m.len && m.len >= 8 && m.digits)
		return m.len == 32 ? UUID : HASH;
	if (is_version(s))
		return WORD;
	if (is_random(s, &m))
		return TOKEN;
	if (m.digits <= 2)
		return m.runs > 1 ? MIXED : WORD;
	if (m.runs > 1)
		return m.len > 4 ? TOKEN : MIXED;
	if (m.tail)
		return is_size(from(s, s.len - m.tail)) ? WORD : WORD_NR;
	return m.lead ? NR_WORD : TOKEN;
}

/* URL-safe base64 (RFC 4648 5) with its - and _ left out is as random as its parts together. */
static bool is_base64url(struct st_str s)
{
	uint32_t i, n = 0, joints = 0;
	char buf[BASE64_MAX];
	struct mix m;

	for (i = 0; i < s.len && n < BASE64_MAX; i++) {
		if (class_of(s.p[i]) & ALNUM)
			buf[n++] = s.p[i];
		else if (s.p[i] == '-' || s.p[i] == '_')
			joints++;
		else
			return false;
	}
	m = mix_of(st_str(buf, n));
	return i == s.len && joints && joints * 5 < n && is_random(st_str(buf, n), &m);
}

enum kind st_route__whole_kind(struct st_str s, uint8_t seen)
{
	if (seen == (DIGIT | HEX) && s.len != 8)
		return NUMBER;
	if (s.len == ST_ROUTE_UUID_LEN && st_route__begins_uuid(s))
		return UUID;
	if (seen & DIGIT) {
		if (s.len && st_route__date_len(s) == s.len)
			return DATE;
		if (is_number(s))
			return NUMBER;
	}
	if (!(~seen & (LOWER | UPPER | DIGIT | JOIN)) && s.len >= 10 && is_base64url(s))
		return TOKEN;
	if (!(seen & DELIM))
		return WORD;
	if (is_email(s))
		return EMAIL;
	/* base64 (RFC 4648 4) by its padding */
	return s.len >= 8 && s.len % 4 == 0 && s.p[s.len - 1] == '=' ? TOKEN : WORD;
}

uint32_t st_route__extension_len(struct st_str s)
{
	uint32_t n = 0, digits = 0;

	while (n < s.len && class_of(s.p[s.len - 1 - n]) & ALNUM)
		digits += is_digit(s.p[s.len - 1 - n++]);
	if (!n || n > 11 || n + 1 >= s.len || s.p[s.len - 1 - n] != '.')
		return 0;
	if (digits > 2 || is_digit(s.p[s.len - n]) || (n > 5 && digits))
		return 0;
	return n + 1;
}
