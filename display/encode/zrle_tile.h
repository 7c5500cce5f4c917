/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One tile of ZRLE, before compression (RFC 6143 section 7.7.6). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "display/encode/pixel_format.h"

#define ZRLE_TILE           64
#define ZRLE_TILE_BYTES_MAX (1 + ZRLE_TILE * ZRLE_TILE * 4)

/*
 * Writes a tile of width x height (1 .. ZRLE_TILE each) wire words in the form that takes the
 * fewest bytes: solid, packed palette, palette RLE, plain RLE or raw. Returns the length.
 */
size_t zrle_tile_write(const struct pixel_converter *c, const uint32_t *words, unsigned width,
	unsigned height, uint8_t out[ZRLE_TILE_BYTES_MAX]);
