/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/pci/pci.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "util/bytes.h"
#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/pci/msix.h"
#include "vmm/state.h"

enum {
	STATE_VERSION = 1,
	CAP_MSIX = 0x11,
	FIRST_CAP = 0x40,
	MSIX_ENABLE = 0x8000,
	MSIX_FUNCTION_MASK = 0x4000,
	BAR_64 = 0x4,
	BAR_PREFETCH = 0x8,
};

#define ADDRESS_ENABLE 0x80000000u /* of port 0xcf8 */

struct pci_bus {
	struct bus *mmio, *ports;
	pthread_mutex_t lock; /* guards config space, the address register and where BARs are */
	struct pci_device *slots[PCI_SLOTS];
	/* What a device starts with, for a reset in place. */
	uint8_t pristine[PCI_SLOTS][PCI_CONFIG_SIZE];
	uint32_t address;
	uint64_t pci64_base;
	uint64_t next32, next64; /* where the next BAR goes */
	void (*reset_port)(void *, uint8_t);
	void *reset_opaque;
};

/* ---- BARs ---- */

static uint64_t bar_address(const struct pci_device *d, unsigned i)
{
	uint64_t address = le32_get(d->config + PCI_BAR0 + 4 * i) & ~15u;

	if (d->bars[i].is_64)
		address |= (uint64_t)le32_get(d->config + PCI_BAR0 + 4 * i + 4) << 32;
	return address;
}

/* Also asked by vCPUs that do not hold the lock; config_write() is the other side. */
bool pci_decodes(const struct pci_device *d)
{
	return __atomic_load_n(&d->config[PCI_COMMAND], __ATOMIC_RELAXED) & PCI_COMMAND_MEMORY;
}

static uint64_t bar_read(void *opaque, uint64_t offset, unsigned size)
{
	struct pci_bar *bar = opaque;

	if (!pci_decodes(bar->owner) || !bar->ops->read)
		return ~0ull;
	return bar->ops->read(bar->opaque, offset, size);
}

static void bar_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct pci_bar *bar = opaque;

	if (pci_decodes(bar->owner) && bar->ops->write)
		bar->ops->write(bar->opaque, offset, size, value);
}

static const struct bus_ops bar_ops = { .read = bar_read, .write = bar_write };

static bool in_window(const struct pci_bus *b, uint64_t address, uint64_t size)
{
	if (address >= LAYOUT_PCI32 &&
		range_inside(address - LAYOUT_PCI32, size, LAYOUT_PCI32_SIZE))
		return true;
	return address >= b->pci64_base &&
	       range_inside(address - b->pci64_base, size, LAYOUT_PCI64_SIZE);
}

static void unmap_bar(struct pci_bus *b, struct pci_bar *bar)
{
	bus_remove(b->mmio, bar->address, bar->size);
	bar->mapped = false;
	if (bar->moved)
		bar->moved(bar->opaque, 0);
}

/* A device that decodes nothing keeps its place only until another one wants it. */
static void make_room(struct pci_bus *b, uint64_t address, uint64_t size)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_device *d = b->slots[slot];

		for (unsigned i = 0; d && !pci_decodes(d) && i < PCI_BARS; i++) {
			struct pci_bar *bar = &d->bars[i];

			if (bar->mapped && bar->address < address + size &&
				address < bar->address + bar->size)
				unmap_bar(b, bar);
		}
	}
}

/* Brings the map in line with what the guest wrote. True where that left a place empty. */
static bool place_bar(struct pci_bus *b, struct pci_device *d, unsigned i)
{
	struct pci_bar *bar = &d->bars[i];
	uint64_t address = bar_address(d, i);
	struct bus_range range = {
		.base = address, .size = bar->size, .ops = &bar_ops, .opaque = bar, .name = d->name
	};
	bool was = bar->mapped;

	if (was && bar->address == address)
		return false;
	if (was)
		unmap_bar(b, bar);
	bar->address = address;
	/* Outside the windows there may be RAM or another device: then it is decoded nowhere. */
	if (in_window(b, address, bar->size)) {
		make_room(b, address, bar->size);
		bar->mapped = bus_add(b->mmio, &range) == 0;
	}
	if (bar->moved && bar->mapped)
		bar->moved(bar->opaque, address);
	return was;
}

static bool place_bars(struct pci_bus *b, struct pci_device *d)
{
	bool left = false;

	for (unsigned i = 0; i < PCI_BARS && pci_decodes(d); i++)
		if (d->bars[i].size)
			left |= place_bar(b, d, i);
	return left;
}

/* Places the BARs of d, and then those of others that may have waited for where it was. */
static void replace_bars(struct pci_bus *b, struct pci_device *d)
{
	if (!place_bars(b, d))
		return;
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		if (b->slots[slot])
			place_bars(b, b->slots[slot]);
}

uint64_t pci_bar_read(struct pci_device *d, unsigned bar, uint64_t offset, unsigned size)
{
	if (bar >= PCI_BARS || !d->bars[bar].size || !range_inside(offset, size, d->bars[bar].size))
		return ~0ull;
	return d->bars[bar].ops->read(d->bars[bar].opaque, offset, size);
}

void pci_bar_write(
	struct pci_device *d, unsigned bar, uint64_t offset, unsigned size, uint64_t value)
{
	if (bar < PCI_BARS && d->bars[bar].size && range_inside(offset, size, d->bars[bar].size))
		d->bars[bar].ops->write(d->bars[bar].opaque, offset, size, value);
}

/* ---- config space ---- */

static uint32_t config_read(struct pci_bus *b, unsigned slot, unsigned offset, unsigned size)
{
	struct pci_device *d = b->slots[slot];
	uint32_t value = 0;

	if (!d)
		return ~0u;
	if (!range_inside(offset, size, PCI_CONFIG_SIZE))
		return 0; /* no extended capabilities */
	if (d->config_read)
		d->config_read(d->opaque, offset, size);
	memcpy(&value, d->config + offset, size);
	return value;
}

static void msix_written(struct pci_device *d)
{
	uint16_t control = le16_get(d->config + d->msix_cap + 2);

	msix_control(d->msix, control & MSIX_ENABLE, control & MSIX_FUNCTION_MASK);
}

static bool touches(unsigned offset, unsigned size, unsigned at, unsigned len)
{
	return offset < at + len && at < offset + size;
}

static void config_write(
	struct pci_bus *b, unsigned slot, unsigned offset, unsigned size, uint32_t value)
{
	struct pci_device *d = b->slots[slot];

	if (!d || !range_inside(offset, size, PCI_CONFIG_SIZE))
		return;
	for (unsigned i = 0; i < size; i++, value >>= 8) {
		uint8_t *byte = &d->config[offset + i], mask = d->writable[offset + i];

		__atomic_store_n(
			byte, (uint8_t)((*byte & ~mask) | (value & mask)), __ATOMIC_RELAXED);
	}
	if (touches(offset, size, PCI_COMMAND, 2) || touches(offset, size, PCI_BAR0, 4 * PCI_BARS))
		replace_bars(b, d);
	if (d->msix && touches(offset, size, d->msix_cap + 2, 2))
		msix_written(d);
	if (d->config_written)
		d->config_written(d->opaque, offset, size);
}

/* ECAM: bus, device, function, register (PCI Express 3.0, 7.2.2) */
static uint64_t ecam_read(void *opaque, uint64_t offset, unsigned size)
{
	struct pci_bus *b = opaque;
	uint32_t value;

	if (offset >> 20 || offset >> 12 & 7 || size > 4)
		return ~0ull;
	pthread_mutex_lock(&b->lock);
	value = config_read(b, offset >> 15 & 31, offset & 0xfff, size);
	pthread_mutex_unlock(&b->lock);
	return value;
}

static void ecam_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct pci_bus *b = opaque;

	if (offset >> 20 || offset >> 12 & 7 || size > 4)
		return;
	pthread_mutex_lock(&b->lock);
	config_write(b, offset >> 15 & 31, offset & 0xfff, size, (uint32_t)value);
	pthread_mutex_unlock(&b->lock);
}

static const struct bus_ops ecam_ops = { .read = ecam_read, .write = ecam_write };

/* Ports 0xcf8 to 0xcff: the address register takes four bytes at once, the data any. */
static bool selected(const struct pci_bus *b)
{
	return b->address & ADDRESS_ENABLE && !(b->address & 0x00ffff00u & ~0xf800u);
}

static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
	struct pci_bus *b = opaque;
	uint32_t value = ~0u;

	pthread_mutex_lock(&b->lock);
	if (offset >= 4 && selected(b))
		value = config_read(
			b, b->address >> 11 & 31, (b->address & 0xfc) + (offset & 3), size);
	else if (offset == 0 && size == 4)
		value = b->address;
	else if (offset < 4)
		value = 0;
	pthread_mutex_unlock(&b->lock);
	return value;
}

static void port_write(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	struct pci_bus *b = opaque;

	if (offset == PORT_RESET - PORT_PCI_ADDRESS && size == 1) {
		if (b->reset_port)
			b->reset_port(b->reset_opaque, (uint8_t)value);
		return;
	}
	pthread_mutex_lock(&b->lock);
	if (offset >= 4 && selected(b))
		config_write(b, b->address >> 11 & 31, (b->address & 0xfc) + (offset & 3), size,
			(uint32_t)value);
	else if (offset == 0 && size == 4)
		b->address = (uint32_t)value;
	pthread_mutex_unlock(&b->lock);
}

static const struct bus_ops port_ops = { .read = port_read, .write = port_write };

/* ---- set-up ---- */

struct pci_bus *pci_bus_create(struct bus *mmio, struct bus *ports, uint64_t pci64_base,
	void (*reset_port)(void *opaque, uint8_t value), void *opaque)
{
	struct pci_bus *b = calloc(1, sizeof *b);
	struct bus_range ecam = { .base = LAYOUT_ECAM,
		.size = LAYOUT_ECAM_SIZE,
		.ops = &ecam_ops,
		.opaque = b,
		.name = "ECAM" };
	struct bus_range port = { .base = PORT_PCI_ADDRESS,
		.size = 8,
		.ops = &port_ops,
		.opaque = b,
		.name = "PCI ports" };
	int err;

	if (!b)
		return NULL;
	b->mmio = mmio;
	b->ports = ports;
	b->pci64_base = b->next64 = pci64_base;
	b->next32 = LAYOUT_PCI32;
	b->reset_port = reset_port;
	b->reset_opaque = opaque;
	pthread_mutex_init(&b->lock, NULL);
	err = bus_add(mmio, &ecam);
	if (!err)
		err = bus_add(ports, &port);
	if (err) {
		pci_bus_destroy(b);
		errno = -err;
		return NULL;
	}
	return b;
}

void pci_bus_destroy(struct pci_bus *b)
{
	if (!b)
		return;
	bus_remove(b->mmio, LAYOUT_ECAM, LAYOUT_ECAM_SIZE);
	bus_remove(b->ports, PORT_PCI_ADDRESS, 8);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void pci_device_init(struct pci_device *d, const char *name, unsigned slot, uint16_t vendor,
	uint16_t device, uint32_t class)
{
	d->name = name;
	d->slot = slot;
	d->next_cap = FIRST_CAP;
	le16_put(d->config + PCI_VENDOR_ID, vendor);
	le16_put(d->config + PCI_DEVICE_ID, device);
	le32_put(d->config + PCI_REVISION, class << 8 | 1);
	le16_put(d->writable + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | 0x400);
	d->writable[PCI_INTERRUPT_LINE] = 0xff;
}

uint8_t pci_add_capability(struct pci_device *d, uint8_t id, const void *bytes, uint8_t len)
{
	uint8_t at = d->next_cap;

	memcpy(d->config + at, bytes, len);
	d->config[at] = id;
	d->config[at + 1] = d->config[PCI_CAPABILITIES];
	d->config[PCI_CAPABILITIES] = at;
	d->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	d->next_cap = (uint8_t)(at + ALIGN_UP(len, 4));
	return at;
}

void pci_add_msix(struct pci_device *d, struct msix *m, unsigned bar, uint32_t table, uint32_t pba)
{
	uint8_t cap[12] = { 0 };

	le16_put(cap + 2, (uint16_t)(msix_vectors(m) - 1));
	le32_put(cap + 4, table | bar);
	le32_put(cap + 8, pba | bar);
	d->msix = m;
	d->msix_cap = pci_add_capability(d, CAP_MSIX, cap, sizeof cap);
	le16_put(d->writable + d->msix_cap + 2, MSIX_ENABLE | MSIX_FUNCTION_MASK);
}

/* A BAR's fixed bits, what may be written of it, and its first address. */
static int assign_bar(struct pci_bus *b, struct pci_device *d, unsigned i)
{
	struct pci_bar *bar = &d->bars[i];
	uint64_t *next = bar->is_64 ? &b->next64 : &b->next32;
	uint64_t address = ALIGN_UP(*next, bar->size), mask = ~(bar->size - 1);
	uint8_t *reg = d->config + PCI_BAR0 + 4 * i, *writable = d->writable + PCI_BAR0 + 4 * i;

	bar->owner = d;
	if (!in_window(b, address, bar->size))
		return -ENOSPC;
	*next = address + bar->size;
	le32_put(writable, (uint32_t)mask & ~15u);
	le32_put(reg, (uint32_t)address | (bar->is_64 ? BAR_64 | BAR_PREFETCH : 0));
	if (bar->is_64) {
		le32_put(writable + 4, (uint32_t)(mask >> 32));
		le32_put(reg + 4, (uint32_t)(address >> 32));
	}
	place_bar(b, d, i);
	return 0;
}

int pci_bus_add(struct pci_bus *b, struct pci_device *d)
{
	if (d->slot >= PCI_SLOTS || b->slots[d->slot])
		return -EEXIST;
	for (unsigned i = 0; i < PCI_BARS; i++) {
		int err = d->bars[i].size ? assign_bar(b, d, i) : 0;

		if (err)
			return err;
	}
	d->bus = b;
	b->slots[d->slot] = d;
	memcpy(b->pristine[d->slot], d->config, PCI_CONFIG_SIZE);
	return 0;
}

void pci_bus_reset(struct pci_bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->address = 0;
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_device *d = b->slots[slot];

		if (!d)
			continue;
		memcpy(d->config, b->pristine[slot], PCI_CONFIG_SIZE);
		if (d->msix)
			msix_reset(d->msix);
	}
	/* Now that nobody decodes, nobody stands in another's way. */
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		for (unsigned i = 0; b->slots[slot] && i < PCI_BARS; i++)
			if (b->slots[slot]->bars[i].size)
				place_bar(b, b->slots[slot], i);
	pthread_mutex_unlock(&b->lock);
}

/* ---- state ---- */

void pci_bus_save(struct pci_bus *b, struct state_writer *w)
{
	size_t mark = state_begin(w, "pci", STATE_VERSION);

	pthread_mutex_lock(&b->lock);
	state_put_u32(w, b->address);
	pthread_mutex_unlock(&b->lock);
	state_end(w, mark);
}

int pci_bus_load(struct pci_bus *b, struct state_reader *r)
{
	struct state_reader body;
	uint32_t address = 0;

	if (state_section(r, "pci", STATE_VERSION, &body))
		address = state_get_u32(&body);
	if (!state_reader_done(&body)) {
		log_error("PCI: its saved state does not fit");
		return -EINVAL;
	}
	pthread_mutex_lock(&b->lock);
	b->address = address;
	pthread_mutex_unlock(&b->lock);
	return 0;
}

void pci_device_save(struct pci_device *d, struct state_writer *w)
{
	pthread_mutex_lock(&d->bus->lock);
	state_put_u16(w, STATE_VERSION);
	state_put_bytes(w, d->config, PCI_CONFIG_SIZE);
	if (d->msix)
		msix_save(d->msix, w);
	pthread_mutex_unlock(&d->bus->lock);
}

int pci_device_load(struct pci_device *d, struct state_reader *r)
{
	struct pci_bus *b = d->bus;
	uint8_t config[PCI_CONFIG_SIZE];
	bool fits;

	pthread_mutex_lock(&b->lock);
	fits = state_get_u16(r) == STATE_VERSION;
	state_get_bytes(r, config, sizeof config);
	/* Only what a guest could have written may differ. */
	for (unsigned i = 0; i < sizeof config; i++)
		fits = fits && !((config[i] ^ b->pristine[d->slot][i]) & ~d->writable[i]);
	fits = fits && !r->failed && (!d->msix || msix_load(d->msix, r) == 0);
	if (fits) {
		memcpy(d->config, config, sizeof config);
		for (unsigned i = 0; i < PCI_BARS; i++)
			if (d->bars[i].size)
				place_bar(b, d, i);
		if (d->msix)
			msix_written(d);
	}
	pthread_mutex_unlock(&b->lock);
	if (!fits)
		log_error("%s: its saved PCI state does not fit this device", d->name);
	return fits ? 0 : -EINVAL;
}
