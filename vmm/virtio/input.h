/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio input device (virtio 1.2, section 5.8): a keyboard with LEDs, an absolute tablet, a mouse.
 *
 *   service loop                         machine loop
 *   seat ──► ring of reports ──posted──► events into eventq buffers, one report whole or not at all
 *   seat ◄── seat_device_leds() ◄─────── statusq
 *
 * A guest without free buffers makes reports wait; the ring is bounded. While they wait motion and
 * wheel melt into one report and presses beyond the bound are dropped, but what has been pressed
 * is released in any case.
 */
#pragma once

#include "input/seat.h"

struct loop;
struct memory;
struct vinput;
struct virtio_device;

/*
 * loop is the machine loop. The device adds itself to the seat, which goes before it. NULL: no
 * memory.
 */
struct vinput *vinput_create(
	enum seat_kind kind, struct loop *loop, const struct memory *mem, struct seat *seat);
void vinput_destroy(
	struct vinput *v); /* NULL is fine; the loop has ended but exists, the seat is gone */

struct virtio_device *vinput_device(struct vinput *v);
