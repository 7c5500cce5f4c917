/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio block device (virtio 1.2, section 5.2) over a struct disk.
 *
 *   out:  | type ioprio sector | data …, or segments |      split over pieces in any way
 *   in:   | data … | status |
 *
 * Data moves between guest memory and the disk without a copy. One queue a vCPU, up to
 * VBLK_QUEUES_MAX, all served by the machine loop.
 */
#pragma once

struct disk;
struct loop;
struct memory;
struct vblk;
struct virtio_device;

enum { VBLK_QUEUES_MAX = 4 };

/*
 * index: which disk of the machine this is, for names. id: what GET_ID answers where the disk has
 * no serial number of its own. queues: as many as vCPUs. The disk stays the caller's. NULL: no
 * memory.
 */
struct vblk *vblk_create(unsigned index, const char *id, struct disk *disk, unsigned queues,
	struct loop *loop, const struct memory *mem);

/*
 * Nothing is in flight: the device has been quiesced, or disk_close() has waited for its requests
 * before this. NULL is fine.
 */
void vblk_destroy(struct vblk *b);

struct virtio_device *vblk_device(struct vblk *b);
