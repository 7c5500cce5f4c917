/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debian archives: which ones an image comes from, and what they hold at the moment. */
#pragma once

#include <glib.h>

#include "profiles/image_def.h"

struct archive_source {
	/* Without a trailing '/'. */
	char *uri;
	char *suite;
	/* Separated by spaces. */
	char *components;
};

/*
 * The sources for the definition's suite, its updates and its security updates: its own mirror's
 * or those of this machine's apt. Returns an array of struct archive_source, or NULL with one line
 * on the log.
 */
GPtrArray *archive_sources(const struct image_def *def);

/* One "deb URI SUITE COMPONENTS" line for each. */
char *archive_sources_list(const GPtrArray *sources);

/*
 * What the archives hold now, for use as a key: it changes when, and only when, one of their lists
 * of packages does. Fetches their InRelease files. NULL, and `why` set, where one cannot be had.
 */
char *archive_state(const GPtrArray *sources, char **why);

/*
 * The part of an InRelease file that archive_state() looks at: the checksums of the package lists
 * of these components for this machine's architecture; the whole text where it has none.
 */
char *archive_lists_of(const char *in_release, const char *components);
