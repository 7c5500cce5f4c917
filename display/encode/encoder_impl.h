/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For those who write an encoder: embed struct encoder first and add a case to encoder_create(). */
#pragma once

#include "display/encode/encoder.h"

struct encoder_ops {
	int32_t encoding;
	void (*encode)(struct encoder *e, const struct image *image, GByteArray *out);
	void (*destroy)(struct encoder *e); /* frees all of it */
};

struct encoder {
	const struct encoder_ops *ops;
	struct pixel_converter converter;
};

struct encoder *raw_encoder_create(void);
struct encoder *zrle_encoder_create(void);
