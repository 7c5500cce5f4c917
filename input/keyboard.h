/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One user's keyboard, for protocols that speak keysyms.
 *
 * A VNC viewer sends what its own layout made of a key ('@', already with AltGr or Shift in it).
 * The keyboard finds the key that gives the same character in the guest's layout, and where the
 * modifiers that the user holds would make something else of it, it adds or lifts Shift and AltGr
 * for as long as that key is down. A release lets go of the key that its press pressed, whatever
 * has happened to the modifiers since.
 *
 *   viewer: Shift_L down, '/' down      (German: Shift+7)
 *   guest:  Shift down, Shift up, KEY_SLASH down                        (American)
 *   viewer: '/' up, Shift_L up
 *   guest:  KEY_SLASH up, Shift down, Shift up
 *
 * Service loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct keyboard;
struct keymap;
struct seat;
struct seat_user;

/* All three are borrowed and outlive the keyboard. Never NULL. */
struct keyboard *keyboard_create(struct seat *s, struct seat_user *u, const struct keymap *km);

/* Lets go of all that the user holds. NULL is fine. */
void keyboard_destroy(struct keyboard *kb);

/* A keysym of X11 goes down or up. Keysyms that the layout cannot make are ignored. */
void keyboard_keysym(struct keyboard *kb, uint32_t keysym, bool down);

/* The physical key is known (RFB's extended key event): no layout is between. */
void keyboard_code(struct keyboard *kb, uint16_t code, bool down);

/* Lets go of everything, as when the viewer loses the focus. */
void keyboard_release_all(struct keyboard *kb);
