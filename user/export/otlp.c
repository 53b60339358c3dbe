/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* -o otlp[:URL], -o grpc[:URL]: OTLP over HTTP (protobuf or JSON) and over gRPC. */
#include <errno.h>
#include <stdlib.h>

#include "export/endpoint.h"
#include "export/net.h"
#include "lib/log.h"

#define GRPC_PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

static int add_line(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);

	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

/* The headers of the format first; those of the configuration behind them. */
static int make_headers(struct st_target *t, const struct st_export_config *cfg)
{
	/* "Expect: 100-continue" would cost a round trip; curl is told by an empty one. */
	int err = add_line(&t->headers, "Expect:");

	if (t->grpc) {
		if (!err)
			err = add_line(&t->headers, "Content-Type: application/grpc");
		if (!err)
			err = add_line(&t->headers, "te: trailers");
		if (!err && t->gzip)
			err = add_line(&t->headers, "grpc-encoding: gzip");
	} else {
		char line[128] = "Content-Type: ";

		strcat(line, t->format->content_type);
		if (!err)
			err = add_line(&t->headers, line);
		if (!err && t->gzip)
			err = add_line(&t->headers, "Content-Encoding: gzip");
	}
	return err ? err : st_endpoint__headers(t->spec, cfg->headers, &t->headers);
}

static int make_url(struct st_exporter *e, struct st_target *t, const char *arg,
		    const struct st_export_config *cfg)
{
	bool from_env = !arg || !*arg;
	struct st_endpoint_ask ask = {
		.given = from_env ? cfg->endpoint : arg,
		.fallback = t->grpc ? "http://localhost:4317" : "http://localhost:4318",
		.path = t->grpc ? GRPC_PATH : "/v1/traces",
		.replace = t->grpc,
		.tls = t->grpc && !cfg->insecure,
	};
	int err;

	if (!t->grpc && from_env && cfg->endpoint) {
		ask.as_is = cfg->endpoint_is_full;
		ask.append = !ask.as_is;
	}
	err = st_endpoint__url(&ask, &t->url, &t->shown);
	if (err)
		st_error("-o %s: '%s' is no URL to send to; it is http://HOST:PORT or "
			 "https://HOST:PORT",
			 e->spec, ask.given ? ask.given : ask.fallback);
	return err;
}

static int make_target(struct st_exporter *e, struct st_target *t, const char *arg,
		       const struct st_export_config *cfg)
{
	int err = st_net__check_files(e, cfg);

	t->spec = e->spec;
	t->otlp = true;
	t->cure = t->grpc ? "start a collector there or name another with -o grpc:URL"
			  : "start a collector there or name another with -o otlp:URL";
	t->gzip = cfg->compression && !strcmp(cfg->compression, "gzip");
	t->ca_file = cfg->ca_file;
	t->cert_file = cfg->cert_file;
	t->key_file = cfg->key_file;
	t->timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : 10000;
	t->give_up_ms = cfg->export_timeout_ms ? cfg->export_timeout_ms : 30000;
	if (!err)
		err = make_url(e, t, arg, cfg);
	return err ? err : make_headers(t, cfg);
}

static int open_as(struct st_exporter *e, const char *arg, const struct st_export_config *cfg,
		   bool grpc)
{
	bool json = !grpc && cfg->protocol && !strcmp(cfg->protocol, "http/json");
	struct st_target t = {
		.grpc = grpc,
		.format = json ? &st_format_json : &st_format_otlp,
	};
	int err = make_target(e, &t, arg, cfg);

	if (err) {
		curl_slist_free_all(t.headers);
		free(t.url);
		free(t.shown);
		return err;
	}
	return st_net__open(e, &t, cfg);
}

static int otlp_open(struct st_exporter *e, const char *arg, const struct st_export_config *cfg)
{
	return open_as(e, arg, cfg, cfg->protocol && !strcmp(cfg->protocol, "grpc"));
}

static int grpc_open(struct st_exporter *e, const char *arg, const struct st_export_config *cfg)
{
	return open_as(e, arg, cfg, true);
}

extern const struct st_exporter_ops st_export_otlp, st_export_grpc;

const struct st_exporter_ops st_export_otlp = {
	.name = "otlp",
	.usage = "otlp[:URL]",
	.help = "OTLP over HTTP, as OTEL_EXPORTER_OTLP_PROTOCOL says",
	.open = otlp_open,
	.span = st_net__span,
	.forget = st_net__forget,
	.tick = st_net__tick,
	.flush = st_net__flush,
	.stats = st_net__stats,
	.room = st_net__room,
	.close = st_net__close,
};

const struct st_exporter_ops st_export_grpc = {
	.name = "grpc",
	.usage = "grpc[:URL]",
	.help = "OTLP over gRPC",
	.open = grpc_open,
	.span = st_net__span,
	.forget = st_net__forget,
	.tick = st_net__tick,
	.flush = st_net__flush,
	.stats = st_net__stats,
	.room = st_net__room,
	.close = st_net__close,
};
