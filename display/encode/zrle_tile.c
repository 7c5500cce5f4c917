/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/encode/zrle_tile.h"

#include <stdbool.h>
#include <string.h>

#include "util/bytes.h"

enum {
	PALETTE_MAX = 127, /* of palette RLE */
	PACKED_MAX = 16,   /* of packed palettes */
	SLOTS = 256,       /* of the hash table: at most half of them are taken */
	RAW = 0,           /* sub-encodings; palette sizes stand for themselves */
	PLAIN_RLE = 128,
};

struct palette {
	unsigned count; /* above PALETTE_MAX: too many, and the rest is void */
	uint32_t colours[PALETTE_MAX];
	uint8_t slots[SLOTS]; /* index + 1 */
};

/* What the forms would cost, as gathered in one look over the tile's runs. */
struct costs {
	size_t plain_rle, palette_rle; /* without sub-encoding byte and palette */
};

static unsigned slot_of(const struct palette *p, uint32_t colour)
{
	unsigned slot = colour * 0x9e3779b1u >> 24;

	while (p->slots[slot] && p->colours[p->slots[slot] - 1] != colour)
		slot = (slot + 1) % SLOTS;
	return slot;
}

static unsigned palette_index(const struct palette *p, uint32_t colour)
{
	return p->slots[slot_of(p, colour)] - 1;
}

static void palette_add(struct palette *p, uint32_t colour)
{
	unsigned slot;

	if (p->count > PALETTE_MAX)
		return;
	slot = slot_of(p, colour);
	if (p->slots[slot])
		return;
	if (p->count < PALETTE_MAX) {
		p->colours[p->count] = colour;
		p->slots[slot] = p->count + 1;
	}
	p->count++;
}

static unsigned run_length(const uint32_t *words, unsigned left)
{
	unsigned n = 1;

	while (n < left && words[n] == words[0])
		n++;
	return n;
}

/* A run of n is n - 1 as a sum of bytes, the last of them below 255. */
static size_t length_bytes(unsigned n)
{
	return (n - 1) / 255 + 1;
}

static uint8_t *put_length(uint8_t *to, unsigned n)
{
	for (n--; n >= 255; n -= 255)
		*to++ = 255;
	*to++ = n;
	return to;
}

static uint8_t *put_pixel(const struct pixel_converter *c, uint8_t *to, uint32_t word)
{
	word >>= c->small_shift;
	memcpy(to, &word, c->small_bytes);
	return to + c->small_bytes;
}

static uint8_t *put_palette(
	const struct pixel_converter *c, uint8_t *to, const struct palette *palette)
{
	for (unsigned i = 0; i < palette->count; i++)
		to = put_pixel(c, to, palette->colours[i]);
	return to;
}

static void analyse(const struct pixel_converter *c, const uint32_t *words, unsigned n,
	struct palette *palette, struct costs *costs)
{
	*costs = (struct costs){ 0 };
	palette->count = 0;
	memset(palette->slots, 0, sizeof palette->slots);
	for (unsigned i = 0, run; i < n; i += run) {
		run = run_length(words + i, n - i);
		palette_add(palette, words[i]);
		costs->plain_rle += c->small_bytes + length_bytes(run);
		costs->palette_rle += run == 1 ? 1 : 1 + length_bytes(run);
	}
}

static unsigned packed_bits(unsigned colours)
{
	return colours <= 2 ? 1 : colours <= 4 ? 2 : 4;
}

static uint8_t *put_packed(uint8_t *to, const struct palette *palette, const uint32_t *words,
	unsigned width, unsigned height)
{
	unsigned bits = packed_bits(palette->count);

	for (unsigned y = 0; y < height; y++, words += width) {
		unsigned free_bits = 8;

		for (unsigned x = 0; x < width; x++) {
			if (free_bits == 8)
				*to = 0;
			free_bits -= bits;
			*to |= palette_index(palette, words[x]) << free_bits;
			if (!free_bits) {
				to++;
				free_bits = 8;
			}
		}
		if (free_bits != 8) /* rows end at whole bytes */
			to++;
	}
	return to;
}

static uint8_t *put_palette_runs(
	uint8_t *to, const struct palette *palette, const uint32_t *words, unsigned n)
{
	for (unsigned i = 0, run; i < n; i += run) {
		unsigned index = palette_index(palette, words[i]);

		run = run_length(words + i, n - i);
		if (run == 1) {
			*to++ = index;
		} else {
			*to++ = index | 128;
			to = put_length(to, run);
		}
	}
	return to;
}

static uint8_t *put_plain_runs(
	const struct pixel_converter *c, uint8_t *to, const uint32_t *words, unsigned n)
{
	for (unsigned i = 0, run; i < n; i += run) {
		run = run_length(words + i, n - i);
		to = put_pixel(c, to, words[i]);
		to = put_length(to, run);
	}
	return to;
}

size_t zrle_tile_write(const struct pixel_converter *c, const uint32_t *words, unsigned width,
	unsigned height, uint8_t out[ZRLE_TILE_BYTES_MAX])
{
	unsigned n = width * height;
	struct palette palette;
	struct costs costs;
	size_t raw = (size_t)n * c->small_bytes, packed = SIZE_MAX, coloured = SIZE_MAX, best;
	uint8_t *to = out;

	analyse(c, words, n, &palette, &costs);
	if (palette.count == 1) {
		*to++ = 1;
		return put_pixel(c, to, words[0]) - out;
	}
	if (palette.count <= PALETTE_MAX)
		coloured = costs.palette_rle + palette.count * c->small_bytes;
	if (palette.count <= PACKED_MAX)
		packed = palette.count * c->small_bytes +
			 height * ((width * packed_bits(palette.count) + 7) / 8);
	best = MIN(MIN(raw, packed), MIN(coloured, costs.plain_rle));

	if (packed == best) {
		*to++ = palette.count;
		to = put_palette(c, to, &palette);
		to = put_packed(to, &palette, words, width, height);
	} else if (coloured == best) {
		*to++ = palette.count | 128;
		to = put_palette(c, to, &palette);
		to = put_palette_runs(to, &palette, words, n);
	} else if (costs.plain_rle == best) {
		*to++ = PLAIN_RLE;
		to = put_plain_runs(c, to, words, n);
	} else {
		*to++ = RAW;
		for (unsigned i = 0; i < n; i++)
			to = put_pixel(c, to, words[i]);
	}
	return to - out;
}
