/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Route templates: tests/vectors/route/templates.tsv, lengths, and what random text becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "lib/route.h"
#include "vectors.h"

#define VECTORS "tests/vectors/route/templates.tsv"

static char *out; /* ST_ROUTE_MAX bytes before unreadable memory */

static int setup(void **state)
{
	(void)state;
	out = (char *)vec_guarded(ST_ROUTE_MAX);
	return 0;
}

/* The template of a copy that ends at unreadable memory. */
static struct st_str template(struct st_str path, bool *replaced)
{
	static uint8_t *room;
	const size_t size = 1 << 17;
	uint32_t n;

	if (!room)
		room = vec_guarded(size);
	assert_true(path.len <= size);
	memset(out, '#', ST_ROUTE_MAX);
	if (path.len)
		memcpy(room + size - path.len, path.p, path.len);
	n = st_route__template(st_str((char *)room + size - path.len, path.len), out, replaced);
	assert_true(n >= 1 && n <= ST_ROUTE_MAX);
	return st_str(out, n);
}

static void vectors_hold(void **state)
{
	FILE *f = fopen(VECTORS, "r");
	unsigned rows = 0, line = 0;
	char buf[1024], *want;
	struct st_str got;
	bool replaced;

	(void)state;
	assert_non_null(f);
	while (fgets(buf, sizeof(buf), f)) {
		line++;
		buf[strcspn(buf, "\n")] = 0;
		if (buf[0] == '#')
			continue;
		want = strchr(buf, '\t');
		assert_non_null(want);
		*want++ = 0;
		if (!strcmp(want, "="))
			want = buf;
		got = template(st_str_of(buf), &replaced);
		if (!st_str_eq(got, st_str_of(want)))
			fail_msg("%s:%u: %s gives %.*s, not %s", VECTORS, line, buf, (int)got.len,
				 got.p, want);
		if (replaced != (strchr(want, '{') || strchr(buf, ';')))
			fail_msg("%s:%u: %s: replaced is %d", VECTORS, line, buf, replaced);
		rows++;
	}
	fclose(f);
	assert_true(rows >= 200);
}

static void no_path(void **state)
{
	bool replaced = true;
	char buf[ST_ROUTE_MAX];

	(void)state;
	assert_int_equal(st_route__template(st_str(NULL, 0), buf, &replaced), 1);
	assert_int_equal(buf[0], '/');
	assert_false(replaced);
}

/* Segments of any number of letters: the whole up to 256 bytes, then whole segments and a mark. */
static void long_paths_end_whole(void **state)
{
	size_t len, seg, i;
	struct st_str got;
	char path[700];
	bool replaced;

	(void)state;
	for (seg = 1; seg <= 40; seg++) {
		for (i = 0; i < sizeof(path); i++)
			path[i] = (char)(i % (seg + 1) ? 'a' + (int)(i % 26) : '/');
		for (len = 1; len < sizeof(path); len++) {
			got = template(st_str(path, len), &replaced);
			assert_int_equal(replaced, len > ST_ROUTE_MAX);
			if (len <= ST_ROUTE_MAX) {
				assert_true(st_str_eq(got, st_str(path, len)));
				continue;
			}
			assert_memory_equal(got.p + got.len - 2, "/*", 2);
			assert_memory_equal(got.p, path, got.len - 2);
			assert_int_equal(path[got.len - 2], '/');
			assert_true(got.len + seg + 1 > ST_ROUTE_MAX);
		}
	}
}

static void long_paths_of_placeholders(void **state)
{
	char path[4096];
	struct st_str got;
	bool replaced;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? '7' : '/';
	got = template(st_str(path, sizeof(path)), &replaced);
	assert_true(replaced && got.len > 248);
	assert_int_equal((got.len - 2) % 5, 0);
	assert_memory_equal(got.p + got.len - 7, "/{id}/*", 7);
}

/* One segment of any length is one placeholder, and soon done. */
static void long_segments(void **state)
{
	static const char *const fills[] = {"7",  "a7",	 "a", "%41", "%", "-",
					    "7-", "a-7", "@", "'",   "="};
	static char path[1 << 17];
	struct st_str got;
	size_t i, n;
	unsigned k;
	bool replaced;

	(void)state;
	for (k = 0; k < sizeof(fills) / sizeof(fills[0]); k++) {
		n = strlen(fills[k]);
		path[0] = '/';
		for (i = 1; i < sizeof(path); i++)
			path[i] = fills[k][(i - 1) % n];
		got = template(st_str(path, sizeof(path)), &replaced);
		assert_true(replaced);
		assert_true(got.len < 20 && got.p[1] == '{');
	}
}

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)random_state * n >> 32);
}

static struct st_str random_segment(char *buf, const char *alphabet, uint32_t len)
{
	uint32_t i, n = (uint32_t)strlen(alphabet);

	memcpy(buf, "/x/", 3);
	for (i = 0; i < len; i++)
		buf[3 + i] = alphabet[random_below(n)];
	return st_str(buf, 3 + len);
}

/* How many of 1,000 random segments are replaced as a whole. */
static unsigned replaced_of_1000(const char *alphabet, uint32_t len)
{
	unsigned i, n = 0;
	struct st_str got;
	char buf[300];
	bool replaced;

	for (i = 0; i < 1000; i++) {
		got = template(random_segment(buf, alphabet, len), &replaced);
		n += got.p[3] == '{' && got.p[got.len - 1] == '}';
	}
	return n;
}

#define DIGITS "0123456789"
#define LOWERS "abcdefghijklmnopqrstuvwxyz"
#define UPPERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Rates are those measured, less a little; what is shorter or slips through meets the limiter. */
static void random_text_is_replaced(void **state)
{
	uint32_t len;

	(void)state;
	for (len = 1; len <= 200; len++)
		assert_int_equal(replaced_of_1000(DIGITS, len), 1000);
	/* 8 hexadecimal digits are letters alone once in 2,500 */
	for (len = 8; len <= 64; len++)
		assert_true(replaced_of_1000(DIGITS "abcdef", len) >= 995);
	for (len = 12; len <= 40; len++) {
		assert_true(replaced_of_1000(DIGITS LOWERS UPPERS, len) >= (len < 24 ? 930 : 975));
		assert_true(replaced_of_1000(DIGITS LOWERS UPPERS "-_", len) >=
			    (len < 24 ? 860 : 970));
		assert_true(replaced_of_1000(DIGITS LOWERS, len) >= (len < 24 ? 910 : 980));
		assert_true(replaced_of_1000("234567" UPPERS, len) >= (len < 24 ? 860 : 970));
	}
	for (len = 41; len <= 100; len++)
		assert_int_equal(replaced_of_1000(LOWERS UPPERS "-_+", len), 1000);
}

/* A word that can be spoken, of `cnt` syllables; its first letter in upper case when asked. */
static uint32_t put_word(char *p, uint32_t cnt, bool upper)
{
	static const char consonants[] = "dlmnprst", vowels[] = "aeiou";
	uint32_t i;

	for (i = 0; i < cnt; i++) {
		p[2 * i] = consonants[random_below(sizeof(consonants) - 1)];
		p[2 * i + 1] = vowels[random_below(sizeof(vowels) - 1)];
	}
	if (upper)
		p[0] = (char)toupper((unsigned char)p[0]);
	return 2 * cnt;
}

static void stays(const char *p, uint32_t n)
{
	struct st_str got;
	bool replaced;

	got = template(st_str(p, n), &replaced);
	if (!st_str_eq(got, st_str(p, n)) || replaced)
		fail_msg("%.*s became %.*s", (int)n, p, (int)got.len, got.p);
}

static void words_are_not_replaced(void **state)
{
	static const char joints[] = "-_.";
	char p[64] = "/x/";
	uint32_t n;
	unsigned i;

	(void)state;
	for (i = 0; i < 20000; i++)
		stays(p, random_segment(p, LOWERS "-_.", 1 + i % 35).len);
	for (i = 0; i < 20000; i++) {
		/* camel case; words joined; a word with one or two digits, one that is not hexadecimal */
		n = 3 + put_word(p + 3, 2 + i % 3, i & 1);
		n += put_word(p + n, 2 + i % 4, true);
		stays(p, n);
		n = 3 + put_word(p + 3, 1 + i % 5, i & 1);
		p[n++] = joints[i % 3];
		n += put_word(p + n, 1 + i % 4, false);
		stays(p, n);
		n = 3 + put_word(p + 3, 1 + i % 4, i & 1);
		p[n++] = 'n';
		p[n++] = (char)('0' + random_below(10));
		stays(p, n);
		p[n++] = (char)('0' + random_below(10));
		stays(p, n);
	}
}

/* Whatever the bytes: what comes out is a path's characters and placeholders. */
static void bytes_of_any_kind(void **state)
{
	static const char punct[] = "/;?#%@-_.~!$&'()*+,=: {}<>\"\\^`|[]";
	struct st_str got;
	unsigned i, n, k;
	char path[96];
	bool replaced;

	(void)state;
	for (i = 0; i < 200000; i++) {
		n = random_below(sizeof(path));
		for (k = 0; k < n; k++)
			path[k] = random_below(3) ? (char)random_below(256)
						  : punct[random_below(sizeof(punct) - 1)];
		got = template(st_str(path, n), &replaced);
		for (k = 0; k < got.len; k++)
			assert_true(got.p[k] > ' ' && got.p[k] < 127 &&
				    !strchr(";?#<>\"\\^`|[]", got.p[k]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_hold),
		cmocka_unit_test(no_path),
		cmocka_unit_test(long_paths_end_whole),
		cmocka_unit_test(long_paths_of_placeholders),
		cmocka_unit_test(long_segments),
		cmocka_unit_test(random_text_is_replaced),
		cmocka_unit_test(words_are_not_replaced),
		cmocka_unit_test(bytes_of_any_kind),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
