/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoders against a decoder of the test's own: every encoding in every kind of pixel format gives
 * back the picture, over several rectangles of one stream.
 */
#include "display/encode/encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "util/bytes.h"

static const struct pixel_format formats[] = {
	{ 32, 24, false, true, 255, 255, 255, 16, 8, 0 },
	{ 32, 24, false, true, 255, 255, 255, 0, 8, 16 },
	{ 32, 24, true, true, 255, 255, 255, 16, 8, 0 },
	{ 32, 24, false, true, 255, 255, 255, 24, 16, 8 },
	{ 32, 24, true, true, 255, 255, 255, 8, 16, 24 },
	{ 32, 32, false, true, 255, 255, 255, 16, 8, 0 },
	{ 32, 30, false, true, 1023, 1023, 1023, 20, 10, 0 },
	{ 32, 16, true, true, 31, 63, 31, 11, 5, 0 },
	{ 16, 16, false, true, 31, 63, 31, 11, 5, 0 },
	{ 16, 16, true, true, 31, 63, 31, 11, 5, 0 },
	{ 16, 15, false, true, 31, 31, 31, 10, 5, 0 },
	{ 8, 8, false, true, 7, 7, 3, 0, 3, 6 },
	{ 8, 3, true, true, 1, 1, 1, 2, 1, 0 },
	{ 8, 8, false, true, 0, 255, 0, 0, 0, 0 },
};

static void test_bad_formats_are_refused(void **state)
{
	static const struct pixel_format bad[] = {
		{ 8, 8, false, false, 7, 7, 3, 0, 3, 6 },         /* a colour map */
		{ 24, 24, false, true, 255, 255, 255, 16, 8, 0 }, /* no such size */
		{ 0, 24, false, true, 255, 255, 255, 16, 8, 0 },
		{ 32, 24, false, true, 254, 255, 255, 16, 8, 0 },  /* no power of two */
		{ 32, 24, false, true, 255, 255, 255, 16, 8, 32 }, /* outside */
		{ 32, 24, false, true, 255, 255, 255, 25, 8, 0 },  /* partly outside */
		{ 16, 16, false, true, 65535, 63, 31, 1, 5, 0 },
		{ 32, 24, false, true, 255, 255, 255, 16, 8, 1 }, /* overlapping */
		{ 32, 24, false, true, 255, 255, 255, 8, 8, 0 },
		{ 32, 24, false, true, 255, 255, 255, 255, 255, 255 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(pixel_format_valid(&bad[i]));
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		assert_true(pixel_format_valid(&formats[i]));
}

/* ---- the decoder ---- */

struct decoder {
	const struct pixel_format *format;
	z_stream z;
	const uint8_t *in, *end;
	unsigned seen[256]; /* how often each sub-encoding came */
};

static uint32_t take_value(struct decoder *d, unsigned bytes, bool cpixel)
{
	const struct pixel_format *f = d->format;
	uint32_t used = (uint32_t)f->red_max << f->red_shift |
			(uint32_t)f->green_max << f->green_shift |
			(uint32_t)f->blue_max << f->blue_shift;
	bool three = cpixel && bytes == 4 && f->depth <= 24 && (used < 1u << 24 || !(used & 255));
	unsigned n = three ? 3 : bytes;
	uint32_t v = 0;

	assert_true(d->end - d->in >= (ptrdiff_t)n);
	for (unsigned i = 0; i < n; i++)
		v |= (uint32_t)d->in[i] << 8 * (f->big_endian ? n - 1 - i : i);
	d->in += n;
	return three && used >= 1u << 24 ? v << 8 : v;
}

static uint32_t take_cpixel(struct decoder *d)
{
	return take_value(d, d->format->bits_per_pixel / 8, true);
}

static uint8_t take_byte(struct decoder *d)
{
	assert_true(d->in < d->end);
	return *d->in++;
}

static unsigned take_run(struct decoder *d)
{
	unsigned n = 1;
	uint8_t b;

	do
		n += b = take_byte(d);
	while (b == 255);
	return n;
}

static void decode_tile(struct decoder *d, uint32_t *out, unsigned w, unsigned h, unsigned stride)
{
	uint8_t sub = take_byte(d), colours = sub & 127;
	uint32_t palette[128], tile[64 * 64];

	d->seen[sub]++;
	for (unsigned i = 0; i < colours; i++)
		palette[i] = take_cpixel(d);
	assert_false(sub == 129 || (sub > 16 && sub < 128));
	if (sub == 0) {
		for (unsigned i = 0; i < w * h; i++)
			tile[i] = take_cpixel(d);
	} else if (sub == 1) {
		for (unsigned i = 0; i < w * h; i++)
			tile[i] = palette[0];
	} else if (sub <= 16) {
		unsigned bits = sub == 2 ? 1 : sub <= 4 ? 2 : 4;

		for (unsigned y = 0; y < h; y++) {
			uint8_t b = 0;
			unsigned have = 0;

			for (unsigned x = 0; x < w; x++) {
				unsigned index;

				if (!have) {
					b = take_byte(d);
					have = 8;
				}
				have -= bits;
				index = b >> have & ((1u << bits) - 1);
				assert_true(index < sub);
				tile[y * w + x] = palette[index];
			}
		}
	} else {
		for (unsigned i = 0; i < w * h;) {
			uint32_t v;
			unsigned n = 1;

			if (sub == 128) {
				v = take_cpixel(d);
				n = take_run(d);
			} else {
				uint8_t b = take_byte(d);

				assert_true((b & 127) < colours);
				v = palette[b & 127];
				if (b & 128)
					n = take_run(d);
			}
			assert_true(n <= w * h - i);
			while (n--)
				tile[i++] = v;
		}
	}
	for (unsigned y = 0; y < h; y++)
		memcpy(out + y * stride, tile + y * w, w * sizeof *out);
}

static void decode(struct decoder *d, int32_t encoding, const GByteArray *bytes, uint32_t *out,
	unsigned w, unsigned h)
{
	static uint8_t plain[4 * 1024 * 1024];

	d->in = bytes->data;
	d->end = bytes->data + bytes->len;
	if (encoding == ENCODING_RAW) {
		for (unsigned i = 0; i < w * h; i++)
			out[i] = take_value(d, d->format->bits_per_pixel / 8, false);
	} else {
		assert_true(bytes->len > 4);
		assert_int_equal(be32_get(bytes->data), bytes->len - 4);
		d->z.next_in = bytes->data + 4;
		d->z.avail_in = bytes->len - 4;
		d->z.next_out = plain;
		d->z.avail_out = sizeof plain;
		assert_int_equal(inflate(&d->z, Z_SYNC_FLUSH), Z_OK);
		assert_int_equal(d->z.avail_in, 0);
		d->in = plain;
		d->end = d->z.next_out;
		for (unsigned y = 0; y < h; y += 64)
			for (unsigned x = 0; x < w; x += 64)
				decode_tile(
					d, out + y * w + x, MIN(64u, w - x), MIN(64u, h - y), w);
	}
	assert_ptr_equal(d->in, d->end);
}

/* ---- pictures ---- */

static uint32_t picture(unsigned kind, unsigned x, unsigned y)
{
	uint32_t hash = (x * 73856093u) ^ (y * 19349663u);

	switch (kind) {
	case 0: /* solid */
		return 0x336699;
	case 1: /* a terminal: two colours */
		return hash % 7 ? 0x000000 : 0xffffff;
	case 2: /* up to 16 colours */
		return (hash >> 5) % 13 * 0x0a1317;
	case 3: /* few colours in long runs */
		return (x / 31 + y / 9) % 50 * 0x040301;
	case 4: /* many colours in runs */
		return (y * 64 + x / 8) * 0x10101 & 0xffffff;
	case 5: /* a photo */
		return hash * 2654435761u >> 8;
	case 6: /* exactly 127 colours a tile, in runs; 128 in the tile beside */
		return ((y % 64 * 64 + x % 64) / 20 % (x < 64 ? 127 : 128)) * 0x020406 & 0xffffff;
	default: /* one long run, then one pixel */
		return x == 63 && y == 63 ? 0xffffff : 0;
	}
}

static uint32_t expected(const struct pixel_format *f, uint32_t p)
{
	uint32_t r = p >> 16 & 255, g = p >> 8 & 255, b = p & 255;

	return (r * f->red_max + 127) / 255 << f->red_shift |
	       (g * f->green_max + 127) / 255 << f->green_shift |
	       (b * f->blue_max + 127) / 255 << f->blue_shift;
}

static void round_trip(int32_t encoding, const struct pixel_format *f, struct decoder *d)
{
	static const unsigned sizes[][2] = { { 64, 64 }, { 1, 1 }, { 130, 67 }, { 3, 200 },
		{ 300, 2 }, { 65, 64 } };
	struct encoder *e = encoder_create(encoding);
	GByteArray *out = g_byte_array_new();

	d->format = f;
	assert_int_equal(inflateInit(&d->z), Z_OK);
	assert_int_equal(encoder_encoding(e), encoding);
	encoder_set_format(e, f);
	for (unsigned kind = 0; kind < 8; kind++)
		for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
			unsigned w = sizes[s][0], h = sizes[s][1], stride = w + 5;
			uint32_t *px = calloc((size_t)stride * h, 4), *got = calloc(w * h, 4);
			struct image image = { px, stride, w, h };

			for (unsigned i = 0; i < stride * h; i++)
				px[i] = picture(kind, i % stride, i / stride);
			g_byte_array_set_size(out, 0);
			encoder_encode(e, &image, out);
			decode(d, encoding, out, got, w, h);
			for (unsigned y = 0; y < h; y++)
				for (unsigned x = 0; x < w; x++)
					assert_int_equal(
						got[y * w + x], expected(f, px[y * stride + x]));
			free(px);
			free(got);
		}
	g_byte_array_unref(out);
	inflateEnd(&d->z);
	encoder_destroy(e);
}

static void test_raw_in_every_format(void **state)
{
	struct decoder d = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		round_trip(ENCODING_RAW, &formats[i], &d);
}

static void test_zrle_in_every_format(void **state)
{
	struct decoder d = { 0 };
	unsigned packed = 0, coloured = 0;

	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		round_trip(ENCODING_ZRLE, &formats[i], &d);
	for (unsigned i = 2; i <= 16; i++)
		packed += d.seen[i];
	for (unsigned i = 130; i < 256; i++)
		coloured += d.seen[i];
	assert_true(d.seen[0] && d.seen[1] && d.seen[128] && packed && coloured);
	assert_true(d.seen[255]); /* 127 colours */
}

static void test_output_is_appended(void **state)
{
	struct encoder *e = encoder_create(ENCODING_ZRLE);
	GByteArray *out = g_byte_array_new();
	uint32_t px = 0x123456;
	struct image image = { &px, 1, 1, 1 };

	g_byte_array_append(out, (const guint8 *)"abc", 3);
	encoder_encode(e, &image, out);
	assert_memory_equal(out->data, "abc", 3);
	assert_int_equal(be32_get(out->data + 3), out->len - 7);
	g_byte_array_unref(out);
	encoder_destroy(e);
	encoder_destroy(NULL);
	assert_null(encoder_create(12345));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_formats_are_refused),
		cmocka_unit_test(test_raw_in_every_format),
		cmocka_unit_test(test_zrle_in_every_format),
		cmocka_unit_test(test_output_is_appended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
