/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One process as /proc and its own files show it. Reading takes some 100 us and happens once per
 * process image. All buffers are bounded; what the process may have made up is cleaned.
 */
#ifndef ST_META_PROCESS_H
#define ST_META_PROCESS_H

#include "lib/buf.h"
#include "meta/container.h"
#include "meta/otelenv.h"
#include "meta/service.h"
#include "meta/version.h"

struct st_process {
	int pid;	      /* in the tracer's namespace */
	int ppid;	      /* 0: unknown */
	int64_t uid;	      /* effective; -1: unknown */
	uint64_t start_ticks; /* since boot; 0: unknown */
	char comm[16];
	char exe[ST_ARTIFACT_MAX]; /* as the process sees it; " (deleted)" removed; "" unknown */
	bool exe_deleted;
	struct st_service service; /* its name, language, runtime */
	char version[65];	   /* service.version, "" */
	char runtime_version[33];  /* "" */
	char container[ST_CONTAINER_ID_SZ];
	struct st_elf_info elf;
	bool malformed;		    /* its OTEL_RESOURCE_ATTRIBUTES had to be discarded */
	struct st_otel_attrs attrs; /* its OTEL_RESOURCE_ATTRIBUTES; within env */
	/* kept from one read to the next */
	struct st_buf args, env, text;
};

/* An empty one, for st_process__read; ends with st_process__free. NULL when memory runs out. */
struct st_process *st_process__new(void);
void st_process__free(struct st_process *p);

/* Reads all of a process. Returns 0; -ESRCH when it does not exist (any more); -errno. */
int st_process__read(struct st_process *p, int pid);

/* The same from what the kernel said at exec, for processes that are gone. */
void st_process__from_exec(struct st_process *p, int pid, struct st_str comm,
			   struct st_str filename, struct st_str args);

/* Parent and start time from the text of /proc/PID/stat; false when malformed. Pure. */
bool st_process__parse_stat(struct st_str text, int *ppid, uint64_t *start_ticks);

/* A process's start time in ticks since boot, 0 when it does not exist. */
uint64_t st_process__start_ticks(int pid);

#endif
