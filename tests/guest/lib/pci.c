/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pci.h"

#include "vmm/layout.h"

enum { BAR_IO = 1, BAR_64 = 4, MCFG_FIRST = 44 };

static void select(unsigned slot, unsigned offset)
{
	out32(PORT_PCI_ADDRESS, 1u << 31 | slot << 11 | (offset & 0xfc));
}

uint8_t pci_read8(unsigned slot, unsigned offset)
{
	select(slot, offset);
	return in8((uint16_t)(PORT_PCI_DATA + (offset & 3)));
}

uint16_t pci_read16(unsigned slot, unsigned offset)
{
	select(slot, offset);
	return in16((uint16_t)(PORT_PCI_DATA + (offset & 2)));
}

uint32_t pci_read32(unsigned slot, unsigned offset)
{
	select(slot, offset);
	return in32(PORT_PCI_DATA);
}

void pci_write8(unsigned slot, unsigned offset, uint8_t value)
{
	select(slot, offset);
	out8((uint16_t)(PORT_PCI_DATA + (offset & 3)), value);
}

void pci_write16(unsigned slot, unsigned offset, uint16_t value)
{
	select(slot, offset);
	out16((uint16_t)(PORT_PCI_DATA + (offset & 2)), value);
}

void pci_write32(unsigned slot, unsigned offset, uint32_t value)
{
	select(slot, offset);
	out32(PORT_PCI_DATA, value);
}

int pci_find(uint16_t vendor, uint16_t device, unsigned nth)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		if (pci_read32(slot, PCI_VENDOR) == (vendor | (uint32_t)device << 16) && !nth--)
			return (int)slot;
	return -1;
}

unsigned pci_capability(unsigned slot, uint8_t id, unsigned after)
{
	unsigned at = pci_read8(slot, after ? after + 1 : PCI_CAPS);

	for (unsigned steps = 0; at && steps < 48; steps++) {
		if (pci_read8(slot, at) == id)
			return at;
		at = pci_read8(slot, at + 1);
	}
	return 0;
}

static bool is_64(unsigned slot, unsigned bar)
{
	return (pci_read32(slot, PCI_BAR0 + 4 * bar) & (BAR_IO | BAR_64)) == BAR_64;
}

uint64_t pci_bar(unsigned slot, unsigned bar)
{
	uint64_t low = pci_read32(slot, PCI_BAR0 + 4 * bar);

	if (low & BAR_IO)
		return 0;
	if (low & BAR_64)
		low |= (uint64_t)pci_read32(slot, PCI_BAR0 + 4 * bar + 4) << 32;
	return low & ~15ull;
}

void pci_set_bar(unsigned slot, unsigned bar, uint64_t address)
{
	bool wide = is_64(slot, bar);

	pci_write32(slot, PCI_BAR0 + 4 * bar, (uint32_t)address);
	if (wide)
		pci_write32(slot, PCI_BAR0 + 4 * bar + 4, (uint32_t)(address >> 32));
}

/* PCI 3.0, 6.2.5.1: write all ones, read back, with decoding off. */
uint64_t pci_bar_size(unsigned slot, unsigned bar)
{
	uint16_t command = pci_read16(slot, PCI_COMMAND);
	uint64_t was = pci_bar(slot, bar), mask;

	pci_write16(slot, PCI_COMMAND, (uint16_t)(command & ~PCI_COMMAND_MEMORY));
	pci_set_bar(slot, bar, ~0ull);
	mask = pci_bar(slot, bar);
	if (!is_64(slot, bar))
		mask |= 0xffffffff00000000ull;
	pci_set_bar(slot, bar, was);
	pci_write16(slot, PCI_COMMAND, command);
	return ~mask + 1;
}

volatile uint8_t *pci_ecam(void)
{
	const uint8_t *mcfg = acpi_table("MCFG");
	uint64_t base;

	if (!mcfg)
		return NULL;
	memcpy(&base, mcfg + MCFG_FIRST, sizeof base);
	return map_physical(base, 1 << 20);
}

/* ---- MSI-X (PCI 3.0, 6.8.2) ---- */

bool msix_open(struct msix *m, unsigned slot)
{
	uint32_t table, pending;

	m->slot = slot;
	m->cap = pci_capability(slot, PCI_CAP_MSIX, 0);
	if (!m->cap)
		return false;
	m->vectors = (pci_read16(slot, m->cap + MSIX_CONTROL) & 0x7ff) + 1;
	table = pci_read32(slot, m->cap + 4);
	pending = pci_read32(slot, m->cap + 8);
	m->table = map_physical(
		pci_bar(slot, table & 7) + (table & ~7u), (uint64_t)MSIX_ENTRY * m->vectors);
	m->pending = map_physical(pci_bar(slot, pending & 7) + (pending & ~7u), 8);
	return true;
}

void msix_set(const struct msix *m, unsigned i, unsigned vector)
{
	volatile uint8_t *entry = m->table + MSIX_ENTRY * i;

	write32(entry + 12, MSIX_MASKED);
	write32(entry, LAYOUT_LAPIC); /* to the CPU with id 0 */
	write32(entry + 4, 0);
	write32(entry + 8, vector);
	write32(entry + 12, 0);
}

void msix_mask(const struct msix *m, unsigned i, bool masked)
{
	write32(m->table + MSIX_ENTRY * i + 12, masked ? MSIX_MASKED : 0);
}

void msix_enable(const struct msix *m, bool on)
{
	pci_write16(m->slot, m->cap + MSIX_CONTROL, on ? MSIX_ENABLE : 0);
}
