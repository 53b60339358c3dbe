/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a process's service is called, and what it is written in: from its executable, its
 * arguments and its environment, without running or asking it. Pure: files are read by callback.
 */
#ifndef ST_META_SERVICE_H
#define ST_META_SERVICE_H

#include "spantap/bytes.h"

#define ST_SERVICE_MAX	128u /* bytes of a name */
#define ST_ARTIFACT_MAX 1024u
#define ST_ARGV_MAX	512u /* arguments that are looked at; Java's options can be hundreds */

/* What is known of a process; any of it may be empty. Text is as the process chose it. */
struct st_facts {
	struct st_str exe;  /* target of /proc/PID/exe, with " (deleted)" when it is so */
	struct st_str comm; /* at most 15 bytes */
	struct st_str args; /* NUL separated */
	struct st_str env;  /* NUL separated */
	struct st_str cwd;
	/*
	 * The first bytes of a regular file, path as the process sees it. Returns their count or
	 * -errno. NULL: no file can be read.
	 */
	int (*read)(void *ctx, const char *path, char *buf, size_t buf_sz);
	void *ctx;
};

/* Where a name comes from. Names given by OpenTelemetry's own means win over the tracer's name. */
enum st_name_source {
	ST_NAME_NONE = 0,
	ST_NAME_ENV,	  /* OTEL_SERVICE_NAME */
	ST_NAME_ATTRS,	  /* OTEL_RESOURCE_ATTRIBUTES */
	ST_NAME_PROPERTY, /* -Dotel.service.name */
	ST_NAME_APP,	  /* -Dspring.application.name, node's --title and their like */
	ST_NAME_PACKAGE,  /* package.json */
	ST_NAME_MODULE,	  /* python -m, gunicorn's application, a main class */
	ST_NAME_SCRIPT,	  /* a script's or archive's file name */
	ST_NAME_FOLDER,	  /* the project's folder */
	ST_NAME_TITLE,	  /* a rewritten argv[0], such as php-fpm's pool */
	ST_NAME_PROGRAM,  /* the executable's file name */
	ST_NAME_COMM,	  /* the kernel's 15 bytes */
	ST_NAME_MANIFEST, /* Implementation-Title of a jar whose file is called app.jar */
};

enum st_artifact {
	ST_ARTIFACT_EXE = 0, /* the executable */
	ST_ARTIFACT_JAR = 1,
	ST_ARTIFACT_PACKAGE = 2, /* package.json */
};

struct st_service {
	char name[ST_SERVICE_MAX + 1]; /* UTF-8 without control characters; "" when unknown */
	enum st_name_source source;
	const char *language;	  /* a value of telemetry.sdk.language, NULL: not known */
	const char *runtime;	  /* process.runtime.name, NULL: not known */
	char runtime_version[33]; /* as far as the executable's name tells ("3.11"), else "" */
	char version[65];	  /* as far as a file name tells (shop-1.4.2.jar), else "" */
	enum st_artifact artifact_kind;
	char artifact[ST_ARTIFACT_MAX]; /* the file that knows service.version; "" for EXE */
};

/* Fills out from facts. */
void st_service__detect(const struct st_facts *facts, struct st_service *out);

/* Whether the name was given to the process by OpenTelemetry's own means. */
static inline bool st_service__is_own(const struct st_service *s)
{
	return s->source >= ST_NAME_ENV && s->source <= ST_NAME_PROPERTY;
}

/* One word for messages and `list`: "environment", "script", ... */
const char *st_service__source_name(enum st_name_source source);

#endif
