/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "core/filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/filter_prog.h"
#include "lib/units.h"

struct parser {
	struct st_filter *f;
	const char *expr; /* as given, for columns */
	char *p; /* the next character in f->text; texts are unescaped in place behind it */
	uint32_t deep;
	char *err;
	size_t err_sz;
	bool failed;
};

static uint32_t column(const struct parser *ps, const char *at)
{
	const char *end = ps->expr + (at - ps->f->text);
	uint32_t n = 1;

	for (const char *p = ps->expr; p < end; p++)
		n += (*p & 0xc0) != 0x80;
	return n;
}

/* The first failure is said; all after it follow from it. */
static bool fail(struct parser *ps, const char *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(struct parser *ps, const char *at, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (ps->failed)
		return false;
	ps->failed = true;
	n = snprintf(ps->err, ps->err_sz, "column %u: ", column(ps, at));
	if (n < 0 || (size_t)n >= ps->err_sz)
		return false;
	va_start(ap, fmt);
	vsnprintf(ps->err + n, ps->err_sz - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

static bool emit(struct parser *ps, enum st_filter_insn insn, uint32_t arg)
{
	struct st_filter *f = ps->f;

	if (f->code_cnt == ST_FILTER_CODE_MAX)
		return fail(ps, ps->p, "too long; use fewer conditions");
	f->code[f->code_cnt].insn = (uint8_t)insn;
	f->code[f->code_cnt++].arg = (uint16_t)arg;
	return true;
}

static void blanks(struct parser *ps)
{
	ps->p += strspn(ps->p, " \t\r\n");
}

static bool take(struct parser *ps, const char *sign)
{
	size_t n = strlen(sign);

	blanks(ps);
	if (strncmp(ps->p, sign, n))
		return false;
	ps->p += n;
	return true;
}

/* ---- names and values ---- */

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/"

static enum st_filter_field field_of(struct st_str name)
{
	static const struct {
		struct st_str name;
		enum st_filter_field field;
	} fields[] = {
		{{"duration", 8}, ST_FF_DURATION}, {{"status", 6}, ST_FF_STATUS},
		{{"name", 4}, ST_FF_NAME},	   {{"kind", 4}, ST_FF_KIND},
		{{"service", 7}, ST_FF_SERVICE},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (st_str_eq(name, fields[i].name))
			return fields[i].field;
	return ST_FF_ATTR;
}

/* A text in quotes; the copy of the expression is where it is unescaped. */
static bool quoted(struct parser *ps, struct st_str *out)
{
	char *open = ps->p, quote = *ps->p++, *to = ps->p;

	out->p = to;
	for (; *ps->p != quote; ps->p++) {
		if (*ps->p == '\\' && ps->p[1])
			ps->p++;
		if (!*ps->p)
			return fail(ps, open, "the quote %c is not closed", quote);
		*to++ = *ps->p;
	}
	ps->p++;
	out->len = (uint32_t)(to - out->p);
	return true;
}

static void number(struct st_filter_term *t)
{
	uint64_t n;
	bool minus = t->text.len && t->text.p[0] == '-';
	struct st_str digits = st_str(t->text.p + minus, t->text.len - minus);

	if (!st_units__uint(digits, INT64_MAX, &n)) {
		t->lit = ST_FL_INT;
		t->i = minus ? -(int64_t)n : (int64_t)n;
		t->d = (double)t->i;
	} else if (!st_units__double(t->text, &t->d)) {
		t->lit = ST_FL_DOUBLE;
	}
}

static bool value(struct parser *ps, struct st_filter_term *t)
{
	size_t len;

	blanks(ps);
	if (*ps->p == '"' || *ps->p == '\'')
		return quoted(ps, &t->text);
	len = strcspn(ps->p, " \t\r\n()\"'&|!=<>");
	if (!len)
		return fail(ps, ps->p, "a value is missing; give one, with other signs in quotes");
	t->text = st_str(ps->p, len);
	number(t);
	ps->p += len;
	return true;
}

/* ---- fields that are no attributes ---- */

static bool word_of(struct parser *ps, struct st_filter_term *t, const char *at,
		    const char *const *words, int cnt, const char *cure)
{
	for (int i = 0; i < cnt; i++)
		if (words[i] && st_str_eq(t->text, st_str_of(words[i]))) {
			t->lit = ST_FL_INT;
			t->i = i;
			return true;
		}
	return fail(ps, at, "%s", cure);
}

static bool equality(const struct st_filter_term *t)
{
	return t->op == ST_FO_EQ || t->op == ST_FO_NE;
}

static bool status(struct parser *ps, struct st_filter_term *t, const char *at)
{
	static const char *const words[] = {"unset", "ok", "error"};

	if (!equality(t))
		return fail(ps, at, "status goes with == and != only");
	return word_of(ps, t, at, words, 3,
		       "status is unset, ok or error; HTTP's is http.response.status_code");
}

static bool kind(struct parser *ps, struct st_filter_term *t, const char *at)
{
	static const char *const words[] = {NULL,     "internal", "server",
					    "client", "producer", "consumer"};

	if (!equality(t))
		return fail(ps, at, "kind goes with == and != only");
	return word_of(ps, t, at, words, 6,
		       "kind is internal, server, client, producer or consumer");
}

static bool duration(struct parser *ps, struct st_filter_term *t, const char *at)
{
	uint64_t ns;

	if (t->op == ST_FO_GLOB)
		return fail(ps, at, "duration goes with == != < <= > >= only");
	if (st_units__duration(t->text, &ns))
		return fail(ps, at, "no duration; give a number and a unit, as in 50ms or 1.5s");
	t->lit = ST_FL_INT;
	t->i = (int64_t)ns;
	return true;
}

static bool check_field(struct parser *ps, struct st_filter_term *t, const char *at)
{
	if (t->op == ST_FO_PRESENT && t->field == ST_FF_ATTR)
		return true;
	if (t->op == ST_FO_PRESENT)
		return fail(ps, at, "%.*s is always there; compare it with something",
			    (int)t->name.len, t->name.p);
	switch ((enum st_filter_field)t->field) {
	case ST_FF_DURATION:
		return duration(ps, t, at);
	case ST_FF_STATUS:
		return status(ps, t, at);
	case ST_FF_KIND:
		return kind(ps, t, at);
	case ST_FF_NAME:
	case ST_FF_SERVICE:
	case ST_FF_ATTR:
		break;
	}
	return true;
}

/* ---- the grammar ---- */

static enum st_filter_op operator(struct parser *ps) {
	/* Longer ones first. */
	static const struct {const char * sign; enum st_filter_op op;}
ops[] = {{"==", ST_FO_EQ},   {"!=", ST_FO_NE}, {"<=", ST_FO_LE}, {">=", ST_FO_GE},
	 {"=~", ST_FO_GLOB}, {"<", ST_FO_LT},  {">", ST_FO_GT}};

for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
	if (take(ps, ops[i].sign))
		return ops[i].op;
return ST_FO_PRESENT;
}

static bool comparison(struct parser *ps)
{
	struct st_filter *f = ps->f;
	struct st_filter_term *t;
	const char *at;
	size_t len;

	blanks(ps);
	len = strspn(ps->p, NAME_CHARS);
	if (!len)
		return fail(ps, ps->p,
			    *ps->p ? "a name is expected here, as in duration > 50ms"
				   : "the end; a condition is missing");
	if (f->term_cnt == ST_FILTER_TERM_MAX)
		return fail(ps, ps->p, "more than %d conditions; use fewer", ST_FILTER_TERM_MAX);
	t = &f->terms[f->term_cnt];
	t->name = st_str(ps->p, len);
	t->field = (uint8_t)field_of(t->name);
	at = ps->p;
	ps->p += len;
	t->op = (uint8_t)operator(ps);
	blanks(ps);
	if (t->op == ST_FO_PRESENT && *ps->p == '=')
		return fail(ps, ps->p, "= alone means nothing; use == or =~");
	if (t->op != ST_FO_PRESENT)
		at = ps->p;
	if (t->op != ST_FO_PRESENT && !value(ps, t))
		return false;
	return check_field(ps, t, at) && emit(ps, ST_FI_TERM, f->term_cnt++);
}

static bool either(struct parser *ps);

static bool term(struct parser *ps)
{
	const char *open;
	bool ok;

	blanks(ps);
	open = ps->p;
	if (*open != '!' && *open != '(')
		return comparison(ps);
	if (++ps->deep > ST_FILTER_DEEP_MAX)
		return fail(ps, open, "more than %d parentheses deep", ST_FILTER_DEEP_MAX);
	ps->p++;
	if (*open == '!') {
		ok = term(ps) && emit(ps, ST_FI_NOT, 0);
	} else {
		ok = either(ps);
		if (ok && !take(ps, ")"))
			ok = fail(ps, ps->p, "a ) is missing for the ( of column %u",
				  column(ps, open));
	}
	ps->deep--;
	return ok;
}

/* A chain of one sign: each jump, once its result is known, goes behind the chain. */
static bool chain(struct parser *ps, const char *sign, enum st_filter_insn jump,
		  bool (*part)(struct parser *ps))
{
	struct st_filter *f = ps->f;
	uint32_t jumps[ST_FILTER_TERM_MAX], cnt = 0;

	if (!part(ps))
		return false;
	while (take(ps, sign)) {
		if (cnt == ST_FILTER_TERM_MAX)
			return fail(ps, ps->p, "more than %d conditions; use fewer",
				    ST_FILTER_TERM_MAX);
		jumps[cnt++] = f->code_cnt;
		if (!emit(ps, jump, 0) || !part(ps))
			return false;
	}
	while (cnt)
		f->code[jumps[--cnt]].arg = (uint16_t)f->code_cnt;
	return true;
}

static bool both(struct parser *ps)
{
	return chain(ps, "&&", ST_FI_JUMP_FALSE, term);
}

static bool either(struct parser *ps)
{
	return chain(ps, "||", ST_FI_JUMP_TRUE, both);
}

static bool compile(struct parser *ps)
{
	if (!either(ps))
		return false;
	blanks(ps);
	if (*ps->p == '&' || *ps->p == '|')
		return fail(ps, ps->p, "%c alone means nothing; use %c%c", *ps->p, *ps->p, *ps->p);
	if (*ps->p)
		return fail(ps, ps->p,
			    "&& or || is expected here; put a value with other signs in quotes");
	return true;
}

struct st_filter *st_filter__new(const char *expr, char *err, size_t err_sz)
{
	struct parser ps = {.expr = expr, .err = err, .err_sz = err_sz};
	size_t len = strlen(expr);

	if (len > ST_FILTER_EXPR_MAX) {
		snprintf(err, err_sz, "column %d: too long; at most %d bytes",
			 ST_FILTER_EXPR_MAX + 1, ST_FILTER_EXPR_MAX);
		return NULL;
	}
	ps.f = calloc(1, sizeof(*ps.f));
	if (!ps.f) {
		snprintf(err, err_sz, "no memory");
		return NULL;
	}
	memcpy(ps.f->text, expr, len + 1);
	ps.p = ps.f->text;
	if (compile(&ps))
		return ps.f;
	free(ps.f);
	return NULL;
}

void st_filter__free(struct st_filter *f)
{
	free(f);
}
