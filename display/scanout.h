/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heads of a desktop, seen from what draws them: the inlet of the display core.
 *
 * A display has 1 to DISPLAY_HEADS_MAX heads; each is a scanout with a source of pixels, damage
 * and a cursor. The guest's graphics device drives this side from the machine loop. Whoever shows
 * the pixels uses display/consumer.h.
 *
 * Life of a frame: the guest flushes a rectangle; scanout_damage() compares those rows with the
 * last frame and copies what differs into refcounted tiles in one pass, then returns, and the
 * flush can be answered. Consumers are told that there is damage; they take tiles and encode on
 * their own time, so none of them can hold the guest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pixman.h>

#define DISPLAY_HEADS_MAX   4
#define SCANOUT_SIZE_MIN    32u /* pixels, either side */
#define SCANOUT_SIZE_MAX    8192u
#define SCANOUT_CURSOR_SIZE 64u

struct display;

struct scanout_source_ops {
	/*
	 * Copies the pixels of rect (inside the source's size) to dst, as x8r8g8b8 in host order
	 * (PIXMAN_x8r8g8b8, the x byte any value), dst_stride bytes a row. Called with the scanout's
	 * lock held, on the machine loop or the service loop; must not call back into the display.
	 * Pixels that cannot be read any more are given as zeros.
	 */
	void (*copy_rows)(
		void *opaque, const pixman_box32_t *rect, uint8_t *dst, size_t dst_stride);
};

/* What a guest's graphics device offers to those who show it. Service loop; must only post. */
struct display_guest_ops {
	/* The user's window wants this size for a head; 0x0 asks to unplug it. */
	void (*resize)(void *opaque, unsigned head, unsigned width, unsigned height);
};

struct display *display_create(unsigned heads);
void display_destroy(struct display *d); /* NULL is fine; consumers are gone before */
unsigned display_heads(const struct display *d);

/* Before any consumer; ops and opaque outlive the display. */
void display_set_guest(struct display *d, const struct display_guest_ops *ops, void *opaque);

/*
 * Gives a head its pixels: width x height, each in SCANOUT_SIZE_MIN .. SCANOUT_SIZE_MAX. ops NULL
 * disables the head. On return the old source is used no more, by anyone. The whole of the new
 * source counts as damaged. Machine loop.
 */
void scanout_set_source(struct display *d, unsigned head, unsigned width, unsigned height,
	const struct scanout_source_ops *ops, void *opaque);

/*
 * The guest changed pixels of rect, which is clipped to the source. On return they have been
 * taken, or, with no consumer, remembered as stale. Machine loop.
 */
void scanout_damage(struct display *d, unsigned head, const pixman_box32_t *rect);

/*
 * The cursor's picture: SCANOUT_CURSOR_SIZE squared pixels, a8r8g8b8 in host order, not
 * premultiplied; copied. NULL hides it. Machine loop.
 */
void scanout_set_cursor(
	struct display *d, unsigned head, const uint32_t *argb, unsigned hot_x, unsigned hot_y);

/* x, y: the picture's top left corner in the head, which may lie outside. Machine loop. */
void scanout_move_cursor(struct display *d, unsigned head, int x, int y);
