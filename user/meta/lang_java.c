/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The java launcher's command line (JDK's tool reference, "The java Command"). */
#include "meta/lang.h"

/* Options that take the next argument; all others stand alone or have "=". */
#define VALUED                                                                                     \
	"-cp -classpath --class-path -p --module-path --upgrade-module-path --add-modules "        \
	"--limit-modules --add-opens --add-exports --add-reads --patch-module --source "           \
	"--describe-module -d --enable-native-access --finalization"

/* A version begins at a digit, or at v and a digit. */
static bool begins_version(struct st_str s)
{
	if (s.len && *s.p == 'v')
		s = st_text__skip(s, 1);
	return s.len && *s.p >= '0' && *s.p <= '9';
}

/* "1.4.2-SNAPSHOT", "2.0.RELEASE", "1.0-20240131.101010-3", "1.2-all": each part is a number or
 * one of the words that builds add.
 */
static bool is_version(struct st_str s)
{
	bool dot = false;

	if (!begins_version(s))
		return false;
	while (s.len) {
		uint32_t n = 0;
		struct st_str part;
		bool digit;

		while (n < s.len && !strchr(".-_+", s.p[n]))
			n++;
		part = st_str(s.p, n);
		digit = n && memchr("0123456789", part.p[n - 1], 10);
		if (!digit && !st_text__in(part, "SNAPSHOT RELEASE FINAL Final GA BETA beta ALPHA "
						 "alpha RC all fat exec boot shaded runner "
						 "standalone jar with dependencies"))
			return false;
		dot |= n < s.len || st_text__is(part, "SNAPSHOT");
		s = st_text__skip(s, n + 1);
	}
	return dot;
}

/* shop-1.4.2-SNAPSHOT.jar: shop, and the version as a hint. */
static bool jar(struct st_cmd *c, struct st_str path)
{
	struct st_str base = st_lang__strip(st_text__base(path));

	c->out->artifact_kind = ST_ARTIFACT_JAR;
	if (!st_cmd__abs(c, path, c->out->artifact, sizeof(c->out->artifact)))
		c->out->artifact_kind = ST_ARTIFACT_EXE;
	for (uint32_t i = 1; i + 1 < base.len; i++) {
		struct st_str rest = st_text__skip(base, i + 1);

		if ((base.p[i] != '-' && base.p[i] != '_') || !is_version(rest))
			continue;
		st_text__clean(c->out->version, sizeof(c->out->version), rest);
		base.len = i;
		break;
	}
	return st_cmd__name(c, base, ST_NAME_SCRIPT);
}

/* Launchers that say nothing of the program: Spring Boot's unpacked archive, Tomcat, Quarkus. */
static bool main_class(struct st_cmd *c, struct st_str cls)
{
	static const struct {
		const char *cls, *name;
	} known[] = {
		{"org.apache.catalina.startup.Bootstrap", "tomcat"},
		{"org.apache.zookeeper.server.quorum.QuorumPeerMain", "zookeeper"},
		{"org.jboss.modules.Main", "wildfly"},
		{"org.apache.activemq.console.Main", "activemq"},
		{"kafka.Kafka", "kafka"},
	};
	const char *dot;

	if (st_text__starts(cls, "org.springframework.boot.loader.") &&
	    st_cmd__folder(c, c->facts->cwd))
		return true;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (st_text__is(cls, known[i].cls))
			return st_cmd__name(c, st_str_of(known[i].name), ST_NAME_MODULE);
	/* Source mode: java Shop.java */
	cls = st_lang__strip(st_text__base(cls));
	dot = memrchr(cls.p, '.', cls.len);
	if (dot)
		cls = st_text__skip(cls, (uint32_t)(dot - cls.p) + 1);
	return st_cmd__name(c, cls, ST_NAME_MODULE);
}

/* "com.acme.shop/com.acme.Main" or "com.acme.shop" */
static bool module(struct st_cmd *c, struct st_str m)
{
	struct st_str name = st_text__until(m, '/');
	const char *dot = memrchr(name.p, '.', name.len);

	if (dot)
		name = st_text__skip(name, (uint32_t)(dot - name.p) + 1);
	return st_cmd__name(c, name, ST_NAME_MODULE);
}

/* -Dname=value within words (an argument, or JAVA_TOOL_OPTIONS with its many). */
static bool property(struct st_str words, const char *prefix, struct st_str *value)
{
	while (words.len) {
		struct st_str word = st_text__until(words, ' ');

		words = st_text__skip(words, word.len + 1);
		if (st_text__starts(word, prefix)) {
			*value = st_text__skip(word, (uint32_t)strlen(prefix));
			return value->len > 0;
		}
	}
	return false;
}

static bool by_property(struct st_cmd *c, uint32_t end, const char *prefix,
			enum st_name_source source)
{
	struct st_str v, opts;

	for (uint32_t i = 1; i < end && i < c->argc; i++)
		if (st_text__starts(c->argv[i], prefix))
			return st_cmd__name(c, st_text__skip(c->argv[i], (uint32_t)strlen(prefix)),
					    source);
	if (st_text__env(c->facts->env, "JAVA_TOOL_OPTIONS", &opts) && property(opts, prefix, &v))
		return st_cmd__name(c, v, source);
	if (st_text__env(c->facts->env, "JDK_JAVA_OPTIONS", &opts) && property(opts, prefix, &v))
		return st_cmd__name(c, v, source);
	return false;
}

/* Index of what is run (a jar's or module's file, a class), *what is its option or 0. */
static uint32_t target(const struct st_cmd *c, char *what)
{
	uint32_t i;

	*what = 0;
	for (i = 1; i < c->argc; i++) {
		struct st_str a = c->argv[i];

		if (st_text__is(a, "-jar"))
			*what = 'j';
		else if (st_text__in(a, "-m --module"))
			*what = 'm';
		if (*what)
			return i + 1;
		if (st_text__starts(a, "--module=")) {
			*what = 'M';
			return i;
		}
		if (!a.len || *a.p == '@')
			continue;
		if (*a.p != '-')
			return i;
		if (st_text__in(a, VALUED))
			i++;
	}
	return c->argc;
}

bool st_lang__java(struct st_cmd *c)
{
	char what;
	uint32_t i = target(c, &what);
	struct st_str v;
	bool found = false;

	if (i < c->argc && what == 'j')
		found = jar(c, c->argv[i]);
	else if (i < c->argc && what == 'm')
		found = module(c, c->argv[i]);
	else if (i < c->argc && what == 'M')
		found = module(c, st_text__skip(c->argv[i], sizeof("--module=") - 1));
	else if (i < c->argc)
		found = main_class(c, c->argv[i]);
	/* The OpenTelemetry agent's property is the process's own name for itself. */
	if (by_property(c, i, "-Dotel.service.name=", ST_NAME_PROPERTY) ||
	    by_property(c, i, "-Dspring.application.name=", ST_NAME_APP))
		return true;
	if (st_text__env(c->facts->env, "SPRING_APPLICATION_NAME", &v) &&
	    st_cmd__name(c, v, ST_NAME_APP))
		return true;
	return found;
}
