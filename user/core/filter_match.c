/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include <stdio.h>

#include "core/filter_prog.h"

/*
 * Pattern with * and ?. A mismatch goes back to the last * only: what an earlier one could take
 * more, the last can take as well. At most pattern times text steps.
 */
static bool glob(struct st_str pattern, struct st_str text)
{
	uint32_t p = 0, t = 0, star = UINT32_MAX, from = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.p[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern.len && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
			p++;
			t++;
		} else if (star != UINT32_MAX) {
			p = star + 1;
			t = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
}

static bool ordered(enum st_filter_op op, int sign)
{
	switch (op) {
	case ST_FO_EQ:
		return sign == 0;
	case ST_FO_NE:
		return sign != 0;
	case ST_FO_LT:
		return sign < 0;
	case ST_FO_LE:
		return sign <= 0;
	case ST_FO_GT:
		return sign > 0;
	case ST_FO_GE:
		return sign >= 0;
	case ST_FO_PRESENT:
		return true;
	case ST_FO_GLOB:
		break;
	}
	return false;
}

static int order_text(struct st_str a, struct st_str b)
{
	uint32_t n = a.len < b.len ? a.len : b.len;
	int sign = n ? memcmp(a.p, b.p, n) : 0;

	return sign ? sign : (a.len > b.len) - (a.len < b.len);
}

static bool match_text(const struct st_filter_term *t, struct st_str s)
{
	if (t->op == ST_FO_GLOB)
		return glob(t->text, s);
	if (t->op == ST_FO_EQ || t->op == ST_FO_NE || t->op == ST_FO_PRESENT)
		return ordered(t->op, !st_str_eq(s, t->text));
	/* A text is neither more nor less than a number. */
	return t->lit == ST_FL_TEXT && ordered(t->op, order_text(s, t->text));
}

static bool match_int(const struct st_filter_term *t, int64_t i)
{
	char digits[24];

	if (t->lit == ST_FL_INT && t->op != ST_FO_GLOB)
		return ordered(t->op, (i > t->i) - (i < t->i));
	if (t->lit == ST_FL_DOUBLE && t->op != ST_FO_GLOB)
		return ordered(t->op, ((double)i > t->d) - ((double)i < t->d));
	return match_text(
		t, st_str(digits, (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)i)));
}

static bool match_double(const struct st_filter_term *t, double d)
{
	char digits[32];

	/* What is no number is neither less, equal nor more; it differs. */
	if (t->lit != ST_FL_TEXT && t->op != ST_FO_GLOB)
		return d == d ? ordered(t->op, (d > t->d) - (d < t->d)) : t->op == ST_FO_NE;
	return match_text(t, st_str(digits, (size_t)snprintf(digits, sizeof(digits), "%.15g", d)));
}

static bool match_strs(const struct st_filter_term *t, const struct st_attr *a)
{
	struct st_filter_term eq = *t;

	eq.op = t->op == ST_FO_NE ? ST_FO_EQ : t->op;
	for (uint32_t i = 0; i < a->strs.cnt; i++)
		if (match_text(&eq, a->strs.v[i]))
			return t->op != ST_FO_NE;
	return t->op == ST_FO_NE;
}

static bool match_attr(const struct st_filter_term *t, const struct st_attr *a)
{
	if (t->op == ST_FO_PRESENT)
		return true;
	switch ((enum st_vtype)a->type) {
	case ST_V_STR:
		return match_text(t, a->s);
	case ST_V_INT:
		return match_int(t, a->i);
	case ST_V_BOOL:
		return match_text(t, a->b ? ST_STR("true") : ST_STR("false"));
	case ST_V_DOUBLE:
		return match_double(t, a->d);
	case ST_V_STRS:
		return match_strs(t, a);
	}
	return false;
}

static const struct st_attr *find(const struct st_attr *attrs, uint32_t cnt, struct st_str name)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (st_str_eq(attrs[i].key->name, name))
			return &attrs[i];
	return NULL;
}

static bool match_named(const struct st_filter_term *t, const struct st_span *s)
{
	const struct st_attr *a = find(s->attrs, s->attr_cnt, t->name);

	if (!a && s->resource)
		a = find(s->resource->attrs, s->resource->attr_cnt, t->name);
	return a && match_attr(t, a);
}

static bool match_term(const struct st_filter_term *t, const struct st_span *s)
{
	uint64_t ns = s->end_ns > s->start_ns ? s->end_ns - s->start_ns : 0;

	switch ((enum st_filter_field)t->field) {
	case ST_FF_DURATION:
		return match_int(t, ns > INT64_MAX ? INT64_MAX : (int64_t)ns);
	case ST_FF_STATUS:
		return match_int(t, s->status);
	case ST_FF_KIND:
		return match_int(t, s->kind);
	case ST_FF_NAME:
		return match_text(t, s->name);
	case ST_FF_SERVICE:
		return match_text(t, s->resource ? s->resource->service : st_str(NULL, 0));
	case ST_FF_ATTR:
		break;
	}
	return match_named(t, s);
}

bool st_filter__match(const struct st_filter *f, const struct st_span *s)
{
	bool result = false;

	for (uint32_t i = 0; i < f->code_cnt; i++) {
		uint16_t arg = f->code[i].arg;

		switch ((enum st_filter_insn)f->code[i].insn) {
		case ST_FI_TERM:
			result = match_term(&f->terms[arg], s);
			break;
		case ST_FI_NOT:
			result = !result;
			break;
		case ST_FI_JUMP_FALSE:
			if (!result)
				i = arg - 1u;
			break;
		case ST_FI_JUMP_TRUE:
			if (result)
				i = arg - 1u;
			break;
		}
	}
	return result;
}
