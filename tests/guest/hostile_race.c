/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several CPUs at the registers of one device at once: one starts and resets it over and over, one
 * moves its BAR and switches it off and on, the others write anything anywhere. Nothing of this
 * makes sense; when all have stopped the device works.
 */
#include "lib/target.h"

const char guest_name[] = "hostile_race";

enum { MOVER = 1, RACE_MS = 400, BAR_SPAN = 0x4000 };

static struct target *t;
static volatile uint8_t *config; /* the device's config space, which takes one access */
static uint64_t bar;
static uint8_t scratch[8];
static bool stop;
static unsigned stopped;

static bool stopping(void)
{
	return __atomic_load_n(&stop, __ATOMIC_SEQ_CST);
}

static void move(uint64_t r)
{
	if (r & 1)
		write16(config + PCI_COMMAND, PCI_COMMAND_MASTER);
	write32(config + PCI_BAR0, (uint32_t)(bar + (r >> 8 & 3) * 16 * BAR_SPAN));
	write16(config + PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	write16(config + t->v.msix.cap + MSIX_CONTROL, r >> 16 & 1 ? MSIX_ENABLE : 0);
}

static void scribble(uint64_t r, uint64_t *seed)
{
	/* Most of the time among the registers that matter. */
	unsigned offset = r & 3 ? r >> 8 & 0x3f : r >> 8 & (BAR_SPAN - 1);

	touch(t->v.common + offset, random_next(seed));
}

static void race(unsigned number)
{
	uint64_t seed = arg_u64("seed", 1) + number;

	while (!stopping()) {
		uint64_t r = random_next(&seed);

		if (number == MOVER)
			move(r);
		else
			scribble(r, &seed);
	}
	__atomic_add_fetch(&stopped, 1, __ATOMIC_SEQ_CST);
}

/* As virtio_start(), but believes nothing and waits for nothing. */
static void start_and_reset(void)
{
	volatile uint8_t *c = t->v.common;

	write8(c + C_STATUS, 0);
	write8(c + C_STATUS, STATUS_ACKNOWLEDGE);
	write8(c + C_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	write32(c + C_DRIVER_FEATURE_SELECT, 1);
	write32(c + C_DRIVER_FEATURE, 1);
	write8(c + C_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	for (unsigned i = 0; i < t->v.nqueues; i++) {
		struct vq *q = &t->v.queues[i];

		write16(c + C_QUEUE_SELECT, (uint16_t)i);
		write16(c + C_QUEUE_SIZE, (uint16_t)q->size);
		write64(c + C_QUEUE_DESC, physical(q->desc));
		write64(c + C_QUEUE_DRIVER, physical(q->avail));
		write64(c + C_QUEUE_DEVICE, physical(q->used));
		write16(c + C_QUEUE_ENABLE, 1);
	}
	write8(c + C_STATUS,
		STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	for (unsigned i = 0; i < t->v.nqueues; i++) {
		raw_desc(&t->v.queues[i], 0, physical(scratch), sizeof scratch,
			i & 1 ? 0 : DESC_WRITE, 0);
		raw_offer(&t->v.queues[i], 0);
	}
}

void guest_main(void)
{
	unsigned cpus = (unsigned)arg_u64("cpus", 4);
	struct target *bystander;
	uint64_t end;

	t = target_chosen();
	bystander = target_find(t->type == VIRTIO_RNG ? "disk" : "rng");
	target_revive(t);
	if (bystander)
		target_revive(bystander);
	bar = pci_bar(t->v.slot, 0);
	config = pci_ecam() + (t->v.slot << 15);
	CHECK_EQ(smp_start(cpus, race), cpus);
	for (end = now_us() + RACE_MS * 1000; now_us() < end;)
		start_and_reset();
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	CHECK(WAIT(__atomic_load_n(&stopped, __ATOMIC_SEQ_CST) == cpus - 1, 2000));
	pci_set_bar(t->v.slot, 0, bar);
	write16(config + PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	if (bystander)
		bystander->sanity(bystander);
	target_revive(t);
}
