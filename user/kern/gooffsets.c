/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Offsets of fields in Go's runtime and standard library, by version. Read from the debug
 * information of programs built with 1.17.13, 1.18.10, 1.19.13, 1.20.14, 1.21.13, 1.22.12, 1.23.12,
 * 1.24.11, 1.25.5 and 1.26.8 for linux/amd64.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kern/code.h"
#include "kern/gosym.h"

static const struct {
	int minor; /* from this one on */
	struct st_go_offsets at;
} table[] = {
	{17, {.goid = 152, .parent_goid = 0, .persist_conn = 80, .sysfd = 16}},
	{21, {.goid = 152, .parent_goid = 272, .persist_conn = 80, .sysfd = 16}},
	{23, {.goid = 160, .parent_goid = 280, .persist_conn = 80, .sysfd = 16}},
	{25, {.goid = 152, .parent_goid = 272, .persist_conn = 80, .sysfd = 16}},
	{26, {.goid = 152, .parent_goid = 280, .persist_conn = 80, .sysfd = 16}},
};
#define NEWEST 26

/* A function that cannot do without the field; an interface is two words, both are used. */
static const struct {
	const char *fn, *field;
	bool two;
} users[] = {
	[ST_GO_GOID] = {"runtime.newproc1", "g.goid", false},
	[ST_GO_PARENT_GOID] = {"runtime.newproc1", "g.parentGoid", false},
	[ST_GO_PERSIST_CONN] = {"net/http.(*persistConn).closeLocked", "persistConn.conn", true},
	[ST_GO_SYSFD] = {"internal/poll.(*FD).Read", "FD.Sysfd", false},
};
#define USERS 4

static bool code_uses(const struct st_code *c, int32_t disp)
{
	for (size_t i = 0; i < c->cnt; i++)
		if (c->v[i].disp == disp)
			return true;
	return false;
}

/* 1: it does, 0: it does not, -ENOENT: there is no such function or it cannot be read. */
static int uses(const struct st_go *g, int user, uint16_t off)
{
	struct st_go_fn fn;
	struct st_part part;
	struct st_code c;
	char why[96];
	int yes;

	if (st_go__find(g, users[user].fn, &fn))
		return -ENOENT;
	part = (struct st_part){fn.addr, fn.addr + fn.size};
	yes = st_code__read_part(st_go__elf(g), &part, &c, why, sizeof(why))
		      ? -ENOENT
		      : code_uses(&c, off) && (!users[user].two || code_uses(&c, off + 8));
	st_code__free(&c);
	return yes;
}

static int verify(const struct st_go *g, struct st_go_offsets *o, char *why, size_t why_sz)
{
	const uint16_t off[USERS] = {o->goid, o->parent_goid, o->persist_conn, o->sysfd};

	for (int i = 0; i < USERS; i++) {
		int yes = off[i] ? uses(g, i, off[i]) : 1;

		if (!yes) {
			snprintf(why, why_sz, "%s does not lie where %s has it", users[i].field,
				 st_go__version(g));
			return -EINVAL;
		}
		if (yes > 0)
			o->verified |= 1u << i;
	}
	return 0;
}

int st_go__offsets(const struct st_go *g, struct st_go_offsets *out, char *why, size_t why_sz)
{
	int minor = st_go__minor(g), err;

	*why = '\0';
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (minor >= table[i].minor)
			*out = table[i].at;
	if (!out->goid) {
		snprintf(why, why_sz, "Go %s is not known", st_go__version(g));
		return -ENOTSUP;
	}
	err = verify(g, out, why, why_sz);
	if (!err && minor > NEWEST && !(out->verified & 1u << ST_GO_GOID)) {
		snprintf(why, why_sz, "Go %s is newer than what is known", st_go__version(g));
		err = -ENOTSUP;
	}
	return err;
}
