/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monitor that a head of virtio-gpu pretends to be (VESA E-EDID 1.4).
 *
 * Its preferred timing is exactly the size that is asked for, with reduced blanking. What a
 * detailed timing descriptor can name (64 to 4095 a side, 655.35 MHz) stands in the base block; other
 * sizes stand in a DisplayID extension, whose Type I timing has 16-bit sizes. Linux drops the base
 * block's 1920x1080 then, since virtio-gpu's driver keeps a preferred mode only if it is the
 * reported size or up to 16 pixels below.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VGPU_EDID_MAX 256u

/* Writes the EDID of a head of this size (32 .. 8192 a side); its length in bytes. */
size_t vgpu_edid(unsigned head, unsigned width, unsigned height, uint8_t edid[VGPU_EDID_MAX]);
