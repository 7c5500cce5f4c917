/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/virtio/gpu_pixels.h"

#include <linux/virtio_gpu.h>

#include "util/bytes.h"

enum order { ORDER_BGRA, ORDER_ARGB, ORDER_RGBA, ORDER_ABGR };

static const struct format {
	uint32_t id;
	enum order order; /* of bytes in memory */
	bool alpha;
} formats[] = {
	{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, ORDER_BGRA, true },
	{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, ORDER_BGRA, false },
	{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, ORDER_ARGB, true },
	{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, ORDER_ARGB, false },
	{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, ORDER_RGBA, true },
	{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, ORDER_RGBA, false },
	{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, ORDER_ABGR, true },
	{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, ORDER_ABGR, false },
};

static const struct format *find_format(uint32_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (formats[i].id == id)
			return &formats[i];
	return NULL;
}

bool vgpu_format_known(uint32_t format)
{
	return find_format(format);
}

/* One plain loop an order, so that the compiler can make vectors of it. */
static void reverse_bytes(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++, p += 4)
		le32_put(p, __builtin_bswap32(le32_get(p)));
}

static void swap_red_and_blue(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++, p += 4) {
		uint32_t v = le32_get(p);

		le32_put(p, (v & 0xff00ff00) | (v >> 16 & 0xff) | (v & 0xff) << 16);
	}
}

static void rotate_byte(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++, p += 4) {
		uint32_t v = le32_get(p);

		le32_put(p, v >> 8 | v << 24);
	}
}

void vgpu_pixels_to_argb(uint32_t format, uint8_t *pixels, size_t n)
{
	const struct format *f = find_format(format);

	switch (f ? f->order : ORDER_BGRA) {
	case ORDER_BGRA:
		break; /* already */
	case ORDER_ARGB:
		reverse_bytes(pixels, n);
		break;
	case ORDER_RGBA:
		swap_red_and_blue(pixels, n);
		break;
	case ORDER_ABGR:
		rotate_byte(pixels, n);
		break;
	}
}

static uint32_t channel(uint32_t argb, unsigned shift)
{
	return argb >> shift & 0xff;
}

static uint32_t divide(uint32_t argb, unsigned shift)
{
	uint32_t a = argb >> 24;

	return (channel(argb, shift) * 255 + a / 2) / a << shift;
}

/*
 * The interface does not say how a cursor's alpha is meant. DRM's drivers give premultiplied
 * pixels, others straight ones; a colour above its alpha proves the latter.
 */
static bool looks_straight(const uint32_t *argb, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned shift = 0; shift < 24; shift += 8)
			if (channel(argb[i], shift) > argb[i] >> 24)
				return true;
	return false;
}

void vgpu_pixels_straighten(uint32_t format, uint32_t *argb, size_t n)
{
	const struct format *f = find_format(format);

	if (f && !f->alpha) {
		for (size_t i = 0; i < n; i++)
			argb[i] |= 0xff000000;
		return;
	}
	if (looks_straight(argb, n))
		return;
	for (size_t i = 0; i < n; i++) {
		uint32_t v = argb[i];

		if (v >> 24)
			argb[i] = (v & 0xff000000) | divide(v, 16) | divide(v, 8) | divide(v, 0);
	}
}
