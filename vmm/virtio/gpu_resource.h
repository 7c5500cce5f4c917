/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resources of virtio-gpu: what a guest draws into (virtio 1.2, 5.7.6).
 *
 * A 2D resource has its pixels in host memory; TRANSFER_TO_HOST_2D copies them there from the guest
 * pages that were attached as its backing. A blob is nothing but its backing: its pixels are read
 * in place, and what they look like is said by SET_SCANOUT_BLOB.
 *
 * Both kinds live from CREATE to UNREF, and whoever ends one makes sure that no head shows it.
 * Everything a guest can make us allocate is bounded by the numbers below. Machine loop, but for
 * the read functions, which a head's reader may call from the service loop while it is shown.
 *
 * Functions that a command ends in give its response type: VIRTIO_GPU_RESP_OK_NODATA or an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_gpu.h>

struct memory;

#define VGPU_SIDE_MAX      8192u        /* pixels of a 2D resource */
#define VGPU_PIXELS_MAX    (256u << 20) /* bytes of all 2D resources: one of the largest size */
#define VGPU_RESOURCES_MAX 4096u
#define VGPU_ENTRIES_MAX   65536u  /* of one backing: the largest size in scattered 4 KiB pages */
#define VGPU_PIECES_MAX    262144u /* of all backings; 24 bytes each */

/* Guest pages in the order of the resource's bytes; neighbours are merged. */
struct vgpu_piece {
	uint64_t start; /* offset of this piece in the backing */
	uint64_t gpa;
	uint8_t *host;
};

struct vgpu_backing {
	struct vgpu_piece *pieces;
	unsigned n, cap;
	uint64_t size; /* bytes */
};

struct vgpu_resource {
	uint32_t id;
	bool blob;
	/* 2D */
	uint32_t format, width, height;
	uint8_t *pixels;
	/* blob */
	uint64_t size;

	struct vgpu_backing backing; /* n 0: none is attached */
	struct vgpu_resource *next;
};

enum { VGPU_BUCKETS = 512 };

struct vgpu_resources {
	struct vgpu_resource *buckets[VGPU_BUCKETS]; /* ids are small and consecutive in practice */
	unsigned n, pieces;
	uint64_t pixel_bytes;
};

/* Adds guest memory: OK, ERR_INVALID_PARAMETER where it is empty or not all RAM, or
 * ERR_OUT_OF_MEMORY. The caller bounds how often. */
uint32_t vgpu_backing_add(
	struct vgpu_backing *b, const struct memory *mem, uint64_t gpa, uint64_t len);
void vgpu_backing_finish(struct vgpu_backing *b);

/* Copies from the backing; bytes beyond its end are zeros. */
void vgpu_backing_read(const struct vgpu_backing *b, uint64_t at, void *dst, size_t len);

/* Copies rows of len bytes that lie src_stride apart in the backing. */
void vgpu_backing_read_rows(const struct vgpu_backing *b, uint64_t at, size_t src_stride,
	uint8_t *dst, size_t dst_stride, size_t len, unsigned rows);

struct vgpu_resource *vgpu_resource_find(const struct vgpu_resources *rs, uint32_t id);

/* Steps through all of them: NULL gives the first, and the last gives NULL. */
struct vgpu_resource *vgpu_resource_next(
	const struct vgpu_resources *rs, const struct vgpu_resource *res);

uint32_t vgpu_resource_create_2d(
	struct vgpu_resources *rs, uint32_t id, uint32_t format, uint32_t width, uint32_t height);
uint32_t vgpu_resource_create_blob(struct vgpu_resources *rs, uint32_t id, uint64_t size);
void vgpu_resource_destroy(struct vgpu_resources *rs, struct vgpu_resource *res);
void vgpu_resources_clear(struct vgpu_resources *rs);

/* Takes what *b holds over, and leaves it empty, where this succeeds. */
uint32_t vgpu_resource_attach(
	struct vgpu_resources *rs, struct vgpu_resource *res, struct vgpu_backing *b);
uint32_t vgpu_resource_detach(struct vgpu_resources *rs, struct vgpu_resource *res);

/*
 * Copies a rectangle from the backing, where its first pixel stands at offset and rows are as far
 * apart as the resource's, to the host's pixels. A blob has nothing to copy.
 */
uint32_t vgpu_resource_transfer(
	struct vgpu_resource *res, const struct virtio_gpu_rect *r, uint64_t offset);

/* True where the rectangle lies in width x height; sums do not wrap. */
bool vgpu_rect_inside(const struct virtio_gpu_rect *r, uint32_t width, uint32_t height);
