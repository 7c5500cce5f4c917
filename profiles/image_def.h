/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a golden image is made of: one YAML file in profiles/images, whose fields are these structs.
 *
 *   suite: bookworm                 packages: [xserver-xorg, icewm]       size: 8G
 *   users: [{name: user, groups: [sudo], password: none, autologin: yes}]
 *   files: [{path: /etc/motd, mode: "0644", content: "hello\n"}]
 *   build: [systemctl mask man-db.timer]        first_boot: [touch /var/tmp/hello]
 *
 * All of it is checked when it is loaded, so that what builds the image can trust it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

struct image_user {
	char *name;
	char *full_name;
	char **groups;
	unsigned groups_count;
	/* A crypt(3) hash, or NULL: no password opens the account. */
	char *password;
	/* Gets the desktop's session on the first screen without being asked. */
	bool autologin;
};

/* A file in the image; its bytes stand in the definition or in a file below the definition's folder. */
struct image_file {
	char *path;
	char *mode;
	/* One of the users, or NULL: root. */
	char *owner;
	char *content;
	char *source;
	/* Written before packages are installed, for what their scripts read. */
	bool early;

	/* Out of the above, when loaded. */
	unsigned mode_bits;
	char *bytes;
	size_t len;
};

struct image_desktop {
	/* What the X server starts, with its arguments; one line. */
	char *session;
};

struct image_def {
	char *description;
	char *suite;
	/* One mirror for everything, or NULL: this machine's own sources of that suite. */
	char *mirror;
	char **components;
	unsigned components_count;
	/* Beside the kernel and systemd-sysv, which every image has. */
	char **packages;
	unsigned packages_count;
	char *kernel;
	/* dpkg's path-exclude and path-include: what of the packages stays away, and what does not. */
	char **exclude;
	unsigned exclude_count;
	char **keep;
	unsigned keep_count;
	char *size;
	char *hostname;
	struct image_user *users;
	unsigned users_count;
	struct image_file *files;
	unsigned files_count;
	char **build;
	unsigned build_count;
	char **first_boot;
	unsigned first_boot_count;
	struct image_desktop *desktop;
	/* A user who is logged in on the serial console without a password: for images of tests. */
	char *serial_login;

	/* Out of the above, when loaded. */
	char *name;
	char *text;
	uint64_t size_bytes;
};

/*
 * Loads and checks a definition; the file's name without ".yaml" is the image's name. Logs one line
 * that names file, line and field, and returns -errno, where something is wrong with it.
 */
int image_def_load(struct image_def **def, const char *path);

void image_def_free(struct image_def *def);

/* Who gets the first screen, or NULL. */
const struct image_user *image_def_autologin(const struct image_def *def);

/* True for names of images, which become folders: lower-case letters, digits, '-', '.', '_'. */
bool image_name_valid(const char *name);

/* "8G", "512M", "1T": whole binary units of bytes. False for anything else, and for overflow. */
bool image_size_parse(const char *text, uint64_t *bytes);
