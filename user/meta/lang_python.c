/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Python's command lines (docs.python.org, "Command line and environment") and its servers'. */
#include "meta/lang.h"

/* "pkg.mod:app", "pkg.mod:create()" without the callable; Django's wsgi module is named by what
 * it lies in, and a bare "wsgi" says nothing.
 */
static bool name_by_application(struct st_cmd *c, struct st_str app)
{
	struct st_str mod = st_text__until(st_text__until(app, ':'), '(');

	if (st_text__ends(mod, ".py"))
		mod.len -= 3;
	if (memchr(mod.p, '/', mod.len))
		mod = st_text__base(mod);
	if (st_text__ends(mod, ".wsgi") || st_text__ends(mod, ".asgi"))
		mod.len -= 5;
	if (st_text__ends(mod, ".celery"))
		mod.len -= 7;
	if (st_text__in(mod, "wsgi asgi") && st_cmd__folder(c, c->facts->cwd))
		return true;
	return st_cmd__name(c, mod, ST_NAME_MODULE);
}

/* module:callable, not host:port and not a URL. */
static bool looks_like_application(struct st_str a)
{
	struct st_str mod = st_text__until(a, ':');
	struct st_str call = st_text__skip(a, mod.len + 1);

	if (!mod.len || !call.len || *a.p == '-' || *a.p == '.')
		return false;
	for (uint32_t i = 0; i < mod.len; i++)
		if (strchr("/=, ", mod.p[i]))
			return false;
	return *call.p == '_' || (*call.p >= 'a' && *call.p <= 'z') ||
	       (*call.p >= 'A' && *call.p <= 'Z');
}

/* The application among a server's arguments: by its form, else what no option takes. */
static bool server(struct st_cmd *c, uint32_t i, const char *flags)
{
	uint32_t k;

	for (k = i; k < c->argc; k++)
		if (looks_like_application(c->argv[k]) &&
		    !(k > i &&
		      st_text__in(c->argv[k - 1], "-k --worker-class -b --bind -c --config")))
			return name_by_application(c, c->argv[k]);
	for (k = i; k < c->argc; k++) {
		struct st_str a = c->argv[k];

		if (!a.len || *a.p != '-')
			return name_by_application(c, a);
		if (!memchr(a.p, '=', a.len) && !st_text__in(a, flags))
			k++;
	}
	return false;
}

static bool gunicorn(struct st_cmd *c, uint32_t i)
{
	return server(c, i,
		      "--reload --preload --daemon -D --check-config --print-config --spew "
		      "--capture-output --no-sendfile --reuse-port -R --log-syslog "
		      "--enable-stdio-inheritance --proxy-protocol --initgroups "
		      "--disable-redirect-access-to-syslog --no-control-socket");
}

static bool asgi(struct st_cmd *c, uint32_t i)
{
	return server(c, i,
		      "--reload --factory --proxy-headers --no-proxy-headers --use-colors "
		      "--no-use-colors --no-access-log --access-log --server-header "
		      "--no-server-header --date-header --no-date-header --debug --daemon");
}

static bool celery(struct st_cmd *c, uint32_t i)
{
	struct st_str app;

	return st_cmd__option(c, i, "-A --app", &app) && name_by_application(c, app);
}

static bool flask(struct st_cmd *c, uint32_t i)
{
	struct st_str app;

	if (st_cmd__option(c, i, "-A --app", &app) ||
	    st_text__env(c->facts->env, "FLASK_APP", &app))
		return name_by_application(c, app);
	return st_cmd__folder(c, c->facts->cwd);
}

static bool with_script(struct st_cmd *c, uint32_t i)
{
	i = st_cmd__positional(c, i, "--server.port --server.address --host --port");
	if (i < c->argc && st_text__in(c->argv[i], "run dev"))
		i = st_cmd__positional(c, i + 1, "--server.port --server.address --host --port");
	return i < c->argc && st_cmd__script(c, c->argv[i]);
}

static bool django(struct st_cmd *c, uint32_t i)
{
	struct st_str settings;

	if (!st_cmd__option(c, i, "--settings", &settings) &&
	    !st_text__env(c->facts->env, "DJANGO_SETTINGS_MODULE", &settings))
		return false;
	return st_cmd__name(c, st_text__until(settings, '.'), ST_NAME_MODULE);
}

static const struct launcher {
	const char *name;
	bool (*fn)(struct st_cmd *c, uint32_t i); /* i: the first argument behind it */
} launchers[] = {
	{"gunicorn", gunicorn},	  {"gunicorn3", gunicorn},  {"uvicorn", asgi},
	{"hypercorn", asgi},	  {"daphne", asgi},	    {"granian", asgi},
	{"waitress-serve", asgi}, {"waitress", asgi},	    {"celery", celery},
	{"flask", flask},	  {"fastapi", with_script}, {"streamlit", with_script},
	{"django-admin", django}, {"django", django},
};

/* A launcher's application, or the launcher's own name. */
static bool launch(struct st_cmd *c, struct st_str name, uint32_t i, enum st_name_source source)
{
	for (size_t k = 0; k < sizeof(launchers) / sizeof(launchers[0]); k++)
		if (st_text__is(name, launchers[k].name) && launchers[k].fn(c, i))
			return true;
	return st_cmd__name(c, name, source);
}

static bool script(struct st_cmd *c, uint32_t i)
{
	struct st_str path = c->argv[i], base = st_lang__strip(st_text__base(path));

	/* "python3 /srv/shop" runs the folder's __main__.py */
	if (st_text__in(base, "__main__ manage wsgi asgi")) {
		if (st_text__is(base, "manage") && django(c, i + 1))
			return true;
		if (st_cmd__folder_of(c, path))
			return true;
	}
	return launch(c, base, i + 1, ST_NAME_SCRIPT);
}

/* "gunicorn: worker [shop.wsgi]", "[celeryd: w1@host:MainProcess] -active- (worker -A shop)" */
static bool title(struct st_cmd *c)
{
	const char *open;
	struct st_str t = c->title;

	if (st_text__starts(t, "gunicorn: ")) {
		open = memchr(t.p, '[', t.len);
		if (open && st_text__ends(t, "]")) {
			t = st_str(open + 1, (size_t)(t.p + t.len - open) - 2);
			return name_by_application(c, t);
		}
		return st_cmd__name(c, ST_STR("gunicorn"), ST_NAME_TITLE);
	}
	if (st_text__starts(t, "[celeryd: ")) {
		for (uint32_t i = 0; i < c->argc; i++)
			if (st_text__ends(c->argv[i], ")"))
				c->argv[i].len--;
		return celery(c, 0) || st_cmd__name(c, ST_STR("celery"), ST_NAME_TITLE);
	}
	return false;
}

/* One option word: letters in a row, the last of which may take a value. Returns the letter that
 * does and puts its value; 0 when none does.
 */
static char cluster(const struct st_cmd *c, uint32_t *i, struct st_str *value)
{
	struct st_str a = c->argv[*i];

	for (uint32_t k = 1; k < a.len; k++) {
		if (!strchr("mcWX", a.p[k]) || !a.p[k])
			continue;
		*value = st_text__skip(a, k + 1);
		if (!value->len && *i + 1 < c->argc)
			*value = c->argv[++*i];
		return a.p[k];
	}
	return 0;
}

bool st_lang__python(struct st_cmd *c)
{
	struct st_str value = {0};

	if (c->title.len && title(c))
		return true;
	for (uint32_t i = 1; i < c->argc; i++) {
		struct st_str a = c->argv[i];
		char letter;

		if (a.len < 2 || *a.p != '-')
			return a.len > 1 || (a.len && *a.p != '-') ? script(c, i) : false;
		if (st_text__is(a, "--check-hash-based-pycs"))
			i++;
		if (a.p[1] == '-')
			continue;
		letter = cluster(c, &i, &value);
		if (letter == 'c')
			return false;
		if (letter == 'm')
			return launch(c, value, i + 1, ST_NAME_MODULE);
	}
	return false;
}

bool st_lang__uwsgi(struct st_cmd *c)
{
	struct st_str v;

	if (st_cmd__option(c, 1, "-w --module --wsgi --mount", &v))
		return name_by_application(c, v);
	if (st_cmd__option(c, 1, "--wsgi-file --file", &v)) {
		v = st_text__base(v);
		if (st_text__in(v, "wsgi.py app.py") && st_cmd__folder(c, c->facts->cwd))
			return true;
		return st_cmd__script(c, v);
	}
	if (st_cmd__option(c, 1, "--ini --yaml --xml", &v)) {
		v = st_text__until(st_text__base(v), '.');
		if (!st_text__in(v, "uwsgi config"))
			return st_cmd__name(c, v, ST_NAME_SCRIPT);
	}
	return false;
}
