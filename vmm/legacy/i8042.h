/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC's keyboard controller (Intel 8042, IBM PS/2 technical reference) with a keyboard behind
 * its first port and nothing behind the second, at PORT_I8042_DATA and PORT_I8042_CMD.
 *
 * It serves early boot, passwords for disks and guests without a virtio driver: a seat uses the
 * first keyboard that somebody listens to, so this one is to be created after virtio-input.
 *
 *   seat ──► ps2_keyboard ──(scancode set 2)──► controller ──(translated to set 1)──► port 0x60
 *
 * Without firmware nobody has set the controller up: at power-on it is as a BIOS leaves it
 * (interrupt and translation on), but keys are reported only once the guest has enabled the
 * keyboard.
 */
#pragma once

#include "input/seat.h"
#include "vmm/bus.h"
#include "vmm/device.h"
#include "vmm/irq.h"
#include "vmm/power.h"

struct i8042;

struct i8042_config {
	struct bus *ports;
	struct irq_line irq;
	struct power_sink power; /* pulses of the reset line */
	struct seat *seat;       /* goes before the device does */
};

/* NULL where the ports are taken or memory is short, with one line logged. */
struct i8042 *i8042_create(const struct i8042_config *config);
void i8042_destroy(struct i8042 *k); /* NULL is fine; the bus is served by nobody then */
struct device i8042_device(struct i8042 *k);
