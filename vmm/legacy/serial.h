/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A serial port (National Semiconductor PC16550D data sheet) at PORT_SERIAL.
 *
 * Characters take no time: one that the console has room for is out at once. While the console is
 * full the transmitter stays busy (LSR.THRE clear), so nothing is lost.
 */
#pragma once

#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"
#include "vmm/legacy/console.h"

struct serial;

/*
 * Registers the ports. The console outlives the port; NULL: what the guest writes is lost.
 * NULL where the ports are taken or memory is short, with one line logged.
 */
struct serial *serial_create(struct bus *ports, struct irq_line irq, struct console *console);
void serial_destroy(struct serial *s); /* NULL is fine; the bus is served by nobody then */
struct device serial_device(struct serial *s);
