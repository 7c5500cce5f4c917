/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits for the power button by ACPI's interrupt (ACPI 6.5, 4.8.3.1), then powers off. */
#include "lib/guest.h"

#include "vmm/layout.h"

const char guest_name[] = "poweroff";

enum { PM1_STS = PORT_PM1_EVT, PM1_EN = PORT_PM1_EVT + 2, PM1_POWER_BUTTON = 1 << 8 };

static unsigned presses;

static void sci(void)
{
	uint16_t status = in16(PM1_STS);

	if (status & PM1_POWER_BUTTON)
		presses++;
	out16(PM1_STS, status); /* or the line stays up */
}

void guest_main(void)
{
	CHECK_EQ(in16(PM1_STS) & PM1_POWER_BUTTON, 0);
	CHECK(in16(PORT_PM1_CNT) & 1); /* SCI_EN: nothing is to be enabled */
	interrupt_handler(VECTOR_IOAPIC + GSI_SCI, sci);
	ioapic_enable(GSI_SCI, true);
	out16(PM1_EN, PM1_POWER_BUTTON);
	CHECK_EQ(in16(PM1_EN), PM1_POWER_BUTTON);
	print("STEP button\n");
	CHECK(WAIT(presses > 0, 10000));
	nap();
	nap();
	/* One more interrupt than presses may come, since some KVMs deliver a level twice. */
	CHECK_EQ(presses, 1);
	CHECK(interrupts(VECTOR_IOAPIC + GSI_SCI) <= 2);
}
