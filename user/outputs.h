/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The last stages: sample, filter, hand to every output. */
#ifndef ST_OUTPUTS_H
#define ST_OUTPUTS_H

#include "spantap/config.h"

struct st_outputs;

/* What became of spans before the outputs; spans = shown + the others. */
struct st_outputs_stats {
	uint64_t spans;
	uint64_t sampled_out;
	uint64_t filtered;     /* by --filter or -t */
	uint64_t given;	       /* to every output */
	uint64_t not_exported; /* the worst output's queue_full + rejected + failed */
};

/* Opens what -o names. Returns 0 or -errno (-EINVAL: the user's mistake) after having said why. */
int st_outputs__new(const struct st_config *cfg, struct st_outputs **out);
/* Delivers what is queued until then (CLOCK_MONOTONIC), and says what could not be. */
void st_outputs__flush(struct st_outputs *o, uint64_t deadline_ns);
void st_outputs__free(struct st_outputs *o);

void st_outputs__span(struct st_outputs *o, const struct st_span *s);
void st_outputs__forget(struct st_outputs *o, const struct st_resource *r);
/* When it wants to be called again, UINT64_MAX for never. */
uint64_t st_outputs__tick(struct st_outputs *o, uint64_t now_ns);
/* How many more spans the fullest queue takes. */
uint32_t st_outputs__room(const struct st_outputs *o);
/* Whether nobody will read what any of them writes: head(1) has had enough. */
bool st_outputs__gone(const struct st_outputs *o);
void st_outputs__stats(const struct st_outputs *o, struct st_outputs_stats *out);
/* A line to stderr per output that lost something. */
void st_outputs__report(const struct st_outputs *o);
/* "sending to this terminal", "sending to otlp:http://..." */
void st_outputs__describe(const struct st_outputs *o, char *buf, size_t sz);

#endif
