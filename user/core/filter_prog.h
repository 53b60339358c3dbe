/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a filter is compiled to; only filter.c (text to program) and filter_match.c read it. */
#ifndef ST_CORE_FILTER_PROG_H
#define ST_CORE_FILTER_PROG_H

#include "core/filter.h"

enum st_filter_field {
	ST_FF_ATTR,
	ST_FF_DURATION,
	ST_FF_STATUS,
	ST_FF_NAME,
	ST_FF_KIND,
	ST_FF_SERVICE,
};

enum st_filter_op {
	ST_FO_PRESENT,
	ST_FO_EQ,
	ST_FO_NE,
	ST_FO_LT,
	ST_FO_LE,
	ST_FO_GT,
	ST_FO_GE,
	ST_FO_GLOB,
};

/* What a value can be compared as, besides its text. */
enum st_filter_lit {
	ST_FL_TEXT,
	ST_FL_INT,
	ST_FL_DOUBLE,
};

struct st_filter_term {
	uint8_t field; /* enum st_filter_field */
	uint8_t op;    /* enum st_filter_op */
	uint8_t lit;   /* enum st_filter_lit */
	struct st_str name;
	struct st_str text;
	int64_t i; /* ST_FL_INT; nanoseconds, enum st_status or enum st_kind for these fields */
	double d;  /* ST_FL_DOUBLE, and i as one */
};

/* One result goes through the program: TERM sets it, NOT turns it, the jumps look at it. */
enum st_filter_insn {
	ST_FI_TERM, /* arg: which one */
	ST_FI_NOT,
	ST_FI_JUMP_FALSE, /* arg: where to; keeps the result */
	ST_FI_JUMP_TRUE,
};

/* Each comparison and each sign gives one. */
#define ST_FILTER_CODE_MAX 512

struct st_filter {
	uint32_t code_cnt, term_cnt;
	struct {
		uint8_t insn; /* enum st_filter_insn */
		uint16_t arg;
	} code[ST_FILTER_CODE_MAX];
	struct st_filter_term terms[ST_FILTER_TERM_MAX];
	char text[ST_FILTER_EXPR_MAX + 1]; /* of names and values */
};

#endif
