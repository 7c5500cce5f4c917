/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pixel formats of a remote screen (RFC 6143 section 7.4), and conversion into them.
 *
 * A pixel on the wire is bits_per_pixel / 8 bytes. A "wire word" holds those bytes in the low end
 * of a uint32_t, first byte lowest, so that on our little-endian hosts storing its first bytes is
 * storing the pixel, in either byte order of the client's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pixel_format {
	uint8_t bits_per_pixel, depth;
	bool big_endian, true_colour;
	uint16_t red_max, green_max, blue_max;
	uint8_t red_shift, green_shift, blue_shift;
};

/* 32 bits, depth 24, little-endian, red at 16: what our pixels are. */
extern const struct pixel_format pixel_format_native;

/*
 * True for what can be produced: true colour of 8, 16 or 32 bits, each maximum one less than a
 * power of two (zero leaves the channel out), channels inside the pixel and not overlapping.
 */
bool pixel_format_valid(const struct pixel_format *f);

struct pixel_converter {
	unsigned bytes; /* of a pixel */
	unsigned
		small_bytes; /* of a "compressed pixel" (section 7.7.5): 3 where the fourth is unused */
	unsigned small_shift; /* a wire word shifted right by this begins with those bytes */
	bool native;          /* a wire word is the pixel itself */
	uint32_t red[256], green[256], blue[256];
};

/* f is valid. */
void pixel_converter_init(struct pixel_converter *c, const struct pixel_format *f);

/* n pixels x8r8g8b8 (x 0) to wire words. */
void pixel_convert(const struct pixel_converter *c, const uint32_t *src, uint32_t *dst, size_t n);
