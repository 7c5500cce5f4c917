/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pixels that a client still has to see, and the update being sent to it.
 *
 *   damage   changed since the client saw it           \  planned: where both meet, cut into
 *   asked    its requests, its continuous updates      /  pieces, whose number goes ahead of them
 *
 * The pieces are encoded one by one as the client's queue drains, each with the pixels of that
 * moment. While they last, damage merges; so a slow client sees fewer updates, never older ones.
 */
#pragma once

#include <stdbool.h>

#include <glib.h>
#include <pixman.h>

struct display_consumer;
struct encoder;

struct vnc_update {
	pixman_region32_t damage, asked;
	bool continuous;
	pixman_box32_t continuous_area;
	GArray *pieces; /* of pixman_box32_t */
	unsigned next;
};

void vnc_update_init(struct vnc_update *u);
void vnc_update_finish(struct vnc_update *u);

void vnc_update_damage(struct vnc_update *u, const pixman_region32_t *region);
void vnc_update_damage_all(struct vnc_update *u, unsigned width, unsigned height);

/* Boxes as a client names them: any numbers up to 2 * 65535. */
void vnc_update_request(struct vnc_update *u, bool incremental, const pixman_box32_t *box);
void vnc_update_set_continuous(struct vnc_update *u, bool on, const pixman_box32_t *box);

/* True while the client waits for an update. */
bool vnc_update_wanted(const struct vnc_update *u);

/* Fixes the pieces of an update of a screen of this size: their number. The last plan is sent. */
unsigned vnc_update_plan(struct vnc_update *u, unsigned width, unsigned height);

/* An update was begun, whatever is in it: that answers the requests. */
void vnc_update_answered(struct vnc_update *u);

bool vnc_update_sending(const struct vnc_update *u);

/* Appends the next piece, rectangle header and all; returns its number of pixels. */
unsigned vnc_update_piece(struct vnc_update *u, struct display_consumer *consumer,
	struct encoder *encoder, GByteArray *out);
