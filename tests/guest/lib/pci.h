/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI bus 0 by ports 0xcf8 and 0xcfc, MSI-X. */
#pragma once

#include "guest.h"

enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_BAR0 = 0x10,
	PCI_CAPS = 0x34,
	PCI_COMMAND_MEMORY = 2,
	PCI_COMMAND_MASTER = 4,
	PCI_CAP_MSIX = 0x11,
	PCI_CAP_VENDOR = 0x09,
	PCI_SLOTS = 32,

	MSIX_CONTROL = 2,
	MSIX_ENABLE = 0x8000,
	MSIX_FUNCTION_MASK = 0x4000,
	MSIX_ENTRY = 16,
	MSIX_MASKED = 1,
};

uint8_t pci_read8(unsigned slot, unsigned offset);
uint16_t pci_read16(unsigned slot, unsigned offset);
uint32_t pci_read32(unsigned slot, unsigned offset);
void pci_write8(unsigned slot, unsigned offset, uint8_t value);
void pci_write16(unsigned slot, unsigned offset, uint16_t value);
void pci_write32(unsigned slot, unsigned offset, uint32_t value);

/* The nth device with these ids, or -1. */
int pci_find(uint16_t vendor, uint16_t device, unsigned nth);
/* The first capability of this kind behind `after` (0: from the start), or 0. */
unsigned pci_capability(unsigned slot, uint8_t id, unsigned after);
/* Where a memory BAR stands, 0 where there is none; and how large it is. */
uint64_t pci_bar(unsigned slot, unsigned bar);
uint64_t pci_bar_size(unsigned slot, unsigned bar);
void pci_set_bar(unsigned slot, unsigned bar, uint64_t address);
/* ACPI's word on memory-mapped config space, mapped, or NULL. */
volatile uint8_t *pci_ecam(void);

struct msix {
	unsigned slot, cap, vectors;
	volatile uint8_t *table, *pending;
};
/* Finds and maps the table; false where the device has none. */
bool msix_open(struct msix *m, unsigned slot);
/* Entry i raises this vector here. */
void msix_set(const struct msix *m, unsigned i, unsigned vector);
void msix_mask(const struct msix *m, unsigned i, bool masked);
void msix_enable(const struct msix *m, bool on);
