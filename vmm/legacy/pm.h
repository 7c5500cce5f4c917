/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI's fixed hardware (ACPI 6.5, 4.8.3) and the event device's pending register.
 *
 *   PORT_PM1_EVT   status (write 1 to clear) and enable, 16 bits each; SCI while both have a bit
 *   PORT_PM1_CNT   SCI_EN reads as 1; SLP_TYP = PM_SLP_TYP_S5 with SLP_EN asks for power off
 *   PORT_PM_TIMER  3.579545 MHz, 32 bits (FADT.TMR_VAL_EXT), TMR_STS when bit 31 changes
 *   PORT_GED       pending events, read to clear; an edge on GSI_GED when one comes
 *   PORT_RESET     a byte inside PCI's address register, so whoever serves that calls
 *                  pm_reset_port_*() for byte accesses
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/loop.h"
#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"
#include "vmm/power.h"

#define PM_SLP_TYP_S5  5    /* what _S5 names */
#define PM_RESET_VALUE 0x06 /* what the FADT's reset register is to be written with */
#define PM_TIMER_HZ    3579545

struct pm;

/* The timer's time in ns from any origin, never going back while the guest runs. Any thread. */
struct pm_clock {
	int64_t (*now)(void *opaque);
	void *opaque;
};

struct pm_config {
	struct bus *ports;
	struct irq_line sci, ged;
	struct power_sink power;
	struct loop *loop;            /* for the timer's overflow, where the guest enables it */
	const struct pm_clock *clock; /* NULL: CLOCK_MONOTONIC; copied */
};

/* NULL where the ports are taken or memory is short, with one line logged. */
struct pm *pm_create(const struct pm_config *config);
void pm_destroy(struct pm *pm); /* NULL is fine; the loop has ended, the bus is served by nobody */
struct device pm_device(struct pm *pm);

/* Presses the power button. False where the guest does not listen for it. Any thread. */
bool pm_power_button(struct pm *pm);

/* Sets bit (0 .. 31) of the event device's pending register and tells the guest. Any thread. */
void pm_ged_raise(struct pm *pm, unsigned bit);

/* The byte at PORT_RESET: a value with bit 2 set (6, 0xe) asks for a reset. vCPU thread. */
void pm_reset_port_write(struct pm *pm, uint8_t value);
uint8_t pm_reset_port_read(struct pm *pm);
