/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/scanout.h"

#include <string.h>

#include <glib.h>

#include "display/core.h"
#include "display/damage.h"
#include "util/bytes.h"

static void layout_changed(struct display *d)
{
	struct display_layout l;
	unsigned x = 0;

	for (unsigned i = 0; i < d->head_count; i++) {
		d->heads[i].x = x;
		x += d->heads[i].width;
	}
	display_layout_locked(d, &l);
	for (struct display_consumer *c = d->consumers; c; c = c->next) {
		c->layout_changed = true;
		c->cursor_moved = true;
		pixman_region32_fini(&c->damage);
		pixman_region32_init_rect(&c->damage, 0, 0, l.width, l.height);
	}
}

/*
 * A guest that flips pages sets a source for each frame and flushes it right after: so the frame
 * is kept where the size stays, and reading is left to that flush, or to a consumer if none comes.
 */
void scanout_set_source(struct display *d, unsigned head, unsigned width, unsigned height,
	const struct scanout_source_ops *ops, void *opaque)
{
	struct head *h = &d->heads[head];
	bool turned;

	g_return_if_fail(head < d->head_count);
	if (!ops)
		width = height = 0;
	else
		g_return_if_fail(width >= SCANOUT_SIZE_MIN && width <= SCANOUT_SIZE_MAX &&
				 height >= SCANOUT_SIZE_MIN && height <= SCANOUT_SIZE_MAX);
	pthread_mutex_lock(&d->lock);
	turned = !h->ops != !ops;
	h->ops = ops;
	h->opaque = opaque;
	if (h->width != width || h->height != height) {
		h->width = width;
		h->height = height;
		surface_destroy(h->frame);
		h->frame = NULL;
		layout_changed(d);
	}
	pixman_region32_fini(&h->stale);
	pixman_region32_init_rect(&h->stale, 0, 0, width, height);
	if (turned && h->cursor)
		for (struct display_consumer *c = d->consumers; c; c = c->next)
			c->cursor_changed = true;
	display_wake(d);
	pthread_mutex_unlock(&d->lock);
}

void scanout_damage(struct display *d, unsigned head, const pixman_box32_t *rect)
{
	struct head *h = &d->heads[head];
	pixman_box32_t box;

	g_return_if_fail(head < d->head_count);
	pthread_mutex_lock(&d->lock);
	box.x1 = MAX(rect->x1, 0);
	box.y1 = MAX(rect->y1, 0);
	box.x2 = MIN(rect->x2, (int)h->width);
	box.y2 = MIN(rect->y2, (int)h->height);
	if (box.x1 < box.x2 && box.y1 < box.y2) {
		damage_add(&h->stale, &box, 1);
		if (d->consumers)
			display_refresh(d);
		display_wake(d);
	}
	pthread_mutex_unlock(&d->lock);
}

/* ---- cursor ---- */

static bool same_picture(
	const struct cursor_image *c, const uint32_t *argb, unsigned hot_x, unsigned hot_y)
{
	if (!c || !argb)
		return !c && !argb;
	return c->hot_x == hot_x && c->hot_y == hot_y && !memcmp(c->argb, argb, sizeof c->argb);
}

static struct cursor_image *cursor_image_create(
	const uint32_t *argb, unsigned hot_x, unsigned hot_y)
{
	struct cursor_image *c = g_new(struct cursor_image, 1);

	c->refs = 1;
	c->hot_x = MIN(hot_x, SCANOUT_CURSOR_SIZE - 1);
	c->hot_y = MIN(hot_y, SCANOUT_CURSOR_SIZE - 1);
	memcpy(c->argb, argb, sizeof c->argb);
	return c;
}

void scanout_set_cursor(
	struct display *d, unsigned head, const uint32_t *argb, unsigned hot_x, unsigned hot_y)
{
	struct head *h = &d->heads[head], *shown;

	g_return_if_fail(head < d->head_count);
	pthread_mutex_lock(&d->lock);
	shown = display_cursor_head(d);
	h->cursor_set = ++d->serial;
	if (shown == h && same_picture(h->cursor, argb, hot_x, hot_y))
		goto out;
	cursor_image_unref(h->cursor);
	h->cursor = argb ? cursor_image_create(argb, hot_x, hot_y) : NULL;
	for (struct display_consumer *c = d->consumers; c; c = c->next)
		c->cursor_changed = c->cursor_moved = true;
	display_wake(d);
out:
	pthread_mutex_unlock(&d->lock);
}

void scanout_move_cursor(struct display *d, unsigned head, int x, int y)
{
	struct head *h = &d->heads[head];

	g_return_if_fail(head < d->head_count);
	pthread_mutex_lock(&d->lock);
	if (h->cursor_x != x || h->cursor_y != y) {
		h->cursor_x = x;
		h->cursor_y = y;
		for (struct display_consumer *c = d->consumers; c; c = c->next)
			c->cursor_moved = true;
		display_wake(d);
	}
	pthread_mutex_unlock(&d->lock);
}
