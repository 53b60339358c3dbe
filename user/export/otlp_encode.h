/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* OTLP's protobuf: what its two files share. */
#ifndef ST_EXPORT_OTLP_ENCODE_H
#define ST_EXPORT_OTLP_ENCODE_H

#include "export/encode.h"

/* st_format_otlp.join (otlp_join.c): an ExportTraceServiceRequest, spans by resource. */
bool st_otlp__join(const struct st_batch *bt, struct st_buf *body);

#endif
