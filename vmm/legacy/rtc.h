/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC's clock and its battery-backed bytes (Motorola MC146818A) at PORT_RTC, in UTC.
 *
 * Nothing ticks: time registers are computed when they are read, and a timer is set only while
 * the guest has one of the chip's interrupts enabled and none is pending. Setting the time keeps
 * a distance to the host's clock.
 */
#pragma once

#include <stdint.h>

#include "util/loop.h"
#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"

#define RTC_CENTURY 0x32 /* index of the century's byte, for the FADT */

struct rtc;

/* The time of day in ns since 1970, UTC. Any thread. */
struct rtc_clock {
	int64_t (*now)(void *opaque);
	void *opaque;
};

/*
 * Registers the ports. clock NULL: CLOCK_REALTIME. Timers run on the loop.
 * NULL where the ports are taken or memory is short, with one line logged.
 */
struct rtc *rtc_create(
	struct bus *ports, struct irq_line irq, struct loop *l, const struct rtc_clock *clock);
void rtc_destroy(struct rtc *r); /* NULL is fine; the loop has ended, the bus is served by nobody */
struct device rtc_device(struct rtc *r);
