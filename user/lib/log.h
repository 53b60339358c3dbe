/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Messages to stderr, a line each, with the prefix "spantap: ". Safe from any thread. */
#ifndef ST_LIB_LOG_H
#define ST_LIB_LOG_H

#include <stdarg.h>

enum st_log_level {
	ST_LOG_ERROR = 0, /* always printed */
	ST_LOG_WARN = 1,
	ST_LOG_INFO = 2,  /* the default */
	ST_LOG_DEBUG = 3, /* -v */
};

/* What is printed: messages up to this level. Call before other threads exist. */
void st_log__set_level(enum st_log_level level);
enum st_log_level st_log__level(void);

/* One line, at most 1 KiB; control characters of the arguments are replaced by '?'. */
void st_log(enum st_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void st_vlog(enum st_log_level level, const char *fmt, va_list ap);

#define st_error(...) st_log(ST_LOG_ERROR, __VA_ARGS__)
#define st_warn(...)  st_log(ST_LOG_WARN, __VA_ARGS__)
#define st_info(...)  st_log(ST_LOG_INFO, __VA_ARGS__)
#define st_debug(...) st_log(ST_LOG_DEBUG, __VA_ARGS__)

#endif
