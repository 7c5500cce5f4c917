/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What scanout.c, consumer.c and the display core share; nobody else includes this.
 *
 * Pixels wait in `stale` until somebody is there to see them: damage is added to it, and
 * display_refresh() brings the frame up to date from the source. With a consumer attached that
 * happens inside scanout_damage(); without one, no frame is kept at all.
 */
#pragma once

#include <pthread.h>

#include "display/consumer.h"

struct head {
	const struct scanout_source_ops *ops; /* NULL: off */
	void *opaque;
	unsigned width, height;
	unsigned x; /* in the desktop */

	struct surface *frame;   /* NULL while nobody looks */
	pixman_region32_t stale; /* of the source, not yet in frame */

	struct cursor_image *cursor;
	int cursor_x, cursor_y;
	uint64_t cursor_set; /* the display's serial when the picture was set */
};

struct display {
	pthread_mutex_t lock; /* guards all that follows but guest */
	unsigned head_count;
	struct head heads[DISPLAY_HEADS_MAX];
	struct display_consumer *consumers;
	uint64_t serial; /* of cursor pictures */
	uint32_t *scratch;

	const struct display_guest_ops *guest;
	void *guest_opaque;
};

struct display_consumer {
	struct display *display;
	const struct display_consumer_ops *ops;
	void *opaque;
	struct display_consumer *next;

	bool woken; /* wake() was called and nothing collected since */
	bool layout_changed, cursor_changed, cursor_moved;
	pixman_region32_t damage;
};

/* All of them: with the lock held. */

/* Reads what is stale of every head; consumers get the damage, but are not woken yet. */
void display_refresh(struct display *d);

/* Drops the frames: everything is stale again. */
void display_forget_frames(struct display *d);

void display_wake(struct display *d);
void display_layout_locked(const struct display *d, struct display_layout *to);

/* The head whose cursor is shown: of those with a picture the one that got it last. Or NULL. */
struct head *display_cursor_head(struct display *d);
