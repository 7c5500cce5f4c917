/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The three stages of an image, each a main function for userns_start(). In the work folder:
 *
 *   root/   the image's file tree     sources.list
 *   disk.raw vmlinuz initrd.img       made by the caller, empty, writable for the mapped ids
 */
#pragma once

#include <glib.h>

#include "profiles/image_def.h"

struct image_tree_job {
	const struct image_def *def;
	/* struct image_guest_file, see image_guest_files(). */
	const GPtrArray *guest;
	/* See archive_sources_list(). */
	const char *sources;
	/* The release of the kernel, for the last stage. */
	const char *kernel;
};

/* Debian's packages into root/. */
int image_tree_bootstrap(void *job);

/*
 * Inside the tree, which is then the whole file system, and without a network: users, files, the
 * build commands; then what no two desktops may share is taken out.
 */
int image_tree_customize(void *job);

/* The tree into disk.raw, which is checked, and its kernel and initramfs beside it. */
int image_tree_pack(void *job);

/* Removes root/, whose files belong to mapped ids. */
int image_tree_remove(void *job);
