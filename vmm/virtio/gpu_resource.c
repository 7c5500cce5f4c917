/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/gpu_resource.h"

#include <stdlib.h>
#include <string.h>

#include "util/bytes.h"
#include "vmm/memory.h"
#include "vmm/virtio/gpu_pixels.h"

/* ---- backings ---- */

static uint64_t piece_end(const struct vgpu_backing *b, unsigned i)
{
	return i + 1 < b->n ? b->pieces[i + 1].start : b->size;
}

uint32_t vgpu_backing_add(
	struct vgpu_backing *b, const struct memory *mem, uint64_t gpa, uint64_t len)
{
	uint8_t *host = memory_ptr(mem, gpa, len);

	if (!host || !len)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (b->n) {
		const struct vgpu_piece *last = &b->pieces[b->n - 1];
		uint64_t last_len = b->size - last->start;

		if (last->gpa + last_len == gpa && last->host + last_len == host) {
			b->size += len;
			return VIRTIO_GPU_RESP_OK_NODATA;
		}
	}
	if (b->n == b->cap) {
		unsigned cap = b->cap ? b->cap * 2 : 16;
		void *grown = realloc(b->pieces, cap * sizeof *b->pieces);

		if (!grown)
			return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
		b->pieces = grown;
		b->cap = cap;
	}
	b->pieces[b->n++] = (struct vgpu_piece){ .start = b->size, .gpa = gpa, .host = host };
	b->size += len;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

void vgpu_backing_finish(struct vgpu_backing *b)
{
	free(b->pieces);
	*b = (struct vgpu_backing){ 0 };
}

/* The piece that holds byte at, which is inside the backing. */
static unsigned find_piece(const struct vgpu_backing *b, uint64_t at)
{
	unsigned low = 0, high = b->n;

	while (high - low > 1) {
		unsigned middle = low + (high - low) / 2;

		if (b->pieces[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Reads from piece i on; gives the piece in which it ended, where the next row is not far. */
static unsigned read_from(
	const struct vgpu_backing *b, unsigned i, uint64_t at, uint8_t *dst, size_t len)
{
	while (len) {
		uint64_t part;

		while (i < b->n && piece_end(b, i) <= at)
			i++;
		if (i >= b->n) {
			memset(dst, 0, len);
			return i;
		}
		part = MIN(piece_end(b, i) - at, len);
		memcpy(dst, b->pieces[i].host + (at - b->pieces[i].start), part);
		at += part;
		dst += part;
		len -= part;
	}
	return i;
}

void vgpu_backing_read(const struct vgpu_backing *b, uint64_t at, void *dst, size_t len)
{
	vgpu_backing_read_rows(b, at, len, dst, len, len, 1);
}

void vgpu_backing_read_rows(const struct vgpu_backing *b, uint64_t at, size_t src_stride,
	uint8_t *dst, size_t dst_stride, size_t len, unsigned rows)
{
	unsigned i = find_piece(b, at);

	for (; rows; rows--, at += src_stride, dst += dst_stride)
		i = read_from(b, i, at, dst, len);
}

/* ---- the table ---- */

static struct vgpu_resource **bucket(const struct vgpu_resources *rs, uint32_t id)
{
	return (struct vgpu_resource **)&rs->buckets[id % VGPU_BUCKETS];
}

struct vgpu_resource *vgpu_resource_find(const struct vgpu_resources *rs, uint32_t id)
{
	struct vgpu_resource *res = *bucket(rs, id);

	while (res && res->id != id)
		res = res->next;
	return res;
}

struct vgpu_resource *vgpu_resource_next(
	const struct vgpu_resources *rs, const struct vgpu_resource *res)
{
	if (res && res->next)
		return res->next;
	for (unsigned i = res ? res->id % VGPU_BUCKETS + 1 : 0; i < VGPU_BUCKETS; i++)
		if (rs->buckets[i])
			return rs->buckets[i];
	return NULL;
}

/* A new entry under an id that is free and not 0, which stands for "none" in commands. */
static uint32_t insert(struct vgpu_resources *rs, uint32_t id, struct vgpu_resource **out)
{
	struct vgpu_resource *res, **end = bucket(rs, id);

	if (!id || vgpu_resource_find(rs, id))
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (rs->n == VGPU_RESOURCES_MAX)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	res = calloc(1, sizeof *res);
	if (!res)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	res->id = id;
	while (*end) /* last, so that saving and loading keep the order */
		end = &(*end)->next;
	*end = res;
	rs->n++;
	*out = res;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint64_t pixel_bytes(const struct vgpu_resource *res)
{
	return (uint64_t)res->width * res->height * VGPU_PIXEL_BYTES;
}

uint32_t vgpu_resource_create_2d(
	struct vgpu_resources *rs, uint32_t id, uint32_t format, uint32_t width, uint32_t height)
{
	struct vgpu_resource *res;
	uint64_t bytes;
	uint32_t resp;

	if (!vgpu_format_known(format) || !width || !height || width > VGPU_SIDE_MAX ||
		height > VGPU_SIDE_MAX)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	bytes = (uint64_t)width * height * VGPU_PIXEL_BYTES;
	if (bytes > VGPU_PIXELS_MAX - rs->pixel_bytes)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	resp = insert(rs, id, &res);
	if (resp != VIRTIO_GPU_RESP_OK_NODATA)
		return resp;
	res->format = format;
	res->width = width;
	res->height = height;
	rs->pixel_bytes += bytes;
	res->pixels = calloc(1, bytes);
	if (!res->pixels) {
		vgpu_resource_destroy(rs, res);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t vgpu_resource_create_blob(struct vgpu_resources *rs, uint32_t id, uint64_t size)
{
	struct vgpu_resource *res;
	uint32_t resp;

	if (!size)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	resp = insert(rs, id, &res);
	if (resp != VIRTIO_GPU_RESP_OK_NODATA)
		return resp;
	res->blob = true;
	res->size = size;
	return resp;
}

static void drop_backing(struct vgpu_resources *rs, struct vgpu_resource *res)
{
	rs->pieces -= res->backing.n;
	vgpu_backing_finish(&res->backing);
}

void vgpu_resource_destroy(struct vgpu_resources *rs, struct vgpu_resource *res)
{
	struct vgpu_resource **at = bucket(rs, res->id);

	while (*at != res)
		at = &(*at)->next;
	*at = res->next;
	rs->n--;
	rs->pixel_bytes -= pixel_bytes(res);
	drop_backing(rs, res);
	free(res->pixels);
	free(res);
}

void vgpu_resources_clear(struct vgpu_resources *rs)
{
	for (unsigned i = 0; i < VGPU_BUCKETS; i++)
		while (rs->buckets[i])
			vgpu_resource_destroy(rs, rs->buckets[i]);
}

uint32_t vgpu_resource_attach(
	struct vgpu_resources *rs, struct vgpu_resource *res, struct vgpu_backing *b)
{
	if (res->backing.n)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (!b->n || (res->blob && b->size < res->size))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (b->n > VGPU_PIECES_MAX - rs->pieces)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	rs->pieces += b->n;
	res->backing = *b;
	*b = (struct vgpu_backing){ 0 };
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t vgpu_resource_detach(struct vgpu_resources *rs, struct vgpu_resource *res)
{
	if (!res->backing.n)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	drop_backing(rs, res);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- pixels ---- */

bool vgpu_rect_inside(const struct virtio_gpu_rect *r, uint32_t width, uint32_t height)
{
	return range_inside(r->x, r->width, width) && range_inside(r->y, r->height, height);
}

uint32_t vgpu_resource_transfer(
	struct vgpu_resource *res, const struct virtio_gpu_rect *r, uint64_t offset)
{
	size_t stride = (size_t)res->width * VGPU_PIXEL_BYTES;
	size_t len = (size_t)r->width * VGPU_PIXEL_BYTES;
	uint8_t *dst;

	if (res->blob)
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (!res->backing.n)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (!vgpu_rect_inside(r, res->width, res->height))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (!r->width || !r->height)
		return VIRTIO_GPU_RESP_OK_NODATA;
	/* Both factors are bounded by the resource's size, so this cannot wrap. */
	if (!range_inside(offset, (r->height - 1) * stride + len, res->backing.size))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	dst = res->pixels + r->y * stride + (size_t)r->x * VGPU_PIXEL_BYTES;
	if (len == stride)
		vgpu_backing_read(&res->backing, offset, dst, r->height * stride);
	else
		vgpu_backing_read_rows(&res->backing, offset, stride, dst, stride, len, r->height);
	return VIRTIO_GPU_RESP_OK_NODATA;
}
