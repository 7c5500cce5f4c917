/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a client has to be told beside pixels: sizes, cursor, LEDs, and which extensions we have. */
#pragma once

#include <stdbool.h>

#include <glib.h>

#include "display/consumer.h"
#include "display/encode/pixel_format.h"
#include "display/vnc/caps.h"
#include "display/vnc/rfb.h"

struct vnc_news {
	/* The facts. */
	struct display_layout layout;
	struct display_layout told;        /* what the client knows of it */
	struct cursor_image *cursor_image; /* a reference, or NULL for none */
	unsigned led_bits;                 /* SEAT_LED_* */
	const char *long_name;             /* where it did not fit the handshake */

	/* Which of them are due. */
	bool size;          /* the layout changed, or the client now understands it */
	bool size_asked;    /* it asked for a full update, which includes the layout */
	bool size_answered; /* it wished for a size: size_status is the answer */
	enum rfb_size_status size_status;
	bool cursor, leds, name, qemu_keys, extended_buttons;
};

/* The client listed its encodings (again). */
void vnc_news_capabilities(struct vnc_news *n, const struct vnc_caps *old,
	const struct vnc_caps *caps, const char *name);

void vnc_news_size_answer(struct vnc_news *n, enum rfb_size_status status);

/* True where the layout is due, and the client, which was told width x height, understands it. */
bool vnc_news_size_due(
	const struct vnc_news *n, const struct vnc_caps *caps, unsigned width, unsigned height);

/*
 * Appends the one rectangle of such an update. *width, *height: the size that the client was told
 * last, and then what it is told now. Something may still be due after it.
 */
void vnc_news_put_size(struct vnc_news *n, const struct vnc_caps *caps, unsigned *width,
	unsigned *height, GByteArray *out);

/* How many rectangles the rest makes, and those. */
unsigned vnc_news_count(const struct vnc_news *n, const struct vnc_caps *caps);
void vnc_news_put(struct vnc_news *n, const struct vnc_caps *caps,
	const struct pixel_format *format, GByteArray *out);
