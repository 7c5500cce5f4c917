/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A seat_device that writes down what it is told, one event a word: "+30 -30 abs:10,20 rel:1,-1
 * wheel:120,0". Syncs are counted only.
 */
#pragma once

#include <stdbool.h>

#include "input/seat.h"

struct fake_seat_device {
	struct seat_device dev;
	bool active;
	unsigned syncs;
	char log[4096], seen[4096];
};

void fake_seat_device_init(struct fake_seat_device *f, enum seat_kind kind);

/* What was written since the last call, with no blank at the end. Valid until the next call. */
const char *fake_seat_device_log(struct fake_seat_device *f);
