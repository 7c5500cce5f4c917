/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-gpu (virtio 1.2, section 5.7): 2D commands, guest blobs, EDID, cursors, 1 to 4 heads.
 *
 *    control queue ──► gpu_command.c ──► gpu_resource.c   pixels: host copies, or blobs that are
 *    cursor queue  ──►      │                  ▲          read in place from guest pages
 *                           ▼                  │ copy_rows
 *                      gpu_scanout.c ──► display/scanout.h
 *
 * Frames. RESOURCE_FLUSH becomes scanout_damage(), which compares and copies the pixels; the reply
 * goes out after it has returned, so the guest's frame rate follows the capture and no client can
 * hold it. Unfenced flushes that stand in the queue together are captured once and answered in
 * order.
 *
 * Sizes. The guest's choice reaches the display by SET_SCANOUT. The other way, a wish of the user's
 * window comes through display_guest_ops.resize, changes what GET_DISPLAY_INFO and GET_EDID say, and
 * raises VIRTIO_GPU_EVENT_DISPLAY. Wishes are kept exactly, not rounded: Linux takes any size that
 * the EDID's timing can name.
 *
 * Threads: config space on vCPU threads and resize() on the service loop, both under the device's
 * lock; all else on the machine loop.
 */
#pragma once

struct display;
struct loop;
struct memory;
struct vgpu;
struct virtio_device;

/*
 * A device for a display of 1 to DISPLAY_HEADS_MAX heads, all of them plugged in with this first
 * size in pixels (clamped to SCANOUT_SIZE_MIN .. SCANOUT_SIZE_MAX). Calls display_set_guest().
 * NULL where memory is short.
 */
struct vgpu *vgpu_create(struct display *display, unsigned heads, unsigned width, unsigned height,
	struct loop *loop, const struct memory *mem);

/* After the display is gone and the loop has stopped. NULL is fine. */
void vgpu_destroy(struct vgpu *v);

struct virtio_device *vgpu_device(struct vgpu *v);
