/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of exporters: a new one is one file and one row here. */
#include "export/export.h"

#include <errno.h>
#include <time.h>

extern const struct st_exporter_ops st_export_tree, st_export_json, st_export_file, st_export_otlp,
	st_export_grpc, st_export_zipkin, st_export_folded, st_export_none;

const struct st_exporter_ops *const st_exporters[] = {
	&st_export_tree,   &st_export_json, &st_export_file,
	&st_export_otlp,   &st_export_grpc, &st_export_zipkin,
	&st_export_folded, &st_export_none, NULL,
};

int st_export__open(struct st_exporter *e, const char *spec, const struct st_export_config *cfg)
{
	const char *colon = strchr(spec, ':');
	int err;
	struct st_str name = st_str(spec, colon ? (size_t)(colon - spec) : strlen(spec));

	for (const struct st_exporter_ops *const *o = st_exporters; *o; o++) {
		if (!st_str_eq(name, st_str_of((*o)->name)))
			continue;
		*e = (struct st_exporter){.ops = *o, .spec = spec};
		err = (*o)->open(e, colon ? colon + 1 : NULL, cfg);
		/* A path that leads nowhere is not an unknown exporter. */
		return err == -ENOENT ? -ENOTDIR : err;
	}
	return -ENOENT;
}

uint32_t st_export__room(const struct st_exporter *e)
{
	return e->ops->room ? e->ops->room(e) : UINT32_MAX;
}

uint64_t st_export__now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct st_limits st_limits__of(const struct st_export_config *cfg)
{
	return (struct st_limits){
		.attr_cnt = cfg->attr_cnt_limit,
		.attr_len = cfg->attr_len_limit,
		.event_cnt = cfg->event_cnt_limit,
		.link_cnt = cfg->link_cnt_limit,
		.event_attr_cnt = cfg->event_attr_limit,
		.link_attr_cnt = cfg->link_attr_limit,
	};
}
