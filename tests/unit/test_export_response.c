/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a receiver's answer means, over HTTP and gRPC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "export/otlp_response.h"
#include "otlp.pb-c.h"
#include "rpc_status.pb-c.h"

#define S 1000000000ull

static void test_http_codes(void **state)
{
	static const int retryable[] = {429, 502, 503, 504};

	(void)state;
	for (int code = 200; code < 600; code++) {
		struct st_answer a = {.otlp = true, .http = code, .retry_after_s = -1};
		struct st_outcome out;
		enum st_verdict want = code < 300 ? ST_ACCEPTED : ST_REFUSED;

		for (int i = 0; i < 4; i++)
			if (code == retryable[i])
				want = ST_RETRY;
		st_answer__judge(&a, &out);
		assert_int_equal(out.verdict, want);
		assert_int_equal(out.delay_ns, 0);
		assert_int_equal(!out.reason[0], want == ST_ACCEPTED);
	}
}

static void test_retry_after(void **state)
{
	struct st_answer a = {.otlp = true, .http = 503, .retry_after_s = 7};
	struct st_outcome out;

	(void)state;
	st_answer__judge(&a, &out);
	assert_true(out.delay_ns == 7 * S);
	a.retry_after_s = INT64_MAX;
	st_answer__judge(&a, &out);
	assert_true(out.delay_ns == 3600 * S);
	a.http = 400;
	st_answer__judge(&a, &out);
	assert_int_equal(out.verdict, ST_REFUSED);
}

static void test_texts(void **state)
{
	static const struct {
		struct st_answer a;
		const char *reason;
	} t[] = {
		{{.http = 400, .body = {"bad\nthing", 9}}, "HTTP status 400: bad thing"},
		{{.http = 400,
		  .json = true,
		  .otlp = true,
		  .body = {"{\"code\":3,\"message\":\"no\"}", 25}},
		 "HTTP status 400: no"},
		{{.http = 400, .json = true, .body = {"{\"error\" : \"why\"}", 17}},
		 "HTTP status 400: why"},
		{{.http = 400, .otlp = true, .body = {"\x08\x03\x12\x02no", 6}},
		 "HTTP status 400: no"},
		{{.http = 401}, "HTTP status 401"},
		{{.grpc = true, .http = 200, .grpc_status = 16, .grpc_message = {"a%20b%zz%", 9}},
		 "gRPC status 16 UNAUTHENTICATED: a b%zz%"},
		{{.grpc = true, .http = 502, .grpc_status = -1},
		 "HTTP status 502 without a gRPC status"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct st_outcome out;

		st_answer__judge(&t[i].a, &out);
		assert_string_equal(out.reason, t[i].reason);
	}
}

static void judge_partial(bool grpc, int64_t rejected, const char *message, struct st_outcome *out)
{
	Otlp__ExportTracePartialSuccess p = OTLP__EXPORT_TRACE_PARTIAL_SUCCESS__INIT;
	Otlp__ExportTraceServiceResponse m = OTLP__EXPORT_TRACE_SERVICE_RESPONSE__INIT;
	uint8_t body[256] = {0};
	struct st_answer a = {.otlp = true, .grpc = grpc, .http = 200};
	size_t head = grpc ? 5 : 0;

	p.rejected_spans = rejected;
	p.error_message = (char *)message;
	m.partial_success = &p;
	a.body = st_str((char *)body,
			head + otlp__export_trace_service_response__pack(&m, body + head));
	st_answer__judge(&a, out);
}

static void test_partial(void **state)
{
	struct st_outcome out;

	(void)state;
	for (int grpc = 0; grpc < 2; grpc++) {
		judge_partial(grpc, 12, "too old", &out);
		assert_int_equal(out.verdict, ST_ACCEPTED);
		assert_int_equal(out.rejected, 12);
		assert_string_equal(out.reason, "partial success: too old");
		judge_partial(grpc, 0, "slow down", &out);
		assert_int_equal(out.rejected, 0);
		assert_string_equal(out.reason, "warning: slow down");
		judge_partial(grpc, -5, "", &out);
		assert_int_equal(out.rejected, 0);
		assert_string_equal(out.reason, "");
	}
}

static void test_partial_json(void **state)
{
	static const struct {
		const char *body;
		uint64_t rejected;
	} t[] = {
		{"{}", 0},
		{"{\"partialSuccess\":{}}", 0},
		{"{\"partialSuccess\": {\"rejectedSpans\": \"5\", \"errorMessage\": \"x\"}}", 5},
		{"{\"partialSuccess\":{\"errorMessage\":\"\\\"rejectedSpans\\\":9\","
		 "\"rejectedSpans\":6}}",
		 6},
		{"{\"partialSuccess\":{\"rejectedSpans\":99999999999999999999999}}", UINT64_MAX},
		{"{\"rejectedSpans\"", 0},
		{"{\"rejectedSpans\":", 0},
		{"\"", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct st_answer a = {
			.otlp = true, .json = true, .http = 200, .body = st_str_of(t[i].body)};
		struct st_outcome out;

		st_answer__judge(&a, &out);
		assert_int_equal(out.verdict, ST_ACCEPTED);
		assert_true(out.rejected == t[i].rejected);
	}
}

static void test_grpc_codes(void **state)
{
	static const int retryable[] = {1, 4, 10, 11, 14, 15};

	(void)state;
	for (int code = 0; code < 20; code++) {
		struct st_answer a = {.grpc = true, .otlp = true, .http = 200, .grpc_status = code};
		enum st_verdict want = code ? ST_REFUSED : ST_ACCEPTED;
		struct st_outcome out;

		for (int i = 0; i < 6; i++)
			if (code == retryable[i])
				want = ST_RETRY;
		st_answer__judge(&a, &out);
		assert_int_equal(out.verdict, want);
	}
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct st_str base64(char *to, const uint8_t *p, size_t len)
{
	uint32_t n = 0, bits = 0, cnt = 0;

	while (len--) {
		bits = bits << 8 | *p++;
		for (cnt += 8; cnt >= 6; cnt -= 6)
			to[n++] = base64_digits[bits >> (cnt - 6) & 63];
	}
	if (cnt)
		to[n++] = base64_digits[bits << (6 - cnt) & 63];
	return st_str(to, n);
}

/* RESOURCE_EXHAUSTED may be sent again only when the receiver says when. */
static void test_retry_info(void **state)
{
	struct st_answer a = {.grpc = true, .otlp = true, .http = 200, .grpc_status = 8};
	Rpc__Duration d = RPC__DURATION__INIT;
	Rpc__RetryInfo info = RPC__RETRY_INFO__INIT;
	Rpc__Any any = RPC__ANY__INIT, *anys[] = {&any};
	Rpc__Status m = RPC__STATUS__INIT;
	uint8_t value[64], raw[256];
	struct st_outcome out;
	char text[512];

	(void)state;
	st_answer__judge(&a, &out);
	assert_int_equal(out.verdict, ST_REFUSED);
	d.seconds = 2;
	d.nanos = 500000000;
	info.retry_delay = &d;
	any.type_url = "type.googleapis.com/google.rpc.RetryInfo";
	any.value.data = value;
	any.value.len = rpc__retry_info__pack(&info, value);
	m.code = 8;
	m.n_details = 1;
	m.details = anys;
	a.grpc_details = base64(text, raw, rpc__status__pack(&m, raw));
	st_answer__judge(&a, &out);
	assert_int_equal(out.verdict, ST_RETRY);
	assert_true(out.delay_ns == 2 * S + S / 2);
	a.grpc_status = 14;
	st_answer__judge(&a, &out);
	assert_true(out.delay_ns == 2 * S + S / 2);
	any.type_url = "type.googleapis.com/google.rpc.DebugInfo";
	a.grpc_status = 8;
	a.grpc_details = base64(text, raw, rpc__status__pack(&m, raw));
	st_answer__judge(&a, &out);
	assert_int_equal(out.verdict, ST_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_codes),   cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_texts),	     cmocka_unit_test(test_partial),
		cmocka_unit_test(test_partial_json), cmocka_unit_test(test_grpc_codes),
		cmocka_unit_test(test_retry_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
