/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* -o zipkin[:URL]: Zipkin v2 JSON over HTTP. */
#include <errno.h>
#include <stdlib.h>

#include "export/endpoint.h"
#include "export/net.h"
#include "lib/log.h"

static int zipkin_open(struct st_exporter *e, const char *arg, const struct st_export_config *cfg)
{
	struct st_target t = {
		.spec = e->spec,
		.cure = "start Zipkin there or name another with -o zipkin:URL",
		.format = &st_format_zipkin,
		.timeout_ms = cfg->zipkin_timeout_ms ? cfg->zipkin_timeout_ms : 10000,
		.give_up_ms = cfg->export_timeout_ms ? cfg->export_timeout_ms : 30000,
	};
	struct st_endpoint_ask ask = {
		.given = arg && *arg ? arg : cfg->zipkin_endpoint,
		.fallback = "http://localhost:9411/api/v2/spans",
		.path = "/api/v2/spans",
	};
	int err = st_endpoint__url(&ask, &t.url, &t.shown);

	if (err) {
		st_error("-o %s: '%s' is no URL to send to; it is http://HOST:PORT", e->spec,
			 ask.given ? ask.given : ask.fallback);
		return err;
	}
	t.headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (!t.headers || !curl_slist_append(t.headers, "Expect:")) {
		curl_slist_free_all(t.headers);
		free(t.url);
		free(t.shown);
		return -ENOMEM;
	}
	return st_net__open(e, &t, cfg);
}

extern const struct st_exporter_ops st_export_zipkin;
const struct st_exporter_ops st_export_zipkin = {
	.name = "zipkin",
	.usage = "zipkin[:URL]",
	.help = "Zipkin v2 JSON over HTTP",
	.open = zipkin_open,
	.span = st_net__span,
	.forget = st_net__forget,
	.tick = st_net__tick,
	.flush = st_net__flush,
	.stats = st_net__stats,
	.room = st_net__room,
	.close = st_net__close,
};
