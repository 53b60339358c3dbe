/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What `spantap check` found out, as text of 80 columns and as JSON. */
#ifndef ST_CHECK_SHOW_H
#define ST_CHECK_SHOW_H

#include "kern/features.h"
#include "kern/tracer.h"
#include "lib/buf.h"
#include "meta/host.h"
#include "spantap/config.h"

struct st_check {
	const struct st_config *cfg;
	struct st_features f;
	struct st_host host;
	bool tried; /* the tracer was opened, or at least it was tried */
	bool works;
	struct st_tracer_need need[ST_NEED_CNT];
	struct st_buf out; /* what is shown is appended here */
};

void st_check_show__text(struct st_check *c);

/* An object without its closing brace: the caller may add to it. */
void st_check_show__json(struct st_check *c);

#endif
