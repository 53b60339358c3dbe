/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the user asked for: the command line laid over OTEL_* and the defaults. Read-only after. */
#ifndef SPANTAP_CONFIG_H
#define SPANTAP_CONFIG_H

#include "spantap/abi.h"
#include "spantap/exporter.h"
#include "spantap/propagators.h"

#define ST_CFG_LIST_MAX 64

enum st_command {
	ST_CMD_TRACE = 0,
	ST_CMD_CHECK = 1,
	ST_CMD_LIST = 2,
	ST_CMD_REPLAY = 3,
	ST_CMD_HELP = 4,
	ST_CMD_VERSION = 5,
};

enum st_sampler_kind {
	ST_SAMPLER_ALWAYS_ON = 0,
	ST_SAMPLER_ALWAYS_OFF = 1,
	ST_SAMPLER_RATIO = 2,
	ST_SAMPLER_PARENT_ON = 3,
	ST_SAMPLER_PARENT_OFF = 4,
	ST_SAMPLER_PARENT_RATIO = 5,
};

struct st_config {
	enum st_command command;
	/* WHO; strings are the arguments' own */
	int pids[ST_CFG_LIST_MAX];
	int pid_cnt;
	bool all;
	bool no_children;
	const char *comm[ST_CFG_LIST_MAX]; /* exact names of processes */
	int comm_cnt;
	const char *exe[ST_CFG_LIST_MAX]; /* globs over /proc/PID/exe */
	int exe_cnt;
	uint16_t ports[16];
	int port_cnt;
	char **argv; /* -- COMMAND, NULL when none; NULL-terminated */
	/* what */
	const char *probes[ST_CFG_LIST_MAX]; /* -e */
	int probe_cnt;
	const char *outputs[ST_CFG_LIST_MAX]; /* -o; at least one */
	int output_cnt;
	const char *captures[ST_CFG_LIST_MAX]; /* --capture; "header:NAME" */
	int capture_cnt;
	bool link_candidates;	      /* --link-candidates */
	const char *filter;	      /* --filter EXPR */
	uint64_t min_ns;	      /* -t: only spans at least this long */
	uint64_t duration_ns;	      /* --duration: end after this; 0: never */
	enum st_sampler_kind sampler; /* OTEL_TRACES_SAMPLER, --sample */
	double sample_ratio;	      /* 1.0 */
	const char *record;	      /* --record FILE */
	const char *replay;	      /* replay FILE */
	const char *rung;	      /* --rung NAME */
	const char
		*service_name; /* OTEL_SERVICE_NAME: for spans whose process has none of its own */
	const char *resource_attrs; /* OTEL_RESOURCE_ATTRIBUTES, raw */
	bool disabled;		    /* OTEL_SDK_DISABLED */
	bool json;		    /* check, list: --json */
	bool quiet;
	bool verbose;
	struct st_propagators propagators;	       /* OTEL_PROPAGATORS */
	uint32_t propagate;			       /* --propagate: ST_PROPAGATE_* */
	struct st_wire_rule wire_rules[ST_WIRE_RULES]; /* --propagate-to; used ones come first */
	int wire_rule_cnt;
	/* sizes, for tests of losses too */
	uint32_t ring_sz;   /* bytes of each CPU's ring, power of two; 0: default */
	uint32_t max_conns; /* slots; 0: default */
	struct st_export_config exp;
};

#endif
