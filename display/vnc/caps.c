/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/caps.h"

#include "display/encode/encoder.h"
#include "display/vnc/rfb.h"

static void pseudo_encoding(struct vnc_caps *caps, int32_t encoding)
{
	switch ((enum rfb_encoding)encoding) {
	case RFB_ENC_NEW_SIZE:
		caps->new_size = true;
		break;
	case RFB_ENC_EXTENDED_SIZE:
		caps->extended_size = true;
		break;
	case RFB_ENC_CURSOR:
		caps->cursor = true;
		break;
	case RFB_ENC_CURSOR_ALPHA:
		caps->cursor_alpha = true;
		break;
	case RFB_ENC_QEMU_LEDS:
		caps->qemu_leds = true;
		break;
	case RFB_ENC_VMWARE_LEDS:
		caps->vmware_leds = true;
		break;
	case RFB_ENC_QEMU_KEYS:
		caps->qemu_keys = true;
		break;
	case RFB_ENC_EXTENDED_BUTTONS:
		caps->extended_buttons = true;
		break;
	case RFB_ENC_DESKTOP_NAME:
		caps->name = true;
		break;
	case RFB_ENC_FENCE:
		caps->fence = true;
		break;
	case RFB_ENC_CONTINUOUS_UPDATES:
		caps->continuous = true;
		break;
	}
}

void vnc_caps_parse(struct vnc_caps *caps, const int32_t *encodings, unsigned count)
{
	bool chosen = false;

	*caps = (struct vnc_caps){ .encoding = ENCODING_RAW };
	for (unsigned i = 0; i < count; i++) {
		bool ours = encodings[i] == ENCODING_RAW || encodings[i] == ENCODING_ZRLE;

		if (ours && !chosen)
			caps->encoding = encodings[i];
		chosen |= ours;
		pseudo_encoding(caps, encodings[i]);
	}
}
