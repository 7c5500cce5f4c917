/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line a message on standard error: "program: what: why".
 *
 * A message names the thing (a file, a device, a desktop), what failed and the mend or the
 * numbers. It never holds a secret or a typed key. Any thread may log.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Sets the name in front of each line and the least important level that is shown. */
void log_init(const char *program, enum log_level shown);

/* Where lines go instead of standard error; tests use it. NULL restores standard error. */
typedef void (*log_sink_fn)(void *opaque, enum log_level level, const char *line);
void log_set_sink(log_sink_fn fn, void *opaque);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

/*
 * Logs the first time only; for what a hostile guest or client could repeat for ever. The flag
 * lives in the device or session that complains, so that each of them gets its one line.
 */
#define log_once(flag, level, ...)                                         \
	do {                                                               \
		if (!__atomic_exchange_n(&(flag), true, __ATOMIC_RELAXED)) \
			log_line(level, __VA_ARGS__);                      \
	} while (0)
