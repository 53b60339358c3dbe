/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "meta/resource.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "meta/text.h"
#include "meta/uuid.h"
#include "spantap/keys.h"

#ifndef ST_VERSION
#error "ST_VERSION comes from the Makefile"
#endif

#define ATTR_MAX (2 * ST_OTEL_ATTR_MAX + 40)

/* Attributes in the order of their priority: the first value of a key stays. */
struct draft {
	struct st_resource_env *env;
	struct st_attr v[ATTR_MAX];
	uint32_t cnt;
};

static const struct st_attr *find(const struct draft *d, const struct st_key *key)
{
	for (uint32_t i = 0; i < d->cnt; i++)
		if (d->v[i].key == key)
			return &d->v[i];
	return NULL;
}

static struct st_attr *add(struct draft *d, const struct st_key *key)
{
	if (d->cnt == ATTR_MAX || find(d, key))
		return NULL;
	d->v[d->cnt].key = key;
	return &d->v[d->cnt++];
}

static void put(struct draft *d, const struct st_key *key, struct st_str value)
{
	struct st_attr *a = value.len ? add(d, key) : NULL;

	if (a) {
		a->type = ST_V_STR;
		a->s = value;
	}
}

static void put_z(struct draft *d, const struct st_key *key, const char *value)
{
	put(d, key, st_str_of(value));
}

static void put_int(struct draft *d, const struct st_key *key, int64_t value)
{
	struct st_attr *a = add(d, key);

	if (a) {
		a->type = ST_V_INT;
		a->i = value;
	}
}

/* A key by name; new ones are made as long as there is room for those of processes. */
static const struct st_key *key_of(struct st_resource_env *env, struct st_str name)
{
	const struct st_key *key;

	for (uint16_t i = 0; i < st_key__cnt(); i++) {
		key = st_key__by_index(i);
		if (st_str_eq(key->name, name))
			return key;
	}
	key = env->key_cnt < ST_RESOURCE_KEYS_MAX ? st_key__intern(name) : NULL;
	if (key)
		env->key_cnt++;
	else
		env->attr_dropped++;
	return key;
}

/* An attribute that an environment gave; all of them are strings. */
static void put_env(struct draft *d, struct st_str name, struct st_str value)
{
	const struct st_key *key = key_of(d->env, name);

	if (!key)
		return;
	/* The former name of the convention, which many deployments still set. */
	if (st_text__is(name, "deployment.environment"))
		put(d, ST_KEY(deployment_environment_name), value);
	put(d, key, value);
}

static bool is_host_key(struct st_str key)
{
	return st_text__starts(key, "host.") || st_text__starts(key, "os.");
}

/* The name has rules of its own, and who made the spans is not the process's to say. */
static bool is_reserved(struct st_str key)
{
	return st_text__is(key, "service.name") || st_text__starts(key, "telemetry.");
}

enum { OF_HOST = 1, OF_SERVICE = 2 };

static void put_attrs(struct draft *d, const struct st_otel_attrs *a, int which)
{
	for (uint32_t i = 0; i < a->cnt; i++) {
		if (is_reserved(a->v[i].key))
			continue;
		if (which & (is_host_key(a->v[i].key) ? OF_HOST : OF_SERVICE))
			put_env(d, a->v[i].key, a->v[i].value);
	}
}

enum st_name_source st_resource__name(const struct st_resource_env *env, const struct st_process *p,
				      struct st_str *name)
{
	const struct st_service *s = &p->service;

	*name = st_str_of(s->name);
	if (st_service__is_own(s))
		return s->source;
	if (env->service_name.len) {
		*name = env->service_name;
		return ST_NAME_ENV;
	}
	if (st_otel_attrs__find(&env->attrs, "service.name", name) && name->len)
		return ST_NAME_ATTRS;
	*name = st_str_of(s->name);
	return s->source;
}

/*
 * The SDK is spantap; its language is the traced program's, as it would be were the program
 * instrumented, since backends group and draw by it. Where that is not known it is the language
 * that spantap itself is written in.
 */
static void put_telemetry(struct draft *d, const char *language)
{
	put(d, ST_KEY(telemetry_sdk_name), ST_STR("spantap"));
	put_z(d, ST_KEY(telemetry_sdk_language), language ? language : "c");
	put(d, ST_KEY(telemetry_sdk_version), ST_STR(ST_VERSION));
	put(d, ST_KEY(telemetry_distro_name), ST_STR("spantap"));
	put(d, ST_KEY(telemetry_distro_version), ST_STR(ST_VERSION));
}

static void put_host(struct draft *d)
{
	const struct st_host *h = &d->env->host;

	put_attrs(d, &d->env->attrs, OF_HOST);
	put_z(d, ST_KEY(host_name), h->name);
	put_z(d, ST_KEY(host_id), h->id);
	put_z(d, ST_KEY(host_arch), h->arch);
	put(d, ST_KEY(os_type), ST_STR("linux"));
	put_z(d, ST_KEY(os_description), h->os_description);
	put_z(d, ST_KEY(os_name), h->os_name);
	put_z(d, ST_KEY(os_version), h->os_version);
}

/*
 * Equal for the same process in every run of the tracer: host, boot, number and start time name
 * it, and no other process ever.
 */
static bool instance_id(const struct st_host *h, const struct st_process *p, char out[ST_UUID_SZ])
{
	char name[192];
	int n;

	if (!p->start_ticks)
		return false;
	n = snprintf(name, sizeof(name), "%s/%s/%d/%" PRIu64, h->id[0] ? h->id : h->name,
		     h->boot_id, p->pid, p->start_ticks);
	st_uuid__v5(st_uuid_service_instance, name, (size_t)n, out);
	return true;
}

/* Strings made for one resource, which st_resource__build copies. */
struct made {
	char instance[ST_UUID_SZ];
	char owner[65];
	char created[32];
	char exe[ST_ARTIFACT_MAX], exe_name[ST_ARTIFACT_MAX];
};

static void put_process(struct draft *d, const struct st_process *p, struct made *m)
{
	const struct st_host *h = &d->env->host;

	if (instance_id(h, p, m->instance))
		put_z(d, ST_KEY(service_instance_id), m->instance);
	put_z(d, ST_KEY(service_version), p->version);
	put_int(d, ST_KEY(process_pid), p->pid);
	if (p->ppid > 0)
		put_int(d, ST_KEY(process_parent_pid), p->ppid);
	st_text__clean(m->exe, sizeof(m->exe), st_str_of(p->exe));
	st_text__clean(m->exe_name, sizeof(m->exe_name),
		       p->exe[0] ? st_text__base(st_str_of(p->exe)) : st_str_of(p->comm));
	put_z(d, ST_KEY(process_executable_name), m->exe_name);
	put_z(d, ST_KEY(process_executable_path), m->exe);
	if (p->uid >= 0) {
		st_host__owner((uint32_t)p->uid, m->owner, sizeof(m->owner));
		put_z(d, ST_KEY(process_owner), m->owner);
	}
	if (p->start_ticks) {
		st_host__creation_time(h, p->start_ticks, m->created);
		put_z(d, ST_KEY(process_creation_time), m->created);
	}
	put_z(d, ST_KEY(process_runtime_name), p->service.runtime);
	put_z(d, ST_KEY(process_runtime_version), p->runtime_version);
	put_z(d, ST_KEY(container_id), p->container);
}

static bool is_shared(const struct draft *d, const char *p)
{
	const char *from = (const char *)&d->env->host;

	return p >= from && p < from + sizeof(d->env->host);
}

/* The draft in one piece: resource, attributes, strings. */
static struct st_resource *flatten(const struct draft *d, int pid)
{
	size_t text = 0, n = d->cnt * sizeof(struct st_attr);
	struct st_resource *r;
	struct st_attr *attrs;
	char *to;

	for (uint32_t i = 0; i < d->cnt; i++)
		if (d->v[i].type == ST_V_STR && !is_shared(d, d->v[i].s.p))
			text += d->v[i].s.len;
	r = malloc(sizeof(*r) + n + text);
	if (!r)
		return NULL;
	attrs = (struct st_attr *)(r + 1);
	memcpy(attrs, d->v, n);
	to = (char *)attrs + n;
	for (uint32_t i = 0; i < d->cnt; i++) {
		if (attrs[i].type != ST_V_STR || is_shared(d, attrs[i].s.p))
			continue;
		memcpy(to, attrs[i].s.p, attrs[i].s.len);
		attrs[i].s.p = to;
		to += attrs[i].s.len;
	}
	/* The name is the first attribute of every draft. */
	*r = (struct st_resource){
		.service = attrs[0].s, .pid = pid, .attrs = attrs, .attr_cnt = (uint16_t)d->cnt};
	return r;
}

struct st_resource *st_resource__build(struct st_resource_env *env, const struct st_process *p)
{
	struct draft *d = malloc(sizeof(*d));
	struct made *m = malloc(sizeof(*m));
	struct st_resource *r = NULL;
	struct st_str name;

	if (d && m) {
		d->env = env;
		d->cnt = 0;
		st_resource__name(env, p, &name);
		put(d, ST_KEY(service_name), name.len ? name : ST_STR("unknown_service"));
		put_attrs(d, &p->attrs, OF_HOST | OF_SERVICE);
		put_process(d, p, m);
		put_attrs(d, &env->attrs, OF_SERVICE);
		put_host(d);
		put_telemetry(d, p->service.language);
		r = flatten(d, p->pid);
	}
	free(d);
	free(m);
	return r;
}

static bool is_of_one_process(const struct st_key *key)
{
	return key == ST_KEY(service_instance_id) || key == ST_KEY(process_pid) ||
	       key == ST_KEY(process_parent_pid) || key == ST_KEY(process_creation_time);
}

struct st_resource *st_resource__of_child(struct st_resource_env *env,
					  const struct st_resource *parent, int pid)
{
	struct draft *d = malloc(sizeof(*d));
	struct st_resource *r = NULL;

	if (d) {
		d->env = env;
		d->cnt = 0;
		for (uint32_t i = 0; i < parent->attr_cnt; i++) {
			const struct st_attr *from = &parent->attrs[i];
			struct st_attr *a = is_of_one_process(from->key) ? NULL : add(d, from->key);

			if (a)
				*a = *from;
		}
		put_int(d, ST_KEY(process_pid), pid);
		put_int(d, ST_KEY(process_parent_pid), parent->pid);
		r = flatten(d, pid);
	}
	free(d);
	return r;
}

struct st_resource *st_resource__build_unknown(struct st_resource_env *env, int pid)
{
	struct draft *d = malloc(sizeof(*d));
	struct st_resource *r = NULL;
	struct st_str name = env->service_name;

	if (d) {
		d->env = env;
		d->cnt = 0;
		if (!name.len)
			st_otel_attrs__find(&env->attrs, "service.name", &name);
		put(d, ST_KEY(service_name), name.len ? name : ST_STR("unknown_service"));
		if (pid > 0)
			put_int(d, ST_KEY(process_pid), pid);
		put_attrs(d, &env->attrs, OF_SERVICE);
		put_host(d);
		put_telemetry(d, NULL);
		r = flatten(d, pid);
	}
	free(d);
	return r;
}
