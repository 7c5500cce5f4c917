/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/encode/encoder.h"

#include "display/encode/encoder_impl.h"

struct encoder *encoder_create(int32_t encoding)
{
	struct encoder *e;

	switch (encoding) {
	case ENCODING_RAW:
		e = raw_encoder_create();
		break;
	case ENCODING_ZRLE:
		e = zrle_encoder_create();
		break;
	default:
		return NULL;
	}
	encoder_set_format(e, &pixel_format_native);
	return e;
}

void encoder_destroy(struct encoder *e)
{
	if (e)
		e->ops->destroy(e);
}

int32_t encoder_encoding(const struct encoder *e)
{
	return e->ops->encoding;
}

void encoder_set_format(struct encoder *e, const struct pixel_format *f)
{
	pixel_converter_init(&e->converter, f);
}

void encoder_encode(struct encoder *e, const struct image *image, GByteArray *out)
{
	e->ops->encode(e, image, out);
}
