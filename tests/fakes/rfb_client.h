/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An RFB client written for tests, from the specification and not from our server: raw pixels
 * only, every pseudo-encoding that the server knows, blocking reads with a limit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RFB_CLIENT_SCREENS 8

struct rfb_client {
	int fd;
	unsigned width, height;
	uint32_t *px; /* x8r8g8b8, what was received */
	char name[256];

	/* Counted and kept as they come. */
	unsigned updates, rects, fences, fence_requests, end_of_continuous;
	uint64_t received; /* bytes */
	bool mute;         /* leave fence requests unanswered */

	unsigned sizes, size_reason, size_status, screens;
	struct {
		uint32_t id;
		unsigned x, y, width, height;
	} screen[RFB_CLIENT_SCREENS];
	unsigned cursors, cursor_width, cursor_height, hot_x, hot_y;
	int32_t cursor_encoding;
	uint32_t cursor_first; /* the first pixel, as sent */
	unsigned leds_seen, leds;
	bool qemu_keys, extended_buttons;
};

void rfb_client_init(struct rfb_client *c, int fd);
int rfb_client_connect_unix(const char *path); /* a descriptor, or -1 */
void rfb_client_finish(struct rfb_client *c);  /* closes */

/* False where the server closed, or sent nothing for 20 s. */
bool rfb_client_read(struct rfb_client *c, void *to, size_t len);
bool rfb_client_send(struct rfb_client *c, const void *data, size_t len);

/* True where nothing more comes but the end. */
bool rfb_client_closed(struct rfb_client *c);

/* Version, no security, ClientInit, ServerInit. */
bool rfb_client_handshake(struct rfb_client *c);

void rfb_client_encodings(struct rfb_client *c, const int32_t *list, unsigned count);
void rfb_client_request(struct rfb_client *c, bool incremental);
void rfb_client_continuous(struct rfb_client *c, bool on);
void rfb_client_key(struct rfb_client *c, uint32_t keysym, bool down);
void rfb_client_pointer(struct rfb_client *c, unsigned buttons, unsigned x, unsigned y);

/* Takes one message from the server: its type, or -1 where there is none or it makes no sense. */
int rfb_client_next(struct rfb_client *c);

/* Takes messages up to the end of an update that brings pixels or news. */
bool rfb_client_update(struct rfb_client *c);

/* Returns when the server has done all that was sent before. */
bool rfb_client_sync(struct rfb_client *c);
