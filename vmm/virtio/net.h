/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio network device (virtio 1.2, section 5.1): one pair of queues, no offloads.
 *
 * Frames for a guest that has no buffers ready wait in a bounded line; what comes when it is full
 * is dropped, as a network does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct memory;
struct net_backend;
struct virtio_device;
struct vnet;

enum { VNET_WAITING_MAX = 256 };

struct vnet_stats {
	uint64_t rx_frames, rx_bytes, rx_dropped; /* towards the guest */
	uint64_t tx_frames, tx_bytes, tx_dropped;
};

/*
 * Attaches to the backend, which stays the caller's and is destroyed after the device. NULL: no
 * memory.
 */
struct vnet *vnet_create(const uint8_t mac[6], struct net_backend *backend, struct loop *loop,
	const struct memory *mem);
void vnet_destroy(struct vnet *n); /* NULL is fine */

struct virtio_device *vnet_device(struct vnet *n);
const struct vnet_stats *vnet_stats(const struct vnet *n);

/* The cable is plugged in at first. While it is not, frames are lost both ways. Machine loop. */
void vnet_set_link(struct vnet *n, bool up);
