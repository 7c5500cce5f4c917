/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resets the machine by how=cf9, i8042, or fadt's register, and finds itself started afresh: its own
 * image as it was, the clock's NVRAM as it left it, and all cpus= waiting to be started again.
 */
#include "lib/virtio.h"

#include "vmm/layout.h"

const char guest_name[] = "reset";

enum {
	NVRAM_MARK = 0x70, /* a byte that no firmware uses */
	BEFORE = 0x5a,
	I8042_RESET = 0xfe,
	RESET_FULL = 0x06,
	FADT_RESET_REGISTER = 116,
	FADT_RESET_VALUE = 128,
};

/* What a loader must write again, and what it must clear again. */
static volatile unsigned in_data = 0x600d;
static volatile unsigned in_bss;

static uint8_t nvram_read(uint8_t index)
{
	out8(PORT_RTC, index);
	return in8(PORT_RTC + 1);
}

static void nvram_write(uint8_t index, uint8_t value)
{
	out8(PORT_RTC, index);
	out8(PORT_RTC + 1, value);
}

static void reset_by_fadt(void)
{
	const uint8_t *fadt = acpi_table("FACP");
	uint16_t port;

	CHECK(fadt && fadt[FADT_RESET_REGISTER] == 1); /* system I/O */
	memcpy(&port, fadt + FADT_RESET_REGISTER + 4, sizeof port);
	out8(port, fadt[FADT_RESET_VALUE]);
}

static void reset(const char *how)
{
	if (!strcmp(how, "cf9"))
		out8(PORT_RESET, RESET_FULL);
	else if (!strcmp(how, "i8042"))
		out8(PORT_I8042_CMD, I8042_RESET);
	else if (!strcmp(how, "fadt"))
		reset_by_fadt();
	else
		fail("how=%s is no way to reset", how);
	WAIT(false, 3000);
	fail("%s did not reset the machine", how);
}

/* A device that was in use comes back as from power-on. */
static void check_device(bool second_boot)
{
	struct virtio rng;
	uint8_t byte;
	struct buf b = { &byte, 1, true };

	if (!virtio_find(&rng, "rng", VIRTIO_RNG, 0))
		return;
	if (second_boot) {
		CHECK_EQ(virtio_status(&rng), 0);
		CHECK(!(pci_read16(rng.slot, rng.msix.cap + MSIX_CONTROL) & MSIX_ENABLE));
	}
	virtio_start(&rng, 0);
	CHECK_EQ(vq_do(&rng.queues[0], &b, 1), 1);
}

void guest_main(void)
{
	const char *how = arg("how");
	unsigned cpus = (unsigned)arg_u64("cpus", 1);
	bool second_boot = nvram_read(NVRAM_MARK) == BEFORE;

	CHECK_EQ(in_data, 0x600d);
	CHECK_EQ(in_bss, 0);
	check_device(second_boot);
	if (cpus > 1)
		CHECK_EQ(smp_start(cpus, NULL), cpus);
	if (second_boot) {
		nvram_write(NVRAM_MARK, 0);
		print("second boot\n");
		return;
	}
	print("first boot\n");
	in_data = 0xbad;
	in_bss = 0xbad;
	nvram_write(NVRAM_MARK, BEFORE);
	reset(how ? how : "cf9");
}
