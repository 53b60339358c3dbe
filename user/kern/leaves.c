/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/leaves.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kern/code.h"
#include "kern/elfsym.h"

#define FOLLOW_MAX   8	     /* functions */
#define STEPS_MAX    512     /* instructions looked at for one value */
#define CALLEE_SAVED 0xf028u /* rbx, rbp, r12 to r15 */

/* What is known of an instruction. */
#define DOOMED	     1u /* every way from here leads to a return, and no call lies on it */
#define JOINED	     2u /* jumps lead here */
#define FORCED	     4u /* a site itself, because ways join behind a call */

struct work {
	struct st_elf *e;
	struct st_code c;
	uint8_t *mark;
	struct st_leaves *out;
	bool shared, early;
};

static int refuse(struct work *w, int err, const char *why)
{
	snprintf(w->out->why, sizeof(w->out->why), "%s", why);
	return err;
}

static long next(const struct work *w, size_t i)
{
	const struct st_insn *a = &w->c.v[i];

	return i + 1 < w->c.cnt && a[1].addr == a->addr + a->size ? (long)i + 1 : -1;
}

static long target(const struct work *w, size_t i)
{
	return st_code__index(&w->c, w->c.v[i].target);
}

static bool is(const struct work *w, long i, unsigned int mark)
{
	return i >= 0 && w->mark[i] & mark;
}

/* ---- which instructions are doomed ---- */

static bool dooms(const struct work *w, size_t i)
{
	switch (w->c.v[i].kind) {
	case ST_INSN_RET:
		return true;
	case ST_INSN_PLAIN:
	case ST_INSN_NOP:
		return is(w, next(w, i), DOOMED);
	case ST_INSN_JUMP:
		return is(w, target(w, i), DOOMED);
	case ST_INSN_BRANCH:
		return is(w, next(w, i), DOOMED) && is(w, target(w, i), DOOMED);
	}
	return false;
}

/* Grown from the returns: a loop never is. */
static void find_doomed(struct work *w)
{
	bool more = true;

	for (size_t i = 0; i < w->c.cnt; i++)
		w->mark[i] &= (uint8_t)~DOOMED;
	while (more) {
		more = false;
		for (size_t i = w->c.cnt; i-- > 0;) {
			if (w->mark[i] & (DOOMED | FORCED) || !dooms(w, i))
				continue;
			w->mark[i] |= DOOMED;
			more = true;
		}
	}
}

static int find_joins(struct work *w)
{
	for (size_t i = 0; i < w->c.cnt; i++) {
		const struct st_insn *in = &w->c.v[i];

		if (in->kind == ST_INSN_SWITCH)
			return refuse(w, -ENOTSUP, "it has a switch");
		if (in->kind == ST_INSN_JUMP || in->kind == ST_INSN_BRANCH)
			w->mark[target(w, i)] |= JOINED;
	}
	return 0;
}

/* ---- what will be returned ---- */

/* The condition code of a jump; -1 for those that count a register down. */
static int condition(const struct st_insn *i)
{
	if ((i->bytes[0] & 0xf0) == 0x70)
		return i->bytes[0] & 0xf;
	return i->bytes[0] == 0x0f && (i->bytes[1] & 0xf0) == 0x80 ? i->bytes[1] & 0xf : -1;
}

struct value {
	uint8_t of[ST_REG_CNT]; /* where each register's value came from */
	int steps;
};

/* `test %rbx, %rbx` in front of instruction i: the register's number, else ST_REG_NONE. */
static uint8_t tested(const struct work *w, long i)
{
	const uint8_t *b = i > 0 ? w->c.v[i - 1].bytes : NULL;
	uint8_t reg, rm;

	if (!b || w->c.v[i - 1].size != 3 || (b[0] & 0xfa) != 0x48 || b[1] != 0x85 || b[2] < 0xc0)
		return ST_REG_NONE;
	reg = (uint8_t)((b[2] >> 3 & 7) | (b[0] & 4) << 1);
	rm = (uint8_t)((b[2] & 7) | (b[0] & 1) << 3);
	return reg == rm ? reg : ST_REG_NONE;
}

/* `mov %rax, %rbx` straight in front of instruction i, both as they were since. */
static bool are_same(const struct work *w, long i, uint8_t a, uint8_t b)
{
	uint16_t both = (uint16_t)(1u << a | 1u << b);

	for (int n = 0; i > 0 && n < 6 && !(w->mark[i] & JOINED); n++) {
		const struct st_insn *in = &w->c.v[--i];

		if ((in->from == a && in->writes == 1u << b) ||
		    (in->from == b && in->writes == 1u << a))
			return true;
		if (in->writes & both || (in->kind != ST_INSN_PLAIN && in->kind != ST_INSN_NOP))
			break;
	}
	return false;
}

/* What two ways return, as one; where a pointer was found NULL, "0" and "the pointer" are the same. */
static uint8_t merge(const struct work *w, long i, const struct value *v, uint8_t taken, uint8_t on)
{
	int cond = condition(&w->c.v[i]);
	uint8_t reg = tested(w, i), null = cond == 4 ? taken : on, other = cond == 4 ? on : taken;

	if (taken == on)
		return on;
	if ((cond == 4 || cond == 5) && null == ST_REG_ZERO && reg < ST_REG_CNT &&
	    other < ST_REG_CNT &&
	    (v->of[reg] == other || (v->of[reg] == reg && are_same(w, i, reg, other))))
		return other;
	return ST_REG_NONE;
}

static uint8_t returned(const struct work *w, long i, struct value v)
{
	while (i >= 0 && v.steps++ < STEPS_MAX) {
		const struct st_insn *in = &w->c.v[i];
		uint8_t from = in->from < ST_REG_CNT ? v.of[in->from] : in->from;

		for (int r = 0; r < ST_REG_CNT; r++)
			if (in->writes & 1u << r)
				v.of[r] = from;
		if (in->kind == ST_INSN_RET)
			return v.of[0];
		if (in->kind == ST_INSN_BRANCH)
			return merge(w, i, &v, returned(w, target(w, (size_t)i), v),
				     returned(w, next(w, (size_t)i), v));
		i = in->kind == ST_INSN_JUMP ? target(w, (size_t)i) : next(w, (size_t)i);
	}
	return ST_REG_NONE;
}

/* On the way that goes on at instruction i. */
static uint8_t value_from(const struct work *w, long i)
{
	struct value v = {.steps = 0};

	for (uint8_t r = 0; r < ST_REG_CNT; r++)
		v.of[r] = r;
	return returned(w, i, v);
}

static enum st_site_cost site_cost(const struct work *w, long i)
{
	return st_insn__cost(w->c.v[i].bytes, w->c.v[i].size);
}

/* A call behind which nothing but the way out lies, with the value ready already. */
static bool is_early_site(const struct work *w, size_t i)
{
	uint8_t reg;

	if (!w->early || w->c.v[i].kind != ST_INSN_CALL || !w->c.v[i].target ||
	    site_cost(w, (long)i) != ST_SITE_EMULATED || !is(w, next(w, i), DOOMED))
		return false;
	reg = value_from(w, next(w, i));
	return reg == ST_REG_ZERO || (reg < ST_REG_CNT && CALLEE_SAVED & 1u << reg);
}

/* ---- where ways join behind a call ---- */

/* Comes a forced site behind this one? Then a way would hit both. */
static bool meets_forced(const struct work *w, long i, int depth)
{
	for (; i >= 0 && depth < 32; depth++) {
		if (w->mark[i] & FORCED)
			return true;
		if (w->c.v[i].kind == ST_INSN_RET)
			return false;
		if (w->c.v[i].kind == ST_INSN_BRANCH &&
		    meets_forced(w, target(w, (size_t)i), depth))
			return true;
		i = w->c.v[i].kind == ST_INSN_JUMP ? target(w, (size_t)i) : next(w, (size_t)i);
	}
	return i >= 0;
}

/* Behind a call, where other ways come in: that place is a site for them all. */
static int force_joins(struct work *w)
{
	bool any = false;

	for (size_t i = 0; i < w->c.cnt; i++) {
		long n = next(w, i);

		if (w->c.v[i].kind != ST_INSN_CALL || !is(w, n, DOOMED) || !is(w, n, JOINED) ||
		    is_early_site(w, i))
			continue;
		w->mark[n] |= FORCED;
		any = true;
	}
	if (!any)
		return 0;
	for (size_t i = 0; i < w->c.cnt; i++)
		if (w->mark[i] & FORCED && w->c.v[i].kind != ST_INSN_RET &&
		    (meets_forced(w, next(w, i), 0) ||
		     (w->c.v[i].target && meets_forced(w, target(w, i), 0))))
			return refuse(w, -ENOTSUP, "ways out of it join more than once");
	find_doomed(w);
	return 0;
}

/* ---- sites ---- */

static int add(struct work *w, size_t i, uint8_t cond, long on)
{
	struct st_leaves *o = w->out;
	const struct st_insn *in = &w->c.v[i];
	struct st_leave *l = &o->v[o->cnt];

	for (uint32_t k = 0; k < o->cnt; k++)
		if (o->v[k].addr == in->addr)
			return 0;
	if (o->cnt == ST_LEAVES_MAX)
		return refuse(w, -E2BIG, "it has too many ways out");
	*l = (struct st_leave){.addr = in->addr,
			       .cost = st_insn__cost(in->bytes, in->size),
			       .cond = cond,
			       .value = value_from(w, on),
			       .shared = w->shared};
	if (l->cost == ST_SITE_REFUSED)
		return refuse(w, -ENOTSUP, "the kernel takes no probe on a way out of it");
	o->cnt++;
	o->stepped_cnt += l->cost == ST_SITE_STEPPED;
	return st_elf__offset(w->e, l->addr, &l->off);
}

/* From here straight on: the first of the cheapest before other ways come in. */
static long straight(const struct work *w, long from)
{
	long best = from;

	for (long i = from; i >= 0; i = next(w, (size_t)i)) {
		const struct st_insn *in = &w->c.v[i];

		if (i != from && w->mark[i] & JOINED)
			break;
		if (site_cost(w, i) < site_cost(w, best))
			best = i;
		if (in->kind != ST_INSN_PLAIN && in->kind != ST_INSN_NOP)
			break;
	}
	return best;
}

static int add_straight(struct work *w, long from)
{
	long best = straight(w, from);

	return add(w, (size_t)best, ST_COND_ALWAYS, best);
}

/* Call i comes back to the way out. */
static int add_call(struct work *w, size_t i)
{
	long on = next(w, i);

	if (is_early_site(w, i) &&
	    (is(w, on, JOINED) || site_cost(w, straight(w, on)) != ST_SITE_EMULATED))
		return add(w, i, ST_COND_ALWAYS, on);
	return add_straight(w, on);
}

/* A jump one of whose ways is doomed. */
static int add_branch(struct work *w, size_t i)
{
	bool taken = w->c.v[i].kind == ST_INSN_BRANCH && is(w, target(w, i), DOOMED);
	long on = taken ? target(w, i) : next(w, i);
	int cond = condition(&w->c.v[i]);

	if (!is(w, on, DOOMED))
		return 0;
	if (cond < 0)
		return refuse(w, -ENOTSUP, "a way out of it begins with a loop");
	/* Odd ones are the opposite of the even ones. */
	return add(w, i, (uint8_t)(taken ? cond : cond ^ 1), on);
}

static int add_sites(struct work *w)
{
	int err = is(w, 0, DOOMED) ? add_straight(w, 0) : 0;

	for (size_t i = 0; !err && i < w->c.cnt; i++) {
		if (w->mark[i] & FORCED)
			err = add(w, i, ST_COND_ALWAYS, (long)i);
		else if (w->mark[i] & DOOMED)
			continue;
		else if (w->c.v[i].kind == ST_INSN_CALL && is(w, next(w, i), DOOMED))
			err = add_call(w, i);
		else if (w->c.v[i].kind == ST_INSN_BRANCH || w->c.v[i].kind == ST_INSN_TAIL_IF)
			err = add_branch(w, i);
	}
	return err;
}

/* ---- functions ---- */

struct todo {
	uint64_t addr[FOLLOW_MAX];
	int cnt;
};

static int add_tails(struct work *w, struct todo *t)
{
	for (size_t i = 0; i < w->c.cnt; i++) {
		const struct st_insn *in = &w->c.v[i];
		bool known = false;

		if (in->kind != ST_INSN_TAIL && in->kind != ST_INSN_TAIL_IF)
			continue;
		for (int k = 0; k < t->cnt; k++)
			known |= t->addr[k] == in->target;
		if (!in->target || (!known && t->cnt == FOLLOW_MAX))
			return refuse(w, -ENOTSUP, "its tail calls lead too far");
		if (!known)
			t->addr[t->cnt++] = in->target;
	}
	return 0;
}

static int find_one(struct work *w, uint64_t addr, struct todo *t)
{
	int err = st_code__read(w->e, addr, &w->c, w->out->why, sizeof(w->out->why));

	if (!err)
		err = add_tails(w, t);
	w->mark = calloc(w->c.cnt + 1, 1);
	if (!err && !w->mark)
		err = -ENOMEM;
	if (!err)
		err = find_joins(w);
	if (!err) {
		find_doomed(w);
		err = force_joins(w);
	}
	if (!err)
		err = add_sites(w);
	free(w->mark);
	st_code__free(&w->c);
	return err;
}

int st_leaves__find(struct st_elf *e, uint64_t addr, bool early, struct st_leaves *out)
{
	struct todo t = {.addr = {addr}, .cnt = 1};
	int err = 0;

	memset(out, 0, sizeof(*out));
	for (int i = 0; !err && i < t.cnt; i++) {
		struct work w = {.e = e, .out = out, .shared = i > 0, .early = early};

		err = find_one(&w, t.addr[i], &t);
	}
	return !err && !out->cnt ? -ENOENT : err;
}
