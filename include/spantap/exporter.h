/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What an exporter is. One exporter is one file in user/export/ and one row in its table.
 *
 * span() is called by the pipeline's thread for every sampled span, in the order of their ends;
 * it must encode or copy and return at once: no system call that can block, no allocation in
 * steady state. Network exporters hand whole batches to their own sending thread.
 */
#ifndef SPANTAP_EXPORTER_H
#define SPANTAP_EXPORTER_H

#include "spantap/span.h"

struct st_exporter;

/* What became of the spans of one output; spans = exported + sum of the others + queued. */
struct st_export_stats {
	uint64_t spans;	     /* given to span() */
	uint64_t exported;   /* accepted by the receiver, or written */
	uint64_t queue_full; /* dropped because the queue held OTEL_BSP_MAX_QUEUE_SIZE */
	uint64_t rejected;   /* refused: partial success, 4xx that is not retryable */
	uint64_t failed;     /* not delivered after all retries, or at the end */
	uint64_t queued;     /* not yet decided */
	uint64_t retries;    /* requests sent again */
	uint64_t requests;   /* requests that ended, whatever their outcome */
	uint64_t bytes;	     /* payload bytes of delivered requests, before compression */
};

/* OTEL_* and command-line settings that exporters share; strings live as long as the program. */
struct st_export_config {
	/* OTEL_BSP_* */
	uint64_t schedule_delay_ms; /* 5000 */
	uint64_t export_timeout_ms; /* 30000 */
	uint32_t max_queue;	    /* 2048 spans */
	uint32_t max_batch;	    /* 512 spans */
	/* OTEL_SPAN_*, OTEL_ATTRIBUTE_*, OTEL_EVENT_*, OTEL_LINK_* limits */
	uint32_t attr_cnt_limit;   /* 128 */
	uint32_t attr_len_limit;   /* UINT32_MAX: none */
	uint32_t event_cnt_limit;  /* 128 */
	uint32_t link_cnt_limit;   /* 128 */
	uint32_t event_attr_limit; /* 128 */
	uint32_t link_attr_limit;  /* 128 */
	/* OTEL_EXPORTER_OTLP_* after the TRACES_ ones were laid over the general ones */
	const char *endpoint;	 /* NULL: the default of the protocol */
	bool endpoint_is_full;	 /* from ..._TRACES_ENDPOINT: used as it is, no /v1/traces added */
	const char *protocol;	 /* "http/protobuf", "http/json", "grpc" */
	const char *headers;	 /* key=value,key=value, percent-decoded by the exporter */
	const char *compression; /* "none" or "gzip" */
	const char *ca_file;	 /* PEM, NULL: the system's */
	const char *cert_file;	 /* client certificate, PEM */
	const char *key_file;
	bool insecure;	     /* gRPC without TLS when the URL has no scheme */
	uint64_t timeout_ms; /* 10000: one request */
	/* OTEL_EXPORTER_ZIPKIN_* */
	const char *zipkin_endpoint; /* NULL: http://localhost:9411/api/v2/spans */
	uint64_t zipkin_timeout_ms;  /* 10000: one request */
	/* file: */
	uint64_t file_max_sz; /* rotate at this size, bytes; 0: never */
	uint32_t file_keep;   /* rotated files that are kept */
	/* terminal */
	bool colour;
	int width;  /* columns; 0: ask the terminal, 80 if it is none */
	int out_fd; /* where tree and json write (1) */
};

struct st_exporter_ops {
	const char *name;  /* the word in -o, before ':' */
	const char *usage; /* "otlp[:URL]" */
	const char *help;  /* one line */
	/*
	 * arg: what stood behind ':' or NULL. Sets e->priv. Returns 0 or -errno after having said
	 * why by st_log.
	 */
	int (*open)(struct st_exporter *e, const char *arg, const struct st_export_config *cfg);
	void (*span)(struct st_exporter *e, const struct st_span *s);
	/* A resource's index will be used anew; may be NULL. */
	void (*forget)(struct st_exporter *e, const struct st_resource *r);
	/*
	 * Time passes (CLOCK_MONOTONIC): send what is due. Returns the time at which it wants to
	 * be called again, UINT64_MAX for never. May be NULL.
	 */
	uint64_t (*tick)(struct st_exporter *e, uint64_t now_ns);
	/* Deliver what is queued until deadline_ns (CLOCK_MONOTONIC), then give up and count. */
	void (*flush)(struct st_exporter *e, uint64_t deadline_ns);
	void (*stats)(const struct st_exporter *e, struct st_export_stats *out);
	/* How many more spans it takes now before it must drop; NULL: always more. */
	uint32_t (*room)(const struct st_exporter *e);
	/* Whether nobody will ever read what it writes: a pipe without a reader. NULL: no. */
	bool (*gone)(const struct st_exporter *e);
	void (*close)(struct st_exporter *e);
};

struct st_exporter {
	const struct st_exporter_ops *ops;
	void *priv;
	const char *spec; /* as on the command line, for messages */
};

/* All exporters, ended by NULL; user/export/table.c. */
extern const struct st_exporter_ops *const st_exporters[];

#endif
