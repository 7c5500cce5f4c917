/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bus 0: configuration space by ports 0xcf8/0xcfc and by ECAM, BARs that a guest may move.
 *
 * Devices stand in fixed slots (vmm/layout.h), are there from the start and have one function.
 * BARs get addresses before the guest starts, since no firmware would do it. A BAR leaves its
 * place only for a new one, or where its device decodes nothing and another wants to stand there:
 * while a guest has decoding off to measure a BAR, accesses are refused but the map stays as it is,
 * since each change of it costs more than the whole measuring.
 *
 * Threads: config accesses on vCPU threads, under the bus's lock; set-up before any of them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/msi.h"

struct msix;
struct pci_bus;
struct state_writer;
struct state_reader;

/* Header offsets (PCI 3.0, 6.1) */
#define PCI_VENDOR_ID       0x00
#define PCI_DEVICE_ID       0x02
#define PCI_COMMAND         0x04
#define PCI_STATUS          0x06
#define PCI_REVISION        0x08
#define PCI_CLASS           0x09
#define PCI_HEADER_TYPE     0x0e
#define PCI_BAR0            0x10
#define PCI_SUBSYSTEM       0x2c
#define PCI_CAPABILITIES    0x34
#define PCI_INTERRUPT_LINE  0x3c
#define PCI_COMMAND_MEMORY  0x0002u
#define PCI_COMMAND_MASTER  0x0004u
#define PCI_STATUS_CAP_LIST 0x10
#define PCI_BARS            6
#define PCI_CONFIG_SIZE     256u
#define PCI_SLOTS           32u

struct pci_bar {
	uint64_t size; /* bytes, a power of two from 4096 on; 0: not there */
	bool is_64;    /* takes this BAR and the next; prefetchable */
	const struct bus_ops *ops;
	void *opaque;
	/*
	 * Where it is decoded now, 0: nowhere. Called once before the guest starts and when it has
	 * moved. Optional.
	 */
	void (*moved)(void *opaque, uint64_t address);

	uint64_t address; /* private to pci.c, as is: */
	bool mapped;
	const struct pci_device *owner;
};

struct pci_device {
	const char *name;
	unsigned slot;
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE]; /* bits that the guest may change */
	struct pci_bar bars[PCI_BARS];

	/* Before a read of and after a write to these bytes of config space. Optional. vCPU thread. */
	void (*config_read)(void *opaque, unsigned offset, unsigned size);
	void (*config_written)(void *opaque, unsigned offset, unsigned size);
	void *opaque;

	struct msix *msix; /* optional: see pci_add_msix() */
	uint8_t msix_cap;
	uint8_t next_cap;
	struct pci_bus *bus;
};

/*
 * mmio and ports stay the caller's. reset_port is given byte writes to port 0xcf9, which lies
 * inside the address register; it may be NULL. NULL with errno set.
 */
struct pci_bus *pci_bus_create(struct bus *mmio, struct bus *ports, uint64_t pci64_base,
	void (*reset_port)(void *opaque, uint8_t value), void *opaque);
void pci_bus_destroy(struct pci_bus *b);

/* Fills in identity; class is 24 bits: base, sub, interface. */
void pci_device_init(struct pci_device *d, const char *name, unsigned slot, uint16_t vendor,
	uint16_t device, uint32_t class);

/* Appends a capability of len bytes, its first two filled in here: its offset. */
uint8_t pci_add_capability(struct pci_device *d, uint8_t id, const void *bytes, uint8_t len);

/* Adds the MSI-X capability for a table and pending bits in one BAR. The device keeps m. */
void pci_add_msix(struct pci_device *d, struct msix *m, unsigned bar, uint32_t table, uint32_t pba);

/*
 * Puts a finished device into its slot and gives its BARs addresses. 0, -EEXIST where the slot is
 * taken, -ENOSPC where a window is full.
 */
int pci_bus_add(struct pci_bus *b, struct pci_device *d);

/* True where the guest lets the device see accesses to its memory. */
bool pci_decodes(const struct pci_device *d);

/* Reads and writes a BAR by its index, for capabilities that do so (virtio 1.2, 4.1.4.9). */
uint64_t pci_bar_read(struct pci_device *d, unsigned bar, uint64_t offset, unsigned size);
void pci_bar_write(
	struct pci_device *d, unsigned bar, uint64_t offset, unsigned size, uint64_t value);

/* As at power-on, all devices: BARs keep the addresses that they had then. vCPUs stopped. */
void pci_bus_reset(struct pci_bus *b);

/* The address register: a guest may stand between it and its data. As below. */
void pci_bus_save(struct pci_bus *b, struct state_writer *w);
int pci_bus_load(struct pci_bus *b, struct state_reader *r);

/* Config space, BARs and MSI-X of one device. vCPUs stopped. load: 0 or -EINVAL, one line logged. */
void pci_device_save(struct pci_device *d, struct state_writer *w);
int pci_device_load(struct pci_device *d, struct state_reader *r);
