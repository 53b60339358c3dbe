/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The live view: each trace as a waterfall when it is complete. On a terminal no more lines a
 * second are printed than somebody can follow; what is left out is summed up in a line.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "export/export.h"
#include "lib/log.h"
#include "lib/units.h"
#include "ui/outq.h"
#include "ui/quantile.h"
#include "ui/term.h"
#include "ui/traces.h"

#define SECOND_NS      1000000000ull
/* Lines a second on a terminal; traces with errors may take a quarter more. */
#define LINES_A_SECOND 200
/* Between attempts to write to what stands still. */
#define RETRY_NS       5000000ull
/* Text on its way out, and of one trace: the largest has some 130 lines of at most 1.5 KiB. */
#define OUT_MAX	       (512u << 10)
#define TRACE_MAX      (256u << 10)
/* Text of a span, at most: 240 columns, of which those of a bar have three bytes each. */
#define SPAN_MAX       1536u

struct tree {
	struct st_traces *traces;
	struct st_outq out;
	struct st_buf text; /* of the trace that is being printed */
	struct st_view view;
	const struct st_export_config *cfg;
	uint64_t now_ns;    /* of the last tick */
	uint64_t window_ns; /* when the running second began; 0: it did not */
	uint32_t limit;	    /* lines a second; 0: any number */
	uint32_t lines;	    /* printed in the running second */
	bool said_error;
	/* left out in the running second */
	struct st_quantile skipped;
	uint64_t skipped_errors;
	uint64_t stuck; /* traces dropped since the last word about it */
	/* spans */
	uint64_t seen, shown, dropped, failed;
	uint64_t unwritten; /* whose text is in `out` */
};

static bool has_error(const struct st_row *const *rows, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (rows[i]->error)
			return true;
	return false;
}

static void push(struct tree *t)
{
	size_t left = st_outq__push(&t->out);

	if (t->out.err) {
		t->failed += t->unwritten;
		t->unwritten = 0;
	} else if (!left) {
		t->shown += t->unwritten;
		t->unwritten = 0;
	}
	if (t->out.err && !t->said_error) {
		t->said_error = true;
		st_error("tree: cannot write to the output: %s; traces are no longer shown%s",
			 strerror(t->out.err), t->out.err == EPIPE ? "" : ", tracing goes on");
	}
}

/* Moves the text into the queue. Returns whether it went. */
static bool put_text(struct tree *t, uint32_t spans)
{
	bool ok = !t->text.failed && st_outq__put(&t->out, t->text.p, t->text.len);

	/* Many traces may be due at once: what goes out now makes room. */
	if (!ok && !t->text.failed) {
		push(t);
		ok = st_outq__put(&t->out, t->text.p, t->text.len);
	}
	st_buf__reset(&t->text);
	if (ok)
		t->unwritten += spans;
	return ok;
}

static void say_stuck(struct tree *t)
{
	char count[28];

	if (!t->stuck)
		return;
	st_buf__printf(&t->text, "... %s not shown: the output did not keep up\n",
		       st_term__count(count, t->stuck));
	if (put_text(t, 0))
		t->stuck = 0;
}

/* Returns whether that many more lines are wanted in this second. */
static bool within_limit(struct tree *t, uint32_t lines, bool error)
{
	uint32_t limit = t->limit + (error ? t->limit / 4 : 0);

	if (!t->limit)
		return true;
	/* The first trace of a second is shown whatever its size. */
	return !t->lines || t->lines + lines <= limit;
}

static void skip(struct tree *t, const struct st_row *const *rows, uint32_t cnt, bool error)
{
	st_quantile__add(&t->skipped, st_waterfall__took(rows, cnt));
	t->skipped_errors += error;
	t->shown += cnt;
}

static void fit_width(struct tree *t)
{
	int width = t->cfg->width ? t->cfg->width : st_term__width(t->cfg->out_fd);

	if (width < ST_VIEW_WIDTH_MIN)
		width = ST_VIEW_WIDTH_MIN;
	t->view.width = width > ST_VIEW_WIDTH_MAX ? ST_VIEW_WIDTH_MAX : width;
}

/* now_ns may be of long ago: then the second is over at the next tick, and a new one begins. */
static void begin_window(struct tree *t)
{
	t->window_ns = t->now_ns ? t->now_ns : 1;
	fit_width(t);
}

static void show(void *arg, const struct st_row **rows, uint32_t cnt, const uint8_t *trace_id,
		 enum st_trace_why why)
{
	static const char *const notes[] = {
		[ST_TRACE_COMPLETE] = NULL, [ST_TRACE_PART] = "part", [ST_TRACE_LATE] = "late"};
	bool error = has_error(rows, cnt);
	struct tree *t = arg;

	if (!t->window_ns)
		begin_window(t);
	if (t->out.err) {
		t->failed += cnt;
		return;
	}
	if (!within_limit(t, cnt > 1 ? cnt + 1 : 1, error)) {
		skip(t, rows, cnt, error);
		return;
	}
	say_stuck(t);
	t->lines += st_waterfall__print(&t->text, &t->view, rows, cnt, trace_id, notes[why]);
	if (put_text(t, cnt))
		return;
	t->dropped += cnt;
	t->stuck++;
}

/* "... 1,234 more (p50 1.2 ms, p99 8.0 ms, 3 errors)" */
static void say_skipped(struct tree *t)
{
	char p50[ST_TERM_DURATION_SZ], p99[ST_TERM_DURATION_SZ], more[28], errors[28];

	if (!t->skipped.cnt)
		return;
	st_term__duration_rough(p50, st_quantile__get(&t->skipped, 0.5), t->view.utf8);
	st_term__duration_rough(p99, st_quantile__get(&t->skipped, 0.99), t->view.utf8);
	st_buf__printf(&t->text, "... %s more (p50 %s, p99 %s, %s error%s)\n",
		       st_term__count(more, t->skipped.cnt), p50, p99,
		       st_term__count(errors, t->skipped_errors),
		       t->skipped_errors == 1 ? "" : "s");
	/* Kept for the next second when it does not go out now. */
	if (!put_text(t, 0) && !t->out.err)
		return;
	st_quantile__reset(&t->skipped);
	t->skipped_errors = 0;
}

static void end_window(struct tree *t)
{
	say_skipped(t);
	t->lines = 0;
	t->window_ns = 0;
}

static uint64_t tree_tick(struct st_exporter *e, uint64_t now_ns)
{
	struct tree *t = e->priv;
	uint64_t next, again;

	t->now_ns = now_ns;
	if (t->window_ns && now_ns - t->window_ns >= SECOND_NS)
		end_window(t);
	next = st_traces__tick(t->traces, now_ns);
	push(t);
	if (t->window_ns && t->skipped.cnt) {
		again = t->window_ns + SECOND_NS;
		next = again < next ? again : next;
	}
	if (t->unwritten || t->out.buf.len) {
		again = now_ns + RETRY_NS;
		next = again < next ? again : next;
	}
	return next;
}

static void tree_span(struct st_exporter *e, const struct st_span *s)
{
	struct tree *t = e->priv;

	t->seen++;
	st_traces__add(t->traces, s);
}

static void tree_flush(struct st_exporter *e, uint64_t deadline_ns)
{
	struct tree *t = e->priv;
	uint64_t now;

	st_traces__flush(t->traces);
	end_window(t);
	say_stuck(t);
	for (push(t); t->out.buf.len && !t->out.err; push(t)) {
		now = st_export__now_ns();
		if (now >= deadline_ns)
			break;
		st_outq__wait(&t->out, (int)((deadline_ns - now) / 1000000 % 1000) + 1);
	}
}

static void tree_stats(const struct st_exporter *e, struct st_export_stats *out)
{
	const struct tree *t = e->priv;

	*out = (struct st_export_stats){
		.spans = t->seen,
		.exported = t->shown,
		.queue_full = t->dropped,
		.failed = t->failed,
		.queued = st_traces__waiting(t->traces) + t->unwritten,
		.bytes = t->out.bytes,
	};
}

/* What waits, and what the next tick prints of it, must fit. */
static uint32_t tree_room(const struct st_exporter *e)
{
	const struct tree *t = e->priv;
	size_t used = t->out.buf.len - t->out.written + TRACE_MAX;

	return used < OUT_MAX ? (uint32_t)(OUT_MAX - used) / SPAN_MAX : 0;
}

static bool tree_gone(const struct st_exporter *e)
{
	const struct tree *t = e->priv;

	return t->out.err == EPIPE;
}

static void tree_close(struct st_exporter *e)
{
	struct tree *t = e->priv;

	if (!t)
		return;
	st_traces__free(t->traces);
	st_outq__free(&t->out);
	st_buf__free(&t->text);
	free(t);
	e->priv = NULL;
}

static int set_word(struct tree *t, struct st_str word)
{
	uint64_t n;

	if (st_str_eq(word, ST_STR("ascii")) || st_str_eq(word, ST_STR("utf8"))) {
		t->view.utf8 = word.len == 4;
		return 0;
	}
	if (word.len > 6 && !memcmp(word.p, "lines=", 6) &&
	    !st_units__uint(st_str(word.p + 6, word.len - 6), 1000000, &n)) {
		t->limit = (uint32_t)n;
		return 0;
	}
	st_error("-o tree:%.*s: unknown; use ascii, utf8 or lines=N (a second; 0: all), joined by "
		 "commas",
		 (int)word.len, word.p);
	return -EINVAL;
}

static int set_words(struct tree *t, const char *arg)
{
	while (arg && *arg) {
		size_t len = strcspn(arg, ",");
		int err = set_word(t, st_str(arg, len));

		if (err)
			return err;
		arg += len + (arg[len] == ',');
	}
	return 0;
}

static int tree_open(struct st_exporter *e, const char *arg, const struct st_export_config *cfg)
{
	struct tree *t = calloc(1, sizeof(*t));
	int err;

	if (!t) {
		st_error("tree: no memory");
		return -ENOMEM;
	}
	t->cfg = cfg;
	t->view.utf8 = st_term__utf8_locale();
	t->view.colour = cfg->colour;
	t->limit = isatty(cfg->out_fd) ? LINES_A_SECOND : 0;
	err = set_words(t, arg);
	if (err) {
		free(t);
		return err;
	}
	tzset();
	t->text = st_buf__init(TRACE_MAX);
	st_outq__init(&t->out, cfg->out_fd, OUT_MAX);
	t->traces = st_traces__new(show, t, t->view.utf8);
	e->priv = t;
	if (t->traces)
		return 0;
	st_error("tree: no memory for the traces that wait");
	st_outq__free(&t->out);
	free(t);
	e->priv = NULL;
	return -ENOMEM;
}

extern const struct st_exporter_ops st_export_tree;
const struct st_exporter_ops st_export_tree = {
	.name = "tree",
	.usage = "tree",
	.help = "waterfalls on this terminal",
	.open = tree_open,
	.span = tree_span,
	.tick = tree_tick,
	.flush = tree_flush,
	.stats = tree_stats,
	.room = tree_room,
	.gone = tree_gone,
	.close = tree_close,
};
