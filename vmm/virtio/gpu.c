/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device: its queues' turns on the loop, config space, and wishes for sizes. */
#include "vmm/virtio/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "vmm/virtio/gpu_internal.h"

enum { QUEUE_SIZE = 256 };

static struct vgpu *vgpu_of(struct virtio_device *dev)
{
	return CONTAINER(dev, struct vgpu, dev);
}

/* ---- queues ---- */

static void vgpu_kick(struct virtio_device *dev, unsigned q)
{
	struct vgpu *v = vgpu_of(dev);

	if (q == VGPU_CONTROLQ ? vgpu_serve_control(v) : vgpu_serve_cursor(v))
		loop_post(dev->loop, &v->again[q]);
}

/* Through virtio_kick(), which knows whether the device may still work. */
static void vgpu_again_control(void *opaque)
{
	virtio_kick(&((struct vgpu *)opaque)->dev, VGPU_CONTROLQ);
}

static void vgpu_again_cursor(void *opaque)
{
	virtio_kick(&((struct vgpu *)opaque)->dev, VGPU_CURSORQ);
}

/* ---- config space (5.7.4), on vCPU threads under the lock ---- */

static void vgpu_config_write(
	struct virtio_device *dev, uint32_t offset, const void *buf, uint32_t len)
{
	struct vgpu *v = vgpu_of(dev);
	uint8_t written[sizeof v->config] = { 0 };
	uint32_t clear;

	memcpy(written + offset, buf, len);
	clear = le32_get(written + offsetof(struct virtio_gpu_config, events_clear));
	v->config.events_read &= ~clear;
	/*
	 * Linux clears the event after it has asked for the sizes, so a wish that came in between
	 * would go unseen. Remind it, but once a wish: a driver that clears first and asks then needs
	 * no reminder, and one that never asks must not be interrupted for ever.
	 */
	if (clear & VIRTIO_GPU_EVENT_DISPLAY && v->told_serial != v->wish_serial &&
		v->reminded_serial != v->wish_serial) {
		v->reminded_serial = v->wish_serial;
		loop_post(dev->loop, &v->remind_work);
	}
}

/* ---- wishes ---- */

static void vgpu_remind(void *opaque)
{
	struct vgpu *v = opaque;

	pthread_mutex_lock(&v->dev.lock);
	v->config.events_read |= VIRTIO_GPU_EVENT_DISPLAY;
	pthread_mutex_unlock(&v->dev.lock);
	virtio_config_changed(&v->dev);
}

/* Service loop: how fast a user drags a window's corner is bounded by the merge here. */
static void vgpu_resize(void *opaque, unsigned head, unsigned width, unsigned height)
{
	struct vgpu *v = opaque;

	if (head >= v->nheads)
		return;
	pthread_mutex_lock(&v->dev.lock);
	v->wishes[head] = (struct vgpu_wish){ true, width, height };
	pthread_mutex_unlock(&v->dev.lock);
	loop_post(v->dev.loop, &v->wish_work);
}

static const struct display_guest_ops guest_ops = { .resize = vgpu_resize };

static unsigned clamp_side(unsigned side)
{
	return MAX(SCANOUT_SIZE_MIN, MIN(side, SCANOUT_SIZE_MAX));
}

static bool others_plugged(const struct vgpu *v, unsigned head)
{
	for (unsigned i = 0; i < v->nheads; i++)
		if (i != head && v->heads[i].plugged)
			return true;
	return false;
}

/* True where the wish changes something. The last head stays: a desktop has a screen. */
static bool take_wish(struct vgpu *v, unsigned head, const struct vgpu_wish *wish)
{
	struct vgpu_head *h = &v->heads[head];
	unsigned width = clamp_side(wish->width), height = clamp_side(wish->height);

	if (!wish->width || !wish->height) {
		if (!h->plugged || !others_plugged(v, head))
			return false;
		h->plugged = false;
		return true;
	}
	if (h->plugged && h->width == width && h->height == height)
		return false;
	h->plugged = true;
	h->width = width;
	h->height = height;
	return true;
}

static void vgpu_take_wishes(void *opaque)
{
	struct vgpu *v = opaque;
	bool changed = false;

	pthread_mutex_lock(&v->dev.lock);
	for (unsigned head = 0; head < v->nheads; head++) {
		if (v->wishes[head].pending)
			changed |= take_wish(v, head, &v->wishes[head]);
		v->wishes[head].pending = false;
	}
	if (changed)
		v->wish_serial++;
	pthread_mutex_unlock(&v->dev.lock);
	if (changed)
		vgpu_remind(v);
}

/* ---- life ---- */

void vgpu_reset(struct virtio_device *dev)
{
	struct vgpu *v = vgpu_of(dev);

	v->ndone = 0; /* left over where the driver broke a rule in mid-pass */
	for (unsigned head = 0; head < v->nheads; head++) {
		vgpu_head_disable(v, head);
		vgpu_cursor_show(v, head, NULL, 0, 0);
		vgpu_cursor_move(v, head, 0, 0);
	}
	vgpu_resources_clear(&v->resources);
	pthread_mutex_lock(&dev->lock);
	v->config.events_read = 0;
	pthread_mutex_unlock(&dev->lock);
}

static const struct virtio_ops vgpu_ops = {
	.config_write = vgpu_config_write,
	.kick = vgpu_kick,
	.reset = vgpu_reset,
	.save = vgpu_save,
	.load = vgpu_load,
};

struct vgpu *vgpu_create(struct display *display, unsigned heads, unsigned width, unsigned height,
	struct loop *loop, const struct memory *mem)
{
	struct vgpu *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->display = display;
	v->nheads = MAX(1u, MIN(heads, (unsigned)DISPLAY_HEADS_MAX));
	v->config.num_scanouts = v->nheads;
	for (unsigned i = 0; i < v->nheads; i++) {
		struct vgpu_head *h = &v->heads[i];

		pixman_region32_init(&h->damage);
		h->plugged = true; /* whoever asks for several heads wants to see them */
		h->width = clamp_side(width);
		h->height = clamp_side(height);
	}
	v->again[VGPU_CONTROLQ] = (struct loop_work){ .fn = vgpu_again_control, .opaque = v };
	v->again[VGPU_CURSORQ] = (struct loop_work){ .fn = vgpu_again_cursor, .opaque = v };
	v->wish_work = (struct loop_work){ .fn = vgpu_take_wishes, .opaque = v };
	v->remind_work = (struct loop_work){ .fn = vgpu_remind, .opaque = v };
	v->dev.name = "virtio-gpu";
	v->dev.ops = &vgpu_ops;
	v->dev.id = VIRTIO_ID_GPU;
	v->dev.features = 1ull << VIRTIO_GPU_F_EDID | 1ull << VIRTIO_GPU_F_RESOURCE_BLOB;
	v->dev.nqueues = VGPU_QUEUES;
	v->dev.config = &v->config;
	v->dev.config_len = sizeof v->config;
	virtio_init(&v->dev, loop, mem, QUEUE_SIZE);
	display_set_guest(display, &guest_ops, v);
	return v;
}

void vgpu_destroy(struct vgpu *v)
{
	if (!v)
		return;
	loop_unpost(v->dev.loop, &v->again[VGPU_CONTROLQ]);
	loop_unpost(v->dev.loop, &v->again[VGPU_CURSORQ]);
	loop_unpost(v->dev.loop, &v->wish_work);
	loop_unpost(v->dev.loop, &v->remind_work);
	for (unsigned i = 0; i < v->nheads; i++)
		pixman_region32_fini(&v->heads[i].damage);
	vgpu_resources_clear(&v->resources);
	virtio_finish(&v->dev);
	free(v);
}

struct virtio_device *vgpu_device(struct vgpu *v)
{
	return &v->dev;
}
