/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "export/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define BODY_MAX_SZ   (16u << 20)
#define KEEP_SZ	      (1u << 20)
/* gRPC's message frame: a byte that says whether it is compressed, and its length. */
#define GRPC_FRAME_SZ 5
/* zlib's window bits for gzip instead of zlib framing. */
#define GZIP_WINDOW   (15 + 16)

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct st_request *r = arg;
	size_t room = ST_ANSWER_MAX_SZ - r->answer.len;

	(void)size;
	st_buf__put(&r->answer, p, n < room ? n : room);
	/* More than that is of no interest, but reading on keeps the connection. */
	return n;
}

/* The value of the header line when it has that name. */
static bool header_is(struct st_str line, const char *name, struct st_str *value)
{
	size_t len = strlen(name);

	if (line.len <= len || line.p[len] != ':' || strncasecmp(line.p, name, len))
		return false;
	line.p += len + 1;
	line.len -= (uint32_t)len + 1;
	while (line.len && (line.p[0] == ' ' || line.p[0] == '\t')) {
		line.p++;
		line.len--;
	}
	while (line.len && strchr("\r\n \t", line.p[line.len - 1]))
		line.len--;
	*value = line;
	return true;
}

static void copy_text(char *to, size_t sz, struct st_str s)
{
	size_t n = s.len < sz - 1 ? s.len : sz - 1;

	memcpy(to, s.p, n);
	to[n] = '\0';
}

/* Headers and, for HTTP/2, trailers: libcurl gives both here. */
static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct st_str line = st_str(p, n), value;
	struct st_request *r = arg;
	char number[16];

	(void)size;
	if (header_is(line, "grpc-status", &value)) {
		copy_text(number, sizeof(number), value);
		r->grpc_status = atoi(number);
	} else if (header_is(line, "grpc-message", &value)) {
		copy_text(r->grpc_message, sizeof(r->grpc_message), value);
	} else if (header_is(line, "grpc-status-details-bin", &value)) {
		copy_text(r->grpc_details, sizeof(r->grpc_details), value);
	} else if (header_is(line, "content-type", &value)) {
		r->json = value.len >= 16 && !strncasecmp(value.p, "application/json", 16);
	}
	return n;
}

/* Or commands that the tracer starts would hold its connections. */
static int on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)purpose;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return CURL_SOCKOPT_OK;
}

static void set_tls(CURL *c, const struct st_target *t)
{
	if (t->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, t->ca_file);
	if (t->cert_file)
		curl_easy_setopt(c, CURLOPT_SSLCERT, t->cert_file);
	if (t->key_file)
		curl_easy_setopt(c, CURLOPT_SSLKEY, t->key_file);
}

/*
 * libcurl before 8.0.0 begins HTTP/2 anew on a connection that it uses again when it was told of
 * HTTP/2 by prior knowledge, which the receiver takes for garbage (curl's issue 10634).
 */
static bool reuse_is_broken(void)
{
	return curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
}

static void set_version(CURL *c, const struct st_target *t)
{
	bool plain_grpc = t->grpc && !strncmp(t->url, "http://", 7);

	curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
			 plain_grpc ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2TLS);
	if (plain_grpc && reuse_is_broken()) {
		curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
		curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	} else if (t->grpc) {
		/* Further requests wait for the first connection, to share it. */
		curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
	}
}

int st_request__init(struct st_request *r, struct st_output *o, const struct st_target *t)
{
	CURL *c = curl_easy_init();

	*r = (struct st_request){.output = o, .easy = c};
	r->body = st_buf__init(BODY_MAX_SZ);
	r->answer = st_buf__init(ST_ANSWER_MAX_SZ);
	if (!c)
		return -ENOMEM;
	curl_easy_setopt(c, CURLOPT_URL, t->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_POST, 1L);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "OTel-OTLP-Exporter-spantap/" ST_VERSION);
	/* A batch is a few hundred KiB: fewer, larger sends cost the node less. */
	curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	/* Or giving up a slow name look-up would wait for its end. */
	curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(c, CURLOPT_PRIVATE, r);
	curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_socket);
	set_version(c, t);
	set_tls(c, t);
	return 0;
}

void st_request__free(struct st_request *r)
{
	if (r->easy)
		curl_easy_cleanup(r->easy);
	r->easy = NULL;
	st_buf__free(&r->body);
	st_buf__free(&r->answer);
}

/* Appends w->plain to b, compressed. Spans repeat themselves, so the fastest level does most. */
static bool put_gzip(struct st_buf *b, struct st_request_work *w)
{
	uint8_t *to;
	size_t room;

	if (!w->z_ready && deflateInit2(&w->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, 8,
					Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	w->z_ready = true;
	deflateReset(&w->z);
	room = deflateBound(&w->z, w->plain.len);
	to = st_buf__room(b, room);
	if (!to)
		return false;
	w->z.next_in = w->plain.p;
	w->z.avail_in = (uInt)w->plain.len;
	w->z.next_out = to;
	w->z.avail_out = (uInt)room;
	if (deflate(&w->z, Z_FINISH) != Z_STREAM_END)
		return false;
	b->len += room - w->z.avail_out;
	return true;
}

static void put_frame_head(uint8_t *p, bool compressed, size_t len)
{
	p[0] = compressed;
	for (unsigned int i = 0; i < 4; i++)
		p[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

bool st_request__fill(struct st_request *r, const struct st_target *t, struct st_request_work *w,
		      const struct st_batch *bt)
{
	size_t head = t->grpc ? GRPC_FRAME_SZ : 0;
	struct st_buf *plain = t->gzip ? &w->plain : &r->body;

	st_buf__reset(&r->body);
	if (head && !st_buf__put(&r->body, "\0\0\0\0", head))
		return false;
	if (t->gzip) {
		w->plain.max = BODY_MAX_SZ;
		st_buf__reset(&w->plain);
	}
	if (!t->format->join(bt, plain))
		return false;
	r->payload_sz = plain->len - (t->gzip ? 0 : head);
	if (t->gzip && !put_gzip(&r->body, w))
		return false;
	if (head)
		put_frame_head(r->body.p, t->gzip, r->body.len - head);
	r->span_cnt = bt->cnt;
	r->tries = 0;
	return true;
}

void st_request__arm(struct st_request *r, uint64_t timeout_ms)
{
	st_buf__reset(&r->answer);
	r->grpc_status = -1;
	r->grpc_message[0] = r->grpc_details[0] = r->error[0] = '\0';
	r->json = false;
	curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, r->body.p);
	curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
	curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
}

/* What will not get better by trying again: certificates, and what the configuration says. */
static bool curl_hopeless(CURLcode code)
{
	switch (code) {
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_NOT_BUILT_IN:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return true;
	default:
		return false;
	}
}

static const char *curl_cure(const struct st_request *r, const struct st_target *t, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return t->cure;
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return "check OTEL_EXPORTER_OTLP_CERTIFICATE and its kin";
	case CURLE_UNSUPPORTED_PROTOCOL:
		/* Frames of HTTP/2 look like HTTP/0.9 to who speaks HTTP/1.1. */
		return strstr(r->error, "HTTP/0.9") ? "check that it is not the port of gRPC"
						    : NULL;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
		return t->grpc ? "check that it is a receiver for gRPC" : NULL;
	default:
		return NULL;
	}
}

static void judge_curl(const struct st_request *r, const struct st_target *t, CURLcode code,
		       struct st_outcome *out)
{
	long err = 0;

	*out = (struct st_outcome){.verdict = curl_hopeless(code) ? ST_BROKEN : ST_RETRY};
	out->cure = curl_cure(r, t, code);
	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &err);
	if (code == CURLE_COULDNT_CONNECT && err)
		snprintf(out->reason, sizeof(out->reason), "%s", strerror((int)err));
	else
		snprintf(out->reason, sizeof(out->reason), "%s",
			 r->error[0] ? r->error : curl_easy_strerror(code));
}

void st_request__judge(struct st_request *r, const struct st_target *t, CURLcode code,
		       struct st_outcome *out)
{
	struct st_answer a = {.grpc = t->grpc, .otlp = t->otlp, .json = r->json};
	curl_off_t retry_after = 0;
	long http = 0;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &http);
	curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &retry_after);
	/* A status from the receiver outweighs how the transfer ended: it may answer early. */
	if (code != CURLE_OK && http < 300 && r->grpc_status < 0) {
		judge_curl(r, t, code, out);
		return;
	}
	a.http = (int)http;
	a.grpc_status = r->grpc_status;
	a.grpc_message = st_str_of(r->grpc_message);
	a.grpc_details = st_str_of(r->grpc_details);
	a.retry_after_s = retry_after > 0 ? retry_after : -1;
	a.body = st_str((const char *)r->answer.p, r->answer.len);
	st_answer__judge(&a, out);
}

void st_request__reset(struct st_request *r)
{
	r->state = ST_REQUEST_FREE;
	st_buf__reset(&r->body);
	st_buf__reset(&r->answer);
	if (r->body.cap > KEEP_SZ)
		st_buf__free(&r->body);
}

void st_request_work__free(struct st_request_work *w)
{
	if (w->z_ready)
		deflateEnd(&w->z);
	st_buf__free(&w->plain);
}
