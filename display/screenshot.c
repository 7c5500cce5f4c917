/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/screenshot.h"

#include <setjmp.h>

#include <png.h>

#include "display/consumer.h"
#include "util/bytes.h"

/* Paints the cursor over the picture: plain alpha, one channel at a time. */
static void compose_cursor(
	uint32_t *px, unsigned width, unsigned height, const struct display_changes *cursor)
{
	const struct cursor_image *c = cursor->cursor;

	for (unsigned i = 0; i < SCANOUT_CURSOR_SIZE * SCANOUT_CURSOR_SIZE; i++) {
		int x = cursor->cursor_x + (int)(i % SCANOUT_CURSOR_SIZE);
		int y = cursor->cursor_y + (int)(i / SCANOUT_CURSOR_SIZE);
		uint32_t src = c->argb[i], alpha = src >> 24, out = 0;
		uint32_t *dst;

		if (!alpha || x < 0 || y < 0 || x >= (int)width || y >= (int)height)
			continue;
		dst = &px[(size_t)y * width + x];
		for (unsigned shift = 0; shift < 24; shift += 8) {
			uint32_t a = src >> shift & 255, b = *dst >> shift & 255;

			out |= ((a * alpha + b * (255 - alpha) + 127) / 255) << shift;
		}
		*dst = out;
	}
}

static void append(png_structp png, png_bytep data, png_size_t len)
{
	g_byte_array_append(png_get_io_ptr(png), data, len);
}

static void flush(png_structp png)
{
}

GByteArray *screenshot_encode(const guint32 *px, unsigned width, unsigned height)
{
	GByteArray *volatile out = g_byte_array_new();
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png ? png_create_info_struct(png) : NULL;

	if (!info || setjmp(png_jmpbuf(png))) {
		png_destroy_write_struct(&png, &info);
		g_byte_array_unref(out);
		return NULL;
	}
	png_set_write_fn(png, out, append, flush);
	png_set_compression_level(png, 1);
	png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	/* In memory a pixel is B, G, R, x. */
	png_set_bgr(png);
	png_set_filler(png, 0, PNG_FILLER_AFTER);
	for (unsigned y = 0; y < height; y++)
		png_write_row(png, (png_const_bytep)(px + (size_t)y * width));
	png_write_end(png, info);
	png_destroy_write_struct(&png, &info);
	return out;
}

GByteArray *screenshot_png(struct display *d, int head, bool with_cursor, const char **error)
{
	struct display_changes cursor;
	struct snapshot shot;
	unsigned width, height;
	GByteArray *png = NULL;

	if (head >= (int)display_heads(d)) {
		*error = "there is no such head";
		return NULL;
	}
	if (display_capture(d, head, &shot, &width, &height, &cursor) == 0) {
		const pixman_box32_t all = { 0, 0, width, height };
		uint32_t *px = g_malloc_n((size_t)width * height, sizeof *px);

		snapshot_read(&shot, &all, px, width);
		if (with_cursor && cursor.cursor)
			compose_cursor(px, width, height, &cursor);
		png = screenshot_encode(px, width, height);
		*error = "the picture cannot be packed";
		g_free(px);
	} else {
		*error = "the screen is off";
	}
	snapshot_finish(&shot);
	display_changes_finish(&cursor);
	return png;
}
