/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/core.h"

#include <stdlib.h>

#include <glib.h>

#include "display/damage.h"
#include "util/bytes.h"

/* Changes are gathered up to here before they are merged, so that the gathering stays linear. */
enum { GATHERED_RECTS_MAX = 8 * DAMAGE_RECTS_MAX };

/* ---- bringing frames up to date ---- */

static void gather(pixman_region32_t *into, const pixman_box32_t *boxes, int n)
{
	pixman_region32_t more;

	pixman_region32_init_rects(&more, boxes, n);
	if (pixman_region32_n_rects(into) + n > GATHERED_RECTS_MAX)
		damage_add_region(into, &more);
	else
		pixman_region32_union(into, into, &more);
	pixman_region32_fini(&more);
}

/* Reads one box of the source, in pieces that fit the scratch buffer and one row of tiles. */
static void refresh_box(
	struct display *d, struct head *h, const pixman_box32_t *box, pixman_region32_t *changed)
{
	pixman_box32_t part, boxes[SURFACE_PUT_BOXES];

	if (!d->scratch)
		d->scratch = g_malloc((size_t)SURFACE_PUT_WIDTH * TILE_SIZE * sizeof *d->scratch);
	for (part.y1 = box->y1; part.y1 < box->y2; part.y1 = part.y2) {
		part.y2 = MIN((part.y1 / TILE_SIZE + 1) * TILE_SIZE, box->y2);
		for (part.x1 = box->x1; part.x1 < box->x2; part.x1 = part.x2) {
			size_t stride;
			unsigned n;

			part.x2 =
				MIN((part.x1 / SURFACE_PUT_WIDTH + 1) * SURFACE_PUT_WIDTH, box->x2);
			stride = part.x2 - part.x1;
			h->ops->copy_rows(h->opaque, &part, (uint8_t *)d->scratch,
				stride * sizeof *d->scratch);
			n = surface_put(h->frame, &part, d->scratch, stride, boxes);
			if (n)
				gather(changed, boxes, n);
		}
	}
}

static void refresh_head(struct display *d, struct head *h)
{
	pixman_region32_t changed;
	int n;
	const pixman_box32_t *boxes;

	if (!h->ops || !pixman_region32_not_empty(&h->stale))
		return;
	if (!h->frame)
		h->frame = surface_create(h->width, h->height);
	pixman_region32_init(&changed);
	boxes = pixman_region32_rectangles(&h->stale, &n);
	for (int i = 0; i < n; i++)
		refresh_box(d, h, &boxes[i], &changed);
	pixman_region32_clear(&h->stale);
	pixman_region32_translate(&changed, h->x, 0);
	for (struct display_consumer *c = d->consumers; c; c = c->next)
		damage_add_region(&c->damage, &changed);
	pixman_region32_fini(&changed);
}

void display_refresh(struct display *d)
{
	for (unsigned i = 0; i < d->head_count; i++)
		refresh_head(d, &d->heads[i]);
}

void display_forget_frames(struct display *d)
{
	for (unsigned i = 0; i < d->head_count; i++) {
		struct head *h = &d->heads[i];

		surface_destroy(h->frame);
		h->frame = NULL;
		pixman_region32_fini(&h->stale);
		pixman_region32_init_rect(&h->stale, 0, 0, h->width, h->height);
	}
}

/* ---- consumers and layout ---- */

static bool has_news(const struct display *d, const struct display_consumer *c)
{
	if (c->layout_changed || c->cursor_changed)
		return true;
	if (c->cursor_moved && c->ops->wants_cursor_moves)
		return true;
	if (pixman_region32_not_empty(&c->damage))
		return true;
	for (unsigned i = 0; i < d->head_count; i++)
		if (pixman_region32_not_empty(&d->heads[i].stale))
			return true;
	return false;
}

void display_wake(struct display *d)
{
	for (struct display_consumer *c = d->consumers; c; c = c->next) {
		if (c->woken || !has_news(d, c))
			continue;
		c->woken = true;
		c->ops->wake(c->opaque);
	}
}

void display_layout_locked(const struct display *d, struct display_layout *to)
{
	*to = (struct display_layout){ 0 };
	for (unsigned i = 0; i < d->head_count; i++) {
		const struct head *h = &d->heads[i];

		to->heads[i] = (struct display_head){ h->x, h->width, h->height };
		to->width += h->width;
		to->height = MAX(to->height, h->height);
	}
}

struct head *display_cursor_head(struct display *d)
{
	struct head *best = NULL;

	for (unsigned i = 0; i < d->head_count; i++) {
		struct head *h = &d->heads[i];

		if (h->ops && h->cursor && (!best || h->cursor_set > best->cursor_set))
			best = h;
	}
	return best;
}

struct cursor_image *cursor_image_ref(struct cursor_image *c)
{
	if (c)
		__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void cursor_image_unref(struct cursor_image *c)
{
	if (c && __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0)
		g_free(c);
}

/* ---- the display ---- */

struct display *display_create(unsigned heads)
{
	struct display *d = g_new0(struct display, 1);

	pthread_mutex_init(&d->lock, NULL);
	d->head_count = MAX(1, MIN(heads, DISPLAY_HEADS_MAX));
	for (unsigned i = 0; i < d->head_count; i++)
		pixman_region32_init(&d->heads[i].stale);
	return d;
}

void display_destroy(struct display *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->head_count; i++) {
		surface_destroy(d->heads[i].frame);
		cursor_image_unref(d->heads[i].cursor);
		pixman_region32_fini(&d->heads[i].stale);
	}
	pthread_mutex_destroy(&d->lock);
	g_free(d->scratch);
	g_free(d);
}

unsigned display_heads(const struct display *d)
{
	return d->head_count;
}

void display_set_guest(struct display *d, const struct display_guest_ops *ops, void *opaque)
{
	d->guest = ops;
	d->guest_opaque = opaque;
}
