/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "kern/pymethod.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kern/elfsym.h"

#define NAME_MAX_SZ   64
#define METHODS_MAX   512
#define NAMES_MAX     16
#define HITS_MAX      256
#define DEF_SZ	      32u /* struct PyMethodDef */
#define DEF_WORDS     4u
#define TYPE_NAME     24u /* tp_name, tp_methods: offsets in struct _typeobject */
#define TYPE_METHODS  232u
#define FREE_THREADED 16u /* both lie that much further in there */

static bool is_name(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

/* One entry; false at the table's end and where there is no table. */
static bool read_def(struct st_elf *e, uint64_t addr, char *name, struct st_pymethod *m)
{
	uint64_t str;

	*m = (struct st_pymethod){0};
	if (st_elf__pointer(e, addr, &str) || !str || st_elf__string(e, str, name, NAME_MAX_SZ) ||
	    !is_name(name) || st_elf__pointer(e, addr + 8, &m->addr) ||
	    st_elf__read(e, addr + 16, &m->flags, sizeof(m->flags)) || m->flags >> 16)
		return false;
	/* 0: a function of another file (Py_GenericAlias). */
	return !m->addr || (st_elf__is_code(e, m->addr) && !st_elf__offset(e, m->addr, &m->off));
}

static int find_method(struct st_elf *e, uint64_t table, const char *method,
		       struct st_pymethod *out)
{
	char name[NAME_MAX_SZ];

	for (int i = 0; i < METHODS_MAX; i++) {
		if (!read_def(e, table + (uint64_t)i * DEF_SZ, name, out))
			break;
		if (!strcmp(name, method) && out->addr)
			return 0;
	}
	*out = (struct st_pymethod){0};
	return -ENOENT;
}

/* tp_name is "Context", "_queue.SimpleQueue": where it stands tells how large PyObject is. */
static bool is_type(struct st_elf *e, uint64_t type, uint32_t shift)
{
	char name[NAME_MAX_SZ];
	uint64_t p;

	if (st_elf__pointer(e, type + TYPE_NAME + shift, &p) || !p ||
	    st_elf__string(e, p, name, sizeof(name)))
		return false;
	for (char *c = name; *c; c++)
		if (*c == '.')
			*c = '_';
	return is_name(name);
}

int st_pymethod__of_type(struct st_elf *e, const char *symbol, const char *method,
			 struct st_pymethod *out)
{
	struct st_sym type;
	uint64_t table;
	uint32_t shift = 0;
	int err = st_elf__symbol(e, symbol, &type);

	*out = (struct st_pymethod){0};
	if (err)
		return err;
	if (!is_type(e, type.addr, 0)) {
		shift = FREE_THREADED;
		if (!is_type(e, type.addr, shift))
			return -EINVAL;
	}
	err = st_elf__pointer(e, type.addr + TYPE_METHODS + shift, &table);
	if (err)
		return err;
	return table ? find_method(e, table, method, out) : -ENOENT;
}

/* ---- a table by the names in it ---- */

struct search {
	struct st_elf *e;
	const char *const *names;
	int cnt;
	const char *key;	/* the longest of them: few strings end so */
	uint64_t str[HITS_MAX]; /* addresses of those that do */
	int str_cnt;
	uint64_t table; /* that was found, its first entry */
};

/* A linker may have put the string into the end of a longer one: every place counts. */
static int find_strings(struct search *s, const char *section)
{
	struct st_section sec;
	size_t len = strlen(s->key) + 1;
	char *text, *p;
	int err = st_elf__section(s->e, section, &sec);

	if (err || sec.no_bits || sec.size > (64u << 20))
		return err;
	text = malloc(sec.size + 1);
	if (!text)
		return -ENOMEM;
	err = st_elf__read(s->e, sec.addr, text, sec.size);
	for (p = text; !err; p++) {
		p = memmem(p, sec.size - (size_t)(p - text), s->key, len);
		if (!p)
			break;
		if (s->str_cnt == HITS_MAX)
			err = -E2BIG;
		else
			s->str[s->str_cnt++] = sec.addr + (uint64_t)(p - text);
	}
	free(text);
	return err;
}

static bool is_key(const struct search *s, uint64_t word)
{
	for (int i = 0; i < s->str_cnt; i++)
		if (s->str[i] == word)
			return true;
	return false;
}

static uint64_t table_start(struct search *s, uint64_t entry)
{
	char name[NAME_MAX_SZ];
	struct st_pymethod m;

	for (int i = 0; i < METHODS_MAX; i++) {
		if (!read_def(s->e, entry - DEF_SZ, name, &m))
			break;
		entry -= DEF_SZ;
	}
	return entry;
}

static bool has_all(struct search *s, uint64_t table, struct st_pymethod *out)
{
	for (int i = 0; i < s->cnt; i++)
		if (find_method(s->e, table, s->names[i], &out[i]))
			return false;
	return true;
}

static int search_section(struct search *s, const char *section, struct st_pymethod *out)
{
	struct st_pymethod found[NAMES_MAX];
	struct st_section sec;
	uint64_t *words;
	size_t cnt;
	int err = st_elf__section(s->e, section, &sec);

	if (err)
		return err == -ENOENT ? 0 : err;
	err = st_elf__words(s->e, &sec, &words, &cnt);
	for (size_t i = 0; !err && i + DEF_WORDS <= cnt; i++) {
		uint64_t table;

		if (!words[i] || !is_key(s, words[i]))
			continue;
		table = table_start(s, sec.addr + i * 8);
		if (table == s->table || !has_all(s, table, found))
			continue;
		if (s->table)
			err = -ENOTUNIQ;
		s->table = table;
		memcpy(out, found, (size_t)s->cnt * sizeof(*out));
	}
	free(words);
	return err;
}

int st_pymethod__in_table(struct st_elf *e, const char *const *names, int cnt,
			  struct st_pymethod *out)
{
	struct search s = {.e = e, .names = names, .cnt = cnt};
	int err;

	if (cnt < 1 || cnt > NAMES_MAX)
		return -EINVAL;
	s.key = names[0];
	for (int i = 1; i < cnt; i++)
		if (strlen(names[i]) > strlen(s.key))
			s.key = names[i];
	memset(out, 0, (size_t)cnt * sizeof(*out));
	err = find_strings(&s, ".rodata");
	if (!err)
		err = search_section(&s, ".data", out);
	if (!err)
		err = search_section(&s, ".data.rel.ro", out);
	if (!err && !s.table)
		err = -ENOENT;
	if (err)
		memset(out, 0, (size_t)cnt * sizeof(*out));
	return err;
}
