/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The picture that a test guest paints and that the outside expects: every pixel of a screen up to
 * 2048x2048 has a colour of its own, which tells where it belongs.
 */
#pragma once

#include <stdint.h>

/* xRGB; seed 0 .. 3 tells pictures apart. */
static inline uint32_t pattern_pixel(unsigned x, unsigned y, unsigned seed)
{
	uint32_t blue = (x >> 8 & 7) << 5 | (y >> 8 & 7) << 2 | (seed & 3);

	return (x & 255) << 16 | (y & 255) << 8 | blue;
}
