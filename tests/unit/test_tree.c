/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The terminal view. The files of tests/vectors/tree have spans and the exact output:
 *
 *   span trace=HEX id=HEX [parent=HEX] kind=WORD start=T end=T name="..." [code=N] [status=error]
 *        [service=...] [peer=HOST] [port=N] [error=...] [evidence=...] [remote] [incomplete] [x=N]
 *   tick T       time passes to T after the start
 *   flush        the end
 *   expect COLUMNS ascii|utf8 [colour] [lines=N]
 *   |...         the output when all steps above are done with these settings
 *
 * x=N gives the span N times, in traces of their own. "\xHH" stands for a byte, in the output
 * "\e" for the escape character.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "export/export.h"
#include "lib/units.h"
#include "spantap/keys.h"
#include "ui/order.h"
#include "ui/quantile.h"
#include "ui/term.h"
#include "ui/traces.h"

#define VECTORS "tests/vectors/tree"
/* 2026-03-01 14:03:21.507 UTC */
#define BASE_NS 1772373801507000000ull
#define MONO_NS 5000000000ull

extern const struct st_exporter_ops st_export_tree;

/* ---- spans from text ---- */

struct words {
	char text[1024];
	char *key[32], *value[32];
	int cnt;
};

/* Undoes \xHH in place. */
static void unescape(char *z)
{
	char *to = z;

	for (; *z; z++) {
		if (z[0] == '\\' && z[1] == 'x' && z[2] && z[3]) {
			char hex[3] = {z[2], z[3], 0};

			*to++ = (char)strtoul(hex, NULL, 16);
			z += 3;
		} else {
			*to++ = *z;
		}
	}
	*to = '\0';
}

static void split(struct words *w, const char *line)
{
	char *p = w->text;

	w->cnt = 0;
	snprintf(w->text, sizeof(w->text), "%s", line);
	while (*p) {
		p += strspn(p, " \t\n");
		if (!*p)
			break;
		assert_true(w->cnt < 32);
		w->key[w->cnt] = p;
		w->value[w->cnt] = "";
		p += strcspn(p, " \t\n=");
		if (*p == '=') {
			bool quoted = p[1] == '"';

			*p++ = '\0';
			p += quoted;
			w->value[w->cnt] = p;
			p += strcspn(p, quoted ? "\"" : " \t\n");
		}
		w->cnt++;
		if (*p)
			*p++ = '\0';
	}
	for (int i = 0; i < w->cnt; i++)
		if (*w->value[i])
			unescape(w->value[i]);
}

static const char *value(const struct words *w, const char *key)
{
	for (int i = 0; i < w->cnt; i++)
		if (!strcmp(w->key[i], key))
			return w->value[i];
	return NULL;
}

static uint64_t time_of(const char *z)
{
	uint64_t ns = 0;

	if (!z || st_units__duration(st_str_of(z), &ns))
		fail_msg("no time: %s", z ? z : "(none)");
	return ns;
}

static void put_be(uint8_t *to, int n, uint64_t v)
{
	while (n--) {
		to[n] = (uint8_t)v;
		v >>= 8;
	}
}

static uint8_t kind_of(const char *z)
{
	static const char *const kinds[] = {"",	      "internal", "server",
					    "client", "producer", "consumer"};

	for (uint8_t i = 1; z && i < 6; i++)
		if (!strcmp(z, kinds[i]))
			return i;
	fail_msg("no kind: %s", z ? z : "(none)");
	return 0;
}

static void attr(struct st_span *s, const struct words *w, const char *word,
		 const struct st_key *key)
{
	const char *z = value(w, word);

	if (z)
		st_span_str(s, key, st_str_of(z));
}

static void fill(struct st_span *s, struct st_resource *res, const struct words *w, uint64_t n)
{
	const char *parent = value(w, "parent"), *service = value(w, "service");
	bool client = kind_of(value(w, "kind")) == ST_KIND_CLIENT;

	memset(s, 0, sizeof(*s));
	*res = (struct st_resource){.service = st_str_of(service ? service : "shop")};
	put_be(s->trace_id, 4, strtoull(value(w, "trace"), NULL, 16) + n);
	put_be(s->span_id, 8, strtoull(value(w, "id"), NULL, 16));
	put_be(s->parent_id, 8, parent ? strtoull(parent, NULL, 16) : 0);
	s->has_parent = parent != NULL;
	s->flags = value(w, "remote") ? 0x300 : value(w, "local") ? 0x100 : 0;
	s->kind = kind_of(value(w, "kind"));
	s->start_ns = BASE_NS + time_of(value(w, "start"));
	s->end_ns = BASE_NS + time_of(value(w, "end"));
	s->name = st_str_of(value(w, "name"));
	s->resource = res;
	if (value(w, "status"))
		s->status = ST_STATUS_ERROR;
	if (value(w, "code"))
		st_span_int(s, ST_KEY(http_response_status_code), atoi(value(w, "code")));
	attr(s, w, "error", ST_KEY(error_type));
	attr(s, w, "evidence", ST_KEY(spantap_parent_evidence));
	attr(s, w, "peer", client ? ST_KEY(server_address) : ST_KEY(client_address));
	if (value(w, "port"))
		st_span_int(s, client ? ST_KEY(server_port) : ST_KEY(client_port),
			    atoi(value(w, "port")));
	if (value(w, "incomplete"))
		st_span_bool(s, ST_KEY(spantap_incomplete), true);
}

/* ---- one run of a vector ---- */

struct vector {
	char *lines[512];
	int cnt;
	char text[65536];
	char path[512];
};

static void step(struct st_exporter *e, const char *line)
{
	struct words w;

	split(&w, line);
	if (!w.cnt || w.key[0][0] == '#' || w.key[0][0] == '|' || !strcmp(w.key[0], "expect"))
		return;
	if (!strcmp(w.key[0], "span")) {
		uint64_t times = value(&w, "x") ? strtoull(value(&w, "x"), NULL, 10) : 1;

		for (uint64_t n = 0; n < times; n++) {
			struct st_resource res;
			struct st_span s;

			fill(&s, &res, &w, n);
			e->ops->span(e, &s);
		}
	} else if (!strcmp(w.key[0], "tick")) {
		e->ops->tick(e, MONO_NS + time_of(w.key[1]));
	} else if (!strcmp(w.key[0], "flush")) {
		e->ops->flush(e, UINT64_MAX);
	} else {
		fail_msg("unknown step: %s", line);
	}
}

static void check_balance(struct st_exporter *e, const char *where)
{
	struct st_export_stats st;

	e->ops->stats(e, &st);
	if (st.spans != st.exported + st.queue_full + st.failed + st.queued)
		fail_msg("%s: spans %llu, accounted %llu", where, (unsigned long long)st.spans,
			 (unsigned long long)(st.exported + st.queue_full + st.failed + st.queued));
}

/* The output of the steps before line `upto`, with the escape character as "\e". */
static void run(const struct vector *v, int upto, const struct words *expect, char *out, size_t sz)
{
	struct st_export_config cfg = {.width = atoi(expect->key[1]),
				       .colour = value(expect, "colour") != NULL};
	const char *limit = value(expect, "lines");
	struct st_exporter e = {.ops = &st_export_tree, .spec = "tree"};
	char arg[64], raw[262144];
	FILE *f = tmpfile();
	size_t n, len = 0;

	assert_non_null(f);
	cfg.out_fd = fileno(f);
	snprintf(arg, sizeof(arg), "%s,lines=%s", expect->key[2], limit ? limit : "0");
	assert_int_equal(e.ops->open(&e, arg, &cfg), 0);
	e.ops->tick(&e, MONO_NS);
	for (int i = 0; i < upto; i++)
		step(&e, v->lines[i]);
	check_balance(&e, v->path);
	e.ops->close(&e);
	rewind(f);
	n = fread(raw, 1, sizeof(raw), f);
	fclose(f);
	for (size_t i = 0; i < n && len + 3 < sz; i++) {
		if (raw[i] == '\033')
			out[len++] = '\\';
		out[len++] = raw[i] == '\033' ? 'e' : raw[i];
	}
	out[len] = '\0';
}

static void load(struct vector *v, const char *name)
{
	char *rest = v->text, *line;
	FILE *f;

	snprintf(v->path, sizeof(v->path), "%s/%s", VECTORS, name);
	f = fopen(v->path, "r");
	if (!f)
		fail_msg("%s: %s", v->path, strerror(errno));
	v->text[fread(v->text, 1, sizeof(v->text) - 1, f)] = '\0';
	fclose(f);
	v->cnt = 0;
	while ((line = strsep(&rest, "\n"))) {
		assert_true(v->cnt < 512);
		v->lines[v->cnt++] = line;
	}
}

/* Compares with the lines that begin with '|' from line `from` on. Returns where they end. */
static int compare(const struct vector *v, int from, char *got, int width, bool colour)
{
	char *rest = got, *line;
	int at = from;

	while ((line = strsep(&rest, "\n")) && (*line || rest)) {
		if (at >= v->cnt || v->lines[at][0] != '|' || strcmp(v->lines[at] + 1, line))
			fail_msg("%s:%d: got\n|%s\n and expected\n%s", v->path, at + 1, line,
				 at < v->cnt ? v->lines[at] : "(the end)");
		if (!colour && (int)st_term__cols(line) > width)
			fail_msg("%s:%d: wider than %d columns", v->path, at + 1, width);
		at++;
	}
	if (at < v->cnt && v->lines[at][0] == '|')
		fail_msg("%s:%d: missing: %s", v->path, at + 1, v->lines[at]);
	return at;
}

static int check_vector(const char *name)
{
	static struct vector v;
	static char got[131072];
	int runs = 0;

	load(&v, name);
	for (int i = 0; i < v.cnt; i++) {
		struct words w;

		if (strncmp(v.lines[i], "expect ", 7))
			continue;
		split(&w, v.lines[i]);
		run(&v, i, &w, got, sizeof(got));
		if (getenv("SHOW"))
			printf("=== %s:%d\n%s", v.path, i + 1, got);
		else
			i = compare(&v, i + 1, got, atoi(w.key[1]), value(&w, "colour")) - 1;
		runs++;
	}
	if (!runs)
		fail_msg("%s: no expectation", v.path);
	return runs;
}

static void vectors(void **state)
{
	DIR *d = opendir(VECTORS);
	struct dirent *ent;
	int runs = 0;

	(void)state;
	assert_non_null(d);
	while ((ent = readdir(d)))
		if (strstr(ent->d_name, ".txt"))
			runs += check_vector(ent->d_name);
	closedir(d);
	assert_true(runs >= 10);
}

/* ---- pieces ---- */

static const char *dur(uint64_t ns, bool utf8)
{
	static char text[ST_TERM_DURATION_SZ];

	assert_true(st_term__duration(text, ns, utf8) <= ST_TERM_DURATION_COLS);
	return text;
}

static const char *rough(uint64_t ns)
{
	static char text[ST_TERM_DURATION_SZ];

	st_term__duration_rough(text, ns, false);
	return text;
}

static void durations(void **state)
{
	(void)state;
	assert_string_equal(dur(0, true), "0 ns");
	assert_string_equal(dur(999, true), "999 ns");
	assert_string_equal(dur(1000, false), "1.0 us");
	assert_string_equal(dur(9949, false), "9.9 us");
	assert_string_equal(dur(9950, false), "10 us");
	assert_string_equal(dur(412345, true), "412 \xc2\xb5s");
	assert_string_equal(dur(999499, false), "999 us");
	assert_string_equal(dur(999500, false), "1.00 ms");
	assert_string_equal(dur(23410000, false), "23.41 ms");
	assert_string_equal(dur(999994999, false), "999.99 ms");
	assert_string_equal(dur(999995000, false), "1.00 s");
	assert_string_equal(dur(3010000000, false), "3.01 s");
	assert_string_equal(dur(59994999999, false), "59.99 s");
	assert_string_equal(dur(59995000000, false), "1m 00s");
	assert_string_equal(dur(125000000000, false), "2m 05s");
	assert_string_equal(dur(3720000000000, false), "1h 02m");
	assert_string_equal(dur(273600000000000, false), "3d 04h");
	dur(UINT64_MAX, true);
	assert_string_equal(rough(0), "0 ns");
	assert_string_equal(rough(994), "994 ns");
	assert_string_equal(rough(995), "1.0 us");
	assert_string_equal(rough(1234567), "1.2 ms");
	assert_string_equal(rough(12345678), "12 ms");
	assert_string_equal(rough(994999999), "995 ms");
	assert_string_equal(rough(995000000), "1.0 s");
	assert_string_equal(rough(9960000000), "10 s");
	assert_string_equal(rough(61000000000), "1m 01s");
}

static void clean_is(const char *in, bool utf8, const char *out)
{
	char got[64];
	size_t len = st_term__clean(got, sizeof(got), st_str_of(in), utf8);

	assert_int_equal(len, strlen(got));
	assert_string_equal(got, out);
}

static void clean(void **state)
{
	char small[8];

	(void)state;
	clean_is("GET /caf\xc3\xa9", true, "GET /caf\xc3\xa9");
	clean_is("GET /caf\xc3\xa9", false, "GET /caf?");
	clean_is("a\033[2Jb\r\n\tc\177", true, "a?[2Jb???c?");
	clean_is("\xc2\x9b"
		 "31m",
		 true, "?31m");
	clean_is("\x9b"
		 "31m",
		 true, "?31m");
	clean_is("\xe2\x80\xae"
		 "evil\xe2\x81\xa6",
		 true, "?evil?");
	clean_is("x\xe2\x80\x8by\xcc\x81z", true, "x?y?z");
	/* overlong, surrogate, beyond Unicode, cut */
	clean_is("\xc0\xaf", true, "??");
	clean_is("\xed\xa0\x80", true, "???");
	clean_is("\xf4\x90\x80\x80", true, "????");
	clean_is("\xe2\x82", true, "??");
	assert_int_equal(st_term__clean(small, sizeof(small), st_str("a\0b", 3), true), 3);
	assert_string_equal(small, "a?b");
	st_term__clean(small, sizeof(small), ST_STR("0123456789"), true);
	assert_string_equal(small, "01\xe2\x80\xa6"
				   "89");
	assert_int_equal(st_term__cols("a\xe6\xbc\xa2z"), 4);
	/* U+2705, U+26A1, U+1F7E2, U+1FAE0: wide though outside the ideographs' blocks */
	assert_int_equal(st_term__cols("\xe2\x9c\x85\xe2\x9a\xa1\xf0\x9f\x9f\xa2\xf0\x9f\xab\xa0"),
			 8);
	/* what the view itself draws with: U+2026, U+2192, U+2588 */
	assert_int_equal(st_term__cols("\xe2\x80\xa6\xe2\x86\x92\xe2\x96\x88"), 3);
}

static void fit_is(const char *in, uint32_t cols, bool utf8, const char *out)
{
	char got[128];
	uint32_t n = st_term__fit(got, sizeof(got), in, cols, utf8);

	assert_string_equal(got, out);
	assert_int_equal(n, st_term__cols(got));
	assert_true(n <= cols);
}

static void fitting(void **state)
{
	char got[64];

	(void)state;
	fit_is("GET /orders", 11, true, "GET /orders");
	fit_is("GET /orders", 10, true,
	       "GET /\xe2\x80\xa6"
	       "ders");
	fit_is("GET /api/v1/customers/{id}/orders", 24, true,
	       "GET /api/v1/\xe2\x80\xa6{id}/orders");
	fit_is("GET /api/v1/customers/{id}/orders", 24, false, "GET /api/v1/cu.../orders");
	fit_is("abcdef", 3, false, "abc");
	fit_is("abcdef", 0, false, "");
	fit_is("\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", 4, true, "\xe6\xbc\xa2\xe2\x80\xa6");
	assert_int_equal(st_term__fit_end(got, sizeof(got), "abcdef", 4, true), 4);
	assert_string_equal(got, "abc\xe2\x80\xa6");
}

static void counts(void **state)
{
	char text[28];

	(void)state;
	assert_string_equal(st_term__count(text, 0), "0");
	assert_string_equal(st_term__count(text, 999), "999");
	assert_string_equal(st_term__count(text, 1234), "1,234");
	assert_string_equal(st_term__count(text, UINT64_MAX), "18,446,744,073,709,551,615");
}

/* Within the 1/16 that a class is wide, over the whole range. */
static void quantiles(void **state)
{
	static struct st_quantile q;

	(void)state;
	assert_int_equal(st_quantile__get(&q, 0.5), 0);
	for (uint64_t v = 1; v <= 1000; v++)
		st_quantile__add(&q, v * 1000);
	assert_true(st_quantile__get(&q, 0.5) > 470000 && st_quantile__get(&q, 0.5) < 532000);
	assert_true(st_quantile__get(&q, 0.99) > 930000 && st_quantile__get(&q, 0.99) < 1053000);
	for (int shift = 0; shift < 64; shift++) {
		uint64_t v = 1ull << shift, got;

		st_quantile__reset(&q);
		st_quantile__add(&q, v);
		got = st_quantile__get(&q, 0.5);
		assert_true(got >= v - v / 16 && got <= v + v / 16);
		st_quantile__add(&q, UINT64_MAX);
	}
}

/* ---- order: whatever the ids say, each row comes once ---- */

static struct st_row rows_of[ST_WATERFALL_MAX];

static void make_rows(const char *ids, const char *parents, const struct st_row **list)
{
	for (int i = 0; ids[i]; i++) {
		rows_of[i] = (struct st_row){.start_ns = (uint64_t)i};
		rows_of[i].span_id[0] = (uint8_t)ids[i];
		rows_of[i].parent_id[0] = (uint8_t)parents[i];
		rows_of[i].has_parent = parents[i] != '-';
		list[i] = &rows_of[i];
	}
}

static void order_is(const char *ids, const char *parents, const char *out)
{
	const struct st_row *list[ST_WATERFALL_MAX];
	char got[2 * ST_WATERFALL_MAX + 1] = "";
	struct st_order o;

	make_rows(ids, parents, list);
	st_order__make(&o, list, (uint32_t)strlen(ids));
	for (uint32_t i = 0; i < o.cnt; i++)
		sprintf(got + 2 * i, "%c%c", list[o.at[i]]->span_id[0], '0' + o.depth[i]);
	assert_string_equal(got, out);
}

static void order(void **state)
{
	(void)state;
	order_is("abcd", "-aab", "a0b1d2c1");
	order_is("dcba", "baa-", "a0c1b1d2");
	order_is("ab", "ba", "a0b1");
	order_is("a", "a", "a0");
	order_is("abc", "bca", "a0c1b2");
	order_is("aab", "--a", "a0b1a0");
	order_is("abx", "-?a", "a0x1b0");
}

/* ---- exporter against outputs that fail or stand still ---- */

static void give(struct st_exporter *e, uint32_t n)
{
	struct st_resource res = {.service = ST_STR("shop")};
	struct st_span s = {.kind = ST_KIND_SERVER, .name = ST_STR("GET /"), .resource = &res};

	put_be(s.trace_id, 4, n);
	s.end_ns = 1000;
	e->ops->span(e, &s);
}

static void full_disk(void **state)
{
	struct st_export_config cfg = {.out_fd = open("/dev/full", O_WRONLY), .width = 80};
	struct st_exporter e = {.ops = &st_export_tree, .spec = "tree"};
	struct st_export_stats st;

	(void)state;
	assert_true(cfg.out_fd >= 0);
	assert_int_equal(e.ops->open(&e, NULL, &cfg), 0);
	for (uint32_t i = 0; i < 10; i++) {
		give(&e, i);
		e.ops->tick(&e, MONO_NS + i);
	}
	e.ops->flush(&e, 0);
	e.ops->stats(&e, &st);
	assert_int_equal(st.spans, 10);
	assert_int_equal(st.failed, 10);
	e.ops->close(&e);
	close(cfg.out_fd);
}

/* A pipe that nobody reads: no blocking, bounded memory, all of it said. */
static void stuck_pipe(void **state)
{
	static char got[4 << 20];
	struct st_exporter e = {.ops = &st_export_tree, .spec = "tree"};
	struct st_export_config cfg = {.width = 80};
	struct st_export_stats st;
	size_t len = 0, lines = 0;
	char said[64];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	cfg.out_fd = fds[1];
	assert_int_equal(e.ops->open(&e, "ascii", &cfg), 0);
	for (uint32_t i = 0; i < 20000; i++) {
		give(&e, i);
		if (i % 100 == 0)
			e.ops->tick(&e, MONO_NS + i);
	}
	e.ops->stats(&e, &st);
	assert_int_equal(st.spans, 20000);
	assert_true(st.queue_full > 1000);
	assert_int_equal(e.ops->room(&e), 0);
	assert_int_equal(st.exported + st.queue_full + st.queued, 20000);
	/* Its descriptor must not have become non-blocking for those who share it. */
	assert_false(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 200; i++) {
		ssize_t n = read(fds[0], got + len, sizeof(got) - 1 - len);

		len += n > 0 ? (size_t)n : 0;
		e.ops->tick(&e, MONO_NS + 100000);
	}
	give(&e, 20000);
	e.ops->flush(&e, UINT64_MAX);
	e.ops->stats(&e, &st);
	assert_int_equal(st.exported + st.queue_full, 20001);
	assert_true(e.ops->room(&e) > 100);
	len += (size_t)read(fds[0], got + len, sizeof(got) - 1 - len);
	got[len] = '\0';
	for (char *p = got; (p = strstr(p, "  GET /")); p++)
		lines++;
	assert_int_equal(lines, st.exported);
	snprintf(said, sizeof(said), "... %s not shown",
		 st_term__count((char[28]){0}, st.queue_full));
	assert_non_null(strstr(got, said));
	e.ops->close(&e);
	close(fds[0]);
	close(fds[1]);
}

static void bad_words(void **state)
{
	struct st_exporter e = {.ops = &st_export_tree, .spec = "tree:x"};
	struct st_export_config cfg = {.out_fd = 1};

	(void)state;
	assert_int_equal(e.ops->open(&e, "colour", &cfg), -EINVAL);
	assert_int_equal(e.ops->open(&e, "lines=", &cfg), -EINVAL);
	assert_null(e.priv);
}

/* ---- traces that wait: bounds ---- */

static uint64_t shown_rows, shown_part;

static void count_rows(void *arg, const struct st_row **rows, uint32_t cnt, const uint8_t *trace_id,
		       enum st_trace_why why)
{
	(void)arg;
	(void)rows;
	(void)trace_id;
	shown_rows += cnt;
	shown_part += why == ST_TRACE_PART;
}

static void flood(void **state)
{
	struct st_traces *t = st_traces__new(count_rows, NULL, true);
	struct st_span s = {.kind = ST_KIND_CLIENT, .has_parent = true, .name = ST_STR("GET")};
	uint64_t n = 0, seed = 1;

	(void)state;
	assert_non_null(t);
	shown_rows = shown_part = 0;
	/* Calls whose parent never ends: more traces, rows, and rows in a trace than fit. */
	for (; n < 200000; n++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		put_be(s.trace_id, 8, seed >> 33 & (n < 100000 ? 0xffff : 15));
		put_be(s.span_id, 8, n + 1);
		put_be(s.parent_id, 8, n % 7 ? n : UINT64_MAX);
		st_traces__add(t, &s);
		if (n % 1000 == 0)
			st_traces__tick(t, n);
		assert_int_equal(shown_rows + st_traces__waiting(t), n + 1);
	}
	assert_true(shown_part > 0);
	st_traces__flush(t);
	assert_int_equal(st_traces__waiting(t), 0);
	assert_int_equal(shown_rows, n);
	assert_true(st_traces__tick(t, n) == UINT64_MAX);
	st_traces__free(t);
	st_traces__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations), cmocka_unit_test(clean),
		cmocka_unit_test(fitting),   cmocka_unit_test(counts),
		cmocka_unit_test(quantiles), cmocka_unit_test(order),
		cmocka_unit_test(full_disk), cmocka_unit_test(stuck_pipe),
		cmocka_unit_test(bad_words), cmocka_unit_test(flood),
		cmocka_unit_test(vectors),
	};

	setenv("TZ", "UTC0", 1);
	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
