/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes of every width over all of the platform: ports, memory where there is no RAM,
 * config space, and sequences that the PC's old devices never expect. Afterwards the serial port
 * still prints and every virtio device still works. seed= makes another run.
 */
#include "lib/target.h"

#include "vmm/layout.h"

const char guest_name[] = "hostile_platform";

enum { ACCESSES = 3000, STRING = 64 };

static uint64_t seed;
static uint8_t scratch[STRING * 4];
static uint32_t headers[PCI_SLOTS][16]; /* of config spaces, as they were at first */

static void headers_save(void)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		for (unsigned i = 0; i < 16; i++)
			headers[slot][i] = pci_read32(slot, 4 * i);
}

static void headers_restore(void)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		for (unsigned i = 0; i < 16; i++)
			pci_write32(slot, 4 * i, headers[slot][i]);
}

/* ---- ports ---- */

/* Ports that end the guest or its report. */
static bool port_spared(unsigned port, unsigned size)
{
	unsigned last = port + size - 1;

	return (last >= 0x92 && port <= 0x92) ||                    /* resets some machines */
	       (last >= PORT_SERIAL && port < PORT_SERIAL + 8) ||   /* see serial() */
	       (last >= PORT_PM1_CNT && port < PORT_PM1_CNT + 2) || /* sleeps */
	       (last >= PORT_RESET && port <= PORT_RESET) ||        /* resets */
	       (last >= PORT_I8042_DATA && port <= PORT_I8042_CMD); /* see i8042() */
}

static void port_string(uint16_t port, unsigned width, bool in, unsigned count)
{
	void *p = scratch;

	switch (width << 1 | in) {
	case 0:
		__asm__ volatile("rep outsb" : "+S"(p), "+c"(count) : "d"(port) : "memory");
		break;
	case 1:
		__asm__ volatile("rep insb" : "+D"(p), "+c"(count) : "d"(port) : "memory");
		break;
	case 2:
		__asm__ volatile("rep outsw" : "+S"(p), "+c"(count) : "d"(port) : "memory");
		break;
	case 3:
		__asm__ volatile("rep insw" : "+D"(p), "+c"(count) : "d"(port) : "memory");
		break;
	case 4:
		__asm__ volatile("rep outsl" : "+S"(p), "+c"(count) : "d"(port) : "memory");
		break;
	default:
		__asm__ volatile("rep insl" : "+D"(p), "+c"(count) : "d"(port) : "memory");
		break;
	}
}

static void touch_port(uint16_t port, unsigned width, uint32_t value, bool in)
{
	switch (width << 1 | in) {
	case 0:
		out8(port, (uint8_t)value);
		break;
	case 1:
		in8(port);
		break;
	case 2:
		out16(port, (uint16_t)value);
		break;
	case 3:
		in16(port);
		break;
	case 4:
		out32(port, value);
		break;
	default:
		in32(port);
		break;
	}
}

static void ports(void)
{
	static const uint16_t known[] = { PORT_RTC, PORT_PM1_EVT, PORT_PM_TIMER, PORT_GED,
		PORT_PCI_ADDRESS, PORT_PCI_DATA, 0x20, 0x40, 0x61, 0x80, 0xa0, 0x4d0, 0x2f8, 0x510,
		0x5658, 0xfff8 };

	for (unsigned i = 0; i < ACCESSES; i++) {
		uint64_t r = random_next(&seed);
		unsigned port = r & 1 ? known[(r >> 1) % ARRAY_LEN(known)] + (r >> 8 & 7)
				      : r >> 16 & 0xffff;
		unsigned width = (unsigned)(r >> 32) % 3;

		if (port + 4 > 0x10000 || port_spared(port, 1u << width))
			continue;
		if (r >> 40 & 15)
			touch_port((uint16_t)port, width, (uint32_t)(r >> 24), r >> 39 & 1);
		else
			port_string((uint16_t)port, width, r >> 39 & 1, r >> 44 & (STRING - 1));
	}
	/* Past the end of all ports */
	in32(0xffff);
	in16(0xffff);
	out32(0xffff, 0);
	out32(0xfffd, 0);
}

/* ---- memory ---- */

static bool is_apic(uint64_t addr)
{
	return (addr + 8 > LAYOUT_LAPIC && addr < LAYOUT_LAPIC + 0x1000) ||
	       (addr + 8 > LAYOUT_IOAPIC && addr < LAYOUT_IOAPIC + 0x1000);
}

static void holes(uint64_t base, uint64_t size, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t r = random_next(&seed), addr = base + (r >> 8) % (size - 8);

		if (r >> 4 & 1) /* near a page's end, so that some cross it */
			addr = (addr | 0xfff) - (r >> 5 & 7);
		if (!is_apic(addr))
			touch(map_physical(addr, 16), r);
	}
}

static void memory(void)
{
	struct target *rng = target_find("rng");
	uint64_t end = ram_end();

	holes(LAYOUT_PCI32, LAYOUT_PCI32_SIZE, ACCESSES / 4);
	holes(LAYOUT_IOAPIC, 0x1400000, ACCESSES / 4);
	if (end + 0x100000 < LAYOUT_PCI32)
		holes(end, 0x100000, ACCESSES / 8);
	if (rng) /* and what lies before and behind a 64-bit BAR */
		holes((physical(rng->v.common) & ~0xfffffull) - 0x100000, 0x300000, ACCESSES / 4);
	memcpy(scratch, (const void *)LAYOUT_PCI32, sizeof scratch);
	memcpy((void *)LAYOUT_PCI32, scratch, sizeof scratch);
	if (end + 0x1000 < LAYOUT_PCI32) /* half RAM, half nothing */
		touch(map_physical(end - 4, 8), 7);
}

/* ---- config space, through both doors ---- */

static void config_space(void)
{
	volatile uint8_t *ecam = pci_ecam();

	CHECK(ecam);
	for (unsigned i = 0; i < ACCESSES; i++) {
		uint64_t r = random_next(&seed);
		unsigned slot = (unsigned)(r >> 8) % PCI_SLOTS;
		/* Mostly devices that are there, with some functions and long offsets. */
		unsigned at = slot << 15 | (r >> 16 & 15 ? 0 : (r >> 20 & 7) << 12) |
			      (unsigned)(r >> 24 & (r >> 40 & 15 ? 0xff : 0xfff));

		touch(ecam + at, r >> 41);
		CHECK_EQ(read32(ecam + (slot << 15)), headers[slot][0]);
	}
	/* Other buses */
	for (unsigned bus = 1; bus < 256; bus += 51) {
		volatile uint8_t *there = map_physical(physical(ecam) + (bus << 20), 0x1000);

		CHECK_EQ(read32(there), 0xffffffff);
		write32(there + 4, 0xffffffff);
	}
}

/* ---- old devices ---- */

static void serial(void)
{
	uint8_t lcr = in8(PORT_SERIAL + 3), mcr = in8(PORT_SERIAL + 4), ier = in8(PORT_SERIAL + 1);

	for (unsigned i = 0; i < 400; i++) {
		uint64_t r = random_next(&seed);
		unsigned reg = 1 + (r & 7) % 7; /* what goes out is the report, and no test */

		if (r >> 8 & 1)
			out8((uint16_t)(PORT_SERIAL + reg), (uint8_t)(r >> 16));
		else
			in8((uint16_t)(PORT_SERIAL + (r >> 9 & 7)));
		if (r >> 10 & 1) {
			in16((uint16_t)(PORT_SERIAL + reg));
			in32(PORT_SERIAL);
		}
	}
	/* Loopback: what is sent comes back, and only so much of it is kept. */
	out8(PORT_SERIAL + 3, 3);
	out8(PORT_SERIAL + 2, 7);
	out8(PORT_SERIAL + 4, 0x10);
	for (unsigned i = 0; i < 40; i++)
		out8(PORT_SERIAL, (uint8_t)i);
	for (unsigned i = 0; i < 40; i++)
		in8(PORT_SERIAL);
	/* A divisor of nothing */
	out8(PORT_SERIAL + 3, 0x83);
	out8(PORT_SERIAL, 0);
	out8(PORT_SERIAL + 1, 0);
	out8(PORT_SERIAL, 1);
	out8(PORT_SERIAL + 3, lcr);
	out8(PORT_SERIAL + 4, mcr);
	out8(PORT_SERIAL + 1, ier);
	out8(PORT_SERIAL + 2, 7);
}

/* A command that pulses the reset line, by itself or through the output port. */
static bool i8042_resets(uint8_t command)
{
	return command >= 0xf0 && !(command & 1);
}

static void i8042(void)
{
	for (unsigned i = 0; i < 600; i++) {
		uint64_t r = random_next(&seed);
		uint8_t command = (uint8_t)(r >> 8);

		if (r & 1 && !i8042_resets(command))
			out8(PORT_I8042_CMD, command);
		else if (r & 2)
			out8(PORT_I8042_DATA, (uint8_t)(r >> 16) | 1); /* may be the output port */
		else
			in8(r & 4 ? PORT_I8042_DATA : PORT_I8042_CMD);
	}
	for (unsigned i = 0; i < 64; i++)
		in8(PORT_I8042_DATA);
	out8(PORT_I8042_CMD, 0xad);
	out8(PORT_I8042_CMD, 0xa7);
	out8(PORT_I8042_CMD, 0x60); /* interrupts off */
	out8(PORT_I8042_DATA, 0x30);
}

static void rtc(void)
{
	for (unsigned i = 0; i < 600; i++) {
		uint64_t r = random_next(&seed);

		out8(PORT_RTC, (uint8_t)r);
		if (r >> 8 & 1)
			out8(PORT_RTC + 1, (uint8_t)(r >> 16));
		else
			in8(PORT_RTC + 1);
	}
	/* As fast as it goes, every interrupt on, then off again */
	out8(PORT_RTC, 0x0a);
	out8(PORT_RTC + 1, 0x2f);
	out8(PORT_RTC, 0x0b);
	out8(PORT_RTC + 1, 0x72);
	for (unsigned i = 0; i < 3; i++)
		nap();
	out8(PORT_RTC, 0x0b);
	out8(PORT_RTC + 1, 0x02);
	out8(PORT_RTC, 0x0c);
	in8(PORT_RTC + 1);
}

static void pm(void)
{
	for (unsigned i = 0; i < 300; i++) {
		uint64_t r = random_next(&seed);

		out16((uint16_t)(PORT_PM1_EVT + (r & 2)), (uint16_t)(r >> 16));
		out8((uint16_t)(PORT_PM1_EVT + (r >> 2 & 3)), (uint8_t)(r >> 32));
		out32(PORT_PM_TIMER, (uint32_t)r);
		out32(PORT_GED, (uint32_t)r);
		in32(PORT_GED);
		out16(PORT_PM1_CNT, r & 0x0300); /* no SLP_EN */
	}
	out32(PORT_PM1_EVT, 0x0000ffff);
}

void guest_main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = {
		{ "ports", ports },
		{ "memory", memory },
		{ "serial", serial },
		{ "i8042", i8042 },
		{ "rtc", rtc },
		{ "pm", pm },
		{ "config_space", config_space },
	};
	const char *only = arg("part");

	seed = arg_u64("seed", 1);
	targets_revive();
	headers_save();
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		if (only && strcmp(only, parts[i].name))
			continue;
		print("part %s\n", parts[i].name);
		parts[i].run();
		headers_restore();
		targets_revive();
	}
}
