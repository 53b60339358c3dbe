/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/container.h"

#include "meta/text.h"

static bool is_hex(struct st_str s)
{
	for (uint32_t i = 0; i < s.len; i++)
		if (!strchr("0123456789abcdef", s.p[i]) || !s.p[i])
			return false;
	return s.len > 0;
}

/* 64 hex digits; or Fargate's form, 32 hex digits, '-' and a number. */
static bool is_id(struct st_str s)
{
	if (s.len == 64)
		return is_hex(s);
	if (s.len < 34 || s.len > 32 + 1 + 20 || s.p[32] != '-' || !is_hex(st_str(s.p, 32)))
		return false;
	for (uint32_t i = 33; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return true;
}

/*
 * One component of a cgroup's path: ID, docker-ID.scope, cri-containerd-ID.scope, crio-ID.scope,
 * libpod-ID.scope, system.slice:cri-containerd:ID. The monitors' own scopes are no containers.
 */
static bool component_id(struct st_str part, struct st_str *id)
{
	uint32_t i;

	if (st_text__ends(part, ".scope"))
		part.len -= 6;
	if (is_id(part)) {
		*id = part;
		return true;
	}
	if (part.len <= 65)
		return false;
	i = part.len - 65;
	if (part.p[i] != '-' && part.p[i] != ':')
		return false;
	*id = st_text__skip(part, i + 1);
	return is_id(*id) && !st_text__ends(st_str(part.p, i), "conmon");
}

static bool path_id(struct st_str path, struct st_str *id)
{
	while (path.len) {
		uint32_t i = path.len;

		while (i && path.p[i - 1] != '/')
			i--;
		if (component_id(st_text__skip(path, i), id))
			return true;
		if (!i)
			return false;
		path.len = i - 1;
	}
	return false;
}

static void put(char id[ST_CONTAINER_ID_SZ], struct st_str from)
{
	memcpy(id, from.p, from.len);
	id[from.len] = '\0';
}

bool st_container__from_cgroup(struct st_str text, char id[ST_CONTAINER_ID_SZ])
{
	struct st_str line, path, hit;

	while (text.len) {
		line = st_text__until(text, '\n');
		text = st_text__skip(text, line.len + 1);
		/* hierarchy:controllers:path (cgroups(7)) */
		path = st_text__skip(line, st_text__until(line, ':').len + 1);
		path = st_text__skip(path, st_text__until(path, ':').len + 1);
		if (path_id(path, &hit)) {
			put(id, hit);
			return true;
		}
	}
	return false;
}

/* ".../containers/ID/hostname" (Docker), ".../overlay-containers/ID/userdata/.containerenv" */
static bool mount_root_id(struct st_str root, struct st_str *id)
{
	struct st_str base = st_text__base(root), dir = st_text__dir(root);

	if (st_text__in(base, "hostname hosts resolv.conf")) {
		*id = st_text__base(dir);
		dir = st_text__dir(dir);
		return is_id(*id) && st_text__is(st_text__base(dir), "containers");
	}
	if (!st_text__is(base, ".containerenv") || !st_text__is(st_text__base(dir), "userdata"))
		return false;
	dir = st_text__dir(dir);
	*id = st_text__base(dir);
	return is_id(*id) && st_text__is(st_text__base(st_text__dir(dir)), "overlay-containers");
}

bool st_container__from_mountinfo(struct st_str text, char id[ST_CONTAINER_ID_SZ])
{
	while (text.len) {
		struct st_str line = st_text__until(text, '\n'), rest = line, hit;

		text = st_text__skip(text, line.len + 1);
		for (int field = 0; field < 3; field++)
			rest = st_text__skip(rest, st_text__until(rest, ' ').len + 1);
		if (mount_root_id(st_text__until(rest, ' '), &hit)) {
			put(id, hit);
			return true;
		}
	}
	return false;
}
