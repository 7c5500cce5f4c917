/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rectangles that hold no part of the screen, and messages that are no update. All append. */
#pragma once

#include <stdint.h>

#include <glib.h>

#include "display/consumer.h"
#include "display/encode/encoder.h"
#include "display/vnc/rfb.h"

void rfb_put_u8(GByteArray *out, uint8_t v);
void rfb_put_u16(GByteArray *out, uint16_t v);
void rfb_put_u32(GByteArray *out, uint32_t v);

void rfb_put_rect(
	GByteArray *out, unsigned x, unsigned y, unsigned width, unsigned height, int32_t encoding);

/* DesktopSize (RFC 6143 section 7.8.2). */
void rfb_put_size(GByteArray *out, unsigned width, unsigned height);

/* ExtendedDesktopSize: a screen for each head that is on; one over all where none is. */
void rfb_put_extended_size(GByteArray *out, enum rfb_size_reason reason,
	enum rfb_size_status status, unsigned width, unsigned height,
	const struct display_layout *layout);

/*
 * The cursor, cut to what is visible of it; NULL is one without pixels. The first is a picture
 * with a mask in the client's pixel format (RFC 6143 section 7.8.1), the second RGBA with alpha.
 */
void rfb_put_cursor(
	GByteArray *out, const struct cursor_image *c, const struct pixel_format *format);
void rfb_put_cursor_alpha(GByteArray *out, const struct cursor_image *c);

/* leds as the seat has them. QEMU's and VMware's forms. */
void rfb_put_leds(GByteArray *out, unsigned leds, int32_t encoding);

void rfb_put_name(GByteArray *out, const char *name);

/* A whole message. len is at most RFB_FENCE_PAYLOAD_MAX. */
void rfb_put_fence(GByteArray *out, uint32_t flags, const void *payload, unsigned len);
