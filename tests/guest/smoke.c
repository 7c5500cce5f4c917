/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is there a PC at all: serial port, command line, initrd, memory map, CPUID, ACPI's tables, timers,
 * interrupts by the local APIC and by the I/O APIC.
 */
#include "lib/guest.h"

#include "vmm/layout.h"

const char guest_name[] = "smoke";

enum {
	PIT_CHANNEL0 = 0x40,
	PIT_MODE = 0x43,
	PIT_HZ = 1193182,
	PIT_RATE_MODE = 0x34,
	PIT_ONE_SHOT_MODE = 0x30,
	MADT_OVERRIDE = 2,
};

static void show_memory(void)
{
	unsigned n;
	const struct pvh_memory *map = pvh_memory_map(&n);
	uint64_t ram = 0;

	CHECK(n > 0);
	for (unsigned i = 0; i < n; i++) {
		print("memory %012lx %012lx %u\n", map[i].addr, map[i].size, map[i].type);
		ram += map[i].type == PVH_RAM ? map[i].size : 0;
	}
	print("ram %lu KiB\n", ram / 1024);
	/* The last page of all RAM is there and keeps what is written. */
	for (unsigned i = 0; i < n; i++) {
		volatile void *last;

		if (map[i].type != PVH_RAM || map[i].size < 8)
			continue;
		last = map_physical(map[i].addr + map[i].size - 8, 8);
		write64(last, 0x0123456789abcdefull + i);
		CHECK_EQ(read64(last), 0x0123456789abcdefull + i);
	}
}

static void show_cpu(void)
{
	uint32_t r[4];
	char vendor[13] = { 0 };

	cpuid(0, 0, r);
	memcpy(vendor, &r[1], 4);
	memcpy(vendor + 4, &r[3], 4);
	memcpy(vendor + 8, &r[2], 4);
	print("cpu %s\n", vendor);
	cpuid(1, 0, r);
	CHECK(r[3] & 1 << 9);    /* an APIC */
	CHECK(r[2] & 1u << 31);  /* a hypervisor, that says so */
	CHECK_EQ(r[1] >> 24, 0); /* our APIC's id */
	cpuid(0x40000000, 0, r);
	memcpy(vendor, &r[1], 12);
	print("hypervisor %s\n", vendor);
}

static void show_initrd(void)
{
	uint64_t size = 0;
	const uint8_t *initrd = pvh_module(&size);

	if (initrd)
		print("initrd %lu bytes, %02x to %02x\n", size, initrd[0], initrd[size - 1]);
}

static void check_acpi(void)
{
	static const char *const tables[] = { "FACP", "APIC", "MCFG" };

	for (unsigned i = 0; i < ARRAY_LEN(tables); i++) {
		const uint8_t *t = acpi_table(tables[i]);
		uint32_t len;
		uint8_t sum = 0;

		if (!t)
			fail("no ACPI table %s", tables[i]);
		memcpy(&len, t + 4, 4);
		for (uint32_t k = 0; k < len; k++)
			sum += t[k];
		if (sum)
			fail("ACPI table %s has a bad checksum", tables[i]);
	}
}

/* Where ISA interrupt 0 comes out (ACPI 6.5, 5.2.12.5). */
static unsigned pit_pin(void)
{
	const uint8_t *madt = acpi_table("APIC");
	uint32_t len;

	memcpy(&len, madt + 4, 4);
	for (uint32_t at = 44; at + 2 <= len && madt[at + 1]; at += madt[at + 1])
		if (madt[at] == MADT_OVERRIDE && madt[at + 3] == 0)
			return madt[at + 4];
	return 0;
}

static void check_timers(void)
{
	unsigned pin = pit_pin(), vector = VECTOR_IOAPIC + pin, had;
	uint64_t start;

	nap();
	CHECK(interrupts(VECTOR_TIMER) > 0);

	/* 1 ms apart; ten of them take no less than nine periods. */
	ioapic_enable(pin, false);
	start = now_us();
	out8(PIT_MODE, PIT_RATE_MODE);
	out8(PIT_CHANNEL0, (PIT_HZ / 1000) & 0xff);
	out8(PIT_CHANNEL0, (PIT_HZ / 1000) >> 8);
	CHECK(WAIT(interrupts(vector) >= 10, 1000));
	print("pit pin %u: 10 ticks took %lu us\n", pin, now_us() - start);
	CHECK(now_us() - start > 8000);
	ioapic_disable(pin);
	out8(PIT_MODE, PIT_ONE_SHOT_MODE);
	had = interrupts(vector);
	nap();
	CHECK(interrupts(vector) <= had + 1);
}

/* The serial port's interrupt: an empty transmitter announces itself when asked to. */
static void check_serial_interrupt(void)
{
	ioapic_enable(GSI_SERIAL, false);
	out8(PORT_SERIAL + 4, 0x0b); /* DTR, RTS, and OUT2, which lets interrupts out */
	out8(PORT_SERIAL + 1, 2);
	CHECK(WAIT(interrupts(VECTOR_IOAPIC + GSI_SERIAL) > 0, 1000));
	CHECK_EQ(in8(PORT_SERIAL + 2) & 0xf, 2);
	out8(PORT_SERIAL + 1, 0);
	ioapic_disable(GSI_SERIAL);
}

void guest_main(void)
{
	print("cmdline \"%s\"\n", cmdline());
	show_cpu();
	show_initrd();
	show_memory();
	check_acpi();
	check_timers();
	check_serial_interrupt();
}
