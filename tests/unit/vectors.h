/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Test vectors in text files:
 *
 *	# a comment
 *	== name of the vector
 *	< input, with \r \n \t \\ \xHH; several lines are joined, nothing is added between them
 *	= an expectation, in words of the test's own
 */
#ifndef ST_TESTS_VECTORS_H
#define ST_TESTS_VECTORS_H

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VEC_INPUT_MAX 4096
#define VEC_WANT_MAX  24
#define VEC_LINE_MAX  1024

struct vec {
	char name[VEC_LINE_MAX];
	uint8_t in[VEC_INPUT_MAX];
	size_t len;
	char want[VEC_WANT_MAX][VEC_LINE_MAX];
	unsigned want_cnt;
	unsigned line; /* in the file */
};

struct vec_file {
	FILE *f;
	char ahead[VEC_LINE_MAX]; /* the "== name" line that ended the vector before */
	unsigned line;
};

static inline int vec_hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (tolower((unsigned char)c) - 'a') + 10;
}

/* Unescapes z behind out; what is malformed ends the program, since tests must not skip it. */
static inline size_t vec_unescape(const char *z, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (; *z; z++) {
		uint8_t c = (uint8_t)*z;

		if (c == '\\') {
			c = (uint8_t)*++z;
			if (c == 'x' && isxdigit((unsigned char)z[1]) &&
			    isxdigit((unsigned char)z[2])) {
				c = (uint8_t)(vec_hex(z[1]) << 4 | vec_hex(z[2]));
				z += 2;
			} else if (c == 'r' || c == 'n' || c == 't' || c == '\\') {
				c = c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : '\\';
			} else {
				fprintf(stderr, "bad escape: %s\n", z);
				exit(1);
			}
		}
		if (n == size) {
			fprintf(stderr, "vector too long\n");
			exit(1);
		}
		out[n++] = c;
	}
	return n;
}

static inline struct vec_file vec_open(const char *path)
{
	struct vec_file v = {fopen(path, "r"), "", 0};

	if (!v.f) {
		fprintf(stderr, "%s: not found; run this from the project's root\n", path);
		exit(1);
	}
	return v;
}

/* The next vector; false at the end of the file, which is then closed. */
static inline int vec_next(struct vec_file *v, struct vec *out)
{
	char line[VEC_LINE_MAX];

	memset(out, 0, sizeof(*out));
	strcpy(out->name, v->ahead);
	out->line = v->line;
	v->ahead[0] = 0;
	while (fgets(line, sizeof(line), v->f)) {
		line[strcspn(line, "\n")] = 0;
		v->line++;
		if (!strncmp(line, "== ", 3)) {
			strcpy(v->ahead, line + 3);
			if (out->name[0])
				return 1;
			strcpy(out->name, v->ahead);
			out->line = v->line;
			v->ahead[0] = 0;
		} else if (!strncmp(line, "< ", 2)) {
			out->len += vec_unescape(line + 2, out->in + out->len,
						 sizeof(out->in) - out->len);
		} else if (!strncmp(line, "= ", 2) && out->want_cnt < VEC_WANT_MAX) {
			strcpy(out->want[out->want_cnt++], line + 2);
		} else if (line[0] && line[0] != '#') {
			fprintf(stderr, "line %u of the vectors is none: %s\n", v->line, line);
			exit(1);
		}
	}
	if (!out->name[0])
		fclose(v->f);
	return out->name[0] != 0;
}

/* size bytes that end where unreadable memory begins. */
static inline uint8_t *vec_guarded(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (size + page - 1) / page * page;
	uint8_t *p =
		mmap(NULL, n + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + n, page, PROT_NONE)) {
		perror("guard page");
		exit(1);
	}
	return p + n - size;
}

#endif
