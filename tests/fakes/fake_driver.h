/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's virtio driver, played by a test: it owns a little guest memory, lays out rings in it
 * and drives one virtio_device through its status machine, without KVM and without PCI.
 *
 *	struct fake_driver d;
 *	fake_driver_init(&d, 16 * MIB);
 *	device = vblk_create(..., d.loop, &d.mem);
 *	fake_driver_start(&d, vblk_device(device), ~0ull);
 *	fake_driver_request(&d, 0, (struct iovec[]){ out, in }, 1, 1);     // iovs hold d's memory
 *	fake_driver_kick(&d, 0);
 *	assert_true(fake_driver_used(&d, 0, &head, &len));
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "util/loop.h"
#include "vmm/memory.h"
#include "vmm/virtio/virtio.h"

struct fake_ring {
	uint16_t size;
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint8_t *desc, *avail, *used; /* to be spoilt at will */
	uint16_t next_desc, avail_idx, last_used;
	unsigned interrupts;
};

struct fake_driver {
	struct memory mem;
	struct loop *loop;
	struct virtio_device *dev;
	uint64_t next_gpa;
	struct fake_ring rings[VIRTIO_QUEUES_MAX];
	unsigned config_interrupts, resets;
};

/* bytes: of guest memory, a multiple of 2 MiB. */
void fake_driver_init(struct fake_driver *d, uint64_t bytes);
void fake_driver_finish(struct fake_driver *d); /* after the device is gone */

/*
 * Attaches to a device and walks it to DRIVER_OK with what it offers of features; every queue gets
 * size_max entries. Start may be called again after a reset.
 */
void fake_driver_start(struct fake_driver *d, struct virtio_device *dev, uint64_t features);

/* Only attaches and lays out rings, for tests that walk the status themselves. */
void fake_driver_attach(struct fake_driver *d, struct virtio_device *dev);

/* Writes status 0 and runs the loop until it reads 0. */
void fake_driver_reset(struct fake_driver *d);

/* Zeroed guest memory, and where an address of the host lies in the guest. */
void *fake_driver_alloc(struct fake_driver *d, uint64_t len, uint64_t align);
uint64_t fake_driver_gpa(const struct fake_driver *d, const void *host);

/* Writes one descriptor; flags as in virtio 1.2, 2.7.5 (1 next, 2 write, 4 indirect). */
void fake_driver_desc(struct fake_driver *d, unsigned q, uint16_t at, uint64_t gpa, uint32_t len,
	uint16_t flags, uint16_t next);

/* Makes a head available without a kick. */
void fake_driver_avail(struct fake_driver *d, unsigned q, uint16_t head);

/*
 * Chains the pieces (nout readable, then nin writable ones) and makes them available: the head.
 * Descriptors are handed out round robin; the caller does not overrun the queue.
 */
uint16_t fake_driver_request(
	struct fake_driver *d, unsigned q, const struct iovec *iov, unsigned nout, unsigned nin);

/* Kicks, and lets the loop run what is due. */
void fake_driver_kick(struct fake_driver *d, unsigned q);

/* The next used entry, if there is one. head and len may be NULL. */
bool fake_driver_used(struct fake_driver *d, unsigned q, uint16_t *head, uint32_t *len);

/* The same, running the loop for up to five seconds until there is one. */
bool fake_driver_wait(struct fake_driver *d, unsigned q, uint16_t *head, uint32_t *len);

/* One request there and back: the number of bytes written; -1 where nothing came back. */
int64_t fake_driver_do(
	struct fake_driver *d, unsigned q, const struct iovec *iov, unsigned nout, unsigned nin);
