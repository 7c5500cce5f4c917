/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a virtio input device says of itself (virtio 1.2, sections 5.8.2 and 5.8.4). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_input.h>

#include "input/seat.h"

/* Fills in size and union as select and subsel ask for; size 0 where there is nothing. */
void vinput_config_answer(struct virtio_input_config *c, enum seat_kind kind);

/* True where a device of this kind has the key or button. Any thread. */
bool vinput_has_key(enum seat_kind kind, uint16_t code);
