/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One client's keys and pointer on their way to the seat. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct keymap;
struct seat;

struct vnc_input;

/* leds as in seat_user_create(). keymap is borrowed. */
struct vnc_input *vnc_input_create(struct seat *seat, const struct keymap *keymap, const char *peer,
	void (*leds)(void *opaque, unsigned leds), void *opaque);
void vnc_input_destroy(struct vnc_input *in); /* lets go of all that is held; NULL is fine */

/* xt: see struct rfb_parser_ops. */
void vnc_input_key(struct vnc_input *in, uint32_t keysym, uint32_t xt, bool down);

/* x, y: any, on a desktop of width x height; bit n of buttons is RFB's button n + 1. */
void vnc_input_pointer(struct vnc_input *in, unsigned buttons, unsigned x, unsigned y,
	unsigned width, unsigned height);
