/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* OTEL_*: the specification's defaults, each variable, and what becomes of malformed values. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "env.h"
#include "lib/log.h"

static char said[8192];
static struct st_config c;

/* Applies the environment to a zeroed (or given) configuration and keeps what was said. */
static void apply(void)
{
	FILE *err = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t n;

	assert_non_null(err);
	fflush(stderr);
	dup2(fileno(err), STDERR_FILENO);
	assert_int_equal(st_env__apply(&c), 0);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(err);
	n = fread(said, 1, sizeof(said) - 1, err);
	said[n] = '\0';
	fclose(err);
}

static int lines(void)
{
	int n = 0;

	for (const char *p = said; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static void with(const char *name, const char *value)
{
	clearenv();
	memset(&c, 0, sizeof(c));
	setenv(name, value, 1);
	apply();
}

static void defaults(void **state)
{
	const struct st_export_config *x = &c.exp;

	(void)state;
	clearenv();
	memset(&c, 0, sizeof(c));
	memset(&c.exp, 0xaa, sizeof(c.exp));
	apply();
	assert_string_equal(said, "");
	assert_int_equal(x->schedule_delay_ms, 5000);
	assert_int_equal(x->export_timeout_ms, 30000);
	assert_int_equal(x->max_queue, 2048);
	assert_int_equal(x->max_batch, 512);
	assert_int_equal(x->attr_cnt_limit, 128);
	assert_true(x->attr_len_limit == UINT32_MAX);
	assert_int_equal(x->event_cnt_limit, 128);
	assert_int_equal(x->link_cnt_limit, 128);
	assert_int_equal(x->event_attr_limit, 128);
	assert_int_equal(x->link_attr_limit, 128);
	assert_null(x->endpoint);
	assert_false(x->endpoint_is_full);
	assert_string_equal(x->protocol, "http/protobuf");
	assert_string_equal(x->compression, "none");
	assert_null(x->headers);
	assert_null(x->ca_file);
	assert_null(x->cert_file);
	assert_null(x->key_file);
	assert_false(x->insecure);
	assert_int_equal(x->timeout_ms, 10000);
	assert_null(x->zipkin_endpoint);
	assert_int_equal(x->zipkin_timeout_ms, 10000);
	assert_false(x->colour);
	assert_int_equal(x->width, 0);
	assert_int_equal(x->out_fd, 1);
	assert_int_equal(c.sampler, ST_SAMPLER_PARENT_ON);
	assert_true(c.sample_ratio == 1.0);
	assert_string_equal(c.outputs[0], "tree");
	assert_int_equal(c.output_cnt, 1);
	assert_null(c.service_name);
	assert_null(c.resource_attrs);
	assert_false(c.disabled);
	assert_true(st_propagators_has(&c.propagators, ST_PROPAGATOR_TRACECONTEXT));
	assert_false(c.propagators.given);
}

#define F64(field) offsetof(struct st_export_config, field), 8
#define F32(field) offsetof(struct st_export_config, field), 4

/* A number: its name, place, a good value, a value that is out of range, the default. */
static const struct {
	const char *name;
	size_t off, sz;
	const char *good;
	uint64_t value;
	const char *out_of_range;
	uint64_t otherwise;
} numbers[] = {
	{"OTEL_BSP_SCHEDULE_DELAY", F64(schedule_delay_ms), "250", 250, "0", 5000},
	{"OTEL_BSP_EXPORT_TIMEOUT", F64(export_timeout_ms), "1", 1, "99999999999", 30000},
	{"OTEL_BSP_MAX_QUEUE_SIZE", F32(max_queue), "10000", 10000, "0", 2048},
	{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", F32(max_batch), "100", 100, "0", 512},
	{"OTEL_EXPORTER_OTLP_TIMEOUT", F64(timeout_ms), "700", 700, "99999999999", 10000},
	{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", F64(timeout_ms), "700", 700, "99999999999", 10000},
	{"OTEL_EXPORTER_ZIPKIN_TIMEOUT", F64(zipkin_timeout_ms), "9", 9, "99999999999", 10000},
	{"OTEL_ATTRIBUTE_COUNT_LIMIT", F32(attr_cnt_limit), "0", 0, "4294967296", 128},
	{"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", F32(attr_cnt_limit), "3", 3, "4294967296", 128},
	{"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", F32(attr_len_limit), "64", 64, "4294967296",
	 UINT32_MAX},
	{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", F32(attr_len_limit), "64", 64, "4294967296",
	 UINT32_MAX},
	{"OTEL_SPAN_EVENT_COUNT_LIMIT", F32(event_cnt_limit), "4", 4, "4294967296", 128},
	{"OTEL_SPAN_LINK_COUNT_LIMIT", F32(link_cnt_limit), "5", 5, "4294967296", 128},
	{"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", F32(event_attr_limit), "6", 6, "4294967296", 128},
	{"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", F32(link_attr_limit), "7", 7, "4294967296", 128},
};

static uint64_t field(size_t off, size_t sz)
{
	const char *p = (const char *)&c.exp + off;
	uint64_t v8;
	uint32_t v4;

	if (sz == 8) {
		memcpy(&v8, p, 8);
		return v8;
	}
	memcpy(&v4, p, 4);
	return v4;
}

static void each_number(void **state)
{
	static const char *const malformed[] = {
		"x", "-1", "5s", " 5", "1.5", "0x10", "99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const char *name = numbers[i].name;

		with(name, numbers[i].good);
		assert_string_equal(said, "");
		assert_true(field(numbers[i].off, numbers[i].sz) == numbers[i].value);
		with(name, "");
		assert_string_equal(said, "");
		assert_true(field(numbers[i].off, numbers[i].sz) == numbers[i].otherwise);
		with(name, numbers[i].out_of_range);
		if (lines() != 1 || !strstr(said, name))
			fail_msg("%s=%s: said %s", name, numbers[i].out_of_range, said);
		assert_true(field(numbers[i].off, numbers[i].sz) == numbers[i].otherwise);
		for (size_t k = 0; k < sizeof(malformed) / sizeof(malformed[0]); k++) {
			with(name, malformed[k]);
			if (lines() != 1 || !strstr(said, name) || !strstr(said, malformed[k]))
				fail_msg("%s=%s: said %s", name, malformed[k], said);
			assert_true(field(numbers[i].off, numbers[i].sz) == numbers[i].otherwise);
		}
	}
}

/* A timeout of 0 means that there is none. */
static void no_limit(void **state)
{
	(void)state;
	with("OTEL_EXPORTER_OTLP_TIMEOUT", "0");
	assert_int_equal(c.exp.timeout_ms, ST_ENV_NO_LIMIT_MS);
	with("OTEL_BSP_EXPORT_TIMEOUT", "0");
	assert_int_equal(c.exp.export_timeout_ms, ST_ENV_NO_LIMIT_MS);
}

static void batch_is_at_most_the_queue(void **state)
{
	(void)state;
	with("OTEL_BSP_MAX_QUEUE_SIZE", "100");
	assert_string_equal(said, "");
	assert_int_equal(c.exp.max_batch, 100);
	with("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5000");
	assert_int_equal(lines(), 1);
	assert_int_equal(c.exp.max_batch, 2048);
}

static void limits_fall_back(void **state)
{
	(void)state;
	with("OTEL_ATTRIBUTE_COUNT_LIMIT", "9");
	assert_int_equal(c.exp.event_attr_limit, 9);
	assert_int_equal(c.exp.link_attr_limit, 9);
	setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2", 1);
	setenv("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "x", 1);
	apply();
	assert_int_equal(c.exp.attr_cnt_limit, 2);
	assert_int_equal(c.exp.event_attr_limit, 9);
	assert_int_equal(c.exp.link_attr_limit, 9);
	assert_int_equal(lines(), 1);
}

#define S(field) offsetof(struct st_export_config, field)

/* Strings: the general name, the one of traces over it, where they go. */
static const struct {
	const char *general, *traces;
	size_t off;
	const char *a, *b;
} strings[] = {
	{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", S(headers), "a=1",
	 "b=2"},
	{"OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", S(ca_file),
	 "/a.pem", "/b.pem"},
	{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
	 S(cert_file), "/a.pem", "/b.pem"},
	{"OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", S(key_file),
	 "/a.key", "/b.key"},
	{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", S(endpoint),
	 "http://a:1", "https://b:2/x"},
	{"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", S(protocol), "grpc",
	 "http/json"},
	{"OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", S(compression),
	 "gzip", "none"},
};

static const char *string_at(size_t off)
{
	const char *z;

	memcpy(&z, (const char *)&c.exp + off, sizeof(z));
	return z;
}

static void traces_over_general(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		with(strings[i].general, strings[i].a);
		assert_string_equal(string_at(strings[i].off), strings[i].a);
		assert_false(c.exp.endpoint_is_full);
		setenv(strings[i].traces, "", 1);
		apply();
		assert_string_equal(string_at(strings[i].off), strings[i].a);
		setenv(strings[i].traces, strings[i].b, 1);
		apply();
		assert_string_equal(string_at(strings[i].off), strings[i].b);
		assert_int_equal(c.exp.endpoint_is_full, strings[i].off == S(endpoint));
		assert_string_equal(said, "");
	}
}

static void words(void **state)
{
	(void)state;
	with("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/JSON");
	assert_string_equal(c.exp.protocol, "http/json");
	with("OTEL_EXPORTER_OTLP_PROTOCOL", "thrift");
	assert_string_equal(c.exp.protocol, "http/protobuf");
	assert_non_null(strstr(said, "OTEL_EXPORTER_OTLP_PROTOCOL=thrift"));
	with("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd");
	assert_string_equal(c.exp.compression, "none");
	assert_int_equal(lines(), 1);
	with("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x");
	assert_null(c.exp.endpoint);
	assert_int_equal(lines(), 1);
	with("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317");
	assert_string_equal(c.exp.endpoint, "collector:4317");
	with("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "http://z/api/v2/spans");
	assert_string_equal(c.exp.zipkin_endpoint, "http://z/api/v2/spans");
}

static void booleans(void **state)
{
	(void)state;
	with("OTEL_SDK_DISABLED", "TRUE");
	assert_true(c.disabled);
	with("OTEL_SDK_DISABLED", "false");
	assert_false(c.disabled);
	assert_string_equal(said, "");
	with("OTEL_SDK_DISABLED", "1");
	assert_false(c.disabled);
	assert_int_equal(lines(), 1);
	with("OTEL_EXPORTER_OTLP_INSECURE", "true");
	assert_true(c.exp.insecure);
	setenv("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "no", 1);
	apply();
	assert_false(c.exp.insecure);
	assert_non_null(strstr(said, "OTEL_EXPORTER_OTLP_TRACES_INSECURE=no"));
}

static void samplers(void **state)
{
	static const char *const names[] = {"always_on",
					    "always_off",
					    "traceidratio",
					    "parentbased_always_on",
					    "parentbased_always_off",
					    "parentbased_traceidratio"};

	(void)state;
	for (int i = 0; i < 6; i++) {
		with("OTEL_TRACES_SAMPLER", names[i]);
		assert_int_equal(c.sampler, i);
		assert_true(c.sample_ratio == 1.0);
		setenv("OTEL_TRACES_SAMPLER_ARG", "0.25", 1);
		memset(&c, 0, sizeof(c));
		apply();
		assert_int_equal(c.sampler, i);
		assert_true(c.sample_ratio ==
			    (i == ST_SAMPLER_RATIO || i == ST_SAMPLER_PARENT_RATIO ? 0.25 : 1.0));
		assert_string_equal(said, "");
	}
	with("OTEL_TRACES_SAMPLER", "xray");
	assert_int_equal(c.sampler, ST_SAMPLER_PARENT_ON);
	assert_int_equal(lines(), 1);
	with("OTEL_TRACES_SAMPLER", "traceidratio");
	setenv("OTEL_TRACES_SAMPLER_ARG", "1.5", 1);
	memset(&c, 0, sizeof(c));
	apply();
	assert_true(c.sample_ratio == 1.0);
	assert_int_equal(c.sampler, ST_SAMPLER_RATIO);
	assert_non_null(strstr(said, "OTEL_TRACES_SAMPLER_ARG=1.5"));
}

static void outputs(void **state)
{
	(void)state;
	with("OTEL_TRACES_EXPORTER", "otlp, console ,zipkin,otlp,");
	assert_int_equal(c.output_cnt, 3);
	assert_string_equal(c.outputs[0], "otlp");
	assert_string_equal(c.outputs[1], "tree");
	assert_string_equal(c.outputs[2], "zipkin");
	assert_string_equal(said, "");
	with("OTEL_TRACES_EXPORTER", "none");
	assert_string_equal(c.outputs[0], "none");
	with("OTEL_TRACES_EXPORTER", "jaeger");
	assert_int_equal(c.output_cnt, 1);
	assert_string_equal(c.outputs[0], "tree");
	assert_non_null(strstr(said, "jaeger"));
	with("OTEL_TRACES_EXPORTER", "otlp");
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1);
	memset(&c, 0, sizeof(c));
	apply();
	assert_string_equal(c.outputs[0], "grpc");
	c.outputs[0] = "json";
	apply();
	assert_int_equal(c.output_cnt, 1);
	assert_string_equal(c.outputs[0], "json");
}

static void want_propagators(const char *value, const char *want, int warnings)
{
	const struct st_propagators *p = &c.propagators;
	char got[64] = "";

	with("OTEL_PROPAGATORS", value);
	for (int i = 0; i < p->cnt; i++)
		sprintf(got + strlen(got), "%s%u", i ? " " : "", p->v[i]);
	if (strcmp(got, want) || lines() != warnings)
		fail_msg("OTEL_PROPAGATORS=%s: %s; said %s", value, got, said);
}

/* Numbers are those of enum st_propagator. */
static void propagators(void **state)
{
	(void)state;
	want_propagators("", "6 5 3 1 2", 0);
	assert_false(c.propagators.given);
	want_propagators("tracecontext,baggage", "1 2", 0);
	assert_true(c.propagators.given);
	want_propagators("b3, B3Multi ,jaeger,xray,tracecontext,baggage,", "3 4 5 6 1 2", 0);
	want_propagators("b3,tracecontext,b3,,b3", "3 1", 0);
	want_propagators("b3,ottrace", "3", 1);
	assert_non_null(strstr(said, "OTEL_PROPAGATORS: unknown propagator ottrace"));
	want_propagators("none", "", 0);
	assert_true(c.propagators.given);
	want_propagators("b3,none", "", 1);
	assert_true(c.propagators.given);
	want_propagators("w3c,b4", "6 5 3 1 2", 2);
	assert_false(c.propagators.given);
	want_propagators("tracecontext baggage", "6 5 3 1 2", 1);
}

static void resource(void **state)
{
	(void)state;
	with("OTEL_RESOURCE_ATTRIBUTES", "service.version=1%2E0,deployment.environment.name=test");
	assert_string_equal(c.resource_attrs,
			    "service.version=1%2E0,deployment.environment.name=test");
	assert_string_equal(said, "");
	with("OTEL_RESOURCE_ATTRIBUTES", "good=1,bad");
	assert_null(c.resource_attrs);
	assert_int_equal(lines(), 1);
	with("OTEL_RESOURCE_ATTRIBUTES", "a=%zz");
	assert_null(c.resource_attrs);
	assert_int_equal(lines(), 1);
	with("OTEL_SERVICE_NAME", "shop");
	assert_string_equal(c.service_name, "shop");
	with("OTEL_SERVICE_NAME", "");
	assert_null(c.service_name);
}

/* Colour needs a terminal: a pseudo-terminal as standard output, with and without NO_COLOR. */
static void colour(void **state)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), saved = dup(STDOUT_FILENO), slave;

	(void)state;
	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	fflush(stdout);
	dup2(slave, STDOUT_FILENO);
	with("TERM", "xterm-256color");
	dup2(saved, STDOUT_FILENO);
	assert_true(c.exp.colour);
	dup2(slave, STDOUT_FILENO);
	setenv("NO_COLOR", "1", 1);
	apply();
	dup2(saved, STDOUT_FILENO);
	assert_false(c.exp.colour);
	dup2(slave, STDOUT_FILENO);
	with("TERM", "dumb");
	dup2(saved, STDOUT_FILENO);
	assert_false(c.exp.colour);
	close(slave);
	close(master);
	close(saved);
}

static void log_levels(void **state)
{
	(void)state;
	with("OTEL_LOG_LEVEL", "WARN");
	assert_int_equal(st_env__log_level(), ST_LOG_WARN);
	with("OTEL_LOG_LEVEL", "error");
	assert_int_equal(st_env__log_level(), ST_LOG_ERROR);
	with("OTEL_LOG_LEVEL", "debug");
	assert_int_equal(st_env__log_level(), ST_LOG_DEBUG);
	with("OTEL_LOG_LEVEL", "");
	assert_int_equal(st_env__log_level(), ST_LOG_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(each_number),
		cmocka_unit_test(no_limit),
		cmocka_unit_test(batch_is_at_most_the_queue),
		cmocka_unit_test(limits_fall_back),
		cmocka_unit_test(traces_over_general),
		cmocka_unit_test(words),
		cmocka_unit_test(booleans),
		cmocka_unit_test(samplers),
		cmocka_unit_test(outputs),
		cmocka_unit_test(propagators),
		cmocka_unit_test(resource),
		cmocka_unit_test(colour),
		cmocka_unit_test(log_levels),
	};

	return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
