/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-gpu in a snapshot: wishes, resources (2D pixels, and backings as guest ranges), heads,
 * cursors. Loading goes the commands' way, so that a forged snapshot meets the same checks as a
 * guest does.
 */
#include "vmm/virtio/gpu_internal.h"

#include <errno.h>

#include "util/bytes.h"
#include "vmm/state.h"
#include "vmm/virtio/gpu_pixels.h"

/* ---- resources ---- */

static uint32_t pixel_bytes(const struct vgpu_resource *res)
{
	return res->width * res->height * VGPU_PIXEL_BYTES; /* at most VGPU_PIXELS_MAX */
}

static void save_resource(const struct vgpu_resource *res, struct state_writer *w)
{
	const struct vgpu_backing *b = &res->backing;

	state_put_u32(w, res->id);
	state_put_u8(w, res->blob);
	if (res->blob) {
		state_put_u64(w, res->size);
	} else {
		state_put_u32(w, res->format);
		state_put_u32(w, res->width);
		state_put_u32(w, res->height);
		state_put_bytes(w, res->pixels, pixel_bytes(res));
	}
	state_put_u32(w, b->n);
	for (unsigned i = 0; i < b->n; i++) {
		uint64_t end = i + 1 < b->n ? b->pieces[i + 1].start : b->size;

		state_put_u64(w, b->pieces[i].gpa);
		state_put_u64(w, end - b->pieces[i].start);
	}
}

static bool ok(uint32_t resp)
{
	return resp == VIRTIO_GPU_RESP_OK_NODATA;
}

static bool load_backing(struct vgpu *v, struct vgpu_resource *res, struct state_reader *r)
{
	struct vgpu_backing b = { 0 };
	uint32_t n = state_get_u32(r);
	bool good = n <= VGPU_ENTRIES_MAX;

	for (uint32_t i = 0; i < n && good && !r->failed; i++) {
		uint64_t gpa = state_get_u64(r), len = state_get_u64(r);

		good = ok(vgpu_backing_add(&b, v->dev.mem, gpa, len));
	}
	good = good && !r->failed && (!n || ok(vgpu_resource_attach(&v->resources, res, &b)));
	vgpu_backing_finish(&b);
	return good;
}

static bool load_resource(struct vgpu *v, struct state_reader *r)
{
	uint32_t id = state_get_u32(r);
	struct vgpu_resource *res;

	if (state_get_u8(r)) {
		if (!ok(vgpu_resource_create_blob(&v->resources, id, state_get_u64(r))))
			return false;
		res = vgpu_resource_find(&v->resources, id);
	} else {
		uint32_t format = state_get_u32(r);
		uint32_t width = state_get_u32(r), height = state_get_u32(r);

		if (!ok(vgpu_resource_create_2d(&v->resources, id, format, width, height)))
			return false;
		res = vgpu_resource_find(&v->resources, id);
		state_get_bytes(r, res->pixels, pixel_bytes(res));
	}
	return load_backing(v, res, r);
}

/* ---- heads ---- */

static void save_head(const struct vgpu_head *h, struct state_writer *w)
{
	const struct vgpu_view *view = vgpu_head_view(h);
	const struct vgpu_cursor *c = &h->cursor;

	state_put_u8(w, h->plugged);
	state_put_u32(w, h->width);
	state_put_u32(w, h->height);
	state_put_u32(w, view->res ? view->res->id : 0);
	if (view->res) {
		state_put_u32(w, view->format);
		state_put_u32(w, view->width);
		state_put_u32(w, view->height);
		state_put_u32(w, view->stride);
		state_put_u64(w, view->offset);
		state_put_u32(w, view->r.x);
		state_put_u32(w, view->r.y);
		state_put_u32(w, view->r.width);
		state_put_u32(w, view->r.height);
	}
	state_put_u8(w, c->shown);
	state_put_u8(w, (uint8_t)c->hot_x);
	state_put_u8(w, (uint8_t)c->hot_y);
	state_put_u32(w, (uint32_t)c->x);
	state_put_u32(w, (uint32_t)c->y);
	if (c->shown)
		state_put_bytes(w, c->argb, sizeof c->argb);
}

static bool load_view(struct vgpu *v, unsigned head, struct state_reader *r)
{
	uint32_t id = state_get_u32(r);
	struct vgpu_view view = { 0 };

	if (!id)
		return !r->failed;
	view.res = vgpu_resource_find(&v->resources, id);
	view.format = state_get_u32(r);
	view.width = state_get_u32(r);
	view.height = state_get_u32(r);
	view.stride = state_get_u32(r);
	view.offset = state_get_u64(r);
	view.r.x = state_get_u32(r);
	view.r.y = state_get_u32(r);
	view.r.width = state_get_u32(r);
	view.r.height = state_get_u32(r);
	return !r->failed && view.res && ok(vgpu_head_show(v, head, &view));
}

static bool load_cursor(struct vgpu *v, unsigned head, struct state_reader *r)
{
	struct vgpu_cursor *c = &v->heads[head].cursor;
	uint8_t hot_x, hot_y;
	uint32_t x, y;

	c->shown = state_get_u8(r);
	hot_x = state_get_u8(r);
	hot_y = state_get_u8(r);
	x = state_get_u32(r);
	y = state_get_u32(r);
	if (c->shown)
		state_get_bytes(r, c->argb, sizeof c->argb);
	vgpu_cursor_apply(v, head, hot_x, hot_y);
	vgpu_cursor_move(v, head, (int32_t)x, (int32_t)y);
	return !r->failed;
}

static bool load_head(struct vgpu *v, unsigned head, struct state_reader *r)
{
	struct vgpu_head *h = &v->heads[head];
	bool plugged = state_get_u8(r);
	uint32_t width = state_get_u32(r), height = state_get_u32(r);

	if (width < SCANOUT_SIZE_MIN || width > SCANOUT_SIZE_MAX || height < SCANOUT_SIZE_MIN ||
		height > SCANOUT_SIZE_MAX)
		return false;
	h->plugged = plugged;
	h->width = width;
	h->height = height;
	return load_view(v, head, r) && load_cursor(v, head, r);
}

/* ---- the whole ---- */

void vgpu_save(struct virtio_device *dev, struct state_writer *w)
{
	struct vgpu *v = CONTAINER(dev, struct vgpu, dev);

	pthread_mutex_lock(&dev->lock);
	state_put_u32(w, v->config.events_read);
	state_put_u8(w, v->told_serial == v->wish_serial);
	pthread_mutex_unlock(&dev->lock);
	state_put_u32(w, v->resources.n);
	for (const struct vgpu_resource *res = NULL;
		(res = vgpu_resource_next(&v->resources, res));)
		save_resource(res, w);
	state_put_u8(w, (uint8_t)v->nheads);
	for (unsigned head = 0; head < v->nheads; head++)
		save_head(&v->heads[head], w);
}

int vgpu_load(struct virtio_device *dev, struct state_reader *r)
{
	struct vgpu *v = CONTAINER(dev, struct vgpu, dev);
	uint32_t events, n;
	bool told;

	vgpu_reset(dev);
	events = state_get_u32(r) & VIRTIO_GPU_EVENT_DISPLAY;
	told = state_get_u8(r);
	n = state_get_u32(r);
	for (uint32_t i = 0; i < n; i++)
		if (!load_resource(v, r))
			return -EINVAL;
	if (state_get_u8(r) != v->nheads)
		return -EINVAL;
	for (unsigned head = 0; head < v->nheads; head++)
		if (!load_head(v, head, r))
			return -EINVAL;
	pthread_mutex_lock(&dev->lock);
	v->config.events_read = events;
	v->reminded_serial = v->wish_serial - 1;
	v->told_serial = told ? v->wish_serial : v->reminded_serial;
	pthread_mutex_unlock(&dev->lock);
	return 0;
}
