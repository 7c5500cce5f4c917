/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports of an input device: what the user did, how it waits for the guest, and the group of
 * events that the guest gets for it. Nothing here locks or knows a queue.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/input-event-codes.h>
#include <linux/virtio_input.h>

enum {
	VINPUT_RING = 64,
	/* Reports that may wait before a press or motion; the rest is for releases. */
	VINPUT_RING_PRESSES = 48,
	VINPUT_EVENTS = 6, /* of a report, SYN_REPORT included */
	VINPUT_NOTCH = 120 /* of a wheel, in units of its high resolution */
};

enum vinput_report_kind { VINPUT_KEY, VINPUT_ABS, VINPUT_REL, VINPUT_WHEEL };

struct vinput_report {
	enum vinput_report_kind kind;
	uint16_t code; /* of VINPUT_KEY; its value (0 up, 1 down, 2 repeats) is x */
	int x, y;      /* wheel: x is vertical */
};

struct vinput_ring {
	struct vinput_report reports[VINPUT_RING];
	unsigned head, count;
	bool down[KEY_CNT];    /* the press was taken */
	bool late_up[KEY_CNT]; /* the release found the ring full; it follows after the ring */
	unsigned nlate;
};

/* Motion and wheel melt with the newest report where that is of their kind. */
void vinput_ring_motion(struct vinput_ring *g, const struct vinput_report *r);

/* A key goes down, or again: repeats is whether that means anything. Dropped where many wait. */
void vinput_ring_press(struct vinput_ring *g, uint16_t code, bool repeats);

/* Never lost where the press was taken, else ignored. */
void vinput_ring_release(struct vinput_ring *g, uint16_t code);

/* Every key that the guest may believe to be down, as bits; and a ring that releases those. */
void vinput_ring_held(const struct vinput_ring *g, uint8_t keys[KEY_CNT / 8]);
void vinput_ring_release_held(struct vinput_ring *g, const uint8_t keys[KEY_CNT / 8]);

/* The report that is next, false where none waits; and the end of it. */
bool vinput_ring_next(const struct vinput_ring *g, struct vinput_report *r);
void vinput_ring_drop(struct vinput_ring *g);

/* A report as events, closed by SYN_REPORT. */
struct vinput_group {
	struct virtio_input_event events[VINPUT_EVENTS];
	unsigned n;
};

/* rest: of a notch of the two wheels, |rest| < VINPUT_NOTCH; *after is what it is then. */
void vinput_group_make(
	struct vinput_group *g, const struct vinput_report *r, const int rest[2], int after[2]);
