/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a receiver's answer means: pure, no socket. OTLP specification 1.x, "Failures" and
 * "Retryable Response Codes"; gRPC over HTTP/2, "Responses".
 */
#ifndef ST_EXPORT_OTLP_RESPONSE_H
#define ST_EXPORT_OTLP_RESPONSE_H

#include "spantap/bytes.h"

enum st_verdict {
	ST_ACCEPTED = 0, /* outcome.rejected of its spans were not */
	ST_RETRY = 1,
	ST_REFUSED = 2, /* by the receiver, not to be sent again */
	ST_BROKEN = 3,	/* cannot be sent at all, not to be tried again */
};

/* The longest answer of interest; the rest is not read. */
#define ST_ANSWER_MAX_SZ (64u << 10)

struct st_answer {
	bool grpc;
	bool otlp;		    /* its body may be an OTLP response or a google.rpc.Status */
	bool json;		    /* the body is JSON, by its Content-Type */
	int http;		    /* status code */
	int grpc_status;	    /* -1: none came */
	struct st_str grpc_message; /* percent-encoded */
	struct st_str grpc_details; /* base64 of a google.rpc.Status */
	int64_t retry_after_s;	    /* -1: none came */
	struct st_str body;
};

struct st_outcome {
	enum st_verdict verdict;
	uint64_t rejected; /* spans; of an accepted request */
	uint64_t delay_ns; /* the receiver's own wish before a retry; 0: none */
	char reason[320];  /* for people; "" when there is nothing to say */
	const char *cure;  /* what they can do; NULL */
};

void st_answer__judge(const struct st_answer *a, struct st_outcome *out);

/* What is said of a gRPC status code: "UNAVAILABLE". */
const char *st_grpc__status_name(int status);

/* Percent-decoding (RFC 3986, section 2.1) into `to` of sz bytes, NUL-terminated and cut there. */
size_t st_percent_decode(char *to, size_t sz, struct st_str s);

#endif
