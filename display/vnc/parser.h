/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's messages as events. No socket of the client's is in here.
 *
 * libvncserver does the handshake, the password and the messages it knows. It never sees the
 * client's socket, for on it, it waits: for half a message, for a full send buffer. It holds one
 * end of a socketpair; it is given one whole message a call, and the pair is emptied after each,
 * so that no call can wait.
 *
 *   gate --- one whole message ---> parser --> [pair] --> libvncserver --> ops
 *   gate <---------- bytes -------- parser <-- [pair] <---'
 *
 * What it keeps too little of (the list of encodings), drops in part (wishes for a size without
 * screens) or does not know (fence, continuous updates, extended keys and buttons) is parsed here.
 * It never builds an update.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "display/encode/pixel_format.h"
#include "display/vnc/message.h"
#include "display/vnc/rfb.h"

/*
 * What a client says. All are called inside rfb_parser_create() or rfb_parser_feed() and must not
 * destroy the parser. Numbers are as sent: coordinates may lie outside of the desktop.
 */
struct rfb_parser_ops {
	void (*send)(void *opaque, const void *data, size_t len); /* these bytes go to the client */
	/* The size to announce; 1 .. 65535 each. */
	void (*desktop_size)(void *opaque, unsigned *width, unsigned *height);
	void (*ready)(void *opaque); /* the handshake is done */
	void (*pixel_format)(void *opaque, const struct pixel_format *f); /* valid */
	void (*encodings)(void *opaque, const int32_t *encodings, unsigned count);
	void (*update_request)(void *opaque, bool incremental, unsigned x, unsigned y,
		unsigned width, unsigned height);
	/* xt: scancode set 1 with bit 7 for an E0 prefix; 0 where only the keysym is known. */
	void (*key)(void *opaque, uint32_t keysym, uint32_t xt, bool down);
	/* Bit n of buttons is button n + 1. */
	void (*pointer)(void *opaque, unsigned buttons, unsigned x, unsigned y);
	void (*set_size)(void *opaque, unsigned width, unsigned height,
		const struct rfb_screen *screens, unsigned count);
	void (*continuous)(
		void *opaque, bool on, unsigned x, unsigned y, unsigned width, unsigned height);
	void (*fence)(void *opaque, uint32_t flags, const uint8_t *payload, unsigned len);
};

struct rfb_parser;

/*
 * Sends the greeting. password NULL: none is asked for; else its first 8 bytes count. Strings are
 * borrowed. name: at most 127 bytes of it are told. NULL where the system refuses descriptors.
 */
struct rfb_parser *rfb_parser_create(
	const struct rfb_parser_ops *ops, void *opaque, const char *password, const char *name);
void rfb_parser_destroy(struct rfb_parser *p); /* NULL is fine */

/* As rfb_message_length() for the stage that the client is in. */
ssize_t rfb_parser_need(const struct rfb_parser *p, const uint8_t *bytes, size_t n, bool *skip);

/*
 * Takes one whole message. 0, or where the connection is to be closed -EPROTO (nonsense, or what
 * we do not do, such as colour maps), -EACCES (wrong password) or -EIO.
 */
int rfb_parser_feed(struct rfb_parser *p, const uint8_t *message, size_t len);

enum rfb_stage rfb_parser_stage(const struct rfb_parser *p);

/* The client was told this size: its requests are clipped to it. */
void rfb_parser_set_size(struct rfb_parser *p, unsigned width, unsigned height);

/* The client was told that we take extended buttons. */
void rfb_parser_set_extended_buttons(struct rfb_parser *p, bool on);
