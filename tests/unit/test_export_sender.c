/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Network outputs against a real HTTP server: what arrives, what is retried, what is counted. */
#include "export_spans.h"
#include "http_server.h"

#include <sys/resource.h>
#include <zlib.h>

#include "export/export.h"
#include "lib/log.h"
#include "otlp.pb-c.h"

#define MS 1000000ull

static const struct http_answer ok[] = {{.status = 200}};

static struct st_export_config config(void)
{
	return (struct st_export_config){
		.schedule_delay_ms = 50,
		.export_timeout_ms = 5000,
		.max_queue = 2048,
		.max_batch = 512,
		.attr_cnt_limit = 128,
		.attr_len_limit = UINT32_MAX,
		.event_cnt_limit = 128,
		.link_cnt_limit = 128,
		.event_attr_limit = 128,
		.link_attr_limit = 128,
		.timeout_ms = 2000,
		.zipkin_timeout_ms = 2000,
		.out_fd = 1,
	};
}

static struct st_exporter ex;
static char spec[128];

static void open_as(const char *kind, uint16_t port, const struct st_export_config *cfg)
{
	snprintf(spec, sizeof(spec), "%s:http://127.0.0.1:%u", kind, port);
	assert_int_equal(st_export__open(&ex, spec, cfg), 0);
}

static void give(unsigned int cnt)
{
	static struct st_span s;

	span_http(&s, &shop);
	while (cnt--)
		ex.ops->span(&ex, &s);
}

static struct st_export_stats stats(void)
{
	struct st_export_stats st;

	ex.ops->stats(&ex, &st);
	assert_true(st.spans == st.exported + st.queue_full + st.rejected + st.failed + st.queued);
	return st;
}

static void flush_ms(unsigned int ms)
{
	ex.ops->flush(&ex, st_export__now_ns() + ms * MS);
}

/* Ticks as the pipeline does until cnt requests ended, at most ms. */
static void wait_requests(uint64_t cnt, unsigned int ms)
{
	for (; ms && stats().requests < cnt; ms--) {
		ex.ops->tick(&ex, st_export__now_ns());
		http_sleep_ms(1);
	}
	assert_true(stats().requests >= cnt);
}

static size_t spans_in(const struct http_request *r)
{
	Otlp__ExportTraceServiceRequest *m = otlp__export_trace_service_request__unpack(
		NULL, r->body_len, (const uint8_t *)r->body);
	size_t cnt = 0;

	assert_non_null(m);
	for (size_t i = 0; i < m->n_resource_spans; i++)
		cnt += m->resource_spans[i]->scope_spans[0]->n_spans;
	otlp__export_trace_service_request__free_unpacked(m, NULL);
	return cnt;
}

static void assert_header(const struct http_request *r, const char *name, const char *want)
{
	char value[256];

	http_header(r, name, value, sizeof(value));
	assert_string_equal(value, want);
}

static void test_ok(void **state)
{
	struct st_export_config cfg = config();
	struct http_server s;
	size_t cnt = 0;

	(void)state;
	cfg.headers = "Authorization=Bearer%20abc%2Cd, X-Two = 2 ,bad,=x,a b=c";
	assert_true(http_start(&s, 0, ok, 1));
	open_as("otlp", s.port, &cfg);
	give(1300);
	flush_ms(3000);
	assert_int_equal(stats().exported, 1300);
	assert_int_equal(stats().queued, 0);
	assert_int_equal(s.cnt, 3);
	for (unsigned int i = 0; i < 3; i++)
		cnt += spans_in(&s.requests[i]);
	assert_int_equal(cnt, 1300);
	assert_non_null(strstr(s.requests[0].head, "POST /v1/traces HTTP/1.1\r\n"));
	assert_header(&s.requests[0], "content-type", "application/x-protobuf");
	assert_header(&s.requests[0], "user-agent", "OTel-OTLP-Exporter-spantap/" ST_VERSION);
	assert_header(&s.requests[0], "authorization", "Bearer abc,d");
	assert_header(&s.requests[0], "x-two", "2");
	assert_null(strcasestr(s.requests[0].head, "expect:"));
	ex.ops->close(&ex);
	http_stop(&s);
}

/* The batch that is not full leaves after the schedule's delay, not before. */
static void test_delay(void **state)
{
	struct st_export_config cfg = config();
	struct http_server s;
	uint64_t begin_ns, due_ns;

	(void)state;
	cfg.schedule_delay_ms = 200;
	assert_true(http_start(&s, 0, ok, 1));
	open_as("otlp", s.port, &cfg);
	assert_true(ex.ops->tick(&ex, st_export__now_ns()) == UINT64_MAX);
	begin_ns = st_export__now_ns();
	give(3);
	due_ns = ex.ops->tick(&ex, st_export__now_ns());
	assert_in_range(due_ns - begin_ns, 200 * MS, 250 * MS);
	http_sleep_ms(100);
	assert_int_equal(http_cnt(&s), 0);
	wait_requests(1, 2000);
	assert_int_equal(stats().exported, 3);
	assert_true(s.requests[0].at_ns - begin_ns >= 200 * MS);
	ex.ops->close(&ex);
	http_stop(&s);
}

static void test_retry_after(void **state)
{
	static const struct http_answer answers[] = {
		{.status = 503, .headers = "Retry-After: 1\r\n"},
		{.status = 200},
	};
	struct st_export_config cfg = config();
	struct http_server s;

	(void)state;
	assert_true(http_start(&s, 0, answers, 2));
	open_as("otlp", s.port, &cfg);
	give(5);
	wait_requests(2, 4000);
	assert_int_equal(s.cnt, 2);
	assert_int_equal(stats().exported, 5);
	assert_int_equal(stats().retries, 1);
	assert_in_range(s.requests[1].at_ns - s.requests[0].at_ns, 1000 * MS, 1900 * MS);
	assert_int_equal(s.requests[0].body_len, s.requests[1].body_len);
	assert_memory_equal(s.requests[0].body, s.requests[1].body, s.requests[0].body_len);
	ex.ops->close(&ex);
	http_stop(&s);
}

static void test_backoff_gives_up(void **state)
{
	static const struct http_answer answers[] = {{.status = 502}};
	struct st_export_config cfg = config();
	struct http_server s;

	(void)state;
	cfg.export_timeout_ms = 1200;
	assert_true(http_start(&s, 0, answers, 1));
	open_as("otlp", s.port, &cfg);
	give(7);
	for (int i = 0; i < 3000 && !stats().failed; i++) {
		ex.ops->tick(&ex, st_export__now_ns());
		http_sleep_ms(1);
	}
	assert_int_equal(stats().failed, 7);
	/* At 0, and after half a second or less, and perhaps once more within the time. */
	assert_in_range(s.cnt, 2, 4);
	ex.ops->close(&ex);
	http_stop(&s);
}

static void test_refused(void **state)
{
	static const struct http_answer answers[] = {
		{.status = 400, .body = "bad", .body_len = 3},
		{.status = 401},
		{.status = 200},
	};
	struct st_export_config cfg = config();
	struct http_server s;

	(void)state;
	cfg.max_batch = 10;
	assert_true(http_start(&s, 0, answers, 3));
	open_as("otlp", s.port, &cfg);
	for (unsigned int i = 0; i < 3; i++) {
		give(10);
		wait_requests(i + 1, 2000);
	}
	assert_int_equal(s.cnt, 3);
	assert_int_equal(stats().rejected, 20);
	assert_int_equal(stats().exported, 10);
	assert_int_equal(stats().retries, 0);
	ex.ops->close(&ex);
	http_stop(&s);
}

static void test_partial(void **state)
{
	/* partial_success { rejected_spans: 4, error_message: "why" } */
	static const struct http_answer answers[] = {
		{.status = 200,
		 .headers = "Content-Type: application/x-protobuf\r\n",
		 .body = "\x0a\x07\x08\x04\x12\x03why",
		 .body_len = 9},
	};
	static const char json[] =
		"{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"why\"}}";
	static const struct http_answer json_answers[] = {
		{.status = 200,
		 .headers = "Content-Type: application/json\r\n",
		 .body = json,
		 .body_len = sizeof(json) - 1},
	};
	struct st_export_config cfg = config();
	struct http_server s;

	(void)state;
	assert_true(http_start(&s, 0, answers, 1));
	open_as("otlp", s.port, &cfg);
	give(10);
	flush_ms(2000);
	assert_int_equal(stats().rejected, 4);
	assert_int_equal(stats().exported, 6);
	ex.ops->close(&ex);
	http_stop(&s);
	cfg.protocol = "http/json";
	assert_true(http_start(&s, 0, json_answers, 1));
	open_as("otlp", s.port, &cfg);
	give(10);
	flush_ms(2000);
	assert_header(&s.requests[0], "content-type", "application/json");
	assert_memory_equal(s.requests[0].body, "{\"resourceSpans\":[", 18);
	assert_int_equal(stats().rejected, 3);
	assert_int_equal(stats().exported, 7);
	ex.ops->close(&ex);
	http_stop(&s);
}

static void test_slow(void **state)
{
	static const struct http_answer answers[] = {
		{.status = 200, .delay_ms = 600},
		{.status = 200},
	};
	struct st_export_config cfg = config();
	struct http_server s;

	(void)state;
	cfg.timeout_ms = 200;
	assert_true(http_start(&s, 0, answers, 2));
	open_as("otlp", s.port, &cfg);
	give(5);
	wait_requests(2, 3000);
	assert_int_equal(stats().exported, 5);
	assert_int_equal(stats().retries, 1);
	ex.ops->close(&ex);
	http_stop(&s);
}

/* Nobody there, then somebody: spans wait. */
static void test_refused_then_up(void **state)
{
	struct st_export_config cfg = config();
	struct http_server s;
	uint16_t port;

	(void)state;
	assert_true(http_start(&s, 0, ok, 1));
	port = s.port;
	http_stop(&s);
	open_as("otlp", port, &cfg);
	give(20);
	wait_requests(1, 2000);
	assert_int_equal(stats().queued, 20);
	assert_true(http_start(&s, port, ok, 1));
	wait_requests(2, 3000);
	assert_int_equal(stats().exported, 20);
	ex.ops->close(&ex);
	http_stop(&s);
}

/* Nobody there at the end: flush does not wait for its deadline in vain, and all is counted. */
static void test_flush_nobody(void **state)
{
	struct st_export_config cfg = config();
	struct http_server s;
	uint64_t begin_ns;

	(void)state;
	assert_true(http_start(&s, 0, ok, 1));
	http_stop(&s);
	open_as("otlp", s.port, &cfg);
	give(600);
	begin_ns = st_export__now_ns();
	flush_ms(5000);
	assert_true(st_export__now_ns() - begin_ns < 2000 * MS);
	assert_int_equal(stats().failed, 600);
	ex.ops->close(&ex);
}

/* A receiver that never answers: flush ends at its deadline. */
static void test_flush_deadline(void **state)
{
	static const struct http_answer answers[] = {{.status = 200, .delay_ms = 1500}};
	struct st_export_config cfg = config();
	struct http_server s;
	uint64_t begin_ns, took_ns;

	(void)state;
	assert_true(http_start(&s, 0, answers, 1));
	open_as("otlp", s.port, &cfg);
	give(600);
	begin_ns = st_export__now_ns();
	flush_ms(300);
	took_ns = st_export__now_ns() - begin_ns;
	assert_in_range(took_ns, 200 * MS, 900 * MS);
	assert_int_equal(stats().failed, 600);
	assert_int_equal(stats().queued, 0);
	ex.ops->close(&ex);
	http_stop(&s);
}

static void test_queue_full(void **state)
{
	static const struct http_answer answers[] = {{.status = 200, .delay_ms = 300}};
	struct st_export_config cfg = config();
	struct http_server s;
	struct st_export_stats st;

	(void)state;
	cfg.max_queue = 100;
	cfg.max_batch = 50;
	assert_true(http_start(&s, 0, answers, 1));
	open_as("otlp", s.port, &cfg);
	assert_int_equal(st_export__room(&ex), 100);
	give(60);
	assert_in_range(st_export__room(&ex), 40, 90);
	give(1000);
	assert_true(stats().queue_full > 0);
	flush_ms(5000);
	st = stats();
	assert_int_equal(st.exported + st.queue_full, 1060);
	assert_true(st.exported >= 100);
	assert_int_equal(st_export__room(&ex), 100);
	ex.ops->close(&ex);
	http_stop(&s);
}

/* Two outputs are flushed one after the other; the first's receiver hangs, the second's does not. */
static void test_flush_two(void **state)
{
	static const struct http_answer never[] = {{.status = 200, .delay_ms = 1000}};
	struct st_export_config cfg = config();
	struct http_server slow, fast;
	struct st_exporter first;
	char first_spec[128];
	uint64_t deadline_ns;

	(void)state;
	assert_true(http_start(&slow, 0, never, 1));
	assert_true(http_start(&fast, 0, ok, 1));
	open_as("otlp", slow.port, &cfg);
	give(3);
	first = ex;
	memcpy(first_spec, spec, sizeof(spec));
	first.spec = first_spec;
	open_as("otlp", fast.port, &cfg);
	give(3);
	deadline_ns = st_export__now_ns() + 300 * MS;
	first.ops->flush(&first, deadline_ns);
	assert_true(st_export__now_ns() >= deadline_ns - 50 * MS);
	ex.ops->flush(&ex, deadline_ns);
	assert_int_equal(stats().exported, 3);
	ex.ops->close(&ex);
	ex = first;
	assert_int_equal(stats().failed, 3);
	ex.ops->close(&ex);
	http_stop(&slow);
	http_stop(&fast);
}

static size_t gunzip(const struct http_request *r, uint8_t *to, size_t sz)
{
	z_stream z;

	memset(&z, 0, sizeof(z));
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (uint8_t *)r->body;
	z.avail_in = (uInt)r->body_len;
	z.next_out = to;
	z.avail_out = (uInt)sz;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	sz = z.total_out;
	inflateEnd(&z);
	return sz;
}

static void test_gzip(void **state)
{
	struct st_export_config cfg = config();
	struct http_server plain, zipped;
	static uint8_t text[4 << 20];
	size_t len;

	(void)state;
	assert_true(http_start(&plain, 0, ok, 1));
	assert_true(http_start(&zipped, 0, ok, 1));
	open_as("otlp", plain.port, &cfg);
	give(512);
	flush_ms(2000);
	ex.ops->close(&ex);
	cfg.compression = "gzip";
	open_as("otlp", zipped.port, &cfg);
	give(1024);
	flush_ms(2000);
	assert_int_equal(stats().exported, 1024);
	ex.ops->close(&ex);
	assert_int_equal(zipped.cnt, 2);
	for (unsigned int i = 0; i < 2; i++) {
		assert_header(&zipped.requests[i], "content-encoding", "gzip");
		len = gunzip(&zipped.requests[i], text, sizeof(text));
		assert_int_equal(len, plain.requests[0].body_len);
		assert_memory_equal(text, plain.requests[0].body, len);
		assert_true(zipped.requests[i].body_len < len / 10);
	}
	http_stop(&plain);
	http_stop(&zipped);
}

/* A receiver that does not answer holds only its own output. */
static void test_independent(void **state)
{
	static const struct http_answer never[] = {{.status = 200, .delay_ms = 1000}};
	struct st_export_config cfg = config();
	struct http_server slow, fast;
	struct st_exporter first;
	char first_spec[128];
	uint64_t begin_ns;

	(void)state;
	assert_true(http_start(&slow, 0, never, 1));
	assert_true(http_start(&fast, 0, ok, 1));
	open_as("otlp", slow.port, &cfg);
	first = ex;
	memcpy(first_spec, spec, sizeof(spec));
	first.spec = first_spec;
	give(600);
	open_as("zipkin", fast.port, &cfg);
	begin_ns = st_export__now_ns();
	give(600);
	flush_ms(3000);
	assert_true(st_export__now_ns() - begin_ns < 500 * MS);
	assert_int_equal(stats().exported, 600);
	assert_non_null(strstr(fast.requests[0].head, "POST /api/v2/spans "));
	ex.ops->close(&ex);
	ex = first;
	flush_ms(3000);
	assert_int_equal(stats().exported, 600);
	ex.ops->close(&ex);
	http_stop(&slow);
	http_stop(&fast);
}

/* Nothing to send: the sending thread sleeps and does not wake up. */
static void test_idle(void **state)
{
	struct st_export_config cfg = config();
	struct rusage before, after;
	struct http_server s;

	(void)state;
	assert_true(http_start(&s, 0, ok, 1));
	open_as("otlp", s.port, &cfg);
	give(512);
	wait_requests(1, 2000);
	http_sleep_ms(50);
	getrusage(RUSAGE_SELF, &before);
	http_sleep_ms(1500);
	getrusage(RUSAGE_SELF, &after);
	/* Our own sleep is one switch. */
	assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, 2);
	ex.ops->close(&ex);
	http_stop(&s);
}

static void test_bad_url(void **state)
{
	static const char *const bad[] = {"otlp:ftp://x", "otlp:http://", "grpc:http://a b",
					  "zipkin:unix:///x"};
	struct st_export_config cfg = config();

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(st_export__open(&ex, bad[i], &cfg), -EINVAL);
	cfg.ca_file = "/does/not/exist";
	assert_int_equal(st_export__open(&ex, "otlp", &cfg), -EINVAL);
	assert_int_equal(st_export__open(&ex, "oltp", &cfg), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ok),	     cmocka_unit_test(test_delay),
		cmocka_unit_test(test_retry_after),  cmocka_unit_test(test_backoff_gives_up),
		cmocka_unit_test(test_refused),	     cmocka_unit_test(test_partial),
		cmocka_unit_test(test_slow),	     cmocka_unit_test(test_refused_then_up),
		cmocka_unit_test(test_flush_nobody), cmocka_unit_test(test_flush_deadline),
		cmocka_unit_test(test_queue_full),   cmocka_unit_test(test_flush_two),
		cmocka_unit_test(test_gzip),	     cmocka_unit_test(test_independent),
		cmocka_unit_test(test_idle),	     cmocka_unit_test(test_bad_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
