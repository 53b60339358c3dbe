/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ui/waterfall.h"

#include <stdio.h>
#include <time.h>

#include "ui/order.h"
#include "ui/term.h"

/* "HH:MM:SS.mmm" and two spaces. */
#define TIME_COLS  14
/* Columns of a headline that are not name and notes: time, status, duration, id, gaps. */
#define HEAD_FIXED (TIME_COLS + 3 + 2 + ST_TERM_DURATION_COLS + 2 + 2 + 2 + 8)
/* Deeper rows are not indented more. */
#define INDENT_MAX 8
/* Fewer columns of a text that is cut tell nothing. */
#define STUMP_COLS 8
#define TEXT_SZ	   512

#define SGR_DIM	   "2"
#define SGR_BOLD   "1"
#define SGR_RED	   "31"
#define SGR_GREEN  "32"
#define SGR_YELLOW "33"
#define SGR_BLUE   "34"
#define SGR_CYAN   "36"

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void spaces(struct st_buf *out, uint32_t n)
{
	uint8_t *to = st_buf__room(out, n);

	if (!to)
		return;
	memset(to, ' ', n);
	out->len += n;
}

static void paint(struct st_buf *out, const struct st_view *v, const char *sgr, const char *text)
{
	if (v->colour && sgr && *text)
		st_buf__printf(out, "\033[%sm%s\033[0m", sgr, text);
	else
		st_buf__puts(out, text);
}

/* Text in a field of that many columns: left or right. */
static void field(struct st_buf *out, const struct st_view *v, const char *sgr, const char *text,
		  uint32_t cols, bool right)
{
	uint32_t pad = cols - least(st_term__cols(text), cols);

	if (right)
		spaces(out, pad);
	paint(out, v, sgr, text);
	if (!right)
		spaces(out, pad);
}

static void put_time(struct st_buf *out, const struct st_view *v, uint64_t ns)
{
	time_t s = (time_t)(ns / 1000000000);
	unsigned ms = (unsigned)(ns / 1000000 % 1000);
	struct tm tm;
	char text[40];

	if (!localtime_r(&s, &tm))
		memset(&tm, 0, sizeof(tm));
	snprintf(text, sizeof(text), "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min, tm.tm_sec, ms);
	paint(out, v, SGR_DIM, text);
	spaces(out, 2);
}

static const char *code_sgr(const struct st_row *r)
{
	if (r->error || r->code >= 500)
		return SGR_RED;
	return r->code >= 400 ? SGR_YELLOW : r->code >= 300 ? SGR_CYAN : SGR_GREEN;
}

static void put_code(struct st_buf *out, const struct st_view *v, const struct st_row *r)
{
	char text[8] = "-";

	if (r->code)
		snprintf(text, sizeof(text), "%u", r->code);
	field(out, v, r->code ? code_sgr(r) : SGR_DIM, text, 3, false);
}

static void put_duration(struct st_buf *out, const struct st_view *v, const char *sgr, uint64_t ns)
{
	char text[ST_TERM_DURATION_SZ];

	st_term__duration(text, ns, v->utf8);
	field(out, v, sgr, text, ST_TERM_DURATION_COLS, true);
}

/* Pieces joined by two spaces. */
static void piece(char *text, const char *a, const char *b)
{
	size_t len = strlen(text);

	if (*a || *b)
		snprintf(text + len, TEXT_SZ - len, "%s%s%s", len ? "  " : "", a, b);
}

/* Without room for both, the type or the status says it alone. */
static void error_text(char *text, const struct st_row *r, bool brief)
{
	text[0] = '\0';
	if (r->error && !brief)
		piece(text, r->err[0] ? "error " : "error", r->err);
	else if (r->error && !r->err[0] && r->code < 400)
		piece(text, "error", "");
	else
		piece(text, r->err, "");
	if (r->incomplete)
		piece(text, "incomplete", "");
}

static bool calls_out(const struct st_row *r)
{
	return r->kind == ST_KIND_CLIENT || r->kind == ST_KIND_PRODUCER;
}

static uint32_t behind(const char *text)
{
	return *text ? 2 + st_term__cols(text) : 0;
}

/* Of who called, or to whom the call goes. */
static const char *arrow(const struct st_view *v, const struct st_row *r)
{
	if (calls_out(r))
		return v->utf8 ? "\xe2\x86\x92 " : "-> ";
	return v->utf8 ? "\xe2\x86\x90 " : "<- ";
}

/* What a line of its own says behind the name: service, peer, evidence, note. */
static void single_text(char *text, const struct st_view *v, const struct st_row *r,
			const char *service, const char *peer, const char *note)
{
	size_t len;

	text[0] = '\0';
	piece(text, service, "");
	len = strlen(text);
	if (peer[0])
		snprintf(text + len, TEXT_SZ - len, "%s%s%s", len ? " " : "", arrow(v, r), peer);
	piece(text, r->evidence, "");
	piece(text, note ? note : "", "");
}

struct head {
	uint32_t name, tail, err; /* columns of each field */
};

static uint32_t name_cols(uint32_t total)
{
	return total / 2 + 1;
}

/*
 * Shares out what a headline has for texts. The name's field has the same width in most lines, so
 * that what follows stands in columns; a long tail takes what a short name leaves, and errors come
 * before both.
 */
static struct head share(uint32_t total, uint32_t name, uint32_t tail, uint32_t err)
{
	struct head h = {.name = name_cols(total)};
	uint32_t rest, least_tail;

	if (err)
		h.err = least(err, total - 2 - least(name, 16));
	rest = total - (h.err ? h.err + 2 : 0);
	least_tail = err || rest < 3 * STUMP_COLS ? 0 : least(tail, rest * 2 / 5);
	if (name + tail > rest)
		h.name = least(name, rest - least_tail);
	else
		h.name = least(most(h.name, name), rest - tail);
	h.tail = rest - h.name;
	if (h.tail < least(tail, STUMP_COLS))
		h = (struct head){.name = total - h.err, .err = h.err};
	return h;
}

/* The same for a call when there is no room for all: who begins so, and a port that ends so. */
static void call_text(char *text, const struct st_view *v, const struct st_row *r, const char *note,
		      uint32_t cols)
{
	uint32_t between = 1 + st_term__cols(arrow(v, r)), service = st_term__cols(r->service);
	uint32_t peer = st_term__cols(r->peer), room = cols - least(cols, between);
	char who[TEXT_SZ], whom[TEXT_SZ];

	service = least(service, most(room - least(room, peer), room * 2 / 5));
	st_term__fit_end(who, sizeof(who), r->service, service, v->utf8);
	st_term__fit(whom, sizeof(whom), r->peer, room - service, v->utf8);
	single_text(text, v, r, who, whom, note);
}

/* What is compared between lines has its place before what is as long as it likes. */
static void put_numbers(struct st_buf *out, const struct st_view *v, const struct st_row *r,
			uint64_t took_ns)
{
	put_time(out, v, r->start_ns);
	put_code(out, v, r);
	spaces(out, 2);
	put_duration(out, v, NULL, took_ns);
	spaces(out, 2);
}

static void put_id(struct st_buf *out, const struct st_view *v, const uint8_t *trace_id)
{
	char text[16];

	snprintf(text, sizeof(text), "  %02x%02x%02x%02x", trace_id[0], trace_id[1], trace_id[2],
		 trace_id[3]);
	paint(out, v, SGR_DIM, text);
	st_buf__putc(out, '\n');
}

/* For a single span `spans` is 1, else how many stand below. */
static void headline(struct st_buf *out, const struct st_view *v, const struct st_row *r,
		     uint32_t spans, const char *note, uint64_t took_ns, const uint8_t *trace_id)
{
	char err[TEXT_SZ], cut[TEXT_SZ], tail[TEXT_SZ] = "";
	uint32_t total = (uint32_t)v->width - HEAD_FIXED;
	struct head h;

	if (spans > 1) {
		snprintf(tail, sizeof(tail), "%u spans", spans);
		piece(tail, note ? note : "", "");
	} else {
		single_text(tail, v, r, r->service, r->peer, note);
	}
	error_text(err, r, false);
	if (most(st_term__cols(r->name), name_cols(total)) + behind(tail) + behind(err) > total + 2)
		error_text(err, r, true);
	h = share(total, st_term__cols(r->name), st_term__cols(tail), st_term__cols(err));
	put_numbers(out, v, r, took_ns);
	st_term__fit(cut, sizeof(cut), r->name, h.name, v->utf8);
	field(out, v, SGR_BOLD, cut, h.name, false);
	spaces(out, 2);
	if (spans == 1 && calls_out(r) && r->peer[0] && st_term__cols(tail) > h.tail)
		call_text(tail, v, r, note, h.tail);
	st_term__fit_end(cut, sizeof(cut), tail, h.tail, v->utf8);
	field(out, v, NULL, cut, h.tail, false);
	if (h.err) {
		spaces(out, h.tail ? 2 : 0);
		st_term__fit_end(cut, sizeof(cut), err, h.err, v->utf8);
		paint(out, v, r->error ? SGR_RED : SGR_YELLOW, cut);
	}
	put_id(out, v, trace_id);
}

/* ---- the rows below a headline ---- */

struct layout {
	uint64_t from_ns, to_ns;
	uint32_t service, text, bar; /* columns of the fields */
};

static uint32_t indent(uint32_t depth)
{
	return 2 + 2 * least(depth, INDENT_MAX);
}

/* What must stand behind the name. Codes below 400 say nothing that the headline does not. */
static void must_text(char *text, const struct st_row *r, bool brief)
{
	char err[TEXT_SZ], code[8] = "";

	text[0] = '\0';
	error_text(err, r, brief);
	if (r->code >= 400)
		snprintf(code, sizeof(code), "%u", r->code);
	piece(text, code, "");
	piece(text, err, "");
}

/* What may follow when there is room. */
static void peer_text(char *text, const struct st_view *v, const struct st_row *r)
{
	text[0] = '\0';
	if (calls_out(r) && r->peer[0])
		piece(text, arrow(v, r), r->peer);
}

static uint32_t row_text_cols(const struct st_view *v, const struct st_row *r)
{
	char must[TEXT_SZ], peer[TEXT_SZ];

	must_text(must, r, false);
	peer_text(peer, v, r);
	return st_term__cols(r->name) + behind(must) + behind(r->evidence) + behind(peer);
}

static void make_layout(struct layout *l, const struct st_view *v, const struct st_order *o,
			const struct st_row *const *rows)
{
	uint32_t width = (uint32_t)v->width, rest, want = 0;

	*l = (struct layout){.from_ns = UINT64_MAX};
	for (uint32_t i = 0; i < o->cnt; i++) {
		const struct st_row *r = rows[o->at[i]];

		l->service = most(l->service, indent(o->depth[i]) + st_term__cols(r->service));
		want = most(want, row_text_cols(v, r));
		l->from_ns = r->start_ns < l->from_ns ? r->start_ns : l->from_ns;
		l->to_ns = r->end_ns > l->to_ns ? r->end_ns : l->to_ns;
	}
	l->service = least(l->service, width / 4);
	rest = width - l->service - 2 - 2 - 2 - ST_TERM_DURATION_COLS;
	l->text = least(want, rest - width / 5);
	l->bar = least(rest - l->text, width * 2 / 5);
	l->text = rest - l->bar;
}

/* The part of a row that covers eighths [a, b) of the cell that begins at eighth `cell`. */
static const char *block(uint32_t cell, uint32_t a, uint32_t b)
{
	static const char *const left[] = {" ",
					   "\xe2\x96\x8f",
					   "\xe2\x96\x8e",
					   "\xe2\x96\x8d",
					   "\xe2\x96\x8c",
					   "\xe2\x96\x8b",
					   "\xe2\x96\x8a",
					   "\xe2\x96\x89",
					   "\xe2\x96\x88"};

	/* Unicode has left parts in eighths; of right parts it has the half and the eighth. */
	if (a == cell || b < cell + 8)
		return left[b - a];
	if (b - a >= 6)
		return left[8];
	return b - a >= 3 ? "\xe2\x96\x90" : "\xe2\x96\x95";
}

static const char *ascii_block(uint32_t a, uint32_t b, uint32_t len)
{
	if (len < 8)
		return "|";
	return b - a >= 4 ? "=" : " ";
}

/* The eighth of a column at which that time stands. */
static uint32_t eighth(const struct layout *l, uint64_t ns)
{
	double part = (double)(ns - l->from_ns) / (double)(l->to_ns - l->from_ns);

	return (uint32_t)(part * 8 * l->bar + 0.5);
}

/*
 * Is the server not at work in this column of a call's bar, most of the time? That is the way there
 * and back, and what waited at either end. Not told apart where the bar is short, nor at its edges.
 */
static bool is_away(const struct layout *l, const struct st_row *served, uint32_t cell,
		    uint32_t len)
{
	if (!served || len < 4 * 8 || served->start_ns == served->end_ns)
		return false;
	return eighth(l, served->start_ns) > cell + 4 || eighth(l, served->end_ns) < cell + 4;
}

/* served: the server's side of a call, or NULL. */
static void put_bar(struct st_buf *out, const struct st_view *v, const struct layout *l,
		    const struct st_row *r, const struct st_row *served)
{
	uint32_t end = 8 * l->bar, a = 0, b = end;
	char text[4 * ST_VIEW_WIDTH_MAX] = "";
	size_t len = 0;

	if (l->to_ns > l->from_ns) {
		a = least(eighth(l, r->start_ns), end - 1);
		b = most(least(eighth(l, r->end_ns), end), a + 1);
	}
	/* A bar shorter than a column does not straddle two. */
	if (b - a < 8 && a / 8 != (b - 1) / 8)
		a = b - 1 - (b - 1) % 8;
	for (uint32_t cell = 0; cell < end; cell += 8) {
		uint32_t from = most(a, cell), to = least(b, cell + 8);
		const char *c = from >= to ? " "
				: v->utf8  ? block(cell, from, to)
					   : ascii_block(from, to, b - a);

		if (to - from == 8 && from < to && is_away(l, served, cell, b - a))
			c = v->utf8 ? "\xe2\x96\x91" : "-";

		memcpy(text + len, c, strlen(c) + 1);
		len += strlen(c);
	}
	paint(out, v, r->error ? SGR_RED : calls_out(r) ? SGR_CYAN : SGR_BLUE, text);
}

/* A letter for each word of spantap.parent.evidence; ' ' for what is none of them. */
static char evidence_letter(const char *word)
{
	static const struct {
		const char *word;
		char letter;
	} letters[] = {{"header", 'h'},	    {"seq", 's'},	{"option", 'o'},
		       {"request_id", 'r'}, {"goroutine", 'g'}, {"task", 'a'},
		       {"thread", 't'},	    {"group", 'p'},	{"pool", 'w'}};

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (!strcmp(word, letters[i].word))
			return letters[i].letter;
	return ' ';
}

/* A piece behind what has `used` of `cols` columns; not when only a stump of it would stand. */
static uint32_t put_piece(struct st_buf *out, const struct st_view *v, const char *sgr,
			  const char *text, uint32_t used, uint32_t cols)
{
	char cut[TEXT_SZ];
	uint32_t n = st_term__cols(text);

	if (!n || cols < used + 2 + least(n, STUMP_COLS))
		return used;
	spaces(out, 2);
	n = st_term__fit_end(cut, sizeof(cut), text, cols - used - 2, v->utf8);
	paint(out, v, sgr, cut);
	return used + 2 + n;
}

/* Why the span stands where it does; where there is no room for the word, its letter. */
static uint32_t put_evidence(struct st_buf *out, const struct st_view *v, const struct st_row *r,
			     uint32_t used, uint32_t cols)
{
	char letter[2] = {evidence_letter(r->evidence), '\0'};
	bool fits = cols >= used + 2 + st_term__cols(r->evidence);

	return put_piece(out, v, SGR_DIM, fits ? r->evidence : letter, used, cols);
}

static void put_row_text(struct st_buf *out, const struct st_view *v, const struct layout *l,
			 const struct st_row *r, bool blamed)
{
	char must[TEXT_SZ], peer[TEXT_SZ], cut[TEXT_SZ];
	uint32_t cols, name = st_term__cols(r->name);

	peer_text(peer, v, r);
	must_text(must, r, false);
	if (name + behind(must) > l->text)
		must_text(must, r, true);
	/* The name is cut to no less than half. */
	if (name + behind(must) > l->text)
		name = least(name, most(l->text / 2, l->text - least(behind(must), l->text)));
	cols = st_term__fit(cut, sizeof(cut), r->name, name, v->utf8);
	st_buf__puts(out, cut);
	cols = put_piece(out, v, r->error ? SGR_RED : SGR_YELLOW, must, cols, l->text);
	if (blamed)
		cols = put_piece(out, v, SGR_RED, v->utf8 ? "\xe2\x97\x80" : "<=", cols, l->text);
	cols = put_evidence(out, v, r, cols, l->text);
	cols = put_piece(out, v, SGR_DIM, peer, cols, l->text);
	spaces(out, l->text - least(cols, l->text));
}

/* A line's row and what others say of it. */
struct line {
	const struct st_row *row;
	const struct st_row *served; /* of a call: its server's side */
	uint32_t depth;
	bool blamed; /* the deepest one that failed below a root that did */
};

static void put_row(struct st_buf *out, const struct st_view *v, const struct layout *l,
		    const struct line *line)
{
	const struct st_row *r = line->row;
	uint32_t depth = line->depth;
	char cut[TEXT_SZ];
	uint32_t left = least(indent(depth), l->service);

	spaces(out, left);
	st_term__fit_end(cut, sizeof(cut), r->service, l->service - left, v->utf8);
	field(out, v, NULL, cut, l->service - left, false);
	spaces(out, 2);
	put_row_text(out, v, l, r, line->blamed);
	spaces(out, 2);
	put_bar(out, v, l, r, line->served);
	spaces(out, 2);
	put_duration(out, v, NULL, r->end_ns - r->start_ns);
	st_buf__putc(out, '\n');
}

/* The row without a parent; else the first without one among the rows, which rows[0] is. */
static const struct st_row *root_of(const struct st_row *const *rows, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (!rows[i]->has_parent)
			return rows[i];
	return NULL;
}

uint64_t st_waterfall__took(const struct st_row *const *rows, uint32_t cnt)
{
	const struct st_row *root = root_of(rows, cnt);
	uint64_t from = UINT64_MAX, to = 0;

	if (root)
		return root->end_ns - root->start_ns;
	for (uint32_t i = 0; i < cnt; i++) {
		from = rows[i]->start_ns < from ? rows[i]->start_ns : from;
		to = rows[i]->end_ns > to ? rows[i]->end_ns : to;
	}
	return cnt ? to - from : 0;
}

/* The one span of a server that a call has below it. */
static const struct st_row *served_by(const struct st_row *const *rows, uint32_t cnt,
				      const struct st_row *call)
{
	const struct st_row *found = NULL;

	for (uint32_t i = 0; calls_out(call) && i < cnt; i++) {
		if (!rows[i]->has_parent || rows[i]->kind != ST_KIND_SERVER ||
		    memcmp(rows[i]->parent_id, call->span_id, sizeof(call->span_id)))
			continue;
		if (found)
			return NULL;
		found = rows[i];
	}
	return found;
}

/* Where it went wrong: the line of the deepest span that failed, if the root did; else none. */
static uint32_t blamed_line(const struct st_order *o, const struct st_row *const *rows)
{
	uint32_t at = 0;

	if (!o->cnt || !rows[o->at[0]]->error)
		return UINT32_MAX;
	for (uint32_t i = 1; i < o->cnt && o->depth[i]; i++)
		if (rows[o->at[i]]->error && o->depth[i] > o->depth[at])
			at = i;
	return at ? at : UINT32_MAX;
}

uint32_t st_waterfall__print(struct st_buf *out, const struct st_view *v,
			     const struct st_row **rows, uint32_t cnt, const uint8_t *trace_id,
			     const char *note)
{
	uint64_t took_ns = st_waterfall__took(rows, cnt);
	const struct st_row *head;
	struct st_order o;
	struct layout l;
	uint32_t blamed;

	if (cnt <= 1) {
		if (cnt)
			headline(out, v, rows[0], 1, note, took_ns, trace_id);
		return cnt;
	}
	st_order__make(&o, rows, cnt);
	head = root_of(rows, cnt);
	head = head ? head : rows[o.at[0]];
	headline(out, v, head, o.cnt, note, took_ns, trace_id);
	make_layout(&l, v, &o, rows);
	blamed = blamed_line(&o, rows);
	for (uint32_t i = 0; i < o.cnt; i++) {
		const struct line line = {.row = rows[o.at[i]],
					  .served = served_by(rows, cnt, rows[o.at[i]]),
					  .depth = o.depth[i],
					  .blamed = i == blamed};

		put_row(out, v, &l, &line);
	}
	return 1 + o.cnt;
}
