/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The eight pixel formats of virtio-gpu (virtio 1.2, 5.7.6.8), four bytes each, named by the order
 * of the bytes in memory: B8G8R8X8 is what x86 calls x8r8g8b8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VGPU_PIXEL_BYTES 4u

bool vgpu_format_known(uint32_t format);

/* Turns n pixels, in place, into a8r8g8b8 in host order; alpha is whatever the fourth byte held. */
void vgpu_pixels_to_argb(uint32_t format, uint8_t *pixels, size_t n);

/*
 * Makes n cursor pixels in a8r8g8b8, which came from this format, straight (not premultiplied).
 * Formats without alpha become opaque.
 */
void vgpu_pixels_straighten(uint32_t format, uint32_t *argb, size_t n);
