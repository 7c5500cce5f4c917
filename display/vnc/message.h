/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a client's messages end: what the gate needs to hand them over one by one, whole. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RFB_ENCODINGS_MAX 1024u                         /* in one SetEncodings */
#define RFB_MESSAGE_MAX   (4u + 4u * RFB_ENCODINGS_MAX) /* the longest that is kept */
#define RFB_CLIPBOARD_MAX (16u << 20)                   /* the longest that is skipped */

/* What the server waits for. */
enum rfb_stage {
	RFB_STAGE_VERSION,
	RFB_STAGE_SECURITY,
	RFB_STAGE_AUTH,
	RFB_STAGE_INIT,
	RFB_STAGE_NORMAL,
};

/*
 * The length of the message that begins at p, of which n bytes are there: 0 while these do not
 * tell, -1 where such a message is not let through (unknown, or longer than the bounds above).
 * *skip is set for one that is to be dropped unread and can be longer than RFB_MESSAGE_MAX.
 * extended_buttons: the client was told of the pseudo-encoding of that name.
 */
ssize_t rfb_message_length(
	enum rfb_stage stage, bool extended_buttons, const uint8_t *p, size_t n, bool *skip);
