/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/news.h"

#include <string.h>

#include "display/vnc/pseudo.h"

enum { HANDSHAKE_NAME = 127 };

void vnc_news_capabilities(struct vnc_news *n, const struct vnc_caps *old,
	const struct vnc_caps *caps, const char *name)
{
	if (strlen(name) > HANDSHAKE_NAME)
		n->long_name = name;
	n->size |= caps->extended_size && !old->extended_size;
	n->size |= caps->new_size && !old->new_size;
	n->cursor = true;
	n->leds = true;
	n->name |= caps->name && !old->name;
	n->qemu_keys |= caps->qemu_keys && !old->qemu_keys;
	n->extended_buttons |= caps->extended_buttons && !old->extended_buttons;
}

/* ---- sizes ---- */

void vnc_news_size_answer(struct vnc_news *n, enum rfb_size_status status)
{
	n->size_answered = true;
	n->size_status = status;
}

bool vnc_news_size_due(
	const struct vnc_news *n, const struct vnc_caps *caps, unsigned width, unsigned height)
{
	if (caps->extended_size)
		return n->size || n->size_asked || n->size_answered;
	return caps->new_size && n->layout.width &&
	       (n->layout.width != width || n->layout.height != height);
}

/*
 * A viewer takes nothing from the answer to a wish that was not granted: it stands alone, with
 * the sizes as the client knows them. Where the guest has followed already, it was granted.
 */
static bool put_refusal(struct vnc_news *n, unsigned width, unsigned height, GByteArray *out)
{
	if (!n->size_answered || n->size_status == RFB_SIZE_OK)
		return false;
	if (n->size_status == RFB_SIZE_FORWARDED && n->size) {
		n->size_status = RFB_SIZE_OK;
		return false;
	}
	rfb_put_extended_size(out, RFB_SIZE_CLIENT, n->size_status, width, height, &n->told);
	n->size_answered = false;
	return true;
}

void vnc_news_put_size(struct vnc_news *n, const struct vnc_caps *caps, unsigned *width,
	unsigned *height, GByteArray *out)
{
	if (caps->extended_size && put_refusal(n, *width, *height, out))
		return;
	if (n->layout.width) {
		*width = n->layout.width;
		*height = n->layout.height;
	}
	if (caps->extended_size)
		rfb_put_extended_size(out, n->size_answered ? RFB_SIZE_CLIENT : RFB_SIZE_SERVER,
			RFB_SIZE_OK, *width, *height, &n->layout);
	else
		rfb_put_size(out, *width, *height);
	n->told = n->layout;
	n->size = n->size_asked = n->size_answered = false;
}

/* ---- the rest ---- */

static bool cursor_due(const struct vnc_news *n, const struct vnc_caps *caps)
{
	return n->cursor && (caps->cursor || caps->cursor_alpha);
}

static bool leds_due(const struct vnc_news *n, const struct vnc_caps *caps)
{
	return n->leds && (caps->qemu_leds || caps->vmware_leds);
}

static bool name_due(const struct vnc_news *n)
{
	return n->name && n->long_name;
}

unsigned vnc_news_count(const struct vnc_news *n, const struct vnc_caps *caps)
{
	return cursor_due(n, caps) + leds_due(n, caps) + name_due(n) + n->qemu_keys +
	       n->extended_buttons;
}

void vnc_news_put(struct vnc_news *n, const struct vnc_caps *caps,
	const struct pixel_format *format, GByteArray *out)
{
	if (cursor_due(n, caps) && caps->cursor_alpha)
		rfb_put_cursor_alpha(out, n->cursor_image);
	else if (cursor_due(n, caps))
		rfb_put_cursor(out, n->cursor_image, format);
	if (leds_due(n, caps))
		rfb_put_leds(out, n->led_bits,
			caps->qemu_leds ? RFB_ENC_QEMU_LEDS : RFB_ENC_VMWARE_LEDS);
	if (name_due(n))
		rfb_put_name(out, n->long_name);
	if (n->qemu_keys)
		rfb_put_rect(out, 0, 0, 0, 0, RFB_ENC_QEMU_KEYS);
	if (n->extended_buttons)
		rfb_put_rect(out, 0, 0, 0, 0, RFB_ENC_EXTENDED_BUTTONS);
	n->cursor = n->leds = n->name = n->qemu_keys = n->extended_buttons = false;
}
