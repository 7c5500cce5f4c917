/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI transport of a virtio device (virtio 1.2, section 4.1), modern only.
 *
 * One 64-bit BAR holds everything:
 *
 *   0x0000  common configuration     0x2000  kicks, 4 bytes a queue
 *   0x0800  interrupt status         0x3000  MSI-X table
 *   0x1000  device configuration     0x3800  MSI-X pending bits
 *
 * A kick is an ioeventfd that the machine loop watches. Interrupts are MSI-X only: a vector for
 * configuration changes and one a queue.
 */
#pragma once

#include "vmm/msi.h"
#include "vmm/pci/pci.h"
#include "vmm/virtio/virtio.h"

struct virtio_pci;

/* How a write to an address becomes an event: KVM's ioeventfd, or a test's note of it. */
struct doorbell_ops {
	int (*attach)(void *opaque, int fd, uint64_t address); /* 0 or -errno */
	void (*detach)(void *opaque, int fd, uint64_t address);
};

/*
 * Puts dev into a slot of the bus. dev, bus and the rest outlive it. NULL with one line logged.
 * class is 24 bits.
 */
struct virtio_pci *virtio_pci_create(struct virtio_device *dev, struct pci_bus *bus, unsigned slot,
	uint32_t class, struct msi_target msi, const struct doorbell_ops *doorbells, void *opaque);
void virtio_pci_destroy(
	struct virtio_pci *p); /* the loop and the vCPUs have stopped; NULL is fine */

struct virtio_device *virtio_pci_device(struct virtio_pci *p);

/*
 * The device, its registers and its PCI side. Quiesced. A load leaves it quiesced too: 0, or -EINVAL
 * with one line logged and the device reset.
 */
void virtio_pci_save(struct virtio_pci *p, struct state_writer *w);
int virtio_pci_load(struct virtio_pci *p, struct state_reader *r);
