/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other CPUs start by INIT and STARTUP and come to long mode: as many as cpus= says. */
#include "lib/guest.h"

const char guest_name[] = "smp";

enum { MADT_LAPIC = 0, MADT_X2APIC = 9 };

static unsigned count_in_madt(void)
{
	const uint8_t *madt = acpi_table("APIC");
	unsigned n = 0;
	uint32_t len;

	CHECK(madt);
	memcpy(&len, madt + 4, 4);
	for (uint32_t at = 44; at + 2 <= len && madt[at + 1]; at += madt[at + 1])
		n += (madt[at] == MADT_LAPIC && madt[at + 4] & 1) ||
		     (madt[at] == MADT_X2APIC && madt[at + 8] & 1);
	return n;
}

void guest_main(void)
{
	unsigned wanted = (unsigned)arg_u64("cpus", 2);

	CHECK_EQ(count_in_madt(), wanted);
	CHECK_EQ(smp_start(wanted, NULL), wanted);
	print("cpus %u\n", wanted);
}
