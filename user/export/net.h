/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What all network exporters do in the pipeline's thread: encode each span into the open batch,
 * hand it over when it is full or its time has come, drop and count when the queue is full.
 */
#ifndef ST_EXPORT_NET_H
#define ST_EXPORT_NET_H

#include "export/sender.h"

/*
 * Sets e->priv; takes the target over (st_sender__add).
 * Returns 0 or -errno after having said why.
 */
int st_net__open(struct st_exporter *e, const struct st_target *t,
		 const struct st_export_config *cfg);

/* Whether files that TLS needs can be read; says which cannot. Returns 0 or -errno. */
int st_net__check_files(const struct st_exporter *e, const struct st_export_config *cfg);

/* struct st_exporter_ops' members. */
void st_net__span(struct st_exporter *e, const struct st_span *s);
void st_net__forget(struct st_exporter *e, const struct st_resource *r);
uint64_t st_net__tick(struct st_exporter *e, uint64_t now_ns);
void st_net__flush(struct st_exporter *e, uint64_t deadline_ns);
void st_net__stats(const struct st_exporter *e, struct st_export_stats *out);
uint32_t st_net__room(const struct st_exporter *e);
void st_net__close(struct st_exporter *e);

#endif
