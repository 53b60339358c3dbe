/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One request of the sender: a curl handle that is set up once and used again and again. */
#ifndef ST_EXPORT_REQUEST_H
#define ST_EXPORT_REQUEST_H

#include <zlib.h>

#include "export/otlp_response.h"
#include "export/sender.h"

enum st_request_state {
	ST_REQUEST_FREE = 0,
	ST_REQUEST_WAITS = 1, /* has a body, is to be sent (again) */
	ST_REQUEST_RUNS = 2,
};

struct st_request {
	enum st_request_state state;
	struct st_output *output;
	CURL *easy;
	struct st_buf body; /* as it is sent */
	struct st_buf answer;
	uint32_t span_cnt;
	size_t payload_sz; /* before compression */
	uint32_t tries;
	uint64_t begun_ns; /* the first try */
	/* of the answer */
	int grpc_status;
	bool json;
	char grpc_message[256];
	char grpc_details[2048];
	char error[CURL_ERROR_SIZE];
};

/* Buffers that requests of one output share; the sending thread's own. */
struct st_request_work {
	struct st_buf plain;
	z_stream z;
	bool z_ready;
};

/* Returns 0 or -ENOMEM. */
int st_request__init(struct st_request *r, struct st_output *o, const struct st_target *t);
void st_request__free(struct st_request *r);

/* Makes the body from a batch; false when memory ran out. */
bool st_request__fill(struct st_request *r, const struct st_target *t, struct st_request_work *w,
		      const struct st_batch *bt);
/* Makes it ready for one try of timeout_ms. */
void st_request__arm(struct st_request *r, uint64_t timeout_ms);
/* What became of the try. */
void st_request__judge(struct st_request *r, const struct st_target *t, CURLcode code,
		       struct st_outcome *out);
/* Empty again; unusually large buffers go. */
void st_request__reset(struct st_request *r);

void st_request_work__free(struct st_request_work *w);

#endif
