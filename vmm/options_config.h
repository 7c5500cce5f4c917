/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The --config file: a YAML mapping whose keys are the options' names without the dashes and
 * whose values are written as on the command line. One key may hold a list.
 */
#pragma once

#include <stdbool.h>

/* Takes one value; NULL, or what is wrong with it (g_malloc). */
typedef char *(*options_set_fn)(void *opaque, unsigned key, const char *value);

/*
 * Gives every value of the file to set, in the order of keys (NULL-ended); keys[list] is a
 * sequence. False with one line logged and *status: 1 where the file cannot be read, 2 where it
 * is wrong.
 */
bool options_config_read(const char *path, const char *const *keys, unsigned list,
	options_set_fn set, void *opaque, int *status);
