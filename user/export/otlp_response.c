/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/otlp_response.h"

#include <stdio.h>
#include <stdlib.h>

#include "otlp.pb-c.h"
#include "rpc_status.pb-c.h"

#define NS_PER_S      1000000000u
/* A receiver that wants more than this of a wait does not mean it. */
#define DELAY_MAX_S   3600
#define GRPC_FRAME_SZ 5

enum grpc_code {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

const char *st_grpc__status_name(int status)
{
	static const char *const names[] = {
		"OK",
		"CANCELLED",
		"UNKNOWN",
		"INVALID_ARGUMENT",
		"DEADLINE_EXCEEDED",
		"NOT_FOUND",
		"ALREADY_EXISTS",
		"PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION",
		"ABORTED",
		"OUT_OF_RANGE",
		"UNIMPLEMENTED",
		"INTERNAL",
		"UNAVAILABLE",
		"DATA_LOSS",
		"UNAUTHENTICATED",
	};

	if (status < 0 || status >= (int)(sizeof(names) / sizeof(names[0])))
		return "unknown status";
	return names[status];
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

size_t st_percent_decode(char *to, size_t sz, struct st_str s)
{
	size_t n = 0;

	for (uint32_t i = 0; i < s.len && n + 1 < sz; i++) {
		int hi = -1, lo = -1;

		if (s.p[i] == '%' && s.len - i > 2) {
			hi = hex_value(s.p[i + 1]);
			lo = hex_value(s.p[i + 2]);
		}
		if (hi >= 0 && lo >= 0) {
			to[n++] = (char)(hi << 4 | lo);
			i += 2;
		} else {
			to[n++] = s.p[i];
		}
	}
	if (sz)
		to[n] = '\0';
	return n;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* Base64 with or without padding (gRPC allows both); stops at what is none. Returns the bytes. */
static size_t base64_decode(uint8_t *to, size_t sz, struct st_str s)
{
	uint32_t bits = 0, bit_cnt = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < s.len && n < sz; i++) {
		int v = base64_value(s.p[i]);

		if (v < 0)
			break;
		bits = bits << 6 | (uint32_t)v;
		bit_cnt += 6;
		if (bit_cnt >= 8) {
			bit_cnt -= 8;
			to[n++] = (uint8_t)(bits >> bit_cnt);
		}
	}
	return n;
}

/* The string that begins at s[i] ('"'): its content's end. */
static uint32_t json_string_end(struct st_str s, uint32_t i)
{
	for (i++; i < s.len && s.p[i] != '"'; i++)
		if (s.p[i] == '\\' && i + 1 < s.len)
			i++;
	return i < s.len ? i : s.len;
}

static uint32_t json_space(struct st_str s, uint32_t i)
{
	while (i < s.len && strchr(" \t\r\n", s.p[i]) && s.p[i])
		i++;
	return i;
}

/* The scalar value at s[i]: a string's content, or what stands up to the next delimiter. */
static struct st_str json_value(struct st_str s, uint32_t i)
{
	uint32_t end;

	if (i < s.len && s.p[i] == '"')
		return st_str(s.p + i + 1, json_string_end(s, i) - (i + 1));
	for (end = i; end < s.len && !strchr(",}] \t\r\n", s.p[end]); end++)
		;
	return st_str(s.p + i, end - i);
}

/*
 * The first member of that name at any depth: the two answers of interest have each name once.
 * An empty string when there is none.
 */
static struct st_str json_member(struct st_str s, const char *name)
{
	for (uint32_t i = 0; i < s.len; i++) {
		struct st_str key;
		uint32_t end;

		if (s.p[i] != '"')
			continue;
		end = json_string_end(s, i);
		key = st_str(s.p + i + 1, end > i ? end - i - 1 : 0);
		i = json_space(s, end + 1 < s.len ? end + 1 : s.len);
		if (i < s.len && s.p[i] == ':') {
			if (st_str_eq(key, st_str_of(name)))
				return json_value(s, json_space(s, i + 1));
		} else {
			i = end;
		}
	}
	return (struct st_str){0};
}

static uint64_t parse_count(struct st_str s)
{
	uint64_t v = 0;

	for (uint32_t i = 0; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
		if (v > UINT64_MAX / 10 - 1)
			return UINT64_MAX;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	return v;
}

static void set_reason(struct st_outcome *out, const char *what, struct st_str more)
{
	int len = more.len < 200 ? (int)more.len : 200;

	if (len)
		snprintf(out->reason, sizeof(out->reason), "%s: %.*s", what, len, more.p);
	else
		snprintf(out->reason, sizeof(out->reason), "%s", what);
}

static void partial_of(struct st_outcome *out, uint64_t rejected, struct st_str message)
{
	out->rejected = rejected;
	if (!rejected && !message.len)
		return;
	if (rejected)
		set_reason(out, "partial success", message);
	else
		set_reason(out, "warning", message);
}

/* An ExportTraceServiceResponse. What does not decode is no reason to doubt a 200. */
static void judge_success(const struct st_answer *a, struct st_str body, struct st_outcome *out)
{
	Otlp__ExportTraceServiceResponse *m;

	if (!a->otlp || !body.len)
		return;
	if (a->json) {
		partial_of(out, parse_count(json_member(body, "rejectedSpans")),
			   json_member(body, "errorMessage"));
		return;
	}
	m = otlp__export_trace_service_response__unpack(NULL, body.len, (const uint8_t *)body.p);
	if (!m)
		return;
	if (m->partial_success)
		partial_of(out,
			   m->partial_success->rejected_spans > 0
				   ? (uint64_t)m->partial_success->rejected_spans
				   : 0,
			   st_str_of(m->partial_success->error_message));
	otlp__export_trace_service_response__free_unpacked(m, NULL);
}

/* Text that people can read, of a body in whatever form; cut at 200 bytes into `to`. */
static struct st_str error_text(const struct st_answer *a, char *to, size_t sz)
{
	struct st_str text = a->body;
	Rpc__Status *m = NULL;

	if (a->json) {
		text = json_member(a->body, "message");
		if (!text.len)
			text = json_member(a->body, "error");
	} else if (a->otlp && a->body.len) {
		m = rpc__status__unpack(NULL, a->body.len, (const uint8_t *)a->body.p);
		if (m && m->message && m->message[0])
			text = st_str_of(m->message);
	}
	if (text.len > sz)
		text.len = (uint32_t)sz;
	for (uint32_t i = 0; i < text.len; i++)
		to[i] = text.p[i] >= ' ' || text.p[i] < 0 ? text.p[i] : ' ';
	if (m)
		rpc__status__free_unpacked(m, NULL);
	return st_str(to, text.len);
}

static uint64_t delay_of(int64_t s, int64_t ns)
{
	if (s < 0 || ns < 0)
		return 0;
	if (s > DELAY_MAX_S)
		s = DELAY_MAX_S;
	return (uint64_t)s * NS_PER_S + (uint64_t)(ns < NS_PER_S ? ns : 0);
}

static bool http_retryable(int code)
{
	return code == 429 || code == 502 || code == 503 || code == 504;
}

#define CURE_HEADERS "check OTEL_EXPORTER_OTLP_HEADERS"

static const char *http_cure(int code)
{
	if (code == 401 || code == 403 || code == 407)
		return CURE_HEADERS;
	if (code == 404 || code == 405)
		return "check the URL's path";
	if (code == 413)
		return "lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
	return code == 415 ? "check OTEL_EXPORTER_OTLP_PROTOCOL" : NULL;
}

static void judge_http(const struct st_answer *a, struct st_outcome *out)
{
	char what[32], text[200];

	if (a->http >= 200 && a->http < 300) {
		judge_success(a, a->body, out);
		return;
	}
	out->verdict = http_retryable(a->http) ? ST_RETRY : ST_REFUSED;
	if (out->verdict == ST_RETRY)
		out->delay_ns = delay_of(a->retry_after_s, 0);
	out->cure = http_cure(a->http);
	snprintf(what, sizeof(what), "HTTP status %d", a->http);
	set_reason(out, what, error_text(a, text, sizeof(text)));
}

/* google.rpc.RetryInfo among the details: whether there is one, and its delay. */
static bool retry_info(struct st_str details, uint64_t *delay_ns)
{
	static const char suffix[] = "/google.rpc.RetryInfo";
	uint8_t raw[4096];
	Rpc__Status *m = rpc__status__unpack(NULL, base64_decode(raw, sizeof(raw), details), raw);
	bool found = false;

	for (size_t i = 0; m && i < m->n_details && !found; i++) {
		size_t len = strlen(m->details[i]->type_url), want = sizeof(suffix) - 1;
		Rpc__RetryInfo *info;

		if (len < want || strcmp(m->details[i]->type_url + len - want, suffix))
			continue;
		info = rpc__retry_info__unpack(NULL, m->details[i]->value.len,
					       m->details[i]->value.data);
		if (!info)
			continue;
		found = true;
		if (info->retry_delay)
			*delay_ns = delay_of(info->retry_delay->seconds, info->retry_delay->nanos);
		rpc__retry_info__free_unpacked(info, NULL);
	}
	if (m)
		rpc__status__free_unpacked(m, NULL);
	return found;
}

/* gRPC, "HTTP to gRPC Status Code Mapping": what a proxy in between answered. */
static int grpc_of_http(int code)
{
	switch (code) {
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	case 400:
		return GRPC_INTERNAL;
	default:
		return GRPC_UNKNOWN;
	}
}

static bool grpc_retryable(int status, bool has_retry_info)
{
	switch (status) {
	case GRPC_CANCELLED:
	case GRPC_DEADLINE_EXCEEDED:
	case GRPC_ABORTED:
	case GRPC_OUT_OF_RANGE:
	case GRPC_UNAVAILABLE:
	case GRPC_DATA_LOSS:
		return true;
	case GRPC_RESOURCE_EXHAUSTED:
		return has_retry_info;
	default:
		return false;
	}
}

static void judge_grpc(const struct st_answer *a, struct st_outcome *out)
{
	int status = a->grpc_status >= 0 ? a->grpc_status : grpc_of_http(a->http);
	char what[64], text[200];
	struct st_str body = a->body;
	bool has_info;

	if (status == GRPC_OK) {
		/* Flag 1 means compressed, which was not offered; then the counts stay unknown. */
		if (body.len > GRPC_FRAME_SZ && !body.p[0])
			judge_success(a, st_str(body.p + GRPC_FRAME_SZ, body.len - GRPC_FRAME_SZ),
				      out);
		return;
	}
	has_info = retry_info(a->grpc_details, &out->delay_ns);
	out->verdict = grpc_retryable(status, has_info) ? ST_RETRY : ST_REFUSED;
	if (status == GRPC_UNAUTHENTICATED || status == GRPC_PERMISSION_DENIED)
		out->cure = CURE_HEADERS;
	else if (status == GRPC_UNIMPLEMENTED)
		out->cure = "check that it is an OTLP receiver for gRPC";
	if (a->grpc_status < 0)
		snprintf(what, sizeof(what), "HTTP status %d without a gRPC status", a->http);
	else
		snprintf(what, sizeof(what), "gRPC status %d %s", status,
			 st_grpc__status_name(status));
	set_reason(out, what, st_str(text, st_percent_decode(text, sizeof(text), a->grpc_message)));
}

void st_answer__judge(const struct st_answer *a, struct st_outcome *out)
{
	*out = (struct st_outcome){.verdict = ST_ACCEPTED};
	if (a->grpc)
		judge_grpc(a, out);
	else
		judge_http(a, out);
}
