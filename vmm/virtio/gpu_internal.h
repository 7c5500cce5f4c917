/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What virtio-gpu's files share; nobody else includes this. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_gpu.h>

#include "display/scanout.h"
#include "util/loop.h"
#include "vmm/virtio/gpu_resource.h"
#include "vmm/virtio/virtio.h"

enum { VGPU_CONTROLQ, VGPU_CURSORQ, VGPU_QUEUES };

/* What a queue may do before the loop's other work has its turn. */
#define VGPU_PASS_COMMANDS 64u
#define VGPU_PASS_BYTES    (64ll << 20) /* of pixels copied */

/* The part of a framebuffer that a head shows; the framebuffer lies in a resource's bytes. */
struct vgpu_view {
	const struct vgpu_resource *res; /* NULL: the head is off */
	uint32_t format;
	uint32_t width, height; /* of the framebuffer, pixels */
	uint32_t stride;        /* bytes */
	uint64_t offset;        /* of its first pixel */
	struct virtio_gpu_rect r;
};

struct vgpu_cursor {
	bool shown;
	uint32_t hot_x, hot_y;
	int32_t x, y;
	uint32_t argb[SCANOUT_CURSOR_SIZE * SCANOUT_CURSOR_SIZE]; /* straight alpha */
};

struct vgpu_head {
	/* Two, since readers use the live one until scanout_set_source() has replaced it. */
	struct vgpu_view views[2];
	unsigned live;
	pixman_region32_t damage; /* flushed and not yet captured, in the head's pixels */
	struct vgpu_cursor cursor;

	/* What the user's window wants of the guest; the size is kept while unplugged. */
	bool plugged;
	uint32_t width, height;
};

/* A wish on its way from the service loop. */
struct vgpu_wish {
	bool pending;
	unsigned width, height; /* 0x0: unplug */
};

struct vgpu {
	struct virtio_device dev;
	struct display *display;
	unsigned nheads;

	/* Machine loop */
	struct vgpu_head heads[DISPLAY_HEADS_MAX];
	struct vgpu_resources resources;
	struct {
		uint16_t head;
		uint32_t written;
	} done[VGPU_PASS_COMMANDS]; /* control requests that are answered but not yet returned */
	unsigned ndone;
	int64_t budget; /* bytes left in this pass */
	struct loop_work again[VGPU_QUEUES];
	struct loop_work wish_work, remind_work;
	bool complained;

	/* Under dev.lock */
	struct virtio_gpu_config config;
	struct vgpu_wish wishes[DISPLAY_HEADS_MAX];
	uint32_t wish_serial; /* changes with every wish that is taken over */
	uint32_t told_serial; /* the last one that GET_DISPLAY_INFO spoke of */
	uint32_t reminded_serial;
};

/* ---- gpu_scanout.c: heads and their cursors; machine loop ---- */

static inline const struct vgpu_view *vgpu_head_view(const struct vgpu_head *h)
{
	return &h->views[h->live];
}

/* Shows a view that fits its resource: a response type. */
uint32_t vgpu_head_show(struct vgpu *v, unsigned head, const struct vgpu_view *view);
void vgpu_head_disable(struct vgpu *v, unsigned head);

/* Disables every head that shows res, before its bytes go away. */
void vgpu_forget(struct vgpu *v, const struct vgpu_resource *res);

/* Notes that a rectangle of a resource was flushed, for the heads that show it. */
uint32_t vgpu_flush(
	struct vgpu *v, const struct vgpu_resource *res, const struct virtio_gpu_rect *r);

/* Captures what was flushed. */
void vgpu_capture(struct vgpu *v);

/* res NULL hides the cursor: a response type. */
uint32_t vgpu_cursor_show(struct vgpu *v, unsigned head, const struct vgpu_resource *res,
	uint32_t hot_x, uint32_t hot_y);
void vgpu_cursor_move(struct vgpu *v, unsigned head, int32_t x, int32_t y);

/* Gives the display the cursor's picture as it is kept here, with this hot spot. */
void vgpu_cursor_apply(struct vgpu *v, unsigned head, uint32_t hot_x, uint32_t hot_y);

/* ---- gpu_queue.c; machine loop ---- */

/* Serves a queue until it is empty or the pass is over: true where there may be more. */
bool vgpu_serve_control(struct vgpu *v);
bool vgpu_serve_cursor(struct vgpu *v);

/* ---- gpu_state.c; machine loop, quiesced ---- */

void vgpu_save(struct virtio_device *dev, struct state_writer *w);
int vgpu_load(struct virtio_device *dev, struct state_reader *r);

/* ---- gpu.c ---- */

/* Heads off, cursors hidden, resources freed; wishes stay. Machine loop. */
void vgpu_reset(struct virtio_device *dev);
