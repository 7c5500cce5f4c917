/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/message.h"

#include "display/vnc/rfb.h"
#include "util/bytes.h"

/* A text longer than 2 GiB is an extended clipboard's, its length negated; we offer none. */
static ssize_t cut_text_length(const uint8_t *p, size_t n, bool *skip)
{
	uint32_t len;

	if (n < 8)
		return 0;
	len = be32_get(p + 4);
	if (len > RFB_CLIPBOARD_MAX)
		return -1;
	*skip = true;
	return 8 + (ssize_t)len;
}

static ssize_t set_encodings_length(const uint8_t *p, size_t n)
{
	if (n < 4)
		return 0;
	if (be16_get(p + 2) > RFB_ENCODINGS_MAX)
		return -1;
	return 4 + 4 * (ssize_t)be16_get(p + 2);
}

static ssize_t fence_length(const uint8_t *p, size_t n)
{
	if (n < 9)
		return 0;
	return p[8] > RFB_FENCE_PAYLOAD_MAX ? -1 : 9 + p[8];
}

static ssize_t pointer_length(const uint8_t *p, size_t n, bool extended_buttons)
{
	if (!extended_buttons)
		return 6;
	if (n < 2)
		return 0;
	return p[1] & 0x80 ? 7 : 6;
}

static ssize_t normal_length(bool extended_buttons, const uint8_t *p, size_t n, bool *skip)
{
	switch ((enum rfb_client_message)p[0]) {
	case RFB_SET_PIXEL_FORMAT:
		return 20;
	case RFB_SET_ENCODINGS:
		return set_encodings_length(p, n);
	case RFB_UPDATE_REQUEST:
	case RFB_ENABLE_CONTINUOUS_UPDATES:
		return 10;
	case RFB_KEY_EVENT:
		return 8;
	case RFB_POINTER_EVENT:
		return pointer_length(p, n, extended_buttons);
	case RFB_CLIENT_CUT_TEXT:
		return cut_text_length(p, n, skip);
	case RFB_CLIENT_FENCE:
		return fence_length(p, n);
	case RFB_SET_DESKTOP_SIZE:
		return n < 8 ? 0 : 8 + 16 * (ssize_t)p[6];
	case RFB_QEMU:
		if (n < 2)
			return 0;
		return p[1] == RFB_QEMU_EXTENDED_KEY ? 12 : -1;
	}
	return -1; /* file transfer, chat, scaling and whatever else there may be */
}

ssize_t rfb_message_length(
	enum rfb_stage stage, bool extended_buttons, const uint8_t *p, size_t n, bool *skip)
{
	*skip = false;
	if (!n)
		return 0;
	switch (stage) {
	case RFB_STAGE_VERSION:
		return 12;
	case RFB_STAGE_SECURITY:
	case RFB_STAGE_INIT:
		return 1;
	case RFB_STAGE_AUTH:
		return 16;
	case RFB_STAGE_NORMAL:
		return normal_length(extended_buttons, p, n, skip);
	}
	return -1;
}
