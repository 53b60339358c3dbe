/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ui/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>

/* More of a name never reaches the screen. */
#define ST_TERM_CLEAN_MAX 1024

bool st_term__utf8_locale(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (int i = 0; i < 3; i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

int st_term__width(int fd)
{
	struct winsize ws;

	if (!ioctl(fd, TIOCGWINSZ, &ws) && ws.ws_col)
		return ws.ws_col;
	return 80;
}

/*
 * The character at p by RFC 3629 (no overlong forms, no surrogates) and its length in bytes; 0
 * for bytes that are none.
 */
static uint32_t decode(const unsigned char *p, size_t left, uint32_t *cp)
{
	uint32_t n = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : 4;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	if (n > left || (n == 4 && p[0] >> 3 != 30))
		return 0;
	for (uint32_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*cp = c;
	return n;
}

struct range {
	uint32_t first, last;
};

static bool within(uint32_t c, const struct range *r, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (c >= r[i].first && c <= r[i].last)
			return true;
	return false;
}

/* Controls, zero-width and combining characters, bidirectional controls, private and no use. */
static bool harmful(uint32_t c)
{
	static const struct range ranges[] = {
		{0x0, 0x1f},	  {0x7f, 0x9f},	       {0xad, 0xad},	 {0x300, 0x36f},
		{0x483, 0x489},	  {0x591, 0x5bd},      {0x600, 0x605},	 {0x610, 0x61c},
		{0x64b, 0x65f},	  {0x180b, 0x180f},    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
		{0x200b, 0x200f}, {0x2028, 0x202e},    {0x2060, 0x206f}, {0x20d0, 0x20ff},
		{0xe000, 0xf8ff}, {0xfe00, 0xfe0f},    {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
		{0xfff0, 0xffff}, {0xe0000, 0x10ffff},
	};

	return within(c, ranges, sizeof(ranges) / sizeof(ranges[0]));
}

/*
 * East Asian Width W and F (Unicode TR 11), in coarse ranges: a narrow symbol taken for a wide one
 * shortens its line, the reverse would wrap it.
 */
static bool wide(uint32_t c)
{
	static const struct range ranges[] = {
		{0x1100, 0x115f},   {0x231a, 0x232a},	{0x23e9, 0x23f3},   {0x25fd, 0x27bf},
		{0x2b1b, 0x2b55},   {0x2e80, 0x303e},	{0x3041, 0xa4cf},   {0xa960, 0xa97f},
		{0xac00, 0xd7a3},   {0xf900, 0xfaff},	{0xfe10, 0xfe6f},   {0xff00, 0xff60},
		{0xffe0, 0xffe6},   {0x16fe0, 0x18dff}, {0x1aff0, 0x1b2ff}, {0x1f000, 0x1faff},
		{0x20000, 0x3fffd},
	};

	return c >= 0x1100 && within(c, ranges, sizeof(ranges) / sizeof(ranges[0]));
}

/* The next character of a clean text: its bytes, and its columns. */
static uint32_t next_char(const char *p, uint32_t *cols)
{
	uint32_t cp = 0, n = decode((const unsigned char *)p, strlen(p) < 4 ? strlen(p) : 4, &cp);

	*cols = n && wide(cp) ? 2 : 1;
	return n ? n : 1;
}

uint32_t st_term__cols(const char *text)
{
	uint32_t sum = 0, cols;

	while (*text) {
		text += next_char(text, &cols);
		sum += cols;
	}
	return sum;
}

size_t st_term__clean(char *dst, size_t dst_sz, struct st_str s, bool utf8)
{
	char tmp[ST_TERM_CLEAN_MAX + 1];
	size_t len = 0;
	uint32_t cols;

	for (uint32_t i = 0; i < s.len && len + 4 <= ST_TERM_CLEAN_MAX;) {
		uint32_t cp, n = decode((const unsigned char *)s.p + i, s.len - i, &cp);

		if (!n || harmful(cp) || (!utf8 && cp > 0x7e)) {
			tmp[len++] = '?';
			i += n ? n : 1;
			continue;
		}
		memcpy(tmp + len, s.p + i, n);
		len += n;
		i += n;
	}
	tmp[len] = '\0';
	if (len < dst_sz) {
		memcpy(dst, tmp, len + 1);
		return len;
	}
	/* Columns never outnumber bytes; four bytes a column is the worst. */
	for (cols = (uint32_t)dst_sz - 1; cols > 1; cols = cols * 3 / 4)
		if (st_term__fit(dst, dst_sz, tmp, cols, utf8))
			return strlen(dst);
	dst[0] = '\0';
	return 0;
}

/* Bytes of the first `cols` columns of text. */
static size_t head_bytes(const char *text, uint32_t cols)
{
	const char *p = text;
	uint32_t w;

	while (*p) {
		uint32_t n = next_char(p, &w);

		if (w > cols)
			break;
		cols -= w;
		p += n;
	}
	return (size_t)(p - text);
}

/* Where the last `cols` columns of text begin: at a '/' when one is near. */
static const char *tail_start(const char *text, uint32_t cols)
{
	uint32_t all = st_term__cols(text), skip = all > cols ? all - cols : 0, w;
	const char *p = text, *slash;

	while (*p && skip) {
		p += next_char(p, &w);
		skip -= skip < w ? skip : w;
	}
	slash = strchr(p, '/');
	return slash && slash[1] && (uint32_t)(slash - p) <= cols / 3 ? slash : p;
}

static uint32_t join(char *dst, size_t dst_sz, const char *text, size_t head, const char *dots,
		     const char *tail)
{
	int n = snprintf(dst, dst_sz, "%.*s%s%s", (int)head, text, dots, tail);

	return n >= 0 && (size_t)n < dst_sz ? st_term__cols(dst) : 0;
}

static uint32_t fit(char *dst, size_t dst_sz, const char *text, uint32_t cols, bool utf8,
		    bool at_end)
{
	const char *dots = utf8 ? "\xe2\x80\xa6" : "...", *tail = "";
	uint32_t dots_cols = utf8 ? 1 : 3;

	if (st_term__cols(text) <= cols)
		return join(dst, dst_sz, text, strlen(text), "", "");
	if (cols <= dots_cols)
		return join(dst, dst_sz, text, head_bytes(text, cols), "", "");
	cols -= dots_cols;
	if (!at_end)
		tail = tail_start(text, cols / 2);
	return join(dst, dst_sz, text, head_bytes(text, cols - st_term__cols(tail)), dots, tail);
}

uint32_t st_term__fit(char *dst, size_t dst_sz, const char *text, uint32_t cols, bool utf8)
{
	return fit(dst, dst_sz, text, cols, utf8, false);
}

uint32_t st_term__fit_end(char *dst, size_t dst_sz, const char *text, uint32_t cols, bool utf8)
{
	return fit(dst, dst_sz, text, cols, utf8, true);
}

static const char *micro(bool utf8)
{
	return utf8 ? "\xc2\xb5s" : "us";
}

/* From a minute on: two units, the smaller one cut off. */
static int long_duration(char *dst, uint64_t s)
{
	if (s < 3600)
		return snprintf(dst, ST_TERM_DURATION_SZ, "%um %02us", (unsigned)(s / 60),
				(unsigned)(s % 60));
	if (s < 86400)
		return snprintf(dst, ST_TERM_DURATION_SZ, "%uh %02um", (unsigned)(s / 3600),
				(unsigned)(s / 60 % 60));
	if (s / 86400 > 9999)
		return snprintf(dst, ST_TERM_DURATION_SZ, "> 9999d");
	return snprintf(dst, ST_TERM_DURATION_SZ, "%ud %02uh", (unsigned)(s / 86400),
			(unsigned)(s / 3600 % 24));
}

uint32_t st_term__duration(char dst[ST_TERM_DURATION_SZ], uint64_t ns, bool utf8)
{
	/* Each bound is the first value that would round up into the next unit. */
	if (ns < 1000)
		snprintf(dst, ST_TERM_DURATION_SZ, "%u ns", (unsigned)ns);
	else if (ns < 9950)
		snprintf(dst, ST_TERM_DURATION_SZ, "%.1f %s", (double)ns / 1e3, micro(utf8));
	else if (ns < 999500)
		snprintf(dst, ST_TERM_DURATION_SZ, "%.0f %s", (double)ns / 1e3, micro(utf8));
	else if (ns < 999995000)
		snprintf(dst, ST_TERM_DURATION_SZ, "%.2f ms", (double)ns / 1e6);
	else if (ns < 59995000000)
		snprintf(dst, ST_TERM_DURATION_SZ, "%.2f s", (double)ns / 1e9);
	else
		long_duration(dst, (ns + 5000000) / 1000000000);
	return st_term__cols(dst);
}

uint32_t st_term__duration_rough(char dst[ST_TERM_DURATION_SZ], uint64_t ns, bool utf8)
{
	double v = (double)ns;
	const char *unit = "ns";

	if (ns >= 60000000000)
		long_duration(dst, ns / 1000000000);
	if (ns >= 60000000000)
		return st_term__cols(dst);
	if (ns >= 995000000) {
		v /= 1e9;
		unit = "s";
	} else if (ns >= 995000) {
		v /= 1e6;
		unit = "ms";
	} else if (ns >= 995) {
		v /= 1e3;
		unit = micro(utf8);
	}
	snprintf(dst, ST_TERM_DURATION_SZ, v < 9.95 && ns >= 995 ? "%.1f %s" : "%.0f %s", v, unit);
	return st_term__cols(dst);
}

const char *st_term__count(char *dst, uint64_t n)
{
	char plain[24];
	int len = snprintf(plain, sizeof(plain), "%llu", (unsigned long long)n), at = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			dst[at++] = ',';
		dst[at++] = plain[i];
	}
	dst[at] = '\0';
	return dst;
}
