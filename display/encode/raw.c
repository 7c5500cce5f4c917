/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Raw: pixels row by row (RFC 6143 section 7.7.1). */
#include "display/encode/encoder_impl.h"

#include <string.h>

#include "util/bytes.h"

enum { CHUNK = 256 };

/* The first `bytes` of each wire word, one after the other. */
static uint8_t *put_words(uint8_t *to, const uint32_t *words, unsigned n, unsigned bytes)
{
	if (bytes == 4) {
		memcpy(to, words, (size_t)n * 4);
		return to + (size_t)n * 4;
	}
	for (unsigned i = 0; i < n; i++, to += bytes)
		memcpy(to, &words[i], bytes);
	return to;
}

static void raw_encode(struct encoder *e, const struct image *image, GByteArray *out)
{
	unsigned bytes = e->converter.bytes;
	size_t at = out->len;
	uint32_t words[CHUNK];
	uint8_t *to;

	g_byte_array_set_size(out, at + (size_t)image->width * image->height * bytes);
	to = out->data + at;
	for (unsigned y = 0; y < image->height; y++) {
		const uint32_t *row = image->px + y * image->stride;

		for (unsigned x = 0; x < image->width; x += CHUNK) {
			unsigned n = MIN((unsigned)CHUNK, image->width - x);

			pixel_convert(&e->converter, row + x, words, n);
			to = put_words(to, words, n, bytes);
		}
	}
}

static void raw_destroy(struct encoder *e)
{
	g_free(e);
}

static const struct encoder_ops raw_ops = {
	.encoding = ENCODING_RAW,
	.encode = raw_encode,
	.destroy = raw_destroy,
};

struct encoder *raw_encoder_create(void)
{
	struct encoder *e = g_new0(struct encoder, 1);

	e->ops = &raw_ops;
	return e;
}
