/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Breaks the rules of a device's registers (virtio 1.2, 2.1, 3.1, 4.1.4) and of its PCI function,
 * on device=.
 */
#include "lib/target.h"

#include "vmm/layout.h"

const char guest_name[] = "hostile_regs";

static void select_queue(struct target *t, unsigned q)
{
	write16(t->v.common + C_QUEUE_SELECT, (uint16_t)q);
}

/* ---- status and features ---- */

static void features_too_late(struct target *t, struct vq *q)
{
	write32(t->v.common + C_DRIVER_FEATURE, 0);
}

static void features_not_offered(struct target *t, struct vq *q)
{
	uint64_t offered = virtio_offered(&t->v);

	CHECK(!virtio_negotiate(&t->v, offered | 1ull << 63));
	CHECK(!virtio_negotiate(&t->v, offered & ~(1ull << F_VERSION_1)));
}

static void driver_ok_too_early(struct target *t, struct vq *q)
{
	virtio_add_status(&t->v, STATUS_DRIVER_OK);
}

static void status_taken_back(struct target *t, struct vq *q)
{
	write8(t->v.common + C_STATUS, STATUS_ACKNOWLEDGE);
}

static void status_at_random(struct target *t, struct vq *q)
{
	uint64_t seed = 1;

	for (unsigned i = 0; i < 100; i++)
		write8(t->v.common + C_STATUS, (uint8_t)random_next(&seed));
}

static void features_beyond_64(struct target *t, struct vq *q)
{
	for (unsigned i = 2; i < 40; i++) {
		write32(t->v.common + C_DEVICE_FEATURE_SELECT, i);
		CHECK_EQ(read32(t->v.common + C_DEVICE_FEATURE), 0);
		write32(t->v.common + C_DRIVER_FEATURE_SELECT, i);
		write32(t->v.common + C_DRIVER_FEATURE, ~0u);
	}
}

/* ---- queues ---- */

static void queue_before_features(struct target *t, struct vq *q)
{
	select_queue(t, 0);
	write16(t->v.common + C_QUEUE_SIZE, 8);
}

static void size_zero(struct target *t, struct vq *q)
{
	select_queue(t, q->index);
	write16(t->v.common + C_QUEUE_SIZE, 0);
}

static void size_no_power_of_two(struct target *t, struct vq *q)
{
	select_queue(t, q->index);
	write16(t->v.common + C_QUEUE_SIZE, 3);
}

static void size_too_large(struct target *t, struct vq *q)
{
	select_queue(t, q->index);
	write16(t->v.common + C_QUEUE_SIZE, 0x8000);
}

static void enabled_with_2(struct target *t, struct vq *q)
{
	select_queue(t, q->index);
	write16(t->v.common + C_QUEUE_ENABLE, 2);
}

static void changed_after_enable(struct target *t, struct vq *q)
{
	virtio_enable_queue(&t->v, q->index);
	write64(t->v.common + C_QUEUE_DESC, physical(q->desc));
}

static void desc_after_driver_ok(struct target *t, struct vq *q)
{
	select_queue(t, q->index);
	write64(t->v.common + C_QUEUE_DESC, 1ull << 50);
}

static void used_after_driver_ok(struct target *t, struct vq *q)
{
	select_queue(t, q->index);
	write32(t->v.common + C_QUEUE_DEVICE + 4, 0xffffffff);
}

static void size_after_driver_ok(struct target *t, struct vq *q)
{
	select_queue(t, q->index);
	write16(t->v.common + C_QUEUE_SIZE, 2);
}

static void disabled_after_driver_ok(struct target *t, struct vq *q)
{
	select_queue(t, q->index);
	write16(t->v.common + C_QUEUE_ENABLE, 0);
}

/* Rings where they cannot be are found at DRIVER_OK. */
static void ring_at(struct target *t, struct vq *q, unsigned field, uint64_t address)
{
	select_queue(t, q->index);
	write64(t->v.common + field, address);
	virtio_enable_queue(&t->v, q->index);
	virtio_add_status(&t->v, STATUS_DRIVER_OK);
}

static void desc_misaligned(struct target *t, struct vq *q)
{
	ring_at(t, q, C_QUEUE_DESC, physical(q->desc) + 8);
}

static void avail_misaligned(struct target *t, struct vq *q)
{
	ring_at(t, q, C_QUEUE_DRIVER, physical(q->avail) + 1);
}

static void used_misaligned(struct target *t, struct vq *q)
{
	ring_at(t, q, C_QUEUE_DEVICE, physical(q->used) + 2);
}

static void desc_in_hole(struct target *t, struct vq *q)
{
	ring_at(t, q, C_QUEUE_DESC, 0xd0000000);
}

static void avail_in_bar(struct target *t, struct vq *q)
{
	ring_at(t, q, C_QUEUE_DRIVER, physical(t->v.common));
}

static void used_in_ecam(struct target *t, struct vq *q)
{
	ring_at(t, q, C_QUEUE_DEVICE, LAYOUT_ECAM);
}

static void used_across_ram_end(struct target *t, struct vq *q)
{
	ring_at(t, q, C_QUEUE_DEVICE, ram_end() - 8);
}

static void desc_at_the_top(struct target *t, struct vq *q)
{
	ring_at(t, q, C_QUEUE_DESC, ~0ull - 15);
}

static void absent_queue(struct target *t, struct vq *q)
{
	select_queue(t, 0xffff);
	CHECK_EQ(read16(t->v.common + C_QUEUE_SIZE), 0);
	write16(t->v.common + C_QUEUE_SIZE, 16);
	write64(t->v.common + C_QUEUE_DESC, 0x1000);
	write16(t->v.common + C_QUEUE_ENABLE, 1);
	CHECK_EQ(read16(t->v.common + C_QUEUE_ENABLE), 0);
}

static void no_queue_at_all(struct target *t, struct vq *q)
{
	virtio_add_status(&t->v, STATUS_DRIVER_OK);
	for (unsigned i = 0; i < t->v.nqueues; i++)
		write16(t->v.notify + t->v.notify_multiplier * i, (uint16_t)i);
}

/* ---- interrupts ---- */

static void vectors_beyond_the_table(struct target *t, struct vq *q)
{
	write16(t->v.common + C_CONFIG_VECTOR, (uint16_t)t->v.msix.vectors);
	CHECK_EQ(read16(t->v.common + C_CONFIG_VECTOR), NO_VECTOR);
	select_queue(t, 0);
	write16(t->v.common + C_QUEUE_VECTOR, 0x7fff);
	CHECK_EQ(read16(t->v.common + C_QUEUE_VECTOR), NO_VECTOR);
}

static void msix_odd_accesses(struct target *t, struct vq *q)
{
	unsigned end = MSIX_ENTRY * t->v.msix.vectors + 64;

	for (unsigned at = 0; at < end; at++) {
		write8(t->v.msix.table + at, 0xa5);
		read8(t->v.msix.table + at);
		write16(t->v.msix.table + at, 0xa5a5);
		read64(t->v.msix.table + at);
		write8(t->v.msix.pending + at, 0xff);
		read16(t->v.msix.pending + at);
	}
}

/* Messages that go to no APIC; then the device raises them. */
static void msix_messages_to_nowhere(struct target *t, struct vq *q)
{
	for (unsigned i = 0; i < t->v.msix.vectors; i++) {
		volatile uint8_t *entry = t->v.msix.table + MSIX_ENTRY * i;

		write64(entry, 0xdeadbeef00000000ull + i);
		write32(entry + 8, 0xffffffff);
		write32(entry + 12, 0xfffffffe);        /* not masked */
		write32(entry, LAYOUT_LAPIC | 0xff000); /* an APIC that is not there */
		write32(entry + 4, 0);
		write32(entry + 8, 0x00);
	}
	virtio_add_status(&t->v, STATUS_DRIVER_OK);
	write8(t->v.common + C_STATUS, STATUS_ACKNOWLEDGE); /* broken: config interrupt */
	nap();
}

static void msix_toggled(struct target *t, struct vq *q)
{
	for (unsigned i = 0; i < 50; i++) {
		pci_write16(t->v.slot, t->v.msix.cap + MSIX_CONTROL,
			(uint16_t)(i & 1 ? MSIX_ENABLE | (i & 2 ? MSIX_FUNCTION_MASK : 0) : 0));
		msix_mask(&t->v.msix, 0, i & 4);
	}
	msix_enable(&t->v.msix, true);
	msix_mask(&t->v.msix, 0, false);
}

/* ---- the PCI function ---- */

/* Moves the BAR on top of something, looks what happens, and puts it back. */
static void bar_at(struct target *t, uint64_t address)
{
	unsigned bar = pci_read8(t->v.slot, t->v.msix.cap + 4) & 7;
	uint64_t was = pci_bar(t->v.slot, bar);

	pci_set_bar(t->v.slot, bar, address);
	write16(t->v.notify, 0); /* nobody there, or somebody */
	read32(t->v.common);
	pci_set_bar(t->v.slot, bar, was);
	CHECK_EQ(pci_bar(t->v.slot, bar), was);
}

static void bar_moved_everywhere(struct target *t, struct vq *q)
{
	struct target *other = target_find(t->type == VIRTIO_RNG ? "disk" : "rng");
	static volatile uint64_t ram = 0x1122334455667788;
	static const uint64_t places[] = { 0, 0x100000, LAYOUT_ECAM, LAYOUT_LAPIC, LAYOUT_IOAPIC,
		0xffffc000, LAYOUT_PCI32, LAYOUT_PCI32 + LAYOUT_PCI32_SIZE - 0x1000, 1ull << 32,
		1ull << 52, ~0ull };

	for (unsigned i = 0; i < ARRAY_LEN(places); i++)
		bar_at(t, places[i]);
	bar_at(t, physical(&ram) & ~0x3fffull);
	CHECK_EQ(ram, 0x1122334455667788); /* RAM wins */
	if (other)
		bar_at(t, physical(other->v.common));
}

/* To a free place in its own window, where it must work. */
static void bar_moved_and_used(struct target *t, struct vq *q)
{
	unsigned bar = pci_read8(t->v.slot, t->v.msix.cap + 4) & 7;
	uint64_t was = pci_bar(t->v.slot, bar), size = pci_bar_size(t->v.slot, bar);
	uint64_t there = was + 64 * size;

	pci_set_bar(t->v.slot, bar, there);
	CHECK(virtio_find(&t->v, t->name, t->type, t->nth));
	target_revive(t);
	pci_set_bar(t->v.slot, bar, was);
	CHECK(virtio_find(&t->v, t->name, t->type, t->nth));
	virtio_start(&t->v, t->features);
}

static void decoding_off(struct target *t, struct vq *q)
{
	pci_write16(t->v.slot, PCI_COMMAND, 0);
	CHECK_EQ(read32(t->v.common), 0xffffffff);
	write8(t->v.common + C_STATUS, 0);
	vq_kick_always(&t->v.queues[0]);
	pci_write16(t->v.slot, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK(virtio_status(&t->v) & STATUS_DRIVER_OK);
}

/* 4.1.4.9: a window on BARs in config space, with every nonsense that fits into it. */
static void config_window(struct target *t, struct vq *q)
{
	static const uint32_t offsets[] = { 0, 1, 0x14, 0x3000, 0x3ffc, 0x3fff, 0x4000, 0xfffffffc,
		0xffffffff };
	static const uint32_t lengths[] = { 0, 1, 2, 3, 4, 8, 0xffffffff };
	unsigned cap = 0;

	while ((cap = pci_capability(t->v.slot, PCI_CAP_VENDOR, cap)))
		if (pci_read8(t->v.slot, cap + 3) == 5)
			break;
	if (!cap)
		return;
	for (unsigned bar = 0; bar < 8; bar++)
		for (unsigned o = 0; o < ARRAY_LEN(offsets); o++)
			for (unsigned l = 0; l < ARRAY_LEN(lengths); l++) {
				pci_write8(t->v.slot, cap + 4, (uint8_t)bar);
				pci_write32(t->v.slot, cap + 8, offsets[o]);
				pci_write32(t->v.slot, cap + 12, lengths[l]);
				pci_read32(t->v.slot, cap + 16);
			}
	pci_write32(t->v.slot, cap + 16, 0xffffffff);
}

static void config_space_at_random(struct target *t, struct vq *q)
{
	uint32_t was[64];
	uint64_t seed = t->v.slot;

	for (unsigned i = 0; i < ARRAY_LEN(was); i++)
		was[i] = pci_read32(t->v.slot, 4 * i);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t r = random_next(&seed);

		pci_write32(t->v.slot, r & 0xff, (uint32_t)(r >> 32));
		pci_write8(t->v.slot, r >> 8 & 0xff, (uint8_t)(r >> 16));
	}
	CHECK_EQ(pci_read32(t->v.slot, 0), was[0]);
	for (unsigned i = 0; i < ARRAY_LEN(was); i++)
		pci_write32(t->v.slot, 4 * i, was[i]);
	for (unsigned i = 0; i < 10; i++)
		CHECK_EQ(pci_read32(t->v.slot, 4 * i), was[i]);
}

/* ---- everything at once ---- */

static void registers_at_random(struct target *t, struct vq *q)
{
	uint64_t seed = arg_u64("seed", 1) + t->v.slot;

	for (unsigned i = 0; i < 1500; i++) {
		uint64_t r = random_next(&seed);
		/* Half of the time among the registers that matter most. */
		unsigned offset = r >> 21 & 1 ? r & 0x3f : r & 0x3fff;

		touch(t->v.common + offset, random_next(&seed));
	}
}

static void device_config_at_random(struct target *t, struct vq *q)
{
	uint64_t seed = arg_u64("seed", 1);

	for (unsigned i = 0; i < 300 && t->v.config_len; i++) {
		uint64_t r = random_next(&seed);

		touch(t->v.config + r % (t->v.config_len + 16), random_next(&seed));
	}
}

#define RULE(expect, stage, queues, what)                                       \
	{                                                                       \
#what, EXPECT_##expect, STAGE_##stage, QUEUES_##queues, 0, what \
	}

static const struct rule rules[] = {
	RULE(BROKEN, NEGOTIATED, NONE, features_too_late),
	RULE(FINE, RESET, NONE, features_not_offered),
	RULE(BROKEN, RESET, NONE, driver_ok_too_early),
	RULE(BROKEN, LIVE, NONE, status_taken_back),
	RULE(ANY, LIVE, NONE, status_at_random),
	RULE(FINE, RESET, NONE, features_beyond_64),
	RULE(BROKEN, RESET, NONE, queue_before_features),
	RULE(BROKEN, NEGOTIATED, EACH, size_zero),
	RULE(BROKEN, NEGOTIATED, EACH, size_no_power_of_two),
	RULE(BROKEN, NEGOTIATED, EACH, size_too_large),
	RULE(BROKEN, NEGOTIATED, EACH, enabled_with_2),
	RULE(BROKEN, NEGOTIATED, EACH, changed_after_enable),
	RULE(BROKEN, LIVE, EACH, desc_after_driver_ok),
	RULE(BROKEN, LIVE, EACH, used_after_driver_ok),
	RULE(BROKEN, LIVE, EACH, size_after_driver_ok),
	RULE(BROKEN, LIVE, EACH, disabled_after_driver_ok),
	RULE(BROKEN, NEGOTIATED, EACH, desc_misaligned),
	RULE(BROKEN, NEGOTIATED, EACH, avail_misaligned),
	RULE(BROKEN, NEGOTIATED, EACH, used_misaligned),
	RULE(BROKEN, NEGOTIATED, EACH, desc_in_hole),
	RULE(BROKEN, NEGOTIATED, EACH, avail_in_bar),
	RULE(BROKEN, NEGOTIATED, EACH, used_in_ecam),
	RULE(BROKEN, NEGOTIATED, EACH, used_across_ram_end),
	RULE(BROKEN, NEGOTIATED, EACH, desc_at_the_top),
	RULE(FINE, NEGOTIATED, NONE, absent_queue),
	RULE(FINE, NEGOTIATED, NONE, no_queue_at_all),
	RULE(FINE, NEGOTIATED, NONE, vectors_beyond_the_table),
	RULE(ANY, LIVE, NONE, msix_odd_accesses),
	RULE(ANY, NEGOTIATED, NONE, msix_messages_to_nowhere),
	RULE(FINE, LIVE, NONE, msix_toggled),
	RULE(ANY, LIVE, NONE, bar_moved_everywhere),
	RULE(FINE, LIVE, NONE, bar_moved_and_used),
	RULE(FINE, LIVE, NONE, decoding_off),
	RULE(ANY, LIVE, NONE, config_window),
	RULE(ANY, LIVE, NONE, config_space_at_random),
	RULE(ANY, LIVE, NONE, registers_at_random),
	RULE(ANY, NEGOTIATED, NONE, registers_at_random),
	RULE(ANY, LIVE, NONE, device_config_at_random),
};

void guest_main(void)
{
	rules_run(target_chosen(), rules, ARRAY_LEN(rules));
}
