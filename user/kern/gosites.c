/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Probe sites of a Go function. A goroutine's stack is copied when it must grow, which a return
 * probe does not survive; the function is then entered anew, which a probe on its first
 * instruction counts twice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kern/code.h"
#include "kern/elfsym.h"
#include "kern/gosym.h"

struct work {
	const struct st_go *g;
	const struct st_go_fn *fn;
	const struct st_code *c;
	struct st_go_sites *out;
};

static int refuse(struct work *w, const char *why)
{
	snprintf(w->out->why, sizeof(w->out->why), "%s", why);
	return -EINVAL;
}

static int delta(const struct work *w, size_t i, int32_t *out)
{
	return st_go__stack_delta(w->g, w->fn, w->c->v[i].addr, out);
}

/* `cmp 16(%r14), %rsp` (or a register that holds less), `jbe` to where the stack is made larger. */
static bool is_check(const struct st_insn *i)
{
	return i->size == 4 && i->disp == 16 && i->bytes[1] == 0x3b && i->bytes[0] & 0x40;
}

/*
 * Up to the first instruction that moves the stack pointer: with a check in front of it, the place
 * is the one behind the jump. No jump comes back between.
 */
static int find_entry(struct work *w)
{
	const struct st_code *c = w->c;
	size_t site = 0;
	int32_t d;

	for (size_t i = 0; i + 1 < c->cnt && i < 12; i++) {
		if (is_check(&c->v[i]) && c->v[i + 1].kind == ST_INSN_BRANCH) {
			site = i + 2;
			break;
		}
		if (delta(w, i + 1, &d) || d || c->v[i].kind == ST_INSN_CALL ||
		    c->v[i].kind == ST_INSN_JUMP || c->v[i].kind == ST_INSN_BRANCH)
			break;
	}
	if (site >= c->cnt || delta(w, site, &d) || d)
		return refuse(w, "its stack check is of an unknown form");
	w->out->entry_cost = st_insn__cost(c->v[site].bytes, c->v[site].size);
	return st_elf__offset(st_go__elf(w->g), c->v[site].addr, &w->out->entry_off);
}

/* Every return the decoder found, where the table says that the stack is as on entry. */
static int find_rets(struct work *w)
{
	struct st_go_sites *o = w->out;
	int err = 0;

	for (size_t i = 0; !err && i < w->c->cnt; i++) {
		const struct st_insn *in = &w->c->v[i];
		int32_t d;

		if (in->kind == ST_INSN_TAIL || in->kind == ST_INSN_TAIL_IF)
			return refuse(w, "it jumps to another function");
		if (in->kind != ST_INSN_RET)
			continue;
		if (delta(w, i, &d) || d)
			return refuse(w, "a return where the stack is not as on entry");
		if (o->ret_cnt == ST_GO_RETS_MAX)
			return refuse(w, "it has too many returns");
		o->ret_cost[o->ret_cnt] = st_insn__cost(in->bytes, in->size);
		err = st_elf__offset(st_go__elf(w->g), in->addr, &o->ret_off[o->ret_cnt]);
		o->ret_cnt++;
	}
	return err;
}

int st_go__sites(const struct st_go *g, const struct st_go_fn *fn, struct st_go_sites *out)
{
	struct st_part part = {fn->addr, fn->addr + fn->size};
	struct st_code c;
	struct work w = {.g = g, .fn = fn, .c = &c, .out = out};
	int err;

	*out = (struct st_go_sites){0};
	err = st_code__read_part(st_go__elf(g), &part, &c, out->why, sizeof(out->why));
	if (!err)
		err = find_entry(&w);
	if (!err)
		err = find_rets(&w);
	st_code__free(&c);
	return err;
}
