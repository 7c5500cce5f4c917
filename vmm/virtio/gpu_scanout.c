/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heads of virtio-gpu: which bytes of which resource each one shows, and its cursor. */
#include "vmm/virtio/gpu_internal.h"

#include <string.h>

#include "util/bytes.h"
#include "vmm/virtio/gpu_pixels.h"

/* Damage of more rectangles than this is captured as their bounding box. */
enum { DAMAGE_RECTS_MAX = 16 };

/* Cursor positions beyond this are as invisible as any other. */
#define CURSOR_FAR (4 * (int32_t)SCANOUT_SIZE_MAX)

/*
 * The scanout's way to the pixels: machine loop or service loop. Guest pages, and a 2D resource
 * under a transfer, may change meanwhile; such a row is torn until the flush that follows.
 */
static void view_copy_rows(
	void *opaque, const pixman_box32_t *rect, uint8_t *dst, size_t dst_stride)
{
	const struct vgpu_view *view = opaque;
	size_t n = (size_t)(rect->x2 - rect->x1);
	unsigned rows = (unsigned)(rect->y2 - rect->y1);
	uint64_t at = view->offset + (uint64_t)(view->r.y + (uint32_t)rect->y1) * view->stride +
		      (uint64_t)(view->r.x + (uint32_t)rect->x1) * VGPU_PIXEL_BYTES;

	if (view->res->blob)
		vgpu_backing_read_rows(&view->res->backing, at, view->stride, dst, dst_stride,
			n * VGPU_PIXEL_BYTES, rows);
	for (unsigned row = 0; row < rows; row++, at += view->stride, dst += dst_stride) {
		if (!view->res->blob)
			memcpy(dst, view->res->pixels + at, n * VGPU_PIXEL_BYTES);
		vgpu_pixels_to_argb(view->format, dst, n);
	}
}

static const struct scanout_source_ops source_ops = { .copy_rows = view_copy_rows };

/* ---- what is shown ---- */

static bool size_shown(uint32_t side)
{
	return side >= SCANOUT_SIZE_MIN && side <= SCANOUT_SIZE_MAX;
}

/* The framebuffer lies in the resource's bytes, and the head's rectangle in the framebuffer. */
static bool view_fits(const struct vgpu_view *view)
{
	const struct vgpu_resource *res = view->res;
	uint64_t bytes =
		res->blob ? res->size : (uint64_t)res->width * res->height * VGPU_PIXEL_BYTES;
	uint64_t row = (uint64_t)view->width * VGPU_PIXEL_BYTES, len;

	if (!vgpu_format_known(view->format) || !view->width || !view->height || view->stride < row)
		return false;
	if (__builtin_mul_overflow((uint64_t)view->height - 1, view->stride, &len) ||
		__builtin_add_overflow(len, row, &len) || !range_inside(view->offset, len, bytes))
		return false;
	return size_shown(view->r.width) && size_shown(view->r.height) &&
	       vgpu_rect_inside(&view->r, view->width, view->height);
}

uint32_t vgpu_head_show(struct vgpu *v, unsigned head, const struct vgpu_view *view)
{
	struct vgpu_head *h = &v->heads[head];
	struct vgpu_view *next = &h->views[!h->live];

	if (!view_fits(view))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (view->res->blob && !view->res->backing.n)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	*next = *view;
	scanout_set_source(v->display, head, view->r.width, view->r.height, &source_ops, next);
	h->live = !h->live;
	pixman_region32_clear(&h->damage); /* the new source counts as damaged, all of it */
	return VIRTIO_GPU_RESP_OK_NODATA;
}

void vgpu_head_disable(struct vgpu *v, unsigned head)
{
	struct vgpu_head *h = &v->heads[head];

	if (!vgpu_head_view(h)->res)
		return;
	scanout_set_source(v->display, head, 0, 0, NULL, NULL);
	h->views[h->live].res = NULL;
	pixman_region32_clear(&h->damage);
}

void vgpu_forget(struct vgpu *v, const struct vgpu_resource *res)
{
	for (unsigned head = 0; head < v->nheads; head++)
		if (vgpu_head_view(&v->heads[head])->res == res)
			vgpu_head_disable(v, head);
}

/* ---- damage ---- */

/* The part of [at, at + len) that [from, from + size) covers, counted from from. */
static bool overlap(
	uint32_t at, uint32_t len, uint32_t from, uint32_t size, int32_t *start, uint32_t *n)
{
	uint64_t low = MAX(at, from);
	uint64_t high = MIN((uint64_t)at + len, (uint64_t)from + size);

	if (low >= high)
		return false;
	*start = (int32_t)(low - from);
	*n = (uint32_t)(high - low);
	return true;
}

uint32_t vgpu_flush(
	struct vgpu *v, const struct vgpu_resource *res, const struct virtio_gpu_rect *r)
{
	/* A blob has no width of its own: its rectangles are only cut to what is shown. */
	uint32_t width = res->blob ? UINT32_MAX : res->width;
	uint32_t height = res->blob ? UINT32_MAX : res->height;

	if (!vgpu_rect_inside(r, width, height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	for (unsigned head = 0; head < v->nheads; head++) {
		struct vgpu_head *h = &v->heads[head];
		const struct vgpu_view *view = vgpu_head_view(h);
		uint32_t w, n;
		int32_t x, y;

		if (view->res == res && overlap(r->x, r->width, view->r.x, view->r.width, &x, &w) &&
			overlap(r->y, r->height, view->r.y, view->r.height, &y, &n))
			pixman_region32_union_rect(&h->damage, &h->damage, x, y, w, n);
	}
	return VIRTIO_GPU_RESP_OK_NODATA;
}

void vgpu_capture(struct vgpu *v)
{
	for (unsigned head = 0; head < v->nheads; head++) {
		pixman_region32_t *damage = &v->heads[head].damage;
		int n;
		pixman_box32_t *rects = pixman_region32_rectangles(damage, &n);

		if (n > DAMAGE_RECTS_MAX) {
			rects = pixman_region32_extents(damage);
			n = 1;
		}
		for (int i = 0; i < n; i++) {
			scanout_damage(v->display, head, &rects[i]);
			v->budget -= (int64_t)(rects[i].x2 - rects[i].x1) *
				     (rects[i].y2 - rects[i].y1) * VGPU_PIXEL_BYTES;
		}
		if (n)
			pixman_region32_clear(damage);
	}
}

/* ---- cursors (5.7.6.10) ---- */

void vgpu_cursor_apply(struct vgpu *v, unsigned head, uint32_t hot_x, uint32_t hot_y)
{
	struct vgpu_cursor *c = &v->heads[head].cursor;

	c->hot_x = MIN(hot_x, SCANOUT_CURSOR_SIZE - 1);
	c->hot_y = MIN(hot_y, SCANOUT_CURSOR_SIZE - 1);
	scanout_set_cursor(v->display, head, c->shown ? c->argb : NULL, c->hot_x, c->hot_y);
}

/* A blob says nothing of its shape, so a cursor in one is taken as DRM's cursors are. */
static bool cursor_pixels(const struct vgpu_resource *res, uint32_t *argb)
{
	uint32_t format = res->blob ? VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM : res->format;
	size_t n = SCANOUT_CURSOR_SIZE * SCANOUT_CURSOR_SIZE;

	if (res->blob) {
		if (!res->backing.n || res->size < n * VGPU_PIXEL_BYTES)
			return false;
		vgpu_backing_read(&res->backing, 0, argb, n * VGPU_PIXEL_BYTES);
	} else {
		if (res->width != SCANOUT_CURSOR_SIZE || res->height != SCANOUT_CURSOR_SIZE)
			return false;
		memcpy(argb, res->pixels, n * VGPU_PIXEL_BYTES);
	}
	vgpu_pixels_to_argb(format, (uint8_t *)argb, n);
	vgpu_pixels_straighten(format, argb, n);
	return true;
}

uint32_t vgpu_cursor_show(struct vgpu *v, unsigned head, const struct vgpu_resource *res,
	uint32_t hot_x, uint32_t hot_y)
{
	struct vgpu_cursor *c = &v->heads[head].cursor;

	if (res && !cursor_pixels(res, c->argb))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	c->shown = res;
	vgpu_cursor_apply(v, head, hot_x, hot_y);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

void vgpu_cursor_move(struct vgpu *v, unsigned head, int32_t x, int32_t y)
{
	struct vgpu_cursor *c = &v->heads[head].cursor;

	c->x = MAX(-CURSOR_FAR, MIN(x, CURSOR_FAR));
	c->y = MAX(-CURSOR_FAR, MIN(y, CURSOR_FAR));
	scanout_move_cursor(v->display, head, c->x, c->y);
}
