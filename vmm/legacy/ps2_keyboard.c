/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/legacy/ps2_keyboard.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/input-event-codes.h>

#include "input/keytable.h"
#include "input/seat.h"
#include "util/bytes.h"
#include "vmm/state.h"

enum {
	CMD_SET_LEDS = 0xed,
	CMD_ECHO = 0xee,
	CMD_SCANCODE_SET = 0xf0,
	CMD_IDENTIFY = 0xf2,
	CMD_TYPEMATIC = 0xf3,
	CMD_ENABLE = 0xf4,
	CMD_DISABLE = 0xf5,
	CMD_DEFAULTS = 0xf6,
	CMD_RESEND = 0xfe,
	CMD_RESET = 0xff,
	ANSWER_ACK = 0xfa,
	ANSWER_RESEND = 0xfe, /* what was that? */
	ANSWER_TEST_PASSED = 0xaa,
	PREFIX_E0 = 0xe0,
	PREFIX_BREAK = 0xf0,
	OUR_SET = 2,
};

/* ---- scancodes ---- */

/* Set 1 by set 2, IBM PS/2 technical reference, keyboard controller; above stand 83 and 84. */
static const uint8_t translation[128] = {
	0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, /* 00 */
	0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, /* 08 */
	0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, /* 10 */
	0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, /* 18 */
	0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, /* 20 */
	0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, /* 28 */
	0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, /* 30 */
	0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, /* 38 */
	0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, /* 40 */
	0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61, /* 48 */
	0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, /* 50 */
	0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, /* 58 */
	0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, /* 60 */
	0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, /* 68 */
	0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, /* 70 */
	0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54, /* 78 */
};

uint8_t ps2_translate(uint8_t set2)
{
	if (set2 < ARRAY_LEN(translation))
		return translation[set2];
	return set2 == 0x83 ? 0x41 : set2 == 0x84 ? 0x54 : set2;
}

static uint8_t set2_of(uint8_t set1)
{
	if (set1 == 0x41)
		return 0x83; /* F7; 02 translates to the same, but no keyboard sends it */
	for (uint8_t i = 0; i < ARRAY_LEN(translation); i++)
		if (translation[i] == set1)
			return i;
	return 0;
}

static void put(struct ps2_keyboard *k, const uint8_t *bytes, unsigned n)
{
	if (k->count + n > PS2_SCAN)
		return;
	for (unsigned i = 0; i < n; i++)
		k->scan[(k->head + k->count++) % PS2_SCAN] = bytes[i];
}

static void put_key(struct ps2_keyboard *k, uint16_t code, bool down)
{
	static const uint8_t pause[] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };
	uint16_t xt = key_to_xt(code);
	uint8_t bytes[3];
	unsigned n = 0;

	if (code == KEY_PAUSE) { /* all in one, and nothing when it goes up */
		if (down)
			put(k, pause, sizeof pause);
		return;
	}
	if (xt > 0xff)
		bytes[n++] = PREFIX_E0;
	if (!down)
		bytes[n++] = PREFIX_BREAK;
	bytes[n++] = set2_of(xt & 0x7f);
	put(k, bytes, n);
}

void ps2_keyboard_key(struct ps2_keyboard *k, uint16_t code, bool down)
{
	if (!k->scanning || code >= PS2_KEYS || !key_to_xt(code))
		return;
	if (down) {
		/* A key that repeats is not saved up for a guest that does not look. */
		if (k->count >= (k->down[code] ? 1 : PS2_SCAN_PRESSES))
			return;
	} else if (!k->down[code]) {
		return;
	}
	k->down[code] = down;
	put_key(k, code, down);
}

static void release_all(struct ps2_keyboard *k)
{
	for (uint16_t code = 0; code < PS2_KEYS; code++)
		if (k->down[code])
			put_key(k, code, false);
	memset(k->down, 0, sizeof k->down);
}

static void forget_keys(struct ps2_keyboard *k)
{
	k->head = k->count = 0;
	memset(k->down, 0, sizeof k->down);
}

void ps2_keyboard_reset(struct ps2_keyboard *k)
{
	memset(k, 0, sizeof *k);
}

/* ---- commands ---- */

static void answer(struct ps2_keyboard *k, uint8_t byte)
{
	if (k->nanswers < PS2_ANSWERS)
		k->answers[k->nanswers++] = byte;
}

static void set_leds(struct ps2_keyboard *k, uint8_t bits)
{
	k->leds = (bits & 1 ? SEAT_LED_SCROLL : 0) | (bits & 2 ? SEAT_LED_NUM : 0) |
		  (bits & 4 ? SEAT_LED_CAPS : 0);
}

static void take_parameter(struct ps2_keyboard *k, uint8_t command, uint8_t byte)
{
	switch (command) {
	case CMD_SET_LEDS:
		set_leds(k, byte);
		answer(k, ANSWER_ACK);
		break;
	case CMD_SCANCODE_SET: /* 0 asks; this keyboard has one set only */
		if (byte && byte != OUR_SET) {
			answer(k, ANSWER_RESEND);
			break;
		}
		answer(k, ANSWER_ACK);
		if (!byte)
			answer(k, OUR_SET);
		break;
	default: /* CMD_TYPEMATIC: the user's own keyboard has its rate */
		answer(k, ANSWER_ACK);
		break;
	}
}

static void take_command(struct ps2_keyboard *k, uint8_t byte)
{
	switch (byte) {
	case CMD_SET_LEDS:
	case CMD_SCANCODE_SET:
	case CMD_TYPEMATIC:
		k->command = byte;
		answer(k, ANSWER_ACK);
		break;
	case CMD_ECHO:
		answer(k, CMD_ECHO);
		break;
	case CMD_IDENTIFY:
		answer(k, ANSWER_ACK);
		answer(k, 0xab);
		answer(k, 0x83);
		break;
	case CMD_ENABLE:
	case CMD_DISABLE:
		k->scanning = byte == CMD_ENABLE;
		forget_keys(k);
		answer(k, ANSWER_ACK);
		break;
	case CMD_DEFAULTS:
		forget_keys(k);
		answer(k, ANSWER_ACK);
		break;
	case CMD_RESEND:
		answer(k, k->last);
		break;
	case CMD_RESET:
		ps2_keyboard_reset(k);
		k->scanning = true;
		answer(k, ANSWER_ACK);
		answer(k, ANSWER_TEST_PASSED);
		break;
	default: /* what only set 3 has among them */
		answer(k, ANSWER_RESEND);
		break;
	}
}

void ps2_keyboard_write(struct ps2_keyboard *k, uint8_t byte)
{
	uint8_t command = k->command;

	k->nanswers = 0; /* a new byte from the host ends what was being said */
	k->command = 0;
	if (command && byte < CMD_SET_LEDS)
		take_parameter(k, command, byte);
	else
		take_command(k, byte);
}

bool ps2_keyboard_read(struct ps2_keyboard *k, uint8_t *byte, bool *is_answer)
{
	*is_answer = k->nanswers > 0;
	if (k->nanswers) {
		*byte = k->answers[0];
		memmove(k->answers, k->answers + 1, --k->nanswers);
		if (*byte != ANSWER_RESEND)
			k->last = *byte;
		return true;
	}
	if (!k->count)
		return false;
	*byte = k->scan[k->head];
	k->head = (k->head + 1) % PS2_SCAN;
	k->count--;
	return true;
}

/* ---- state ---- */

void ps2_keyboard_save(const struct ps2_keyboard *k, struct state_writer *w)
{
	uint8_t scan[PS2_SCAN], down[PS2_KEYS];

	for (unsigned i = 0; i < k->count; i++)
		scan[i] = k->scan[(k->head + i) % PS2_SCAN];
	for (unsigned i = 0; i < PS2_KEYS; i++)
		down[i] = k->down[i];
	state_put_bytes(w, k->answers, k->nanswers);
	state_put_bytes(w, scan, k->count);
	state_put_bytes(w, down, sizeof down);
	state_put_u8(w, k->scanning);
	state_put_u8(w, k->command);
	state_put_u8(w, k->last);
	state_put_u8(w, (uint8_t)k->leds);
}

int ps2_keyboard_load(struct ps2_keyboard *k, struct state_reader *r)
{
	uint8_t down[PS2_KEYS];
	const void *bytes;
	uint32_t n;

	ps2_keyboard_reset(k);
	bytes = state_get_blob(r, &n, PS2_ANSWERS);
	if (n)
		memcpy(k->answers, bytes, n);
	k->nanswers = n;
	bytes = state_get_blob(r, &n, PS2_SCAN);
	put(k, bytes, n);
	state_get_bytes(r, down, sizeof down);
	for (unsigned i = 0; i < PS2_KEYS; i++)
		k->down[i] = down[i] && key_to_xt((uint16_t)i);
	k->scanning = state_get_u8(r);
	k->command = state_get_u8(r);
	k->last = state_get_u8(r);
	k->leds = state_get_u8(r);
	if (r->failed || k->leds > (SEAT_LED_NUM | SEAT_LED_CAPS | SEAT_LED_SCROLL))
		return -EINVAL;
	if (k->command && k->command != CMD_SET_LEDS && k->command != CMD_SCANCODE_SET &&
		k->command != CMD_TYPEMATIC)
		return -EINVAL;
	release_all(k);
	return 0;
}
