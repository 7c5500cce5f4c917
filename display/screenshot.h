/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pictures of the desktop as PNG. */
#pragma once

#include <stdbool.h>

#include <glib.h>

struct display;

/*
 * The whole desktop (head -1) or one head as an RGB PNG, with the guest's cursor where it stands
 * if asked for. NULL with *error set to a static text (such as "the screen is off"). Any thread.
 */
GByteArray *screenshot_png(struct display *d, int head, bool with_cursor, const char **error);

/* An RGB PNG of x8r8g8b8 pixels, or NULL where libpng refuses. */
GByteArray *screenshot_encode(const guint32 *px, unsigned width, unsigned height);
