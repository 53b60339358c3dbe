/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* -o none: spans are counted and nothing else. */
#include <errno.h>
#include <stdlib.h>

#include "export/export.h"
#include "lib/log.h"

static int none_open(struct st_exporter *e, const char *arg, const struct st_export_config *cfg)
{
	(void)cfg;
	if (arg) {
		st_error("-o %s: 'none' takes no argument", e->spec);
		return -EINVAL;
	}
	e->priv = calloc(1, sizeof(uint64_t));
	return e->priv ? 0 : -ENOMEM;
}

static void none_span(struct st_exporter *e, const struct st_span *s)
{
	uint64_t *cnt = e->priv;

	(void)s;
	(*cnt)++;
}

static void none_flush(struct st_exporter *e, uint64_t deadline_ns)
{
	(void)e;
	(void)deadline_ns;
}

static void none_stats(const struct st_exporter *e, struct st_export_stats *out)
{
	const uint64_t *cnt = e->priv;

	*out = (struct st_export_stats){.spans = *cnt, .exported = *cnt};
}

static void none_close(struct st_exporter *e)
{
	free(e->priv);
	e->priv = NULL;
}

extern const struct st_exporter_ops st_export_none;
const struct st_exporter_ops st_export_none = {
	.name = "none",
	.usage = "none",
	.help = "count spans, send them nowhere",
	.open = none_open,
	.span = none_span,
	.flush = none_flush,
	.stats = none_stats,
	.close = none_close,
};
