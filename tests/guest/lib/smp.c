/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest.h"

#include "layout.h"

enum { LAPIC_ICR = 0x300, ICR_INIT_ALL_OTHERS = 0xc4500, ICR_STARTUP_ALL_OTHERS = 0xc4600 };

extern const uint8_t trampoline[], trampoline_end[]; /* start.S */
uint32_t ap_next;
uint8_t ap_stacks[CPUS_MAX * AP_STACK_SIZE] __attribute__((aligned(16)));
void ap_start(unsigned number);

static unsigned running = 1;
static void (*ap_fn)(unsigned number);

void ap_start(unsigned number)
{
	cpu_load_idt();
	if (number < CPUS_MAX) {
		__atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST);
		if (ap_fn)
			ap_fn(number);
	}
	halt_forever();
}

unsigned smp_start(unsigned wanted, void (*fn)(unsigned number))
{
	ap_fn = fn;
	memcpy((void *)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
	*lapic(LAPIC_ICR) = ICR_INIT_ALL_OTHERS;
	nap();
	*lapic(LAPIC_ICR) = ICR_STARTUP_ALL_OTHERS | TRAMPOLINE >> 12;
	WAIT(__atomic_load_n(&running, __ATOMIC_SEQ_CST) >= wanted, 1000);
	return __atomic_load_n(&running, __ATOMIC_SEQ_CST);
}
