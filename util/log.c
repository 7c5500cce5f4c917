/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* The one piece of process-wide state: standard error is process-wide too. */
static struct {
	pthread_mutex_t lock;
	const char *program;
	enum log_level shown;
	log_sink_fn sink;
	void *sink_opaque;
} logger = { .lock = PTHREAD_MUTEX_INITIALIZER, .program = "hotdesk", .shown = LOG_INFO };

void log_init(const char *program, enum log_level shown)
{
	logger.program = program;
	logger.shown = shown;
}

void log_set_sink(log_sink_fn fn, void *opaque)
{
	pthread_mutex_lock(&logger.lock);
	logger.sink = fn;
	logger.sink_opaque = opaque;
	pthread_mutex_unlock(&logger.lock);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int at = 0, len;

	if (level > logger.shown)
		return;
	va_start(ap, fmt);
	len = vsnprintf(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	/* Texts from guests and files arrive in messages: they must not forge lines or drive a terminal. */
	for (; line[at]; at++)
		if ((unsigned char)line[at] < ' ' || line[at] == 0x7f)
			line[at] = '?';

	pthread_mutex_lock(&logger.lock);
	if (logger.sink)
		logger.sink(logger.sink_opaque, level, line);
	else
		fprintf(stderr, "%s: %s%s\n", logger.program,
			level == LOG_WARNING ? "warning: " : "", line);
	pthread_mutex_unlock(&logger.lock);
}
