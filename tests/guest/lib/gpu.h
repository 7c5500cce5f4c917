/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-gpu's 2D commands (virtio 1.2, 5.7.6). */
#pragma once

#include "virtio.h"

enum {
	GPU_F_EDID = 1,
	GPU_F_BLOB = 3,

	GPU_CONFIG_EVENTS_READ = 0,
	GPU_CONFIG_EVENTS_CLEAR = 4,
	GPU_CONFIG_SCANOUTS = 8,
	GPU_EVENT_DISPLAY = 1,

	GPU_GET_DISPLAY_INFO = 0x100,
	GPU_CREATE_2D = 0x101,
	GPU_UNREF = 0x102,
	GPU_SET_SCANOUT = 0x103,
	GPU_FLUSH = 0x104,
	GPU_TRANSFER = 0x105,
	GPU_ATTACH_BACKING = 0x106,
	GPU_DETACH_BACKING = 0x107,
	GPU_GET_EDID = 0x10a,
	GPU_CREATE_BLOB = 0x10c,
	GPU_SET_SCANOUT_BLOB = 0x10d,
	GPU_UPDATE_CURSOR = 0x300,
	GPU_MOVE_CURSOR = 0x301,

	GPU_OK = 0x1100,
	GPU_OK_DISPLAY_INFO = 0x1101,
	GPU_OK_EDID = 0x1104,
	GPU_ERR_UNSPEC = 0x1200,
	GPU_ERR_LAST = 0x12ff,

	GPU_FLAG_FENCE = 1,
	GPU_FORMAT_BGRA = 1,
	GPU_FORMAT_BGRX = 2,
	GPU_BLOB_GUEST = 1,
	GPU_BLOB_MAPPABLE = 1,
	GPU_CURSOR_SIZE = 64,
	GPU_SCANOUTS = 16,
	GPU_ENTRIES = 8,
};

struct gpu_header {
	uint32_t type, flags;
	uint64_t fence;
	uint32_t ctx, ring;
};
struct gpu_rect {
	uint32_t x, y, width, height;
};
struct gpu_entry {
	uint64_t addr;
	uint32_t len, padding;
};
struct gpu_display_info {
	struct gpu_header h;
	struct {
		struct gpu_rect r;
		uint32_t enabled, flags;
	} modes[GPU_SCANOUTS];
};
struct gpu_edid {
	struct gpu_header h;
	uint32_t size, padding;
	uint8_t bytes[1024];
};
struct gpu_create_2d {
	struct gpu_header h;
	uint32_t resource, format, width, height;
};
struct gpu_resource {
	struct gpu_header h;
	uint32_t resource, padding;
};
struct gpu_set_scanout {
	struct gpu_header h;
	struct gpu_rect r;
	uint32_t scanout, resource;
};
struct gpu_flush {
	struct gpu_header h;
	struct gpu_rect r;
	uint32_t resource, padding;
};
struct gpu_transfer {
	struct gpu_header h;
	struct gpu_rect r;
	uint64_t offset;
	uint32_t resource, padding;
};
struct gpu_attach {
	struct gpu_header h;
	uint32_t resource, count;
	struct gpu_entry entries[GPU_ENTRIES];
};
struct gpu_create_blob {
	struct gpu_header h;
	uint32_t resource, memory, flags, count;
	uint64_t blob, size;
	struct gpu_entry entries[GPU_ENTRIES];
};
struct gpu_set_scanout_blob {
	struct gpu_header h;
	struct gpu_rect r;
	uint32_t scanout, resource, width, height, format, padding;
	uint32_t strides[4], offsets[4];
};
struct gpu_cursor {
	struct gpu_header h;
	uint32_t scanout, x, y, padding;
	uint32_t resource, hot_x, hot_y, padding2;
};

/* Sends len bytes of a command on queue 0 or, for cursors, 1: the answer's type. */
uint32_t gpu_command(struct virtio *v, unsigned queue, const void *command, uint32_t len);
/* The same with an answer of answer_len bytes. */
uint32_t gpu_ask(
	struct virtio *v, const void *command, uint32_t len, void *answer, uint32_t answer_len);
/* GPU_OK or the guest fails. */
void gpu_must(struct virtio *v, unsigned queue, const void *command, uint32_t len);
