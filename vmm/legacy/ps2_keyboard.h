/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PS/2 keyboard: what it answers to commands, and keys as bytes of scancode set 2.
 *
 * No lock inside: the controller's guards it. Queues are bounded: a press that finds much waiting
 * is dropped, a release of what was reported as pressed never is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct state_writer;
struct state_reader;

enum {
	PS2_ANSWERS = 4,
	PS2_SCAN = 1024,
	/*
	 * Bytes that may wait before a press. After the last press that was taken only releases
	 * follow, one of at most 3 bytes for each of less than 256 keys, so they always fit.
	 */
	PS2_SCAN_PRESSES = 64,
	PS2_KEYS = 256,
};

struct ps2_keyboard {
	uint8_t answers[PS2_ANSWERS]; /* go before scancodes */
	unsigned nanswers;
	uint8_t scan[PS2_SCAN];
	unsigned head, count;
	bool down[PS2_KEYS]; /* reported to be, by evdev code */
	bool scanning;
	uint8_t command; /* whose parameter is next, or 0 */
	uint8_t last;    /* answer, for the resend command */
	unsigned leds;   /* SEAT_LED_* */
};

void ps2_keyboard_reset(struct ps2_keyboard *k); /* as at power-on */

/* A byte from the host. */
void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t byte);

/* The next byte for the host; false where there is none. *answer: it is no scancode. */
bool ps2_keyboard_read(struct ps2_keyboard *k, uint8_t *byte, bool *answer);

/* A key of the seat; ignored unless scanning. */
void ps2_keyboard_key(struct ps2_keyboard *k, uint16_t code, bool down);

/* Set 2 to set 1, as the controller does it; the byte itself where it stands for no key. */
uint8_t ps2_translate(uint8_t set2);

/* After a load all keys that were down are released: nobody holds them any more. */
void ps2_keyboard_save(const struct ps2_keyboard *k, struct state_writer *w);
int ps2_keyboard_load(struct ps2_keyboard *k, struct state_reader *r); /* 0 or -EINVAL */
