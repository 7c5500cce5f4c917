/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server: a listening socket and its sessions.
 *
 * It runs on GLib's default main context, the service loop, and has no thread and no timer of its
 * own: while nothing changes and nobody types it costs no wake-up. Every client is shared.
 */
#pragma once

#include <stdint.h>

#include "display/vnc/session.h"

struct display;
struct keymap;
struct seat;

struct vnc_config {
	const char *listen;        /* "unix:PATH" or "ADDR:PORT"; NULL: only vnc_server_adopt() */
	const char *password_file; /* NULL: no password */
	const char *name;          /* of the desktop, shown in viewers' titles; copied */
	/* The screen's size until the guest has one; 0: 1024x768. */
	unsigned blank_width, blank_height;
	unsigned handshake_ms; /* for a client to get through its handshake; 0: 10000 */
	unsigned clients_max;  /* 0: 64 */
};

struct vnc_server;

/*
 * Listens. display, seat and keymap are borrowed and outlive the server. 0 with *server set, or
 * -errno with one line logged and nothing left behind.
 */
int vnc_server_create(struct display *display, struct seat *seat, const struct keymap *keymap,
	const struct vnc_config *config, struct vnc_server **server);

/* Lets all clients go and removes the socket's file. NULL is fine. */
void vnc_server_destroy(struct vnc_server *v);

/* Where it listens, with the port that port 0 became; "" where nowhere. */
const char *vnc_server_address(const struct vnc_server *v);

/* A client whose connection came another way. Owns fd. */
void vnc_server_adopt(struct vnc_server *v, int fd);

struct vnc_server_stats {
	unsigned clients;           /* handshakes under way included */
	uint64_t accepted, refused; /* since the start; refused: for there were too many */
	uint64_t updates, bytes;    /* sent, since the start */
};

/* Fills the sums, and of each client, up to max, its figures. Returns how many of those. */
unsigned vnc_server_stats(const struct vnc_server *v, struct vnc_server_stats *sums,
	struct vnc_client_stats *clients, unsigned max);
