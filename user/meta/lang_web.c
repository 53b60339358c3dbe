/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Ruby, PHP and Perl, whose servers rewrite their titles and are named by their folder. */
#include "meta/lang.h"

/* The text between the last '[' and a ']' that ends the title. */
static bool bracket(struct st_str t, struct st_str *inside)
{
	const char *open = memrchr(t.p, '[', t.len);

	if (!open || !st_text__ends(t, "]"))
		return false;
	*inside = st_str(open + 1, (size_t)(t.p + t.len - open) - 2);
	return inside->len > 0;
}

static bool folder_or(struct st_cmd *c, const char *name)
{
	return st_cmd__folder(c, c->facts->cwd) ||
	       st_cmd__name(c, st_str_of(name), ST_NAME_PROGRAM);
}

/*
 * "puma 5.6.5 (tcp://0.0.0.0:9292) [shop]", "puma: cluster worker 0: 123 [shop]",
 * "sidekiq 7.1.2 shop [0 of 5 busy]", "Passenger RubyApp: /srv/shop (production)",
 * "unicorn worker[0] -c config.rb"
 */
static bool ruby_title(struct st_cmd *c)
{
	struct st_str v;

	if (st_text__starts(c->title, "puma"))
		return (bracket(c->title, &v) && st_cmd__name(c, v, ST_NAME_TITLE)) ||
		       folder_or(c, "puma");
	if (st_text__starts(c->title, "sidekiq "))
		return (c->argc > 2 && *c->argv[2].p != '[' &&
			st_cmd__name(c, c->argv[2], ST_NAME_TITLE)) ||
		       folder_or(c, "sidekiq");
	if (st_text__starts(c->title, "Passenger RubyApp: "))
		return c->argc > 2 && st_cmd__folder(c, c->argv[2]);
	if (st_text__starts(c->title, "unicorn"))
		return folder_or(c, "unicorn");
	return false;
}

/* Launchers serve the application whose folder they were started in. */
static bool ruby_command(struct st_cmd *c, uint32_t i)
{
	struct st_str word = st_lang__strip(st_text__base(c->argv[i]));

	if (st_text__in(word, "bundle bundler") && i + 2 < c->argc &&
	    st_text__is(c->argv[i + 1], "exec"))
		return ruby_command(c, i + 2);
	if (st_text__in(word, "puma rails rackup unicorn unicorn_rails thin sidekiq resque rake "
			      "falcon passenger spring good_job bundle") &&
	    st_cmd__folder(c, c->facts->cwd))
		return true;
	return st_cmd__script(c, c->argv[i]);
}

bool st_lang__ruby(struct st_cmd *c)
{
	uint32_t i;

	if (c->title.len && ruby_title(c))
		return true;
	i = st_cmd__positional(c, 1, "-I -r -C -E -e -F --encoding --external-encoding");
	for (uint32_t k = 1; k < i && k < c->argc; k++)
		if (st_text__is(c->argv[k], "-e"))
			return false;
	return i < c->argc && ruby_command(c, i);
}

/* "php-fpm: pool shop"; www is the pool that every installation has. */
bool st_lang__php_fpm(struct st_cmd *c)
{
	static const char pool[] = "php-fpm: pool ";
	struct st_str name;

	if (!st_text__starts(c->title, pool))
		return false;
	name = st_text__skip(c->title, sizeof(pool) - 1);
	return !st_text__is(name, "www") && st_cmd__name(c, name, ST_NAME_TITLE);
}

#define PHP_VALUED "-d -c -z -t -S --define --php-ini --docroot --server -B -R -E"

bool st_lang__php(struct st_cmd *c)
{
	uint32_t i = st_cmd__positional(c, 1, PHP_VALUED " -f --file -r --run -F");
	struct st_str v, base;

	if (st_cmd__option(c, 1, "-S --server", &v))
		c->out->runtime = "cli-server"; /* PHP_SAPI */
	for (uint32_t k = 1; k < i && k < c->argc; k++) {
		if (st_text__in(c->argv[k], "-f --file") && k + 1 < c->argc)
			return st_cmd__script(c, c->argv[k + 1]);
		if (st_text__in(c->argv[k], "-r --run"))
			return false;
	}
	if (i < c->argc) {
		/* Laravel's and Symfony's consoles are named by their project. */
		base = st_text__base(c->argv[i]);
		if (st_text__in(base, "artisan console index.php router.php server.php") &&
		    st_cmd__folder_of(c, c->argv[i]))
			return true;
		return st_cmd__script(c, c->argv[i]);
	}
	if (st_cmd__option(c, 1, "-t --docroot", &v)) {
		char abs[ST_ARTIFACT_MAX];

		return st_cmd__abs(c, v, abs, sizeof(abs)) && st_cmd__folder(c, st_str_of(abs));
	}
	return st_cmd__option(c, 1, "-S --server", &v) && st_cmd__folder(c, c->facts->cwd);
}

/* "starman master /srv/app.psgi", "plackup app.psgi": the application is the last file. */
static bool psgi(struct st_cmd *c)
{
	for (uint32_t i = c->argc; i-- > 1;)
		if (st_text__ends(c->argv[i], ".psgi"))
			return st_cmd__script(c, c->argv[i]);
	return false;
}

bool st_lang__perl(struct st_cmd *c)
{
	uint32_t i;

	if (psgi(c))
		return true;
	if (c->title.len)
		return st_cmd__name(c, st_text__base(c->argv[0]), ST_NAME_TITLE);
	i = st_cmd__positional(c, 1, "-I -e -E");
	for (uint32_t k = 1; k < i && k < c->argc; k++)
		if (st_text__in(c->argv[k], "-e -E"))
			return false;
	return i < c->argc && st_cmd__script(c, c->argv[i]);
}
