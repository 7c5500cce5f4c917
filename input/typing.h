/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types a text into the guest: any Unicode text that its layout can produce, by levels, dead keys
 * and compose sequences (of the locale's Compose file: package libx11-data).
 *
 * The whole text is planned before the first key goes down, so a text that cannot be typed types
 * nothing. Keys then go out one by one with a gap between, since a guest's queues are short (64
 * events on evdev) and a guest may be slow to read them.
 *
 * Service loop: timers run on the default GLib main context.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keymap;
struct seat;
struct typing;

#define TYPING_GAP_MS 8u     /* between two key events, where the caller has no better idea */
#define TYPING_MAX    65536u /* bytes of a text */

/* It is all typed, or was cancelled (by nobody else than typing_cancel()). typing is gone. */
typedef void (*typing_done_fn)(void *opaque, bool cancelled);

/*
 * Starts. s is borrowed until done; gap_ms 0 means TYPING_GAP_MS. NULL with *error (to be
 * freed with g_free) where the text is no UTF-8, is too long, or holds a character that the
 * layout cannot make (the message names it), or where the guest listens to no keyboard. Newline is Return, tab is Tab. done is called once,
 * never from inside typing_start(), and may be NULL.
 */
struct typing *typing_start(struct seat *s, const struct keymap *km, const char *text,
	unsigned gap_ms, typing_done_fn done, void *opaque, char **error);

/* The same for keys that go down in this order and up in the reverse one: Ctrl, Alt, Delete. */
struct typing *typing_chord(struct seat *s, const uint16_t *codes, unsigned n, unsigned gap_ms,
	typing_done_fn done, void *opaque);

/* Stops, lets go of all keys and calls done. */
void typing_cancel(struct typing *t);
