/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/consumer.h"

#include <errno.h>
#include <string.h>

#include <glib.h>

#include "display/core.h"
#include "display/damage.h"
#include "util/bytes.h"

void display_get_layout(struct display *d, struct display_layout *to)
{
	pthread_mutex_lock(&d->lock);
	display_layout_locked(d, to);
	pthread_mutex_unlock(&d->lock);
}

struct display_consumer *display_consumer_create(
	struct display *d, const struct display_consumer_ops *ops, void *opaque)
{
	struct display_consumer *c = g_new0(struct display_consumer, 1);
	struct display_layout l;

	c->display = d;
	c->ops = ops;
	c->opaque = opaque;
	c->woken = true; /* the first collect needs no wake */
	c->layout_changed = c->cursor_changed = c->cursor_moved = true;
	pthread_mutex_lock(&d->lock);
	display_layout_locked(d, &l);
	pixman_region32_init_rect(&c->damage, 0, 0, l.width, l.height);
	c->next = d->consumers;
	d->consumers = c;
	pthread_mutex_unlock(&d->lock);
	return c;
}

void display_consumer_destroy(struct display_consumer *c)
{
	struct display_consumer **at;
	struct display *d;

	if (!c)
		return;
	d = c->display;
	pthread_mutex_lock(&d->lock);
	for (at = &d->consumers; *at != c; at = &(*at)->next)
		;
	*at = c->next;
	if (!d->consumers)
		display_forget_frames(d);
	pthread_mutex_unlock(&d->lock);
	pixman_region32_fini(&c->damage);
	g_free(c);
}

/* The lock is held. */
static void get_cursor(struct display *d, struct display_changes *to)
{
	const struct head *h = display_cursor_head(d);

	if (!h)
		return;
	to->cursor = cursor_image_ref(h->cursor);
	to->cursor_x = (int)h->x + h->cursor_x;
	to->cursor_y = h->cursor_y;
}

void display_consumer_collect(struct display_consumer *c, struct display_changes *to)
{
	struct display *d = c->display;

	*to = (struct display_changes){ 0 };
	pthread_mutex_lock(&d->lock);
	display_refresh(d);
	c->woken = false;
	to->layout_changed = c->layout_changed;
	to->cursor_changed = c->cursor_changed;
	to->cursor_moved = c->cursor_moved;
	c->layout_changed = c->cursor_changed = c->cursor_moved = false;
	display_layout_locked(d, &to->layout);
	get_cursor(d, to);
	to->damage = c->damage;
	pixman_region32_init(&c->damage);
	display_wake(d); /* others, where the refresh found something */
	pthread_mutex_unlock(&d->lock);
}

void display_changes_finish(struct display_changes *changes)
{
	pixman_region32_fini(&changes->damage);
	cursor_image_unref(changes->cursor);
	changes->cursor = NULL;
}

/* ---- snapshots ---- */

/* The lock is held. */
static void add_part(struct snapshot *to, const struct head *h, int x, const pixman_box32_t *box)
{
	pixman_box32_t own = { box->x1 - x, box->y1, box->x2 - x, box->y2 };
	struct surface *part = h->frame ? surface_part(h->frame, &own) : NULL;

	if (!part)
		return;
	to->parts[to->count].x = x;
	to->parts[to->count].surface = part;
	to->count++;
}

void display_consumer_snapshot(
	struct display_consumer *c, const pixman_box32_t *box, struct snapshot *to)
{
	struct display *d = c->display;

	to->count = 0;
	if (box->x1 >= box->x2 || box->y1 >= box->y2)
		return;
	pthread_mutex_lock(&d->lock);
	display_refresh(d);
	for (unsigned i = 0; i < d->head_count; i++)
		add_part(to, &d->heads[i], d->heads[i].x, box);
	damage_remove(&c->damage, box);
	display_wake(d);
	pthread_mutex_unlock(&d->lock);
}

void snapshot_read(
	const struct snapshot *s, const pixman_box32_t *box, uint32_t *dst, size_t stride)
{
	for (int y = 0; y < box->y2 - box->y1; y++)
		memset(dst + y * stride, 0, (box->x2 - box->x1) * sizeof *dst);
	for (unsigned i = 0; i < s->count; i++) {
		int x = s->parts[i].x;
		pixman_box32_t own = { box->x1 - x, box->y1, box->x2 - x, box->y2 };

		surface_read(s->parts[i].surface, &own, dst, stride);
	}
}

void snapshot_finish(struct snapshot *s)
{
	while (s->count)
		surface_destroy(s->parts[--s->count].surface);
}

int display_capture(struct display *d, int head, struct snapshot *to, unsigned *width,
	unsigned *height, struct display_changes *cursor)
{
	const pixman_box32_t all = { 0, 0, INT16_MAX * 2, INT16_MAX };
	struct display_layout l;
	int left = 0;

	to->count = 0;
	if (cursor) {
		*cursor = (struct display_changes){ 0 };
		pixman_region32_init(&cursor->damage);
	}
	if (head >= (int)d->head_count)
		return -ENODEV;
	pthread_mutex_lock(&d->lock);
	display_refresh(d);
	display_layout_locked(d, &l);
	*width = head < 0 ? l.width : l.heads[head].width;
	*height = head < 0 ? l.height : l.heads[head].height;
	if (head >= 0)
		left = l.heads[head].x;
	for (unsigned i = 0; i < d->head_count; i++)
		if (head < 0 || (int)i == head)
			add_part(to, &d->heads[i], (int)d->heads[i].x - left, &all);
	if (cursor) {
		get_cursor(d, cursor);
		cursor->layout = l;
		cursor->cursor_x -= left;
	}
	if (!d->consumers)
		display_forget_frames(d);
	else
		display_wake(d);
	pthread_mutex_unlock(&d->lock);
	return *width ? 0 : -ENODEV;
}

int display_request_resize(struct display *d, unsigned head, unsigned width, unsigned height)
{
	bool unplug = !width && !height;

	if (head >= d->head_count)
		return -EINVAL;
	if (!unplug && (width < SCANOUT_SIZE_MIN || width > SCANOUT_SIZE_MAX ||
			       height < SCANOUT_SIZE_MIN || height > SCANOUT_SIZE_MAX))
		return -EINVAL;
	if (!d->guest || !d->guest->resize)
		return -ENOTSUP;
	d->guest->resize(d->guest_opaque, head, width, height);
	return 0;
}
