/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "protocols/fastcgi.h"
#include "protocols/http1.h"

const struct st_proto_ops *const st_protocols[] = {
	&st_proto_http1,
	&st_proto_fastcgi,
	NULL,
};
