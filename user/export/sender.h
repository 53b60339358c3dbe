/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One sending thread for all network outputs of the program: it runs a curl_multi and sleeps
 * while there is nothing to send. Each output has its own queue of ready batches, its own few
 * requests in flight and its own back-off, so that a slow receiver holds no other.
 */
#ifndef ST_EXPORT_SENDER_H
#define ST_EXPORT_SENDER_H

#include <curl/curl.h>

#include "export/batch.h"

/* Requests in flight to one receiver that takes them well; one while it does not. */
#define ST_SENDER_INFLIGHT 4

/* Where and how one output sends; fixed once the output was added. Owned by the output. */
struct st_target {
	const char *spec; /* as on the command line */
	const char *cure; /* what to do when nobody is there */
	const struct st_format *format;
	char *url;
	char *shown; /* the URL for messages */
	struct curl_slist *headers;
	bool grpc;
	bool otlp; /* answers are OTLP's */
	bool gzip;
	const char *ca_file, *cert_file, *key_file; /* NULL: none */
	uint64_t timeout_ms;			    /* one request */
	uint64_t give_up_ms;			    /* a batch, all its tries */
};

struct st_output; /* sender.c */

/*
 * A new output; starts the thread with the first. Takes the target's strings and headers over,
 * also when it fails.
 * Returns 0 or -errno.
 */
int st_sender__add(const struct st_target *t, uint32_t max_batch, struct st_output **out);

/* Gives up what is left, frees the output; ends the thread with the last. NULL is allowed. */
void st_sender__remove(struct st_output *o);

/*
 * Hands a batch over and returns an empty one for it, or NULL when memory ran out. Called by the
 * pipeline's thread; costs a mutex and a wake-up, no waiting.
 */
struct st_batch *st_sender__submit(struct st_output *o, struct st_batch *bt);
/* An empty batch without handing one over. */
struct st_batch *st_sender__batch(struct st_output *o);

/* Spans, and bytes, in batches that no request has taken up yet. */
uint32_t st_sender__waiting(const struct st_output *o);
uint64_t st_sender__waiting_sz(const struct st_output *o);

/* Sends all that was handed over, until deadline_ns; what is left then is given up. */
void st_sender__flush(struct st_output *o, uint64_t deadline_ns);

/* What became of the spans that were handed over: all but spans, queue_full and queued. */
void st_sender__stats(struct st_output *o, struct st_export_stats *out);

#endif
