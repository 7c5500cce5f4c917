/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request on one of virtio-gpu's queues, and the commands that it may hold (5.7.6.7 and on). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_gpu.h>

struct vgpu;
struct vq_chain;

struct vgpu_request {
	const struct vq_chain *chain;
	union { /* copied from the guest once */
		struct virtio_gpu_ctrl_hdr hdr;
		struct virtio_gpu_resource_create_2d create_2d;
		struct virtio_gpu_resource_unref unref;
		struct virtio_gpu_set_scanout set_scanout;
		struct virtio_gpu_resource_flush flush;
		struct virtio_gpu_transfer_to_host_2d transfer;
		struct virtio_gpu_resource_attach_backing attach;
		struct virtio_gpu_resource_detach_backing detach;
		struct virtio_gpu_cmd_get_edid get_edid;
		struct virtio_gpu_resource_create_blob create_blob;
		struct virtio_gpu_set_scanout_blob set_scanout_blob;
		struct virtio_gpu_update_cursor cursor;
	} cmd;
	union {
		struct virtio_gpu_ctrl_hdr hdr;
		struct virtio_gpu_resp_display_info display_info;
		struct virtio_gpu_resp_edid edid;
	} resp; /* zeros but for what a command fills in */
};

struct vgpu_command {
	uint32_t type;
	uint16_t len, resp_len; /* bytes of the request without what follows it, and of the reply */
	uint8_t feature;        /* that must have been negotiated; 0: none */
	bool mergeable;         /* leaves what is shown as it is: flushed rectangles may wait */
	uint32_t (*run)(struct vgpu *v, struct vgpu_request *rq); /* gives a response type */
};

/* The command that a queue takes under this type, or NULL. */
const struct vgpu_command *vgpu_command_find(const struct vgpu *v, unsigned q, uint32_t type);
