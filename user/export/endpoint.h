/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Where a network output sends to: its URL and its headers. Uses libcurl's URL parser. */
#ifndef ST_EXPORT_ENDPOINT_H
#define ST_EXPORT_ENDPOINT_H

#include <curl/curl.h>

#include "spantap/exporter.h"

struct st_endpoint_ask {
	const char *given;    /* URL or HOST:PORT; NULL or "": the default */
	const char *fallback; /* the default, with a scheme */
	const char *path;     /* "/v1/traces" */
	bool append;	      /* path goes behind given's own */
	bool as_is;	      /* given is whole: nothing is added to it */
	bool replace;	      /* path stands instead of given's own (gRPC) */
	bool tls;	      /* without a scheme, a host that is not this one is asked by https */
};

/*
 * The URL to send to. *url is for curl, *shown for people (no user and password); both malloc'd.
 * Without append, as_is and replace, path is added when given has none.
 * Returns 0; -EINVAL for what is no http or https URL; -ENOMEM.
 */
int st_endpoint__url(const struct st_endpoint_ask *ask, char **url, char **shown);

/*
 * OTEL_EXPORTER_OTLP_HEADERS' form: key=value,key=value, percent-encoded. Appends "key: value"
 * lines to *list; what is malformed is said and left out.
 * Returns 0 or -ENOMEM.
 */
int st_endpoint__headers(const char *spec, const char *text, struct curl_slist **list);

#endif
