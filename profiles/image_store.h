/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where golden images lie:
 *
 *   DIR/NAME/VERSION/  disk.raw      the root disk: ext4 without a partition table, sparse
 *                      vmlinuz  initrd.img
 *                      image.json    what this is: enum-like fields, read by image_version_read()
 *                      build.log
 *   DIR/NAME/current   a link to the VERSION that new desktops take
 *   DIR/NAME/.lock     held by who builds NAME; DIR/NAME/.new is his, and nobody else's
 *
 * A VERSION appears by a rename when it is whole, and never changes after that.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <glib.h>

struct image_version {
	char *name;
	char *version;
	char *path;
	/* The release of its kernel: "6.1.0-56-amd64". */
	char *kernel;
	/* Of the definition and the archives it was built from. */
	char *key;
	time_t created;
	/* Of the disk as the guest sees it, and as it lies on this machine's disk, in bytes. */
	uint64_t size, allocated;
	/* How long the build took, for the next one's estimate. */
	uint64_t seconds;
	bool current;
};

/* `override` or $HOTDESK_IMAGES or the default: root's /var/lib/hotdesk/images, ~/.local/share/... */
char *image_store_dir(const char *override);

/*
 * Every version in the store, by name and then newest first. An empty array where the folder does
 * not exist; NULL, with one line on the log, where it cannot be read. What is no image is passed over.
 */
GPtrArray *image_store_list(const char *dir);

/* The version that DIR/NAME/current points to, or NULL. */
struct image_version *image_store_current(const char *dir, const char *name);

/* A version out of its image.json; NULL where that is missing or says nonsense. */
struct image_version *image_version_read(const char *path);

/* Writes image.json into the folder `path`. Logs and returns -errno. */
int image_version_write(const struct image_version *v, const char *path);

void image_version_free(void *version);

/*
 * Who has the disk in use: monitors hold a lock on it. NULL where nobody does, else a text: the
 * desktops' names, or process ids, as far as this user may see them.
 */
char *image_users(const char *disk);
