/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/retsites.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kern/code.h"
#include "kern/elfsym.h"

#define FOLLOW_MAX 8 /* functions */

static int exit_kind(const struct st_insn *i)
{
	switch (i->kind) {
	case ST_INSN_RET:
		return ST_EXIT_RET;
	case ST_INSN_TAIL:
		return ST_EXIT_TAIL;
	case ST_INSN_TAIL_IF:
		return ST_EXIT_TAIL_IF;
	}
	return -1;
}

static int add_exit(const struct st_elf *e, const struct st_insn *i, int kind,
		    struct st_retsites *out)
{
	struct st_exit *x = &out->v[out->cnt];

	if (out->cnt == ST_EXITS_MAX) {
		snprintf(out->why, sizeof(out->why), "it has more than %d exits", ST_EXITS_MAX);
		return -E2BIG;
	}
	*x = (struct st_exit){.addr = i->addr,
			      .target = i->target,
			      .kind = (enum st_exit_kind)kind,
			      .cost = st_insn__cost(i->bytes, i->size)};
	if (st_elf__offset(e, i->addr, &x->off)) {
		snprintf(out->why, sizeof(out->why), "an exit lies outside the file");
		return -ERANGE;
	}
	out->cnt++;
	out->ret_cnt += kind == ST_EXIT_RET;
	return 0;
}

static bool is_endbr(const struct st_insn *i)
{
	return i->size == 4 && !memcmp(i->bytes, "\xf3\x0f\x1e\xfa", 4);
}

static int choose_entry(const struct st_elf *e, const struct st_code *c, struct st_retsites *out)
{
	const struct st_insn *i = &c->v[0];

	if (is_endbr(i) && c->cnt > 1 &&
	    st_insn__cost(i[1].bytes, i[1].size) < st_insn__cost(i->bytes, i->size))
		i++;
	out->entry_cost = st_insn__cost(i->bytes, i->size);
	return st_elf__offset(e, i->addr, &out->entry_off);
}

static int find(struct st_elf *e, const struct st_code *c, struct st_retsites *out)
{
	int err = choose_entry(e, c, out);

	out->insn_cnt = (uint32_t)c->cnt;
	for (int p = 0; p < c->part_cnt; p++)
		out->size += c->part[p].end - c->part[p].start;
	for (size_t i = 0; !err && i < c->cnt; i++) {
		int kind = exit_kind(&c->v[i]);

		if (kind >= 0)
			err = add_exit(e, &c->v[i], kind, out);
	}
	if (!err && !out->cnt) {
		snprintf(out->why, sizeof(out->why), "it never returns");
		return -ENOENT;
	}
	return err;
}

int st_retsites__find(struct st_elf *e, uint64_t addr, struct st_retsites *out)
{
	struct st_code code;
	int err;

	*out = (struct st_retsites){0};
	err = st_code__read(e, addr, &code, out->why, sizeof(out->why));
	if (!err)
		err = find(e, &code, out);
	st_code__free(&code);
	return err;
}

static bool has_exit(const struct st_retsites *r, uint64_t addr)
{
	for (uint32_t i = 0; i < r->cnt; i++)
		if (r->v[i].addr == addr)
			return true;
	return false;
}

/* Puts the exits of the function that exit `at` jumps to in its place. */
static int replace(struct st_elf *e, uint32_t at, struct st_retsites *out)
{
	uint64_t target = out->v[at].target;
	struct st_retsites more;
	int err = target ? st_retsites__find(e, target, &more) : -ENOENT;

	if (err) {
		snprintf(out->why, sizeof(out->why), "a tail call: %.80s",
			 target ? more.why : "where to is not known");
		return err;
	}
	out->v[at] = out->v[--out->cnt];
	for (uint32_t i = 0; i < more.cnt; i++) {
		if (has_exit(out, more.v[i].addr))
			continue;
		if (out->cnt == ST_EXITS_MAX) {
			snprintf(out->why, sizeof(out->why), "it has more than %d exits",
				 ST_EXITS_MAX);
			return -E2BIG;
		}
		out->v[out->cnt] = more.v[i];
		out->v[out->cnt++].shared = true;
		out->ret_cnt += more.v[i].kind == ST_EXIT_RET;
	}
	return 0;
}

int st_retsites__follow(struct st_elf *e, uint64_t addr, struct st_retsites *out)
{
	int err = st_retsites__find(e, addr, out);
	uint64_t seen[FOLLOW_MAX];
	int seen_cnt = 0;

	for (uint32_t i = 0; !err && i < out->cnt;) {
		uint64_t target = out->v[i].target;
		bool again = target == addr;

		for (int k = 0; k < seen_cnt; k++)
			again |= seen[k] == target;
		if (out->v[i].kind == ST_EXIT_RET) {
			i++;
		} else if (again) {
			out->v[i] = out->v[--out->cnt];
		} else if (seen_cnt == FOLLOW_MAX) {
			snprintf(out->why, sizeof(out->why), "its tail calls lead too far");
			err = -E2BIG;
		} else {
			seen[seen_cnt++] = target;
			err = replace(e, i, out);
		}
	}
	return err;
}
