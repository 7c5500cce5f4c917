/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heads of a desktop, seen from those who show them: VNC and SPICE sessions, recorders.
 *
 * The desktop is the enabled heads side by side, from left to right, their tops aligned; pixels
 * below a shorter head are black. All coordinates here are the desktop's.
 *
 *      x 0          1280            2304
 *        +-----------+---------------+
 *        |  head 0   |    head 1     |
 *        |           +---------------+
 *        +-----------+   (black)
 *
 * A consumer is told once that something changed (wake), asks for all of it (collect), and takes
 * the newest pixels of the parts it wants (snapshot) when it can use them. What it does not
 * fetch merges: a consumer that is slow costs the others and the guest nothing, and holds at most
 * 32 rectangles. Nothing happens and nothing is woken while the guest draws nothing new.
 *
 * Threads: each consumer belongs to one thread; several may have theirs. One lock orders them and
 * the machine loop. It is held for one comparing pass or for the copying of references, never
 * while somebody encodes or waits. Order of locks: the display's, then a scanout source's own;
 * wake() is called under it, so it must only schedule.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pixman.h>

#include "display/scanout.h"
#include "display/surface.h"

struct display_consumer;

struct display_head {
	unsigned x;             /* of its left edge */
	unsigned width, height; /* 0x0: off */
};

/* Sizes; width and height are 0 while no head is on. */
struct display_layout {
	unsigned width, height;
	struct display_head heads[DISPLAY_HEADS_MAX];
};

void display_get_layout(struct display *d, struct display_layout *to); /* as it is now */

/* A cursor's picture: refcounted, immutable. */
struct cursor_image {
	unsigned refs;
	unsigned hot_x, hot_y;
	uint32_t argb[SCANOUT_CURSOR_SIZE * SCANOUT_CURSOR_SIZE]; /* not premultiplied */
};

struct cursor_image *cursor_image_ref(struct cursor_image *c); /* NULL is fine, and below */
void cursor_image_unref(struct cursor_image *c);

struct display_changes {
	bool layout_changed; /* also true the first time; all pixels count as changed then */
	struct display_layout layout;

	pixman_region32_t damage; /* what changed since the last collect; see snapshot */

	bool cursor_changed; /* the picture, NULL where there is none to show; our reference */
	bool cursor_moved;   /* the top left corner of the picture */
	struct cursor_image *cursor;
	int cursor_x, cursor_y;
};

struct display_consumer_ops {
	/*
	 * Something changed since the last collect. Any thread, the display's lock held: must only
	 * schedule. Not called again before the next collect.
	 */
	void (*wake)(void *opaque);
	/* Whether a move of the cursor alone is worth a wake: not where viewers draw it themselves. */
	bool wants_cursor_moves;
};

/* Attaches. Everything counts as changed, and can be collected at once without a wake. */
struct display_consumer *display_consumer_create(
	struct display *d, const struct display_consumer_ops *ops, void *opaque);

/* Detaches; on return wake() runs no more. NULL is fine. */
void display_consumer_destroy(struct display_consumer *c);

/* Takes what changed since the last call into *to, which display_changes_finish() frees. */
void display_consumer_collect(struct display_consumer *c, struct display_changes *to);
void display_changes_finish(struct display_changes *changes);

/* A part of the desktop, frozen. Once made, any thread may read and free it. */
struct snapshot {
	unsigned count;
	struct {
		int x; /* of the head's left edge */
		struct surface *surface;
	} parts[DISPLAY_HEADS_MAX];
};

/*
 * The newest pixels of box. Damage inside box that has gathered since the last collect counts as
 * taken, for these pixels already show it.
 */
void display_consumer_snapshot(
	struct display_consumer *c, const pixman_box32_t *box, struct snapshot *to);

/* Copies box to dst, stride in pixels; black where the desktop has no pixels. */
void snapshot_read(
	const struct snapshot *s, const pixman_box32_t *box, uint32_t *dst, size_t stride);
void snapshot_finish(struct snapshot *s);

/*
 * The newest pixels of the whole desktop (head -1) or of one head, which then stands at 0, 0,
 * without being a consumer. The layout and cursor as in display_changes; cursor may be NULL.
 * 0, or -ENODEV where that head, or every head, is off.
 */
int display_capture(struct display *d, int head, struct snapshot *to, unsigned *width,
	unsigned *height, struct display_changes *cursor);

/*
 * Asks the guest for another size of a head; 0x0 asks to unplug it. The guest answers when and if
 * it likes, by a new source. 0, -EINVAL (no such head, or a size out of bounds) or -ENOTSUP.
 */
int display_request_resize(struct display *d, unsigned head, unsigned width, unsigned height);
