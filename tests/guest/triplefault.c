/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults with no IDT: the end of a PC, and a message from the monitor with these registers. */
#include "lib/guest.h"

const char guest_name[] = "triplefault";

void guest_main(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none;

	print("falling\n");
	__asm__ volatile("lidt %0\n"
			 "mov $0xfeedfacecafef00d, %%rbx\n"
			 "ud2"
			 :
			 : "m"(none)
			 : "rbx");
}
