/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* JavaScript's runtimes: node, deno, bun, and the tools that start programs on them. */
#include "meta/lang.h"

/* Options of node that take the next argument (nodejs.org, "Command-line API"). */
#define NODE_VALUED                                                                                \
	"-r --require --import --loader --experimental-loader -C --conditions --env-file "         \
	"--env-file-if-exists --icu-data-dir --openssl-config --redirect-warnings "                \
	"--diagnostic-dir --inspect-port --input-type --stack-trace-limit --title --watch-path "   \
	"--experimental-config-file --dns-result-order --disable-warning --tls-cipher-list"

/* Names of a program's first file, which name no program. */
#define ENTRY_FILES "index main server app start www cli"

static bool project(struct st_cmd *c)
{
	return st_cmd__package(c, c->facts->cwd);
}

/* A tool of node_modules runs for the project that it lies in. */
static bool project_of_tool(struct st_cmd *c, struct st_str abs)
{
	static const char dir[] = "/node_modules/";
	const char *hit = memmem(abs.p, abs.len, dir, sizeof(dir) - 1);

	return hit && st_cmd__package(c, st_str(abs.p, (size_t)(hit - abs.p)));
}

static bool script(struct st_cmd *c, struct st_str path)
{
	char buf[ST_ARTIFACT_MAX];
	struct st_str abs, stem;

	if (!st_cmd__abs(c, path, buf, sizeof(buf)))
		return st_cmd__script(c, path);
	abs = st_str_of(buf);
	if (project_of_tool(c, abs))
		return true;
	stem = st_lang__strip(st_text__base(abs));
	/* "node ." and "node dist" run the folder's main file. */
	if (st_text__is(path, ".") || st_text__ends(path, "/") || st_text__ends(path, "..")) {
		if (st_cmd__package(c, abs) || st_cmd__folder(c, abs))
			return true;
	} else if (st_text__in(stem, ENTRY_FILES)) {
		if (st_cmd__package(c, st_text__dir(abs)))
			return true;
		if (st_text__is(stem, "index") && st_cmd__folder(c, st_text__dir(abs)))
			return true;
	} else {
		/* The name is the script's; package.json still knows the version. */
		st_cmd__package(c, st_text__dir(abs));
	}
	return st_cmd__script(c, path);
}

static bool is_package_tool(struct st_str word)
{
	return st_text__in(st_lang__strip(st_text__base(word)),
			   "npm npx yarn yarnpkg pnpm npm-cli npx-cli corepack");
}

/* Titles: "npm start", "next-server (v14.1.0)", "PM2 v5.3.0: God Daemon (/root/.pm2)" */
static bool title(struct st_cmd *c)
{
	if (st_text__starts(c->title, "next-server") || st_text__starts(c->title, "next-router"))
		return project(c) || st_cmd__name(c, ST_STR("next-server"), ST_NAME_TITLE);
	if (st_text__starts(c->title, "PM2 v"))
		return st_cmd__name(c, ST_STR("pm2"), ST_NAME_TITLE);
	return false;
}

bool st_lang__node(struct st_cmd *c)
{
	struct st_str v;
	uint32_t i;

	if (c->title.len && title(c))
		return true;
	if (c->argc && is_package_tool(c->argv[0]))
		return project(c) || st_cmd__name(c, st_text__base(c->argv[0]), ST_NAME_TITLE);
	i = st_cmd__positional(c, 1, NODE_VALUED);
	if (st_cmd__option(c, 1, "--title", &v) && st_cmd__name(c, v, ST_NAME_APP))
		return true;
	for (uint32_t k = 1; k < i && k < c->argc; k++)
		if (st_text__in(c->argv[k], "-e --eval -p --print -pe"))
			return false;
	if (i < c->argc && st_text__is(c->argv[i], "inspect"))
		i = st_cmd__positional(c, i + 1, NODE_VALUED);
	if (i >= c->argc || st_text__is(c->argv[i], "-"))
		return false;
	if (is_package_tool(c->argv[i]))
		return project(c) ||
		       st_cmd__name(c, st_lang__strip(st_text__base(c->argv[i])), ST_NAME_SCRIPT);
	return script(c, c->argv[i]);
}

#define DENO_VALUED                                                                                \
	"-c --config --import-map --cert -L --log-level --location --lock --seed --env-file "      \
	"--port --host --preload"

bool st_lang__deno(struct st_cmd *c)
{
	uint32_t i = st_cmd__positional(c, 1, DENO_VALUED);

	if (i < c->argc && st_text__is(c->argv[i], "task")) {
		i = st_cmd__positional(c, i + 1, DENO_VALUED);
		return project(c) || st_cmd__folder(c, c->facts->cwd) ||
		       (i < c->argc && st_cmd__name(c, c->argv[i], ST_NAME_MODULE));
	}
	if (i < c->argc && st_text__in(c->argv[i], "run serve test bench watch"))
		i = st_cmd__positional(c, i + 1, DENO_VALUED);
	return i < c->argc && !st_text__in(c->argv[i], "repl eval lsp") && script(c, c->argv[i]);
}

#define BUN_VALUED "-r --preload --require --cwd -c --config --env-file --port -d --define"

bool st_lang__bun(struct st_cmd *c)
{
	uint32_t i = st_cmd__positional(c, 1, BUN_VALUED);

	if (i < c->argc && st_text__in(c->argv[i], "run x"))
		i = st_cmd__positional(c, i + 1, BUN_VALUED);
	if (i >= c->argc)
		return false;
	/* "bun start": a word without an extension or a folder is a script of package.json. */
	if (!memchr(c->argv[i].p, '.', c->argv[i].len) &&
	    !memchr(c->argv[i].p, '/', c->argv[i].len))
		return project(c) || st_cmd__name(c, c->argv[i], ST_NAME_MODULE);
	return script(c, c->argv[i]);
}
