/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/vnc/input.h"

#include <linux/input-event-codes.h>

#include <glib.h>

#include "input/keyboard.h"
#include "input/keytable.h"
#include "input/seat.h"
#include "util/bytes.h"

enum { NOTCH = 120, BUTTONS = 9 };

struct vnc_input {
	struct seat_user *user;
	struct keyboard *keyboard;
	unsigned buttons;
};

/* Wheels are buttons in RFB: a press is one notch. */
static const struct {
	uint16_t code; /* 0: a wheel */
	int vertical, horizontal;
} buttons_table[BUTTONS] = {
	{ BTN_LEFT },
	{ BTN_MIDDLE },
	{ BTN_RIGHT },
	{ 0, NOTCH, 0 },
	{ 0, -NOTCH, 0 },
	{ 0, 0, -NOTCH },
	{ 0, 0, NOTCH },
	{ BTN_SIDE },
	{ BTN_EXTRA },
};

struct vnc_input *vnc_input_create(struct seat *seat, const struct keymap *keymap, const char *peer,
	void (*leds)(void *opaque, unsigned leds), void *opaque)
{
	struct vnc_input *in = g_new0(struct vnc_input, 1);

	in->user = seat_user_create(seat, peer, leds, opaque);
	in->keyboard = keyboard_create(seat, in->user, keymap);
	return in;
}

void vnc_input_destroy(struct vnc_input *in)
{
	if (!in)
		return;
	keyboard_destroy(in->keyboard);
	seat_user_destroy(in->user);
	g_free(in);
}

void vnc_input_key(struct vnc_input *in, uint32_t keysym, uint32_t xt, bool down)
{
	uint16_t code = xt ? key_from_xt(xt) : 0;

	if (code)
		keyboard_code(in->keyboard, code, down);
	else
		keyboard_keysym(in->keyboard, keysym, down);
}

static unsigned scale(unsigned at, unsigned size)
{
	if (size < 2)
		return 0;
	return (MIN(at, size - 1) * SEAT_ABS_MAX + (size - 1) / 2) / (size - 1);
}

void vnc_input_pointer(struct vnc_input *in, unsigned buttons, unsigned x, unsigned y,
	unsigned width, unsigned height)
{
	unsigned changed = buttons ^ in->buttons;

	in->buttons = buttons;
	seat_user_move_abs(in->user, scale(x, width), scale(y, height));
	for (unsigned i = 0; i < BUTTONS; i++) {
		bool down = buttons & 1u << i;

		if (!(changed & 1u << i))
			continue;
		if (buttons_table[i].code)
			seat_user_button(in->user, buttons_table[i].code, down);
		else if (down)
			seat_user_wheel(
				in->user, buttons_table[i].vertical, buttons_table[i].horizontal);
	}
}
