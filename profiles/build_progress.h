/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far a build is, out of what mmdebstrap prints on a terminal: "I: extracting archives..." opens
 * a phase, "pmstatus:  42.17 [===   ]" tells the percent of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

enum build_phase {
	BUILD_START,
	BUILD_LISTS,
	BUILD_DOWNLOAD,
	BUILD_EXTRACT,
	BUILD_ESSENTIAL,
	BUILD_INSTALL,
	BUILD_CLEAN,
	BUILD_CUSTOMIZE,
	BUILD_PACK,
	BUILD_PHASES,
};

struct build_progress {
	enum build_phase phase;
	/* Of the phase, 0 to 100. */
	double percent;
	/* The line that is being received. */
	GString *line;
	/* Complete lines without progress bars: for build.log, and its end for messages of failure. */
	GString *log;
};

void build_progress_init(struct build_progress *p);
void build_progress_finish(struct build_progress *p);

/* Output of the build, in any pieces. True where phase or percent changed. */
bool build_progress_feed(struct build_progress *p, const char *bytes, size_t len);

/* Goes on to a phase; never back. */
void build_progress_enter(struct build_progress *p, enum build_phase phase);

/* All of the build, 0 to 100. */
unsigned build_progress_total(const struct build_progress *p);

/*
 * Seconds that the rest takes: by the last build's `seconds` (0 where there was none) at first, more
 * and more by this one's own pace. 0 where nothing is known yet.
 */
uint64_t build_progress_left(const struct build_progress *p, uint64_t elapsed, uint64_t seconds);

const char *build_phase_name(enum build_phase phase);
