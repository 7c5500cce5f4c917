/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A golden image out of its definition, whole or not at all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "profiles/build_progress.h"
#include "profiles/image_def.h"
#include "profiles/image_store.h"

struct image_build_options {
	/* The store, see image_store_dir(). */
	const char *dir;
	/* The folder with the files of every guest, profiles/guest. */
	const char *guest;
	/* Builds even where an image of the same definition and archives is there. */
	bool force;
	/*
	 * Called about once a second and at each step; `left` is the seconds that the rest takes, 0
	 * where that is not known yet. May be NULL.
	 */
	void (*progress)(void *opaque, const struct build_progress *progress, uint64_t left);
	void *opaque;
};

/*
 * Builds, and makes the result current. *version is the result, or where an image is up to date
 * that one, with *built false; image_version_free() frees it.
 *
 * SIGINT, SIGTERM and SIGHUP end the build: -EINTR. Whatever ends it, be it SIGKILL, nothing of it
 * stays behind. One line on the log and -errno where it fails; for a failure inside the build the
 * last lines that its programs printed come before.
 */
int image_build(const struct image_def *def, const struct image_build_options *options,
	struct image_version **version, bool *built);

/*
 * "DEFINITION-ARCHIVES": the hashes of all that the definition says, files included, and of what
 * the archives hold; see archive_state().
 */
char *image_key(const struct image_def *def, const GPtrArray *guest, const char *archives);
