/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/text.h"

struct st_str st_text__until(struct st_str s, char c)
{
	const char *hit = s.len ? memchr(s.p, c, s.len) : NULL;

	return hit ? st_str(s.p, (size_t)(hit - s.p)) : s;
}

struct st_str st_text__trim(struct st_str s)
{
	while (s.len && (*s.p == ' ' || *s.p == '\t'))
		s = st_text__skip(s, 1);
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

bool st_text__in(struct st_str s, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, " ");

		if (n == s.len && !memcmp(list, s.p, n))
			return true;
		list += n + (list[n] == ' ');
	}
	return false;
}

struct st_str st_text__base(struct st_str path)
{
	uint32_t i;

	while (path.len > 1 && path.p[path.len - 1] == '/')
		path.len--;
	for (i = path.len; i > 0 && path.p[i - 1] != '/'; i--)
		;
	return st_text__skip(path, i);
}

struct st_str st_text__dir(struct st_str path)
{
	while (path.len > 1 && path.p[path.len - 1] == '/')
		path.len--;
	while (path.len && path.p[path.len - 1] != '/')
		path.len--;
	while (path.len > 1 && path.p[path.len - 1] == '/')
		path.len--;
	return path;
}

/* Appends path's components to out, which has no trailing '/'. */
static bool append_components(struct st_str path, char *out, size_t out_sz, size_t *len)
{
	while (path.len) {
		struct st_str part = st_text__until(path, '/');

		path = st_text__skip(path, part.len + 1);
		if (!part.len || st_text__is(part, "."))
			continue;
		if (st_text__is(part, "..")) {
			while (*len && out[--*len] != '/')
				;
			continue;
		}
		if (part.len + 2 > out_sz - *len)
			return false;
		out[(*len)++] = '/';
		memcpy(out + *len, part.p, part.len);
		*len += part.len;
	}
	return true;
}

bool st_text__join(struct st_str dir, struct st_str path, char *out, size_t out_sz)
{
	size_t len = 0;

	if (out_sz < 2)
		return false;
	if (!path.len || path.p[0] != '/')
		if (!append_components(dir, out, out_sz, &len))
			return false;
	if (!append_components(path, out, out_sz, &len))
		return false;
	if (!len)
		out[len++] = '/';
	out[len] = '\0';
	return true;
}

/* Length of the UTF-8 character at p (RFC 3629, section 4), 0 when it is none. */
static uint32_t utf8_char(const char *text, uint32_t left)
{
	const uint8_t *p = (const uint8_t *)text;
	uint32_t n, i;

	if (p[0] < 0x80)
		return p[0] ? 1 : 0;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > left)
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

bool st_text__utf8(struct st_str s)
{
	while (s.len) {
		uint32_t n = utf8_char(s.p, s.len);

		if (!n)
			return false;
		s = st_text__skip(s, n);
	}
	return true;
}

/* C0, DEL and C1 (U+0080..U+009F), which terminals may obey. */
static bool is_control(const char *p, uint32_t n)
{
	const uint8_t *u = (const uint8_t *)p;

	return (n == 1 && (u[0] < ' ' || u[0] == 0x7f)) || (n == 2 && u[0] == 0xc2 && u[1] < 0xa0);
}

size_t st_text__clean(char *out, size_t out_sz, struct st_str s)
{
	size_t len = 0;

	while (s.len) {
		uint32_t n = utf8_char(s.p, s.len), put = n;
		const char *from = s.p;

		if (!n || is_control(s.p, n)) {
			from = "?";
			put = 1;
		}
		if (put + 1 > out_sz - len)
			break;
		memcpy(out + len, from, put);
		len += put;
		s = st_text__skip(s, n ? n : 1);
	}
	out[len] = '\0';
	return len;
}

bool st_text__item(struct st_str *rest, struct st_str *item)
{
	if (!rest->len)
		return false;
	*item = st_text__until(*rest, '\0');
	*rest = st_text__skip(*rest, item->len + 1);
	return true;
}

bool st_text__env(struct st_str block, const char *name, struct st_str *value)
{
	size_t n = strlen(name);
	struct st_str item;

	while (st_text__item(&block, &item)) {
		if (item.len > n && item.p[n] == '=' && !memcmp(item.p, name, n)) {
			*value = st_text__skip(item, (uint32_t)n + 1);
			return true;
		}
	}
	return false;
}

/* The string that begins at s.p[0] == '"': its inside; rest is what follows. */
static bool json_string(struct st_str s, struct st_str *inside, struct st_str *rest)
{
	uint32_t i;

	for (i = 1; i < s.len && s.p[i] != '"'; i++)
		if (s.p[i] == '\\')
			i++;
	if (i >= s.len)
		return false;
	*inside = st_str(s.p + 1, i - 1);
	*rest = st_text__skip(s, i + 1);
	return true;
}

static struct st_str json_blank(struct st_str s)
{
	while (s.len && strchr(" \t\r\n", *s.p) && *s.p)
		s = st_text__skip(s, 1);
	return s;
}

/* rest stands behind a key: true when a plain string value follows. */
static bool json_value(struct st_str rest, struct st_str *value)
{
	rest = json_blank(rest);
	if (!rest.len || *rest.p != ':')
		return false;
	rest = json_blank(st_text__skip(rest, 1));
	return rest.len && *rest.p == '"' && json_string(rest, value, &rest) &&
	       !(value->len && memchr(value->p, '\\', value->len));
}

bool st_text__json(struct st_str json, const char *key, struct st_str *value)
{
	bool at_key = false;
	struct st_str text;
	int depth = 0;

	if (st_text__starts(json, "\xef\xbb\xbf"))
		json = st_text__skip(json, 3);
	json = json_blank(json);
	if (!json.len || *json.p != '{')
		return false;
	while (json.len) {
		char c = *json.p;

		if (c == '"') {
			if (!json_string(json, &text, &json))
				return false;
			if (depth == 1 && at_key && st_text__is(text, key))
				return json_value(json, value);
			at_key = false;
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		if (depth == 1 && (c == '{' || c == ','))
			at_key = true;
		if (depth == 0)
			return false;
		json = st_text__skip(json, 1);
	}
	return false;
}
