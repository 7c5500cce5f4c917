/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio-gpu with a fake driver on one side and a fake display on the other, for its tests. It
 * defines the producer's side of the display itself, so each test program includes it once.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <linux/virtio_gpu.h>

#include <cmocka.h>

#include "display/scanout.h"
#include "tests/fakes/fake_driver.h"
#include "util/bytes.h"
#include "util/log.h"
#include "vmm/virtio/gpu.h"

#define OK                   VIRTIO_GPU_RESP_OK_NODATA
#define ERR_UNSPEC           VIRTIO_GPU_RESP_ERR_UNSPEC
#define ERR_OUT_OF_MEMORY    VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY
#define ERR_INVALID_SCANOUT  VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID
#define ERR_INVALID_RESOURCE VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID
#define ERR_INVALID_PARAM    VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER

enum { CONTROLQ, CURSORQ };

/* ---- the fake display ---- */

struct fake_head {
	unsigned width, height;
	const struct scanout_source_ops *ops; /* NULL: off */
	void *opaque;
	unsigned sources, captures;
	pixman_box32_t last; /* rectangle captured */
	bool cursor;
	uint32_t argb[SCANOUT_CURSOR_SIZE * SCANOUT_CURSOR_SIZE];
	unsigned hot_x, hot_y;
	int x, y;
};

struct display {
	struct fake_head heads[DISPLAY_HEADS_MAX];
	const struct display_guest_ops *guest;
	void *guest_opaque;
	void (*on_damage)(void *opaque); /* a test's look at the moment of capture */
	void *on_damage_opaque;
};

void display_set_guest(struct display *d, const struct display_guest_ops *ops, void *opaque)
{
	d->guest = ops;
	d->guest_opaque = opaque;
}

void scanout_set_source(struct display *d, unsigned head, unsigned width, unsigned height,
	const struct scanout_source_ops *ops, void *opaque)
{
	struct fake_head *h = &d->heads[head];

	if (ops) {
		assert_in_range(width, SCANOUT_SIZE_MIN, SCANOUT_SIZE_MAX);
		assert_in_range(height, SCANOUT_SIZE_MIN, SCANOUT_SIZE_MAX);
	}
	h->width = width;
	h->height = height;
	h->ops = ops;
	h->opaque = opaque;
	h->sources++;
}

void scanout_damage(struct display *d, unsigned head, const pixman_box32_t *rect)
{
	struct fake_head *h = &d->heads[head];

	assert_non_null(h->ops);
	assert_true(rect->x1 >= 0 && rect->y1 >= 0 && rect->x1 < rect->x2 && rect->y1 < rect->y2);
	assert_true(rect->x2 <= (int)h->width && rect->y2 <= (int)h->height);
	h->captures++;
	h->last = *rect;
	if (d->on_damage)
		d->on_damage(d->on_damage_opaque);
}

void scanout_set_cursor(
	struct display *d, unsigned head, const uint32_t *argb, unsigned hot_x, unsigned hot_y)
{
	struct fake_head *h = &d->heads[head];

	h->cursor = argb;
	h->hot_x = hot_x;
	h->hot_y = hot_y;
	if (argb)
		memcpy(h->argb, argb, sizeof h->argb);
}

void scanout_move_cursor(struct display *d, unsigned head, int x, int y)
{
	d->heads[head].x = x;
	d->heads[head].y = y;
}

/* ---- the rig ---- */

struct rig {
	struct fake_driver d;
	struct display display;
	struct vgpu *gpu;
	uint8_t *request, *reply; /* guest memory that rig_send() uses */
};

enum { RIG_REQUEST_MAX = 2 << 20, RIG_REPLY_MAX = 4096 };

static inline void rig_init_features(struct rig *g, unsigned heads, uint64_t features)
{
	log_init("test", LOG_ERROR); /* refusals are warnings, and many here */
	memset(g, 0, sizeof *g);
	fake_driver_init(&g->d, 64 * MIB);
	g->gpu = vgpu_create(&g->display, heads, 1280, 800, g->d.loop, &g->d.mem);
	fake_driver_start(&g->d, vgpu_device(g->gpu), features);
	g->request = fake_driver_alloc(&g->d, RIG_REQUEST_MAX, 4096);
	g->reply = fake_driver_alloc(&g->d, RIG_REPLY_MAX, 4096);
}

static inline void rig_init(struct rig *g, unsigned heads)
{
	rig_init_features(g, heads, ~0ull);
}

static inline void rig_finish(struct rig *g)
{
	vgpu_destroy(g->gpu);
	fake_driver_finish(&g->d);
}

static inline bool needs_reset(struct rig *g)
{
	return virtio_read_status(vgpu_device(g->gpu)) & VIRTIO_STATUS_NEEDS_RESET;
}

/* Sends len bytes and waits; the number of bytes replied into g->reply, or -1. */
static inline int64_t rig_send(
	struct rig *g, unsigned q, const void *request, size_t len, size_t room)
{
	struct iovec iov[] = { { g->request, len }, { g->reply, room } };

	memcpy(g->request, request, len);
	memset(g->reply, 0xee, RIG_REPLY_MAX);
	fake_driver_request(&g->d, q, iov, 1, room ? 1 : 0);
	fake_driver_kick(&g->d, q);
	return fake_driver_used(&g->d, q, NULL, (uint32_t *)&len) ? (int64_t)(uint32_t)len : -1;
}

/* Sends a command whose reply is a header: the response's type. */
static inline uint32_t rig_command(struct rig *g, const void *request, size_t len)
{
	uint32_t type = le32_get(request);
	unsigned q = type >= VIRTIO_GPU_CMD_UPDATE_CURSOR ? CURSORQ : CONTROLQ;

	assert_int_equal(rig_send(g, q, request, len, sizeof(struct virtio_gpu_ctrl_hdr)),
		sizeof(struct virtio_gpu_ctrl_hdr));
	return le32_get(g->reply);
}

#define COMMAND(g, cmd) rig_command(g, &(cmd), sizeof(cmd))

static inline struct virtio_gpu_rect rect(uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	return (struct virtio_gpu_rect){ x, y, w, h };
}

static inline uint32_t create_2d(
	struct rig *g, uint32_t id, uint32_t format, uint32_t w, uint32_t h)
{
	struct virtio_gpu_resource_create_2d c = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.resource_id = id,
		.format = format,
		.width = w,
		.height = h,
	};

	return COMMAND(g, c);
}

static inline uint32_t unref(struct rig *g, uint32_t id)
{
	struct virtio_gpu_resource_unref c = { .hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = id };

	return COMMAND(g, c);
}

/* A command of len bytes that n memory entries follow. */
static inline uint32_t command_with_entries(struct rig *g, const void *c, size_t len,
	const struct virtio_gpu_mem_entry *entries, uint32_t n)
{
	static uint8_t whole[RIG_REQUEST_MAX];

	memcpy(whole, c, len);
	if (n)
		memcpy(whole + len, entries, n * sizeof *entries);
	return rig_command(g, whole, len + n * sizeof *entries);
}

static inline uint32_t attach(
	struct rig *g, uint32_t id, const struct virtio_gpu_mem_entry *entries, uint32_t n)
{
	struct virtio_gpu_resource_attach_backing c = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		.resource_id = id,
		.nr_entries = n,
	};

	return command_with_entries(g, &c, sizeof c, entries, n);
}

static inline uint32_t detach(struct rig *g, uint32_t id)
{
	struct virtio_gpu_resource_detach_backing c = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, .resource_id = id
	};

	return COMMAND(g, c);
}

static inline uint32_t create_blob_kind(struct rig *g, uint32_t id, uint32_t mem, uint32_t flags,
	uint64_t size, const struct virtio_gpu_mem_entry *entries, uint32_t n)
{
	struct virtio_gpu_resource_create_blob c = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
		.resource_id = id,
		.blob_mem = mem,
		.blob_flags = flags,
		.nr_entries = n,
		.size = size,
	};

	return command_with_entries(g, &c, sizeof c, entries, n);
}

static inline uint32_t create_blob(struct rig *g, uint32_t id, uint64_t size,
	const struct virtio_gpu_mem_entry *entries, uint32_t n)
{
	return create_blob_kind(g, id, VIRTIO_GPU_BLOB_MEM_GUEST,
		VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE, size, entries, n);
}

static inline uint32_t set_scanout(
	struct rig *g, uint32_t head, uint32_t id, struct virtio_gpu_rect r)
{
	struct virtio_gpu_set_scanout c = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
		.r = r,
		.scanout_id = head,
		.resource_id = id,
	};

	return COMMAND(g, c);
}

static inline struct virtio_gpu_set_scanout_blob scanout_blob(
	uint32_t head, uint32_t id, uint32_t format, uint32_t w, uint32_t h)
{
	return (struct virtio_gpu_set_scanout_blob){
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
		.r = { 0, 0, w, h },
		.scanout_id = head,
		.resource_id = id,
		.width = w,
		.height = h,
		.format = format,
		.strides = { w * 4 },
	};
}

static inline struct virtio_gpu_resource_flush flush_of(uint32_t id, struct virtio_gpu_rect r)
{
	return (struct virtio_gpu_resource_flush){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .r = r, .resource_id = id
	};
}

static inline uint32_t flush(struct rig *g, uint32_t id, struct virtio_gpu_rect r)
{
	struct virtio_gpu_resource_flush c = flush_of(id, r);

	return COMMAND(g, c);
}

static inline uint32_t transfer(
	struct rig *g, uint32_t id, struct virtio_gpu_rect r, uint64_t offset)
{
	struct virtio_gpu_transfer_to_host_2d c = {
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
		.r = r,
		.offset = offset,
		.resource_id = id,
	};

	return COMMAND(g, c);
}

static inline uint32_t update_cursor(
	struct rig *g, uint32_t head, uint32_t id, uint32_t x, uint32_t y, uint32_t hot)
{
	struct virtio_gpu_update_cursor c = {
		.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR,
		.pos = { head, x, y },
		.resource_id = id,
		.hot_x = hot,
		.hot_y = hot,
	};

	return COMMAND(g, c);
}

/* Guest pages of an image, scattered: the second half stands before the first in memory. */
struct scattered {
	uint8_t *halves[2];
	size_t half;
	struct virtio_gpu_mem_entry entries[2];
};

static inline struct scattered scatter(struct rig *g, size_t bytes)
{
	struct scattered s = { .half = bytes / 2 };

	for (int i = 1; i >= 0; i--) {
		s.halves[i] = fake_driver_alloc(&g->d, s.half, 64);
		fake_driver_alloc(&g->d, 64, 64); /* so that they are no neighbours */
		s.entries[i] =
			(struct virtio_gpu_mem_entry){ .addr = fake_driver_gpa(&g->d, s.halves[i]),
				.length = (uint32_t)s.half };
	}
	return s;
}

static inline void scattered_put(const struct scattered *s, size_t at, const void *p, size_t len)
{
	for (size_t i = 0; i < len; i++, at++)
		s->halves[at / s->half][at % s->half] = ((const uint8_t *)p)[i];
}

/* A pixel that tells its place; its fourth byte is not zero, to see that it does no harm. */
static inline uint32_t pixel_at(unsigned x, unsigned y)
{
	return 0xa5000000 | (x * 7 & 0xff) << 16 | (y * 13 & 0xff) << 8 | ((x ^ y) & 0xff);
}

/* x8r8g8b8 as the four bytes that a format keeps it in. */
static inline void pixel_in_format(uint32_t format, uint32_t v, uint8_t p[4])
{
	uint8_t a = (uint8_t)(v >> 24), r = (uint8_t)(v >> 16), g = (uint8_t)(v >> 8),
		b = (uint8_t)v;

	switch (format) {
	case VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM:
	case VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM:
		memcpy(p, (uint8_t[]){ b, g, r, a }, 4);
		break;
	case VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM:
	case VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM:
		memcpy(p, (uint8_t[]){ a, r, g, b }, 4);
		break;
	case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
	case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM:
		memcpy(p, (uint8_t[]){ r, g, b, a }, 4);
		break;
	default:
		memcpy(p, (uint8_t[]){ a, b, g, r }, 4);
	}
}

static const uint32_t all_formats[] = { VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM,
	VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM,
	VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM,
	VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM,
	VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM };

/* Paints pixel_at() over w x h pixels that begin at offset, stride apart. */
static inline void paint(const struct scattered *s, uint32_t format, size_t offset, size_t stride,
	unsigned w, unsigned h)
{
	for (unsigned y = 0; y < h; y++)
		for (unsigned x = 0; x < w; x++) {
			uint8_t p[4];

			pixel_in_format(format, pixel_at(x, y), p);
			scattered_put(s, offset + y * stride + x * 4, p, 4);
		}
}

/* A head shows pixel_at() of what lies at x0, y0 of the painting; also for a part of it. */
static inline void assert_head_shows(struct rig *g, unsigned head, unsigned x0, unsigned y0)
{
	struct fake_head *h = &g->display.heads[head];
	pixman_box32_t parts[] = { { 0, 0, (int)h->width, (int)h->height },
		{ 3, 5, (int)h->width - 1, (int)h->height - 2 } };

	assert_non_null(h->ops);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t stride = h->width * 4 + 12;
		uint8_t *px = calloc(h->height, stride);

		h->ops->copy_rows(h->opaque, &parts[i], px, stride);
		for (int y = parts[i].y1; y < parts[i].y2; y++)
			for (int x = parts[i].x1; x < parts[i].x2; x++) {
				uint32_t got = le32_get(px + (size_t)(y - parts[i].y1) * stride +
							(size_t)(x - parts[i].x1) * 4);

				assert_int_equal(got & 0xffffff,
					pixel_at(x0 + (unsigned)x, y0 + (unsigned)y) & 0xffffff);
			}
		free(px);
	}
}

static inline bool head_is_off(struct rig *g, unsigned head)
{
	return !g->display.heads[head].ops;
}

/* A painted 2D resource, transferred: on no head yet. */
static inline void make_2d(struct rig *g, uint32_t id, uint32_t format, unsigned w, unsigned h)
{
	struct scattered s = scatter(g, (size_t)w * h * 4);

	paint(&s, format, 0, (size_t)w * 4, w, h);
	assert_int_equal(create_2d(g, id, format, w, h), OK);
	assert_int_equal(attach(g, id, s.entries, 2), OK);
	assert_int_equal(transfer(g, id, rect(0, 0, w, h), 0), OK);
}
