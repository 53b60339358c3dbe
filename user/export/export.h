/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the pipeline calls besides an exporter's own table, and what all exporters share. */
#ifndef ST_EXPORT_EXPORT_H
#define ST_EXPORT_EXPORT_H

#include "spantap/exporter.h"

#ifndef ST_VERSION
#define ST_VERSION "0.0.0"
#endif

/*
 * The exporter that -o SPEC names ("otlp:http://h:4318"), opened. spec and cfg must live until
 * close.
 * Returns 0; -ENOENT when no exporter has that name; else what open() returned. All but -ENOENT
 * have been said by st_log.
 */
int st_export__open(struct st_exporter *e, const char *spec, const struct st_export_config *cfg);

/*
 * How many more spans the exporter's queue takes now; UINT32_MAX when it has no queue. For who
 * can hold back instead of losing spans.
 */
uint32_t st_export__room(const struct st_exporter *e);

/* CLOCK_MONOTONIC in nanoseconds: the clock of tick() and flush(). */
uint64_t st_export__now_ns(void);

/* The limits of OTEL_SPAN_*, OTEL_ATTRIBUTE_*, OTEL_EVENT_*, OTEL_LINK_* that encoders apply. */
struct st_limits {
	uint32_t attr_cnt;
	uint32_t attr_len; /* characters of a string value */
	uint32_t event_cnt;
	uint32_t link_cnt;
	uint32_t event_attr_cnt;
	uint32_t link_attr_cnt;
};

struct st_limits st_limits__of(const struct st_export_config *cfg);

#endif
