/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/endpoint.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "export/otlp_response.h"
#include "lib/log.h"

#define URL_MAX	   4096
#define HEADER_MAX 8192

static bool is_local(const char *host)
{
	size_t len = strcspn(host, ":/");

	if (!strncmp(host, "[::1]", 5))
		return true;
	if (len == 9 && !strncmp(host, "localhost", 9))
		return true;
	return !strncmp(host, "127.", 4) && strspn(host, "0123456789.") == len;
}

/* given with a scheme, in buf. */
static int with_scheme(const struct st_endpoint_ask *ask, char *buf, size_t sz)
{
	const char *given = ask->given && ask->given[0] ? ask->given : ask->fallback;
	const char *scheme = "";
	int n;

	if (!strstr(given, "://"))
		scheme = ask->tls && !is_local(given) ? "https://" : "http://";
	n = snprintf(buf, sz, "%s%s", scheme, given);
	return n > 0 && (size_t)n < sz ? 0 : -EINVAL;
}

static int set_path(CURLU *u, const struct st_endpoint_ask *ask)
{
	char path[URL_MAX];
	char *own = NULL;
	size_t len;
	int err = 0;

	if (curl_url_get(u, CURLUPART_PATH, &own, 0))
		return -EINVAL;
	len = strlen(own);
	if (!ask->append && !ask->replace && len > 1)
		goto out;
	while (len && own[len - 1] == '/')
		len--;
	if (ask->replace)
		len = 0;
	if ((size_t)snprintf(path, sizeof(path), "%.*s%s", (int)len, own, ask->path) >=
		    sizeof(path) ||
	    curl_url_set(u, CURLUPART_PATH, path, 0))
		err = -EINVAL;
out:
	curl_free(own);
	return err;
}

static int check_scheme(CURLU *u)
{
	char *scheme = NULL;
	int err = -EINVAL;

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0))
		return -EINVAL;
	if (!strcmp(scheme, "http") || !strcmp(scheme, "https"))
		err = 0;
	curl_free(scheme);
	return err;
}

static char *url_text(CURLU *u)
{
	char *text = NULL, *copy;

	if (curl_url_get(u, CURLUPART_URL, &text, 0))
		return NULL;
	copy = strdup(text);
	curl_free(text);
	return copy;
}

int st_endpoint__url(const struct st_endpoint_ask *ask, char **url, char **shown)
{
	char buf[URL_MAX];
	CURLU *u = curl_url();
	int err = -ENOMEM;

	*url = *shown = NULL;
	if (!u)
		return -ENOMEM;
	err = with_scheme(ask, buf, sizeof(buf));
	if (!err && curl_url_set(u, CURLUPART_URL, buf, CURLU_NON_SUPPORT_SCHEME))
		err = -EINVAL;
	if (!err)
		err = check_scheme(u);
	if (!err && !ask->as_is)
		err = set_path(u, ask);
	if (err)
		goto out;
	*url = url_text(u);
	curl_url_set(u, CURLUPART_USER, NULL, 0);
	curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	/* The path that gRPC adds tells nobody anything. */
	if (ask->replace)
		curl_url_set(u, CURLUPART_PATH, "/", 0);
	*shown = url_text(u);
	if (!*url || !*shown) {
		free(*url);
		free(*shown);
		*url = *shown = NULL;
		err = -ENOMEM;
	}
out:
	curl_url_cleanup(u);
	return err;
}

static struct st_str trim(struct st_str s)
{
	while (s.len && isspace((unsigned char)s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && isspace((unsigned char)s.p[s.len - 1]))
		s.len--;
	return s;
}

/* RFC 9110, section 5.6.2: a field's name is a token. */
static bool is_token(const char *p)
{
	if (!*p)
		return false;
	for (; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p))
			return false;
	return true;
}

static bool is_field_value(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)p[i] < ' ' && p[i] != '\t') || p[i] == 0x7f)
			return false;
	return true;
}

static int add_header(const char *spec, struct st_str pair, struct curl_slist **list)
{
	const char *eq = memchr(pair.p, '=', pair.len);
	char key[256], value[HEADER_MAX], line[HEADER_MAX + 260];
	struct curl_slist *more;
	size_t len;

	if (!eq) {
		st_warn("-o %s: '%.*s' of OTEL_EXPORTER_OTLP_HEADERS is no KEY=VALUE; it is left "
			"out",
			spec, pair.len < 40 ? (int)pair.len : 40, pair.p);
		return 0;
	}
	st_percent_decode(key, sizeof(key), trim(st_str(pair.p, (size_t)(eq - pair.p))));
	len = st_percent_decode(value, sizeof(value),
				trim(st_str(eq + 1, pair.len - (size_t)(eq + 1 - pair.p))));
	if (!is_token(key) || !is_field_value(value, len)) {
		/* The value may be a secret. */
		st_warn("-o %s: '%.40s' of OTEL_EXPORTER_OTLP_HEADERS is no header; it is left out",
			spec, key);
		return 0;
	}
	/* HTTP/2 wants names in lower case (RFC 9113, section 8.2.1). */
	for (char *p = key; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	/* curl sends a header without a value only when it is written with ';'. */
	if (len)
		snprintf(line, sizeof(line), "%s: %s", key, value);
	else
		snprintf(line, sizeof(line), "%s;", key);
	more = curl_slist_append(*list, line);
	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

int st_endpoint__headers(const char *spec, const char *text, struct curl_slist **list)
{
	while (text && *text) {
		size_t len = strcspn(text, ",");
		struct st_str pair = trim(st_str(text, len));
		int err;

		if (pair.len) {
			err = add_header(spec, pair, list);
			if (err)
				return err;
		}
		text += len;
		if (*text)
			text++;
	}
	return 0;
}
