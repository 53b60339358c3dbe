/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* .NET, shells, Erlang, R, and the interpreters whose first plain argument is the script. */
#include "meta/lang.h"

bool st_lang__script(struct st_cmd *c)
{
	uint32_t i = st_cmd__positional(c, 1, "-l -L -e -j -o");

	for (uint32_t k = 1; k < i && k < c->argc; k++)
		if (st_text__is(c->argv[k], "-e"))
			return false;
	return i < c->argc && !st_text__is(c->argv[i], "-") && st_cmd__script(c, c->argv[i]);
}

/* dotnet [host options] [exec] Shop.dll, dotnet run --project src/Shop */
bool st_lang__dotnet(struct st_cmd *c)
{
	uint32_t i = st_cmd__positional(c, 1,
					"--depsfile --runtimeconfig --additionalprobingpath "
					"--fx-version --roll-forward --additional-deps");
	struct st_str v;

	if (i < c->argc && st_text__is(c->argv[i], "exec"))
		i = st_cmd__positional(c, i + 1,
				       "--depsfile --runtimeconfig "
				       "--additionalprobingpath --fx-version");
	if (i >= c->argc)
		return false;
	if (st_text__in(c->argv[i], "run watch")) {
		if (!st_cmd__option(c, i, "--project -p", &v))
			return st_cmd__folder(c, c->facts->cwd);
		v = st_text__base(v);
		if (st_text__ends(v, ".csproj") || st_text__ends(v, ".fsproj"))
			v.len -= 7;
		return st_cmd__name(c, v, ST_NAME_MODULE);
	}
	return st_text__ends(c->argv[i], ".dll") && st_cmd__script(c, c->argv[i]);
}

bool st_lang__mono(struct st_cmd *c)
{
	uint32_t i = st_cmd__positional(c, 1, "--config");

	return i < c->argc && st_cmd__script(c, c->argv[i]);
}

/* "-c" runs a line, which is a command line's argument and names nothing. */
bool st_lang__shell(struct st_cmd *c)
{
	for (uint32_t i = 1; i < c->argc; i++) {
		struct st_str a = c->argv[i];

		if (a.len > 1 && (*a.p == '-' || *a.p == '+')) {
			if (a.p[1] != '-' && memchr(a.p, 'c', a.len))
				return false;
			if (st_text__in(a, "-o +o -O +O --rcfile --init-file"))
				i++;
			continue;
		}
		return a.len > 1 && st_cmd__script(c, a);
	}
	return false;
}

/* A release says its name; a node's name is what stands before the '@'. */
bool st_lang__erlang(struct st_cmd *c)
{
	struct st_str v;

	if (st_text__env(c->facts->env, "RELEASE_NAME", &v) && st_cmd__name(c, v, ST_NAME_APP))
		return true;
	for (uint32_t i = 1; i + 1 < c->argc; i++)
		if (st_text__in(c->argv[i], "-sname -name"))
			return st_cmd__name(c, st_text__until(c->argv[i + 1], '@'), ST_NAME_APP);
	return false;
}

bool st_lang__r(struct st_cmd *c)
{
	struct st_str v;

	return st_cmd__option(c, 1, "--file -f", &v) && st_cmd__script(c, v);
}
