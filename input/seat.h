/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seat: where a desktop's keyboards and pointers meet the people who use them.
 *
 * Users (VNC and SPICE sessions, the control socket) hold a seat_user each and press keys and move
 * pointers through it; devices (virtio-input, PS/2, USB HID) are seat_devices and receive them.
 * Keys and buttons are Linux evdev codes (linux/input-event-codes.h). The seat remembers which user
 * holds which key: a key counts as down while any user holds it, and a user that goes away lets go
 * of all of its own.
 *
 * Threads: the service loop, but for seat_device_leds(), which any thread may call. A device's ops
 * run on the service loop and must only queue and post.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SEAT_ABS_MAX 32767 /* absolute positions run 0 .. SEAT_ABS_MAX over all heads together */

#define SEAT_LED_NUM    1u
#define SEAT_LED_CAPS   2u
#define SEAT_LED_SCROLL 4u

struct seat;
struct seat_user;

/* ---- devices' side ---- */

enum seat_kind { SEAT_KEYBOARD, SEAT_TABLET, SEAT_MOUSE };

struct seat_device_ops {
	/* True while a guest's driver listens; of several of one kind the first such is used. */
	bool (*active)(void *opaque);
	/*
	 * Keyboards: KEY_*; pointers: BTN_*. A key that goes down again while it is down repeats:
	 * repetition is the user's keyboard's, so that a stalled network cannot repeat a key for
	 * ever. A release comes to the device that had the press, active or not.
	 */
	void (*key)(void *opaque, uint16_t code, bool down);
	void (*move_abs)(void *opaque, unsigned x, unsigned y); /* tablets */
	void (*move_rel)(void *opaque, int dx, int dy);         /* mice */
	/* Wheel in 1/120 of a notch, up and right positive. */
	void (*wheel)(void *opaque, int vertical, int horizontal);
	void (*sync)(void *opaque); /* the end of what belongs together */
};

struct seat_device {
	enum seat_kind kind;
	const char *name;
	const struct seat_device_ops *ops;
	void *opaque;
	struct seat_device *next; /* the seat's */
};

struct seat *seat_create(void);
/* Users are gone before, devices may go after; NULL is fine. */
void seat_destroy(struct seat *s);

/* Devices are tried in the order in which they were added, and live as long as the seat. */
void seat_add_device(struct seat *s, struct seat_device *dev);

/* True where a guest's driver listens to some device of this kind. */
bool seat_listens(const struct seat *s, enum seat_kind kind);

/* The guest set the keyboard's LEDs (SEAT_LED_*). Any thread. */
void seat_device_leds(struct seat *s, unsigned leds);

/* ---- users' side ---- */

/*
 * name is for messages. leds may be NULL; else it is called on the default GLib main context (the
 * service loop) after they changed. NULL is never returned.
 */
struct seat_user *seat_user_create(
	struct seat *s, const char *name, void (*leds)(void *opaque, unsigned leds), void *opaque);
void seat_user_destroy(struct seat_user *u); /* lets go of what it holds; NULL is fine */

/*
 * Each call is a whole event, sync included. Codes outside 1 .. KEY_MAX are ignored, as is what
 * no active device takes. Buttons and wheel go to the kind of pointer that the user moved last.
 */
void seat_user_key(struct seat_user *u, uint16_t code, bool down);
void seat_user_button(struct seat_user *u, uint16_t code, bool down);
void seat_user_move_abs(struct seat_user *u, unsigned x, unsigned y);
void seat_user_move_rel(struct seat_user *u, int dx, int dy);
void seat_user_wheel(struct seat_user *u, int vertical, int horizontal);
void seat_user_release_all(struct seat_user *u);

unsigned seat_leds(struct seat *s);
