/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/encode/pixel_format.h"

#include <string.h>

const struct pixel_format pixel_format_native = {
	.bits_per_pixel = 32,
	.depth = 24,
	.true_colour = true,
	.red_max = 255,
	.green_max = 255,
	.blue_max = 255,
	.red_shift = 16,
	.green_shift = 8,
};

/* The channel's bits, or false where they are none that a pixel of this size can have. */
static bool channel_bits(uint16_t max, uint8_t shift, uint8_t bits_per_pixel, uint32_t *bits)
{
	uint64_t mask;

	if ((max & (max + 1u)) != 0 || shift >= bits_per_pixel)
		return false;
	mask = (uint64_t)max << shift;
	*bits = mask;
	return mask >> bits_per_pixel == 0;
}

bool pixel_format_valid(const struct pixel_format *f)
{
	uint32_t r, g, b;

	if (!f->true_colour)
		return false;
	if (f->bits_per_pixel != 8 && f->bits_per_pixel != 16 && f->bits_per_pixel != 32)
		return false;
	return channel_bits(f->red_max, f->red_shift, f->bits_per_pixel, &r) &&
	       channel_bits(f->green_max, f->green_shift, f->bits_per_pixel, &g) &&
	       channel_bits(f->blue_max, f->blue_shift, f->bits_per_pixel, &b) && !(r & g) &&
	       !(r & b) && !(g & b);
}

static uint32_t to_wire(const struct pixel_format *f, uint32_t value)
{
	if (!f->big_endian || f->bits_per_pixel == 8)
		return value;
	return f->bits_per_pixel == 16 ? __builtin_bswap16(value) : __builtin_bswap32(value);
}

static void init_channel(
	const struct pixel_format *f, uint32_t table[256], uint16_t max, uint8_t shift)
{
	for (uint32_t i = 0; i < 256; i++)
		table[i] = to_wire(f, (i * max + 127) / 255 << shift);
}

void pixel_converter_init(struct pixel_converter *c, const struct pixel_format *f)
{
	uint32_t used = (uint32_t)f->red_max << f->red_shift |
			(uint32_t)f->green_max << f->green_shift |
			(uint32_t)f->blue_max << f->blue_shift;

	c->bytes = c->small_bytes = f->bits_per_pixel / 8;
	c->small_shift = 0;
	if (c->bytes == 4 && f->depth <= 24) {
		bool low = !(used >> 24), high = !(used & 255);

		if (low || high)
			c->small_bytes = 3;
		/* The three low bytes of the value come last on the wire in big-endian. */
		if (low ? f->big_endian : high && !f->big_endian)
			c->small_shift = 8;
	}
	init_channel(f, c->red, f->red_max, f->red_shift);
	init_channel(f, c->green, f->green_max, f->green_shift);
	init_channel(f, c->blue, f->blue_max, f->blue_shift);
	c->native = c->bytes == 4 && c->red[255] == 0xff0000 && c->green[255] == 0xff00 &&
		    c->blue[255] == 0xff && c->red[1] == 0x10000;
}

void pixel_convert(const struct pixel_converter *c, const uint32_t *src, uint32_t *dst, size_t n)
{
	if (c->native) {
		memcpy(dst, src, n * sizeof *dst);
		return;
	}
	for (size_t i = 0; i < n; i++)
		dst[i] = c->red[src[i] >> 16 & 255] | c->green[src[i] >> 8 & 255] |
			 c->blue[src[i] & 255];
}
