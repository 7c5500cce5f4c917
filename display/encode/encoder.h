/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoders: pixels in, bytes out. They know no server, no client and no socket.
 *
 * An encoder belongs to one client, since most keep a compressor's history that the client's
 * decoder shares: what was encoded must be sent, in that order. One thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "display/encode/pixel_format.h"

/* As numbered in RFB. */
enum { ENCODING_RAW = 0, ENCODING_ZRLE = 16 };

struct encoder;

/* Pixels x8r8g8b8 with x 0; stride in pixels. */
struct image {
	const uint32_t *px;
	size_t stride;
	unsigned width, height;
};

/* In the native pixel format at first; NULL where there is no such encoding. */
struct encoder *encoder_create(int32_t encoding);
void encoder_destroy(struct encoder *e); /* NULL is fine */

int32_t encoder_encoding(const struct encoder *e);
void encoder_set_format(struct encoder *e, const struct pixel_format *f); /* f is valid */

/* Appends one rectangle's pixels, without a rectangle header. Sides are 1 .. 65535. */
void encoder_encode(struct encoder *e, const struct image *image, GByteArray *out);
