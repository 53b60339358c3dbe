/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Between the files that know how each runtime's command line names its program. */
#ifndef ST_META_LANG_H
#define ST_META_LANG_H

#include "meta/service.h"
#include "meta/text.h"

struct st_cmd {
	const struct st_facts *facts;
	struct st_service *out;
	struct st_str argv[ST_ARGV_MAX]; /* argv[0] is the program */
	uint32_t argc;
	struct st_str title;   /* argv[0] as it was rewritten ("puma 5.6.5 [shop]"), else empty */
	struct st_str program; /* the executable's file name, or what was put in its place */
};

/* How a runtime's program is called; finds a name and sets it, or returns false. */
typedef bool (*st_lang_fn)(struct st_cmd *c);

bool st_lang__python(struct st_cmd *c);
bool st_lang__java(struct st_cmd *c);
bool st_lang__node(struct st_cmd *c);
bool st_lang__deno(struct st_cmd *c);
bool st_lang__bun(struct st_cmd *c);
bool st_lang__ruby(struct st_cmd *c);
bool st_lang__php(struct st_cmd *c);
bool st_lang__php_fpm(struct st_cmd *c);
bool st_lang__perl(struct st_cmd *c);
bool st_lang__dotnet(struct st_cmd *c);
bool st_lang__mono(struct st_cmd *c);
bool st_lang__shell(struct st_cmd *c);
bool st_lang__script(struct st_cmd *c);
bool st_lang__erlang(struct st_cmd *c);
bool st_lang__r(struct st_cmd *c);
bool st_lang__uwsgi(struct st_cmd *c);

/* Sets the name unless it is empty; it is cleaned and cut. */
bool st_cmd__name(struct st_cmd *c, struct st_str name, enum st_name_source source);

/* A script's or archive's file name without its extension. */
bool st_cmd__script(struct st_cmd *c, struct st_str path);

/* The folder that a project lies in, if its name says something ("/srv/shop/current": shop). */
bool st_cmd__folder(struct st_cmd *c, struct st_str dir);

/* The same for the folder of a path relative to the working directory. */
bool st_cmd__folder_of(struct st_cmd *c, struct st_str path);

/* package.json's name, from dir upwards through build folders; remembers it for the version. */
bool st_cmd__package(struct st_cmd *c, struct st_str dir);

/* path against the process's working directory; false when it does not fit. */
bool st_cmd__abs(const struct st_cmd *c, struct st_str path, char *out, size_t out_sz);

/*
 * Index of the first argument from i on that is no option; those in `valued` (space separated)
 * take the next argument with them. argc when there is none.
 */
uint32_t st_cmd__positional(const struct st_cmd *c, uint32_t i, const char *valued);

/* The value of an option in the forms "-A v", "--app v", "--app=v"; names space separated. */
bool st_cmd__option(const struct st_cmd *c, uint32_t i, const char *names, struct st_str *value);

/* path without a script's extension. */
struct st_str st_lang__strip(struct st_str file);

#endif
