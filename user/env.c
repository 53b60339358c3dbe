/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "env.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "core/propagate.h"
#include "export/endpoint.h"
#include "lib/log.h"
#include "lib/units.h"
#include "meta/otelenv.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* "The SDK MUST interpret an empty value of an environment variable the same way as unset." */
static const char *env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

/* The first of the two that is set. */
static const char *env2(const char *name, const char *general, const char **used)
{
	const char *v = env(name);

	*used = v ? name : general;
	return v ? v : env(general);
}

/* A whole number between min and max, or the default with a warning. */
static uint64_t number(const char *name, uint64_t min, uint64_t max, uint64_t otherwise)
{
	const char *v = env(name);
	uint64_t n;

	if (!v)
		return otherwise;
	if (!st_units__uint(st_str_of(v), max, &n) && n >= min)
		return n;
	if (otherwise == UINT32_MAX)
		st_warn("%s=%s: not a whole number; using no limit", name, v);
	else
		st_warn("%s=%s: not a whole number from %llu to %llu; using %llu", name, v,
			(unsigned long long)min, (unsigned long long)max,
			(unsigned long long)otherwise);
	return otherwise;
}

static uint64_t timeout_ms(const char *name, uint64_t otherwise)
{
	uint64_t ms = number(name, 0, ST_ENV_NO_LIMIT_MS, otherwise);

	return ms ? ms : ST_ENV_NO_LIMIT_MS;
}

/* "Any value that is not true is false; values that are neither SHOULD be warned about." */
static bool boolean(const char *name, const char *v)
{
	if (!v || !strcasecmp(v, "false"))
		return false;
	if (!strcasecmp(v, "true"))
		return true;
	st_warn("%s=%s: neither true nor false; using false", name, v);
	return false;
}

/* The word of the list that v is; NULL with a warning when it is none. */
static const char *word(const char *name, const char *v, const char *const *list, size_t cnt,
			const char *otherwise)
{
	if (!v)
		return otherwise;
	for (size_t i = 0; i < cnt; i++)
		if (!strcasecmp(v, list[i]))
			return list[i];
	st_warn("%s=%s: unknown value; using %s", name, v, otherwise);
	return otherwise;
}

static void apply_batch(struct st_export_config *x)
{
	x->schedule_delay_ms = number("OTEL_BSP_SCHEDULE_DELAY", 1, ST_ENV_NO_LIMIT_MS, 5000);
	x->export_timeout_ms = timeout_ms("OTEL_BSP_EXPORT_TIMEOUT", 30000);
	x->max_queue = (uint32_t)number("OTEL_BSP_MAX_QUEUE_SIZE", 1, 1u << 20, 2048);
	x->max_batch = (uint32_t)number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, 1u << 20,
					x->max_queue < 512 ? x->max_queue : 512);
	if (x->max_batch > x->max_queue) {
		st_warn("OTEL_BSP_MAX_EXPORT_BATCH_SIZE=%u: more than OTEL_BSP_MAX_QUEUE_SIZE; "
			"using %u",
			x->max_batch, x->max_queue);
		x->max_batch = x->max_queue;
	}
}

static void apply_limits(struct st_export_config *x)
{
	uint64_t len = number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 0, UINT32_MAX, UINT32_MAX);
	uint64_t cnt = number("OTEL_ATTRIBUTE_COUNT_LIMIT", 0, UINT32_MAX, 128);

	x->attr_len_limit =
		(uint32_t)number("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", 0, UINT32_MAX, len);
	x->attr_cnt_limit = (uint32_t)number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", 0, UINT32_MAX, cnt);
	x->event_cnt_limit = (uint32_t)number("OTEL_SPAN_EVENT_COUNT_LIMIT", 0, UINT32_MAX, 128);
	x->link_cnt_limit = (uint32_t)number("OTEL_SPAN_LINK_COUNT_LIMIT", 0, UINT32_MAX, 128);
	x->event_attr_limit =
		(uint32_t)number("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", 0, UINT32_MAX, cnt);
	x->link_attr_limit =
		(uint32_t)number("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", 0, UINT32_MAX, cnt);
}

/* The names whose value is taken as it is, the TRACES_ one over the general one. */
static void apply_otlp_strings(struct st_export_config *x)
{
	const char *used;

	x->headers = env2("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS", &used);
	x->ca_file = env2("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE",
			  &used);
	x->cert_file = env2("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
			    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &used);
	x->key_file = env2("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY",
			   &used);
}

/* A URL, or HOST:PORT; NULL with a warning when it is neither. */
static const char *url_of(const char *name, const char *v)
{
	struct st_endpoint_ask ask = {.given = v, .as_is = true};
	char *url = NULL, *shown = NULL;

	if (v && st_endpoint__url(&ask, &url, &shown)) {
		st_warn("%s=%s: no URL as in http://HOST:PORT; using the default", name, v);
		v = NULL;
	}
	free(url);
	free(shown);
	return v;
}

static void apply_otlp_endpoint(struct st_export_config *x)
{
	const char *used, *v;

	v = env2("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT", &used);
	x->endpoint = url_of(used, v);
	x->endpoint_is_full = x->endpoint && v == env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
}

static void apply_otlp(struct st_export_config *x)
{
	static const char *const protocols[] = {"http/protobuf", "http/json", "grpc"};
	static const char *const compressions[] = {"none", "gzip"};
	const char *used, *v;
	uint64_t ms;

	apply_otlp_strings(x);
	apply_otlp_endpoint(x);
	v = env2("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL", &used);
	x->protocol = word(used, v, protocols, ARRAY_SIZE(protocols), "http/protobuf");
	v = env2("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION", &used);
	x->compression = word(used, v, compressions, ARRAY_SIZE(compressions), "none");
	v = env2("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "OTEL_EXPORTER_OTLP_INSECURE", &used);
	x->insecure = boolean(used, v);
	ms = timeout_ms("OTEL_EXPORTER_OTLP_TIMEOUT", 10000);
	x->timeout_ms = timeout_ms("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", ms);
	x->zipkin_endpoint =
		url_of("OTEL_EXPORTER_ZIPKIN_ENDPOINT", env("OTEL_EXPORTER_ZIPKIN_ENDPOINT"));
	x->zipkin_timeout_ms = timeout_ms("OTEL_EXPORTER_ZIPKIN_TIMEOUT", 10000);
}

/* NO_COLOR (no-color.org): any value that is not empty. TERM=dumb cannot show colours. */
static void apply_terminal(struct st_export_config *x)
{
	const char *term = env("TERM");

	x->out_fd = STDOUT_FILENO;
	x->width = 0;
	x->colour = !env("NO_COLOR") && term && strcmp(term, "dumb") && isatty(STDOUT_FILENO);
	x->file_max_sz = 64u << 20;
	x->file_keep = 5;
}

static bool sampler_takes_ratio(enum st_sampler_kind s)
{
	return s == ST_SAMPLER_RATIO || s == ST_SAMPLER_PARENT_RATIO;
}

static void apply_sampler(struct st_config *c)
{
	static const char *const names[] = {
		[ST_SAMPLER_ALWAYS_ON] = "always_on",
		[ST_SAMPLER_ALWAYS_OFF] = "always_off",
		[ST_SAMPLER_RATIO] = "traceidratio",
		[ST_SAMPLER_PARENT_ON] = "parentbased_always_on",
		[ST_SAMPLER_PARENT_OFF] = "parentbased_always_off",
		[ST_SAMPLER_PARENT_RATIO] = "parentbased_traceidratio",
	};
	const char *name = word("OTEL_TRACES_SAMPLER", env("OTEL_TRACES_SAMPLER"), names,
				ARRAY_SIZE(names), names[ST_SAMPLER_PARENT_ON]);
	const char *arg = env("OTEL_TRACES_SAMPLER_ARG");
	double ratio = 1.0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (name == names[i])
			c->sampler = (enum st_sampler_kind)i;
	/* "Invalid or unrecognized input MUST be logged and MUST be otherwise ignored." */
	if (arg && sampler_takes_ratio(c->sampler) &&
	    (st_units__double(st_str_of(arg), &ratio) || ratio < 0 || ratio > 1)) {
		st_warn("OTEL_TRACES_SAMPLER_ARG=%s: not a number from 0 to 1; using 1", arg);
		ratio = 1.0;
	}
	c->sample_ratio = ratio;
}

/* Takes what stands before the next comma off the front of *list, without blanks around it. */
static struct st_str next_word(const char **list)
{
	size_t len = strcspn(*list, ",");
	struct st_str word = st_str(*list, len);

	*list = (*list)[len] ? *list + len + 1 : NULL;
	while (word.len && word.p[0] == ' ')
		word = st_str(word.p + 1, word.len - 1);
	while (word.len && word.p[word.len - 1] == ' ')
		word.len--;
	return word;
}

static const char *exporter_of(struct st_str name, const char *protocol)
{
	static const char *const map[][2] = {
		{"zipkin", "zipkin"}, {"console", "tree"}, {"logging", "tree"}, {"none", "none"}};

	/* The specification's "otlp" chooses the transport by the protocol variable. */
	if (name.len == 4 && !strncasecmp(name.p, "otlp", 4))
		return strcmp(protocol, "grpc") ? "otlp" : "grpc";
	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (name.len == strlen(map[i][0]) && !strncasecmp(name.p, map[i][0], name.len))
			return map[i][1];
	return NULL;
}

static void add_output(struct st_config *c, struct st_str name)
{
	const char *output = exporter_of(name, c->exp.protocol);

	if (!output) {
		st_warn("OTEL_TRACES_EXPORTER: unknown exporter %.*s; leaving it out",
			(int)name.len, name.p);
		return;
	}
	for (int i = 0; i < c->output_cnt; i++)
		if (c->outputs[i] == output)
			return;
	if (c->output_cnt < ST_CFG_LIST_MAX)
		c->outputs[c->output_cnt++] = output;
}

static void apply_outputs(struct st_config *c)
{
	const char *p = env("OTEL_TRACES_EXPORTER");

	while (p) {
		struct st_str name = next_word(&p);

		if (name.len)
			add_output(c, name);
	}
	if (!c->output_cnt)
		c->outputs[c->output_cnt++] = "tree";
}

static void add_propagator(struct st_propagators *p, struct st_str name, bool *none)
{
	int which = st_propagate__named(name);

	if (which < 0)
		st_warn("OTEL_PROPAGATORS: unknown propagator %.*s; leaving it out", (int)name.len,
			name.p);
	else if (which == ST_PROPAGATOR_NONE)
		*none = true;
	else if (!st_propagators_has(p, (enum st_propagator)which))
		p->v[p->cnt++] = (uint8_t)which;
}

/* Exactly the list, without what comes again; a list of unknown ones alone is as if unset. */
static void apply_propagators(struct st_propagators *p)
{
	const char *v = env("OTEL_PROPAGATORS");
	bool none = false;

	memset(p, 0, sizeof(*p));
	while (v) {
		struct st_str name = next_word(&v);

		if (name.len)
			add_propagator(p, name, &none);
	}
	if (none && p->cnt)
		st_warn("OTEL_PROPAGATORS: none beside others; using none");
	if (none)
		p->cnt = 0;
	p->given = none || p->cnt;
	if (!p->given)
		st_propagate__defaults(p);
}

/* "In case of any error the entire environment variable value SHOULD be discarded." */
static void apply_resource(struct st_config *c)
{
	static struct st_otel_attrs parsed;
	const char *v = env("OTEL_RESOURCE_ATTRIBUTES");

	c->service_name = env("OTEL_SERVICE_NAME");
	if (v && st_otel_attrs__parse(st_str_of(v), &parsed)) {
		st_warn("OTEL_RESOURCE_ATTRIBUTES=%s: not key=value,key=value with "
			"percent-encoding; leaving all of it out",
			v);
		v = NULL;
	}
	c->resource_attrs = v;
}

int st_env__log_level(void)
{
	static const struct {
		const char *word;
		enum st_log_level level;
	} levels[] = {
		{"none", ST_LOG_ERROR},	   {"error", ST_LOG_ERROR}, {"warn", ST_LOG_WARN},
		{"warning", ST_LOG_WARN},  {"info", ST_LOG_INFO},   {"debug", ST_LOG_DEBUG},
		{"verbose", ST_LOG_DEBUG}, {"trace", ST_LOG_DEBUG}, {"all", ST_LOG_DEBUG},
	};
	const char *v = env("OTEL_LOG_LEVEL");

	if (!v)
		return ST_LOG_INFO;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcasecmp(v, levels[i].word))
			return levels[i].level;
	st_warn("OTEL_LOG_LEVEL=%s: unknown level; using info", v);
	return ST_LOG_INFO;
}

int st_env__apply(struct st_config *c)
{
	memset(&c->exp, 0, sizeof(c->exp));
	apply_batch(&c->exp);
	apply_limits(&c->exp);
	apply_otlp(&c->exp);
	apply_terminal(&c->exp);
	if (!c->output_cnt)
		apply_outputs(c);
	if (!c->sampler && c->sample_ratio == 0)
		apply_sampler(c);
	apply_propagators(&c->propagators);
	apply_resource(c);
	c->disabled = boolean("OTEL_SDK_DISABLED", env("OTEL_SDK_DISABLED"));
	return 0;
}
