/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session: one client, from its greeting to its end.
 *
 *   socket <-> gate <-> parser --> session --> seat (keys, pointer), guest (sizes)
 *                ^                    |
 *                '--- updates, pieces-'<------ display (damage, pixels, cursor)
 *
 * Service loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct display;
struct keymap;
struct seat;

struct vnc_session;

/* What all sessions of a server share; it outlives them. */
struct vnc_session_config {
	struct display *display;
	struct seat *seat;
	const struct keymap *keymap;
	const char *password; /* NULL: none */
	const char *name;
	unsigned blank_width, blank_height; /* shown while no head is on */
	unsigned handshake_ms;
};

struct vnc_session_ops {
	/* The connection is over, the log says why. Must destroy the session. */
	void (*closed)(void *opaque, struct vnc_session *s);
};

struct vnc_client_stats {
	char peer[64];
	bool ready; /* the handshake is done */
	int32_t encoding;
	unsigned width, height; /* of the screen that it was told */
	uint64_t updates, bytes, round_trip_us;
	uint64_t queued; /* bytes that wait for the client */
};

/* Owns fd, a connected socket. NULL with one line logged. */
struct vnc_session *vnc_session_create(const struct vnc_session_config *config, int fd,
	const char *peer, const struct vnc_session_ops *ops, void *opaque);
void vnc_session_destroy(struct vnc_session *s); /* NULL is fine */

void vnc_session_stats(const struct vnc_session *s, struct vnc_client_stats *to);
