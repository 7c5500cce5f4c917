/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/pseudo.h"

#include <string.h>

#include "input/seat.h"
#include "util/bytes.h"

void rfb_put_u8(GByteArray *out, uint8_t v)
{
	g_byte_array_append(out, &v, 1);
}

void rfb_put_u16(GByteArray *out, uint16_t v)
{
	uint8_t b[2];

	be16_put(b, v);
	g_byte_array_append(out, b, sizeof b);
}

void rfb_put_u32(GByteArray *out, uint32_t v)
{
	uint8_t b[4];

	be32_put(b, v);
	g_byte_array_append(out, b, sizeof b);
}

void rfb_put_rect(
	GByteArray *out, unsigned x, unsigned y, unsigned width, unsigned height, int32_t encoding)
{
	rfb_put_u16(out, x);
	rfb_put_u16(out, y);
	rfb_put_u16(out, width);
	rfb_put_u16(out, height);
	rfb_put_u32(out, encoding);
}

/* ---- sizes ---- */

void rfb_put_size(GByteArray *out, unsigned width, unsigned height)
{
	rfb_put_rect(out, 0, 0, width, height, RFB_ENC_NEW_SIZE);
}

/* libvncclient takes a screen with id 0 for none: a head's id is its number and one. */
static void put_screen(GByteArray *out, unsigned id, unsigned x, unsigned width, unsigned height)
{
	rfb_put_u32(out, id);
	rfb_put_u16(out, x);
	rfb_put_u16(out, 0);
	rfb_put_u16(out, width);
	rfb_put_u16(out, height);
	rfb_put_u32(out, 0); /* flags: none are defined */
}

void rfb_put_extended_size(GByteArray *out, enum rfb_size_reason reason,
	enum rfb_size_status status, unsigned width, unsigned height,
	const struct display_layout *layout)
{
	unsigned count = 0;

	for (unsigned i = 0; i < DISPLAY_HEADS_MAX; i++)
		count += layout->heads[i].width > 0;
	rfb_put_rect(out, reason, status, width, height, RFB_ENC_EXTENDED_SIZE);
	rfb_put_u8(out, MAX(count, 1));
	rfb_put_u8(out, 0);
	rfb_put_u16(out, 0);
	if (!count)
		put_screen(out, 1, 0, width, height);
	for (unsigned i = 0; i < DISPLAY_HEADS_MAX; i++) {
		const struct display_head *h = &layout->heads[i];

		if (h->width)
			put_screen(out, i + 1, h->x, h->width, h->height);
	}
}

/* ---- cursors ---- */

enum { CURSOR = SCANOUT_CURSOR_SIZE };

/*
 * A guest's picture is 64x64 with an arrow of perhaps 12x19 in it: only that is sent. The hot
 * spot must lie inside.
 */
static void cursor_bounds(const struct cursor_image *c, unsigned *width, unsigned *height)
{
	*width = *height = 0;
	if (!c)
		return;
	for (unsigned i = 0; i < CURSOR * CURSOR; i++)
		if (c->argb[i] >> 24) {
			*width = MAX(*width, i % CURSOR + 1);
			*height = i / CURSOR + 1;
		}
	if (!*width)
		return;
	*width = MAX(*width, c->hot_x + 1);
	*height = MAX(*height, c->hot_y + 1);
}

static void put_cursor_rect(GByteArray *out, const struct cursor_image *c, unsigned width,
	unsigned height, int32_t encoding)
{
	rfb_put_rect(out, width ? c->hot_x : 0, width ? c->hot_y : 0, width, height, encoding);
}

static void put_mask(GByteArray *out, const struct cursor_image *c, unsigned width, unsigned height)
{
	for (unsigned y = 0; y < height; y++) {
		uint8_t row[CURSOR / 8] = { 0 };

		for (unsigned x = 0; x < width; x++)
			if (c->argb[y * CURSOR + x] >> 31)
				row[x / 8] |= 0x80 >> x % 8;
		g_byte_array_append(out, row, (width + 7) / 8);
	}
}

void rfb_put_cursor(
	GByteArray *out, const struct cursor_image *c, const struct pixel_format *format)
{
	uint32_t px[CURSOR * CURSOR];
	unsigned width, height;
	struct encoder *raw;

	cursor_bounds(c, &width, &height);
	put_cursor_rect(out, c, width, height, RFB_ENC_CURSOR);
	if (!width)
		return;
	for (unsigned i = 0; i < CURSOR * CURSOR; i++)
		px[i] = c->argb[i] & 0xffffff;
	raw = encoder_create(ENCODING_RAW);
	encoder_set_format(raw, format);
	encoder_encode(raw, &(struct image){ px, CURSOR, width, height }, out);
	encoder_destroy(raw);
	put_mask(out, c, width, height);
}

static uint8_t premultiplied(uint32_t argb, unsigned shift)
{
	return ((argb >> shift & 255) * (argb >> 24) + 127) / 255;
}

void rfb_put_cursor_alpha(GByteArray *out, const struct cursor_image *c)
{
	unsigned width, height;

	cursor_bounds(c, &width, &height);
	put_cursor_rect(out, c, width, height, RFB_ENC_CURSOR_ALPHA);
	rfb_put_u32(out, ENCODING_RAW);
	for (unsigned y = 0; y < height; y++)
		for (unsigned x = 0; x < width; x++) {
			uint32_t p = c->argb[y * CURSOR + x];
			const uint8_t rgba[4] = { premultiplied(p, 16), premultiplied(p, 8),
				premultiplied(p, 0), p >> 24 };

			g_byte_array_append(out, rgba, sizeof rgba);
		}
}

/* ---- the rest ---- */

void rfb_put_leds(GByteArray *out, unsigned leds, int32_t encoding)
{
	unsigned bits = (leds & SEAT_LED_SCROLL ? 1 : 0) | (leds & SEAT_LED_NUM ? 2 : 0) |
			(leds & SEAT_LED_CAPS ? 4 : 0);

	rfb_put_rect(out, 0, 0, 1, 1, encoding);
	if (encoding == RFB_ENC_VMWARE_LEDS)
		rfb_put_u32(out, bits);
	else
		rfb_put_u8(out, bits);
}

void rfb_put_name(GByteArray *out, const char *name)
{
	size_t len = strlen(name);

	rfb_put_rect(out, 0, 0, 0, 0, RFB_ENC_DESKTOP_NAME);
	rfb_put_u32(out, len);
	g_byte_array_append(out, (const guint8 *)name, len);
}

void rfb_put_fence(GByteArray *out, uint32_t flags, const void *payload, unsigned len)
{
	rfb_put_u32(out, (uint32_t)RFB_SERVER_FENCE << 24); /* type and padding */
	rfb_put_u32(out, flags);
	rfb_put_u8(out, len);
	g_byte_array_append(out, payload, len);
}
