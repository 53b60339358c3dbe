/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whom to trace: process ids, patterns, everybody, or a command of our own. */
#ifndef ST_WHO_H
#define ST_WHO_H

#include "kern/tracer.h"
#include "spantap/config.h"

struct st_who;

/*
 * Checks what can be checked before anything is attached (do the process ids exist?), and starts
 * the command, held before its exec. Returns 0 or -errno after having said why.
 */
int st_who__new(const struct st_config *cfg, struct st_who **out);
void st_who__free(struct st_who *w);

/* How the kernel side filters. */
void st_who__tracer_config(const struct st_who *w, struct st_tracer_config *out);

/*
 * The hooks are attached: marks the processes there are and lets the command go. Returns 0 or
 * -errno after having said why (a process that has gone meanwhile).
 */
int st_who__begin(struct st_who *w, struct st_tracer *t);
/* Does the process run a program that passes requests on? */
bool st_who__is_proxy(uint32_t tgid);
/* Called for each process that is chosen at the start, before it is traced. */
typedef void (*st_who_fn)(void *ctx, uint32_t tgid);
void st_who__on_chosen(struct st_who *w, st_who_fn fn, void *ctx);

/* EXEC: patterns decide whether the process is traced. EXIT: its last records are still to come. */
void st_who__process(struct st_who *w, struct st_tracer *t, const struct st_rec *rec);

/* Is this process's record wanted? Decides on processes not seen before. */
bool st_who__wants(struct st_who *w, struct st_tracer *t, const struct st_rec *rec);

/* Is this process, which is alive, traced as far as is known? */
bool st_who__traces(const struct st_who *w, const struct st_tracer *t, uint32_t tgid);

/* Does what the kernel counted of this process, which may have ended, belong to the result? */
bool st_who__counts(const struct st_who *w, const struct st_tracer *t, uint32_t tgid);

/* Has everybody ended whom -p or the command named? Then tracing is over. */
bool st_who__all_gone(struct st_who *w);

/* Does it go on until it is told to stop, whoever ends? */
bool st_who__is_open_ended(const struct st_who *w);

/* The command's exit code when it has one (reaped here), -1 otherwise. */
int st_who__reap(struct st_who *w);

/* "nginx (4711 and 2 more)" */
void st_who__describe(const struct st_who *w, char *buf, size_t sz);

#endif
