/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ZRLE (RFC 6143 section 7.7.6): tiles of 64x64, from the rectangle's own corner, each in the
 * cheapest of several forms, all of a client's rectangles in one zlib stream.
 *
 *   +--------------+----------------------------------------+
 *   | length (u32) | zlib: tile, tile, tile ... (sync flush) |
 *   +--------------+----------------------------------------+
 */
#include "display/encode/encoder_impl.h"

#include <zlib.h>

#include "display/encode/zrle_tile.h"
#include "util/bytes.h"

/* Level 1: the tiles' forms do most of the work, and the next levels double the time for 5 %. */
enum { LEVEL = Z_BEST_SPEED, ROOM = 16 * 1024 };

struct zrle {
	struct encoder encoder;
	bool started; /* the stream takes 256 KiB, and only from the first rectangle on */
	z_stream stream;
};

/* Compresses in to the end of out, which grows as needed. */
static void zrle_deflate(struct zrle *z, const uint8_t *in, size_t len, int flush, GByteArray *out)
{
	size_t at = out->len;

	z->stream.next_in = (Bytef *)in;
	z->stream.avail_in = len;
	do {
		g_byte_array_set_size(out, at + ROOM);
		z->stream.next_out = out->data + at;
		z->stream.avail_out = ROOM;
		deflate(&z->stream, flush); /* cannot fail: the stream is sound and there is room */
		at += ROOM - z->stream.avail_out;
	} while (!z->stream.avail_out);
	g_byte_array_set_size(out, at);
}

static void zrle_encode(struct encoder *e, const struct image *image, GByteArray *out)
{
	struct zrle *z = CONTAINER(e, struct zrle, encoder);
	uint32_t words[ZRLE_TILE * ZRLE_TILE];
	uint8_t bytes[ZRLE_TILE_BYTES_MAX];
	size_t start = out->len;

	if (!z->started && deflateInit(&z->stream, LEVEL) != Z_OK)
		g_error("out of memory for a zlib stream");
	z->started = true;
	g_byte_array_set_size(out, start + 4);
	for (unsigned y = 0; y < image->height; y += ZRLE_TILE)
		for (unsigned x = 0; x < image->width; x += ZRLE_TILE) {
			unsigned w = MIN((unsigned)ZRLE_TILE, image->width - x);
			unsigned h = MIN((unsigned)ZRLE_TILE, image->height - y);
			size_t len;

			for (unsigned i = 0; i < h; i++)
				pixel_convert(&e->converter,
					image->px + (y + i) * image->stride + x, words + i * w, w);
			len = zrle_tile_write(&e->converter, words, w, h, bytes);
			zrle_deflate(z, bytes, len, Z_NO_FLUSH, out);
		}
	zrle_deflate(z, NULL, 0, Z_SYNC_FLUSH, out);
	be32_put(out->data + start, out->len - start - 4);
}

static void zrle_destroy(struct encoder *e)
{
	struct zrle *z = CONTAINER(e, struct zrle, encoder);

	if (z->started)
		deflateEnd(&z->stream);
	g_free(z);
}

static const struct encoder_ops zrle_ops = {
	.encoding = ENCODING_ZRLE,
	.encode = zrle_encode,
	.destroy = zrle_destroy,
};

struct encoder *zrle_encoder_create(void)
{
	struct zrle *z = g_new0(struct zrle, 1);

	z->encoder.ops = &zrle_ops;
	return &z->encoder;
}
