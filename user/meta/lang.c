/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the runtimes' command lines have in common: options, scripts, projects' folders. */
#include "meta/lang.h"

bool st_cmd__name(struct st_cmd *c, struct st_str name, enum st_name_source source)
{
	name = st_text__trim(name);
	if (!name.len)
		return false;
	st_text__clean(c->out->name, sizeof(c->out->name), name);
	c->out->source = source;
	return true;
}

struct st_str st_lang__strip(struct st_str file)
{
	static const char *const extensions[] = {
		".py",	 ".pyc", ".pyz",  ".pex", ".js",  ".mjs",  ".cjs",  ".ts",	".mts",
		".cts",	 ".jsx", ".tsx",  ".rb",  ".ru",  ".pl",   ".psgi", ".cgi",	".php",
		".phar", ".sh",	 ".bash", ".zsh", ".lua", ".jar",  ".war",  ".dll",	".exe",
		".R",	 ".r",	 ".tcl",  ".jl",  ".scm", ".java", ".exs",  ".escript", ".fish",
	};

	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		size_t n = strlen(extensions[i]);

		if (file.len > n && st_text__ends(file, extensions[i]))
			return st_str(file.p, file.len - n);
	}
	return file;
}

bool st_cmd__script(struct st_cmd *c, struct st_str path)
{
	/* A pipe or a descriptor: its number names nothing. */
	if (st_text__starts(path, "/dev/") || st_text__starts(path, "/proc/"))
		return false;
	/* "https://host/tool.ts?v=1", as deno and bun run it */
	if (memchr(path.p, ':', path.len))
		path = st_text__until(st_text__until(path, '?'), '#');
	return st_cmd__name(c, st_lang__strip(st_text__base(path)), ST_NAME_SCRIPT);
}

/* Folders that say where something lies, not what it is: look one higher. */
#define LAYOUT_FOLDERS                                                                             \
	"current dist build src lib bin out target public app code source web www html htdocs "    \
	"release releases shared workspace .output server site-packages"
/* Above these there is nothing to find. */
#define SYSTEM_FOLDERS "srv opt home root usr var tmp mnt data local share etc run ."

bool st_cmd__folder(struct st_cmd *c, struct st_str dir)
{
	while (dir.len > 1) {
		struct st_str base = st_text__base(dir), up = st_text__dir(dir);
		struct st_str parent = st_text__base(up);

		if (st_text__in(base, SYSTEM_FOLDERS) || st_text__is(parent, "home"))
			return false;
		/* Capistrano's layout: shop/releases/20240131120000 */
		if (!st_text__in(base, LAYOUT_FOLDERS) && !st_text__is(parent, "releases"))
			return st_cmd__name(c, base, ST_NAME_FOLDER);
		dir = up;
	}
	return false;
}

bool st_cmd__abs(const struct st_cmd *c, struct st_str path, char *out, size_t out_sz)
{
	if (!c->facts->cwd.len && (!path.len || *path.p != '/'))
		return false;
	return st_text__join(c->facts->cwd, path, out, out_sz);
}

bool st_cmd__folder_of(struct st_cmd *c, struct st_str path)
{
	char abs[ST_ARTIFACT_MAX];

	return st_cmd__abs(c, path, abs, sizeof(abs)) &&
	       st_cmd__folder(c, st_text__dir(st_str_of(abs)));
}

/* package.json of one folder; its name when it has one. */
static bool package_in(struct st_cmd *c, struct st_str dir)
{
	char path[ST_ARTIFACT_MAX], text[16384];
	struct st_str name;
	int n;

	if (!st_text__join(dir, ST_STR("package.json"), path, sizeof(path)))
		return false;
	n = c->facts->read(c->facts->ctx, path, text, sizeof(text));
	if (n <= 0)
		return false;
	c->out->artifact_kind = ST_ARTIFACT_PACKAGE;
	memcpy(c->out->artifact, path, sizeof(path));
	return st_text__json(st_str(text, (size_t)n), "name", &name) &&
	       st_cmd__name(c, name, ST_NAME_PACKAGE);
}

bool st_cmd__package(struct st_cmd *c, struct st_str dir)
{
	if (!c->facts->read)
		return false;
	/* Built files lie a few folders deep: dist/src/main.js. */
	for (int i = 0; i < 4 && dir.len; i++) {
		if (package_in(c, dir))
			return true;
		if (!st_text__in(st_text__base(dir), LAYOUT_FOLDERS))
			return false;
		dir = st_text__dir(dir);
	}
	return false;
}

uint32_t st_cmd__positional(const struct st_cmd *c, uint32_t i, const char *valued)
{
	for (; i < c->argc; i++) {
		struct st_str a = c->argv[i];

		if (st_text__is(a, "--"))
			return i + 1;
		if (a.len < 2 || *a.p != '-')
			return i;
		if (st_text__in(a, valued))
			i++;
	}
	return c->argc;
}

bool st_cmd__option(const struct st_cmd *c, uint32_t i, const char *names, struct st_str *value)
{
	for (; i < c->argc; i++) {
		struct st_str a = c->argv[i], key = st_text__until(a, '=');

		if (!a.len || *a.p != '-' || !st_text__in(key, names))
			continue;
		if (key.len < a.len)
			*value = st_text__skip(a, key.len + 1);
		else if (i + 1 < c->argc)
			*value = c->argv[i + 1];
		else
			return false;
		return true;
	}
	return false;
}
