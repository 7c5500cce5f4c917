/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every image gets beside its definition: the files of profiles/guest, which start the session,
 * follow the host's wish for screens, and run the first boot's commands.
 */
#pragma once

#include <glib.h>

#include "profiles/image_def.h"

struct image_guest_file {
	const char *target;
	unsigned mode;
	char *bytes;
	gsize len;
};

/*
 * Those that this definition needs, filled in with its names, out of `folder` (profiles/guest), as
 * an array of struct image_guest_file; NULL, with one line on the log, where one is missing.
 */
GPtrArray *image_guest_files(const char *folder, const struct image_def *def);

/* Units of theirs that are to be enabled; ends with NULL, belongs to the caller. */
char **image_guest_units(const struct image_def *def);
