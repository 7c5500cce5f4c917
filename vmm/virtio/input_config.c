/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/input_config.h"

#include <string.h>

#include <linux/input-event-codes.h>
#include <linux/input.h>

#include "input/keytable.h"
#include "util/bytes.h"

enum { VENDOR = 0x1af4, VERSION = 1 }; /* product is 1 and the kind */

static const char *const names[] = {
	[SEAT_KEYBOARD] = "Hotdesk Keyboard",
	[SEAT_TABLET] = "Hotdesk Tablet",
	[SEAT_MOUSE] = "Hotdesk Mouse",
};

bool vinput_has_key(enum seat_kind kind, uint16_t code)
{
	if (kind == SEAT_KEYBOARD)
		return key_name(code) != NULL;
	return code >= BTN_LEFT && code <= BTN_EXTRA;
}

/* Size covers the last bit that is set. */
static void set_bit(struct virtio_input_config *c, unsigned bit)
{
	c->u.bitmap[bit / 8] |= (uint8_t)(1u << bit % 8);
	c->size = (uint8_t)MAX(c->size, bit / 8 + 1);
}

static void keys(struct virtio_input_config *c, enum seat_kind kind)
{
	for (unsigned code = 0; code < 8 * sizeof c->u.bitmap && code <= KEY_MAX; code++)
		if (vinput_has_key(kind, (uint16_t)code))
			set_bit(c, code);
}

static void wheels(struct virtio_input_config *c)
{
	set_bit(c, REL_WHEEL);
	set_bit(c, REL_HWHEEL);
	set_bit(c, REL_WHEEL_HI_RES);
	set_bit(c, REL_HWHEEL_HI_RES);
}

/*
 * EV_REP is not offered: with it Linux repeats a held key by itself, and goes on when the release
 * is late on the network. Repetition comes from the user's keyboard, as events of value 2, which
 * Linux takes from any keyboard.
 *
 * A tablet has buttons of a mouse and neither BTN_TOUCH nor properties: that is how udev and
 * libinput know an absolute pointer from a touch screen.
 */
static void events(struct virtio_input_config *c, enum seat_kind kind)
{
	switch (c->subsel) {
	case EV_KEY:
		keys(c, kind);
		break;
	case EV_REL:
		if (kind == SEAT_KEYBOARD)
			break;
		if (kind == SEAT_MOUSE) {
			set_bit(c, REL_X);
			set_bit(c, REL_Y);
		}
		wheels(c);
		break;
	case EV_ABS:
		if (kind != SEAT_TABLET)
			break;
		set_bit(c, ABS_X);
		set_bit(c, ABS_Y);
		break;
	case EV_LED:
		if (kind != SEAT_KEYBOARD)
			break;
		set_bit(c, LED_NUML);
		set_bit(c, LED_CAPSL);
		set_bit(c, LED_SCROLLL);
		break;
	default:
		break;
	}
}

void vinput_config_answer(struct virtio_input_config *c, enum seat_kind kind)
{
	c->size = 0;
	memset(&c->u, 0, sizeof c->u);
	switch (c->select) {
	case VIRTIO_INPUT_CFG_ID_NAME:
		if (c->subsel)
			break;
		c->size = (uint8_t)strlen(names[kind]);
		memcpy(c->u.string, names[kind], c->size);
		break;
	case VIRTIO_INPUT_CFG_ID_DEVIDS:
		if (c->subsel)
			break;
		c->u.ids = (struct virtio_input_devids){ BUS_VIRTUAL, VENDOR, (uint16_t)(1 + kind),
			VERSION };
		c->size = sizeof c->u.ids;
		break;
	case VIRTIO_INPUT_CFG_EV_BITS:
		events(c, kind);
		break;
	case VIRTIO_INPUT_CFG_ABS_INFO:
		if (kind != SEAT_TABLET || (c->subsel != ABS_X && c->subsel != ABS_Y))
			break;
		c->u.abs.max = SEAT_ABS_MAX;
		c->size = sizeof c->u.abs;
		break;
	default:
		break;
	}
}
