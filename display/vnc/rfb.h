/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of the RFB protocol: RFC 6143, and for what came later the community's document
 * (github.com/rfbproto/rfbproto).
 */
#pragma once

enum rfb_client_message {
	RFB_SET_PIXEL_FORMAT = 0,
	RFB_SET_ENCODINGS = 2,
	RFB_UPDATE_REQUEST = 3,
	RFB_KEY_EVENT = 4,
	RFB_POINTER_EVENT = 5,
	RFB_CLIENT_CUT_TEXT = 6,
	RFB_ENABLE_CONTINUOUS_UPDATES = 150,
	RFB_CLIENT_FENCE = 248,
	RFB_SET_DESKTOP_SIZE = 251,
	RFB_QEMU = 255,
};

enum rfb_server_message {
	RFB_FRAMEBUFFER_UPDATE = 0,
	RFB_END_OF_CONTINUOUS_UPDATES = 150,
	RFB_SERVER_FENCE = 248,
};

enum { RFB_QEMU_EXTENDED_KEY = 0 };

enum rfb_encoding {
	RFB_ENC_NEW_SIZE = -223,
	RFB_ENC_CURSOR = -239,
	RFB_ENC_QEMU_KEYS = -258,
	RFB_ENC_QEMU_LEDS = -261,
	RFB_ENC_DESKTOP_NAME = -307,
	RFB_ENC_EXTENDED_SIZE = -308,
	RFB_ENC_FENCE = -312,
	RFB_ENC_CONTINUOUS_UPDATES = -313,
	RFB_ENC_CURSOR_ALPHA = -314,
	RFB_ENC_EXTENDED_BUTTONS = -316,
	RFB_ENC_VMWARE_LEDS = 0x574d5668,
};

#define RFB_FENCE_BLOCK_BEFORE 1u
#define RFB_FENCE_BLOCK_AFTER  2u
#define RFB_FENCE_REQUEST      (1u << 31)
#define RFB_FENCE_PAYLOAD_MAX  64u

/* ExtendedDesktopSize: why, and how it went. */
enum rfb_size_reason { RFB_SIZE_SERVER = 0, RFB_SIZE_CLIENT = 1 };
enum rfb_size_status {
	RFB_SIZE_OK = 0,
	RFB_SIZE_PROHIBITED = 1,
	RFB_SIZE_BAD_LAYOUT = 3,
	RFB_SIZE_FORWARDED = 4, /* the guest was asked, and answers when it likes */
};

struct rfb_screen {
	unsigned id;
	unsigned x, y, width, height;
};

#define RFB_SCREENS_MAX 255 /* their number is one byte */
