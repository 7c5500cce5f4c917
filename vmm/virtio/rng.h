/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio entropy device (virtio 1.2, section 5.4): the host's getrandom(), a bounded helping a pass. */
#pragma once

struct loop;
struct memory;
struct vrng;
struct virtio_device;

/* What one request gets at most, and about what the device hands out before others have a turn. */
#define VRNG_REQUEST_MAX 65536u
#define VRNG_PASS_MAX    (4 * VRNG_REQUEST_MAX)

struct vrng *vrng_create(struct loop *loop, const struct memory *mem); /* NULL: no memory */
void vrng_destroy(struct vrng *r);                                     /* NULL is fine */

struct virtio_device *vrng_device(struct vrng *r);
